"""Making the decoder of a variable from its attributes."""

from __future__ import annotations

import contextlib
from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from biggus.cf.decoder import Decoder
from biggus.cf.marks import KEPT_DTYPE, PACKING, kept_dtype, kept_width, text_of

_DEFAULT_FILLS: dict[str, int | float] = {
    "i1": -127,
    "u1": 255,
    "i2": -32767,
    "u2": 65535,
    "i4": -2147483647,
    "u4": 4294967295,
    "i8": -9223372036854775806,
    "u8": 18446744073709551614,
    "f4": 9.969209968386869e36,
    "f8": 9.969209968386869e36,
    "c8": 9.969209968386869e36,
    "c16": 9.969209968386869e36,
}
"""The default fill values of the netCDF library, by dtype."""


def decoder(
    dtype: npt.DTypeLike,
    attributes: Mapping[str, Any],
    *,
    mask: bool = True,
    scale: bool = True,
    default_fills: bool = True,
    restore: bool = True,
) -> Decoder | None:
    """Return the decoder of packed values of `dtype`, or None if there is nothing to do.

    Attributes that are invalid for the dtype are ignored (silently; netCDF4-python warns): a
    fill value that the dtype cannot hold, a scale factor that is not a number.  Values that
    equal the netCDF library's default fill value are missing unless there is a
    ``_FillValue``, or `default_fills` is False, or `dtype` has one byte and the attribute
    ``_NoFill`` is ``"true"``.  Characters and times are missing only if an attribute says so.
    Structures are never decoded, and strings are only restored to their original dtype.

    Parameters
    ----------
    dtype : dtype
        The dtype of the packed values.
    attributes : mapping
        The variable's attributes.  The dtypes of ``scale_factor`` and ``add_offset`` decide on
        that of the result.
    mask : bool
        Whether to mask missing values.
    scale : bool
        Whether to scale, and to treat integers marked ``_Unsigned`` as unsigned.
    default_fills : bool
        Whether unwritten values are the netCDF library's default fill values, as they are only
        in its own files.
    restore : bool
        Whether to restore the original dtype, such as bool, which xarray stores as bytes with an
        attribute ``dtype``.

    Examples
    --------
    >>> import numpy as np
    >>> decode = decoder("i2", {"scale_factor": np.float32(0.5), "_FillValue": np.int16(-1)})
    >>> decode.dtype, decode.masked
    (dtype('float32'), True)
    >>> print(decode(np.array([3, -1], "i2")))
    [1.5 --]
    """
    packed = np.dtype(dtype)
    flags = mask, scale, default_fills, restore
    key = _key(packed, attributes, flags)
    if key is None:
        return _made(packed, attributes, *flags)
    with contextlib.suppress(KeyError):  # another thread may clear the cache at any time
        return _known[key]
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    decoder_made = _known[key] = _made(packed, attributes, *flags)
    return decoder_made


_known: dict[Hashable, Decoder | None] = {}
"""A cache of decoders by dtype and attributes, which many variables of a file share."""

_MOST_KNOWN = 256

_DECIDING = (*sorted(PACKING), "_NoFill")
"""The attributes that the decoder depends on, if none of them names a dtype."""


def _key(packed: np.dtype[Any], attributes: Mapping[str, Any], flags: object) -> Hashable:
    """Return a key of the decoder; None if an attribute is neither plain numbers nor text."""
    if (
        packed.hasobject
        or packed.names is not None
        or "dtype" in attributes
        or KEPT_DTYPE in attributes
    ):
        return None
    parts: list[Hashable] = [packed, packed.metadata is None, flags]
    for name in _DECIDING:
        value = attributes.get(name)
        if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biufSU":
            parts.append((name, value.dtype.str, value.shape, value.tobytes()))
        elif isinstance(value, str):
            parts.append((name, value))
        elif value is not None:
            return None
    return tuple(parts)


def _made(
    packed: np.dtype[Any],
    attributes: Mapping[str, Any],
    mask: bool,
    scale: bool,
    default_fills: bool,
    restore: bool,
) -> Decoder | None:
    number = packed.kind in "iufc"
    compared = number or packed.kind in "mM" or packed == "S1"
    original = kept_dtype(packed, attributes) if restore else None
    if not compared and original is None:
        return None
    unsigned = scale and packed.kind == "i" and text_of(attributes, "_Unsigned") in ("true", "True")
    viewed = np.dtype(f"{packed.byteorder}u{packed.itemsize}") if unsigned else packed
    decoder = Decoder(packed=packed, dtype=viewed, viewed=viewed)
    if scale and number:
        decoder = _with_scaling(decoder, attributes)
    if mask and compared:
        decoder = _with_missing(decoder, attributes, default_fills)
    if mask and number:
        decoder = _with_bounds(decoder, attributes)
    if original is not None and decoder.dtype == packed:
        decoder = replace(decoder, dtype=original)
    if decoder == Decoder(packed=packed, dtype=packed, viewed=packed):
        return None
    return _with_fill_value(decoder, attributes, default_fills) if decoder.masked else decoder


