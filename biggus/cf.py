"""CF decoding: from values as they are packed in a store to what they mean.

A variable's attributes say which packed values are missing (``_FillValue``,
``missing_value``, ``valid_min``, ``valid_max``, ``valid_range``), whether
signed integers are unsigned ones (``_Unsigned``), and how numbers are scaled
(``scale_factor``, ``add_offset``).  :func:`decoder` turns dtype and attributes
into a :class:`Decoder`, which is applied to any block of packed values, so that
what is kept in a cache is packed, and packed and decoded views share it.

The results are those of netCDF4-python's automatic masking and scaling, with
what depends on the values there made static here: dtype, maskedness and fill
value follow from the metadata alone.

Pure: knows no source and reads nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Mapping

Values: TypeAlias = npt.NDArray[Any] | np.ma.MaskedArray[Any, Any]

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
"""What the netCDF library writes where nothing was written, by dtype."""


@dataclass(frozen=True, eq=False)
class Decoder:
    """What turns packed values into decoded ones, element by element.

    Made by :func:`decoder`.  Equal and of one hash if it does the same; pickles.

    Attributes
    ----------
    packed : dtype
        The dtype of what goes in.
    dtype : dtype
        The dtype of what comes out.
    masked : bool
        Whether the result is a MaskedArray: if any value can be missing.
    fill_value : scalar or None
        The fill value of the result, of `dtype`; None if not `masked`.
    viewed : dtype
        As what packed values are looked at: `packed`, or its unsigned twin.
    missing : tuple of scalar
        The packed values, of `viewed`, that are missing.
    nan : bool
        Whether NaN is missing.
    minimum, maximum : scalar or None
        Packed values beyond these, of `viewed`, are missing.
    scale, offset : scalar or None
        Packed values are multiplied by `scale`, then `offset` is added.
    """

    packed: np.dtype[Any]
    dtype: np.dtype[Any]
    viewed: np.dtype[Any]
    fill_value: Any = None
    missing: tuple[Any, ...] = ()
    nan: bool = False
    minimum: Any = None
    maximum: Any = None
    scale: Any = None
    offset: Any = None

    @property
    def masked(self) -> bool:
        """Whether the result is a MaskedArray: if any value can be missing."""
        bounded = self.minimum is not None or self.maximum is not None
        return bool(self.missing) or self.nan or bounded

    def __call__(self, values: npt.NDArray[Any]) -> Values:
        """Return the decoded `values`.

        Parameters
        ----------
        values : ndarray
            Packed values of dtype `packed`, of any shape.  Not changed.

        Returns
        -------
        ndarray or MaskedArray
            Of `dtype` and the same shape; a MaskedArray if and only if
            `masked`.  May share memory with `values`.  What lies under the
            mask has no meaning.
        """
        values = np.asarray(values)
        if self.viewed != self.packed:
            values = values.view(self.viewed)
        with np.errstate(all="ignore"):
            mask = self._mask(values)
            result = self._unpack(values)
        if not self.masked:
            return result
        return np.ma.MaskedArray(result, mask=mask, fill_value=self.fill_value)

    def _mask(self, values: npt.NDArray[Any]) -> Any:
        mask: Any = None
        for test in (
            *(np.equal(values, missing) for missing in self.missing),
            *([np.isnan(values)] if self.nan else ()),
            *([np.less(values, self.minimum)] if self.minimum is not None else ()),
            *([np.greater(values, self.maximum)] if self.maximum is not None else ()),
        ):
            mask = test if mask is None else np.logical_or(mask, test)
        return mask if mask is not None and mask.any() else np.ma.nomask

    def _unpack(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        result: npt.NDArray[Any] = values
        if self.scale is not None:
            result = np.asarray(np.multiply(result, self.scale))
        if self.offset is not None:
            # The product is ours to overwrite, unless the sum is of another dtype.
            ours = self.scale is not None and result.dtype == self.dtype
            added = np.add(result, self.offset, out=result) if ours else result + self.offset
            result = np.asarray(added)
        return result if result.dtype == self.dtype else result.astype(self.dtype)

    @property
    def key(self) -> str:
        """What is equal for decoders that do the same, in any process."""
        return f"decode{self._key()!r}"

    def _key(self) -> tuple[Any, ...]:
        def exact(value: Any) -> Any:
            # NaN is unequal to itself and 0.0 equal to -0.0, but their bytes tell.
            if value is None:
                return None
            array = np.asarray(value)
            return array.dtype.str, array.tobytes()

        return (
            self.packed,
            self.dtype,
            self.viewed,
            self.nan,
            tuple(map(exact, self.missing)),
            *map(exact, (self.fill_value, self.minimum, self.maximum, self.scale, self.offset)),
        )

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Decoder) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())


def decoder(
    dtype: npt.DTypeLike,
    attributes: Mapping[str, Any],
    *,
    mask: bool = True,
    scale: bool = True,
    default_fills: bool = True,
) -> Decoder | None:
    """Return what decodes packed values of `dtype`, or None if there is nothing to do.

    Attributes that make no sense for the dtype are ignored, as netCDF4-python
    does (with a warning there, silently here): a fill value that the dtype
    cannot hold, a scale factor that is no number.  Values that equal the
    netCDF library's default fill value are missing unless there is a
    ``_FillValue``, or `default_fills` is False, or `dtype` is of one byte and
    the attribute ``_NoFill`` is ``"true"``.  Characters are missing only if an
    attribute says so; strings, objects and structures are never decoded.

    Parameters
    ----------
    dtype : dtype
        Of the packed values.
    attributes : mapping
        The variable's attributes, with their own dtypes: those of
        ``scale_factor`` and ``add_offset`` decide on that of the result.
    mask : bool
        Whether to mask what is missing.
    scale : bool
        Whether to scale, and to take integers as unsigned ones if so told.
    default_fills : bool
        Whether values that were never written show the netCDF library's default
        fill values, as in its files and in no others.

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
    character = packed.kind == "S" and packed.itemsize == 1
    if packed.kind not in "iufc" and not character:
        return None
    unsigned = scale and packed.kind == "i" and attributes.get("_Unsigned") in ("true", "True")
    viewed = np.dtype(f"{packed.byteorder}u{packed.itemsize}") if unsigned else packed
    made = Decoder(packed=packed, dtype=viewed, viewed=viewed)
    if scale and not character:
        made = _with_scaling(made, attributes)
    if mask:
        made = _with_missing(made, attributes, default_fills)
    if mask and not character:
        made = _with_bounds(made, attributes)
    if made == Decoder(packed=packed, dtype=packed, viewed=packed):
        return None
    return _with_fill_value(made, attributes, default_fills) if made.masked else made