def _with_missing(decoder: Decoder, attributes: Mapping[str, Any], default_fills: bool) -> Decoder:
    """Add the packed values that are missing."""
    missing, fill, default = _sentinels(decoder, attributes, default_fills)
    sentinels = [array.ravel() for array in (missing, fill) if array is not None]
    # As in netCDF4-python, unsigned values never equal the default fill value, a signed one.
    unsigned = decoder.viewed != decoder.packed
    if fill is None and default is not None and not unsigned and not _unfilled(decoder, attributes):
        sentinels.append(default.reshape(1))
    values = np.concatenate(sentinels) if sentinels else np.empty(0, decoder.viewed)
    nan = np.isnan(values) if values.dtype.kind in "fcmM" else np.zeros(values.shape, bool)
    named = values[~nan]
    # Times without a unit have no hash.
    distinct = tuple(named) if named.dtype.kind in "mM" else tuple(dict.fromkeys(named))
    return replace(decoder, missing=distinct, nan=bool(nan.any()))


def _with_fill_value(
    decoder: Decoder, attributes: Mapping[str, Any], default_fills: bool
) -> Decoder:
    """Add the fill value of the result: a packed missing value, cast to the dtype of the result."""
    sentinels = _sentinels(decoder, attributes, default_fills)
    shown = next((a.ravel()[0] for a in sentinels if a is not None and a.size), None)
    if shown is None:
        # NumPy's own does not fit into short integers.
        usual = _DEFAULT_FILLS.get(decoder.dtype.str[1:]) if decoder.dtype.kind in "iu" else None
        shown = np.ma.default_fill_value(decoder.dtype) if usual is None else usual
        with np.errstate(all="ignore"):
            return replace(decoder, fill_value=np.array(shown).astype(decoder.dtype)[()])
    with np.errstate(all="ignore"):
        value = np.asarray(shown).astype(decoder.viewed).astype(decoder.dtype)
    return replace(decoder, fill_value=value[()])


def _sentinels(
    decoder: Decoder, attributes: Mapping[str, Any], default_fills: bool
) -> tuple[npt.NDArray[Any] | None, ...]:
    """Return ``missing_value``, ``_FillValue`` and the default fill value; None if absent."""
    missing = _castable(attributes.get("missing_value"), decoder)
    fill = _castable(attributes.get("_FillValue"), decoder)
    default = _DEFAULT_FILLS.get(decoder.packed.str[1:]) if default_fills else None
    return missing, fill, None if default is None else np.array(default, decoder.packed)


def _unfilled(decoder: Decoder, attributes: Mapping[str, Any]) -> bool:
    """Return whether unwritten values are not the default fill value.

    Without filling, every value of a byte may be a real one.  For wider types the default fill
    values are so improbable that they still count as missing.
    """
    return decoder.packed.itemsize == 1 and text_of(attributes, "_NoFill") == "true"


def _with_bounds(decoder: Decoder, attributes: Mapping[str, Any]) -> Decoder:
    """Add the least and the greatest valid packed values."""
    both = _castable(attributes.get("valid_range"), decoder)
    if both is not None and both.size == 2:
        low, high = both.ravel()
        return replace(decoder, minimum=low, maximum=high)
    bounds = (_castable(attributes.get(name), decoder) for name in ("valid_min", "valid_max"))
    low, high = (None if b is None or b.size != 1 else b.ravel()[0] for b in bounds)
    return replace(decoder, minimum=low, maximum=high)


def _with_scaling(decoder: Decoder, attributes: Mapping[str, Any]) -> Decoder:
    """Add scale, offset and the dtype of the result; neither if one of them is invalid."""
    numbers = []
    width = kept_width(attributes)
    for name in ("scale_factor", "add_offset"):
        value = attributes.get(name)
        if value is not None:
            array = np.asarray(value)
            if array.size != 1 or array.dtype.kind not in "biuf":
                return decoder
            value = array.ravel()[0]
            if width is not None and value.dtype == np.float64:
                value = value.astype(width)
        numbers.append(value)
    scale, offset = numbers
    idle_scale, idle_offset = scale is None or scale == 1, offset is None or offset == 0
    if idle_scale and idle_offset:
        # There is nothing to compute, but if both are given, the result has their dtype.
        return decoder if scale is None or offset is None else replace(decoder, dtype=scale.dtype)
    if scale is None or offset is None:
        scale, offset = (None if idle_scale else scale), (None if idle_offset else offset)
    result = decoder.viewed
    for number in (scale, offset):
        if number is not None:
            result = np.result_type(result, number.dtype)
    return replace(decoder, dtype=result, scale=scale, offset=offset)


def _castable(value: Any, decoder: Decoder) -> npt.NDArray[Any] | None:
    """Return an attribute cast to the packed dtype, or None if the cast changes its value."""
    packed = decoder.packed
    if value is None:
        return None
    try:
        array = np.array(value)
        if packed.kind == "S":
            cast = array.astype(packed) if array.dtype.kind == "S" else None
        elif packed.kind == array.dtype.kind or (
            array.dtype.kind in "biuf" and packed.kind not in "mM"
        ):
            with np.errstate(all="ignore"):
                cast = array.astype(packed)
        else:
            cast = None
        if cast is None or not np.array_equal(array, cast, equal_nan=packed.kind != "S"):
            return None
    except (TypeError, ValueError, OverflowError):
        return None
    return cast.view(decoder.viewed)