def _with_missing(made: Decoder, attributes: Mapping[str, Any], default_fills: bool) -> Decoder:
    """Add the packed values that are missing."""
    missing, fill, default = _sentinels(made, attributes, default_fills)
    found = [array.ravel() for array in (missing, fill) if array is not None]
    # Unsigned values are compared with a default fill value that is signed.
    unsigned = made.viewed != made.packed
    if fill is None and default is not None and not unsigned and not _unfilled(made, attributes):
        found.append(default.reshape(1))
    values = np.concatenate(found) if found else np.empty(0, made.viewed)
    nan = np.isnan(values) if values.dtype.kind in "fc" else np.zeros(values.shape, bool)
    distinct = tuple(dict.fromkeys(values[~nan]))
    return replace(made, missing=distinct, nan=bool(nan.any()))


def _with_fill_value(made: Decoder, attributes: Mapping[str, Any], default_fills: bool) -> Decoder:
    """Add what missing values are shown as: a packed value, in the dtype of the result."""
    sentinels = _sentinels(made, attributes, default_fills)
    shown = next((a.ravel()[0] for a in sentinels if a is not None and a.size), None)
    if shown is None:
        return replace(made, fill_value=np.ma.default_fill_value(made.dtype))
    with np.errstate(all="ignore"):
        value = np.asarray(shown).astype(made.viewed).astype(made.dtype)
    return replace(made, fill_value=value[()])


def _sentinels(
    made: Decoder, attributes: Mapping[str, Any], default_fills: bool
) -> tuple[npt.NDArray[Any] | None, ...]:
    """Return ``missing_value``, ``_FillValue`` and the default fill value, where there are such."""
    missing = _castable(attributes.get("missing_value"), made)
    fill = _castable(attributes.get("_FillValue"), made)
    default = _DEFAULT_FILLS.get(made.packed.str[1:]) if default_fills else None
    return missing, fill, None if default is None else np.array(default, made.packed)


def _unfilled(made: Decoder, attributes: Mapping[str, Any]) -> bool:
    """Tell whether unwritten values do not show the default fill value.

    Without filling, a byte has no value to spare; of wider types the default
    fill values are improbable enough to be taken as missing all the same.
    """
    return made.packed.itemsize == 1 and attributes.get("_NoFill") == "true"


def _with_bounds(made: Decoder, attributes: Mapping[str, Any]) -> Decoder:
    """Add the least and the greatest valid packed values."""
    both = _castable(attributes.get("valid_range"), made)
    if both is not None and both.size == 2:
        low, high = both.ravel()
        return replace(made, minimum=low, maximum=high)
    bounds = (_castable(attributes.get(name), made) for name in ("valid_min", "valid_max"))
    low, high = (None if b is None or b.size != 1 else b.ravel()[0] for b in bounds)
    return replace(made, minimum=low, maximum=high)


def _with_scaling(made: Decoder, attributes: Mapping[str, Any]) -> Decoder:
    """Add scale, offset and the dtype of the result; neither if one of them is invalid."""
    numbers = []
    for name in ("scale_factor", "add_offset"):
        value = attributes.get(name)
        if value is not None:
            array = np.asarray(value)
            if array.size != 1 or array.dtype.kind not in "biuf":
                return made
            value = array.ravel()[0]
        numbers.append(value)
    scale, offset = numbers
    idle_scale, idle_offset = scale is None or scale == 1, offset is None or offset == 0
    if idle_scale and idle_offset:
        # Nothing to compute, but both together name the dtype to be unpacked to.
        return made if scale is None or offset is None else replace(made, dtype=scale.dtype)
    if scale is None or offset is None:
        scale, offset = (None if idle_scale else scale), (None if idle_offset else offset)
    result = made.viewed
    for number in (scale, offset):
        if number is not None:
            result = np.result_type(result, number.dtype)
    return replace(made, dtype=result, scale=scale, offset=offset)


def _castable(value: Any, made: Decoder) -> npt.NDArray[Any] | None:
    """Return an attribute as packed values seen as they are, or None if it is none of them."""
    packed = made.packed
    if value is None:
        return None
    try:
        given = np.array(value)
        if packed.kind == "S":
            cast = given.astype(packed) if given.dtype.kind == "S" else None
        elif given.dtype.kind in "biuf" or packed.kind == given.dtype.kind:
            with np.errstate(all="ignore"):
                cast = given.astype(packed)
        else:
            cast = None
        if cast is None or not np.array_equal(given, cast, equal_nan=packed.kind != "S"):
            return None
    except (TypeError, ValueError, OverflowError):
        return None
    return cast.view(made.viewed)
