"""Attributes, markers and names of dimensions as formats store them."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from biggus import cf
from biggus.labels.attributes import kept_attributes

_log = logging.getLogger("biggus.sinks")

LONE_SURROGATE = re.compile("[\ud800-\udfff]")

_NUMBERS = frozenset(["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8"])


def carried_attributes(attributes: Mapping[str, Any], decoded: bool) -> dict[str, Any]:
    """Return the attributes that hold for values as they are read.

    Numbers keep their dtype: the CF conventions ask for flags and ranges of the dtype of the
    values.  All others are plain values.

    Parameters
    ----------
    attributes : mapping
        The attributes of the source.
    decoded : bool
        Whether the values are decoded; if so, attributes that describe packing are left out.
    """
    carried = {}
    for name, value in kept_attributes(attributes, decoded).items():
        plain = plain_value(value)
        refused = _refusal(value, plain)
        if refused:
            _log.warning("leaving out the attribute %s: %s", name, refused)
        else:
            carried[name] = plain if _dtype_of(value) is None else _native(value)
    return carried


def _dtype_of(value: Any) -> np.dtype[Any] | None:
    """Return the dtype of numbers that all formats with dtypes of attributes can store."""
    dtype = value.dtype if isinstance(value, (np.ndarray, np.generic)) else None
    return dtype if dtype is not None and dtype.str[1:] in _NUMBERS else None


def _native(value: Any) -> Any:
    return np.asarray(value).astype(value.dtype.newbyteorder("="))[()]


def _refusal(value: Any, plain: Any) -> str | None:
    """Return why no format can store an attribute; None if one can."""
    if value is None:
        return "it is empty"
    if plain is None:
        return f"it is of type {getattr(value, 'dtype', type(value).__name__)}"
    return None if _is_unicode(plain) else "it holds bytes that are no UTF-8"


def _is_unicode(plain: Any) -> bool:
    if isinstance(plain, list):
        return all(map(_is_unicode, plain))
    return not isinstance(plain, str) or not LONE_SURROGATE.search(plain)


def set_attributes(
    set_one: Callable[[str, Any], object], attributes: Mapping[str, Any], label: str
) -> None:
    """Set attributes one by one; log a warning for those that the format cannot store."""
    for name, value in attributes.items():
        try:
            set_one(name, value)
        except (
            TypeError,
            ValueError,
            OverflowError,
            OSError,
            RuntimeError,
            AttributeError,
        ) as error:
            _log.warning("%s: leaving out the attribute %s: %s", label, name, error)


def dtype_attributes(dtype: np.dtype[Any], stored: np.dtype[Any], masked: bool) -> dict[str, str]:
    """Return the attributes that record the dtype of values that are stored in another one.

    Examples
    --------
    >>> dtype_attributes(np.dtype("f2"), np.dtype("f4"), masked=False)
    {'biggus_dtype': '<f2'}
    """
    if dtype == stored:
        return {}
    if dtype.kind == "b" and not masked:
        return {"dtype": "bool"}  # as xarray does, which decodes missing values as True
    return {cf.KEPT_DTYPE: "T" if dtype.kind == "T" else dtype.str}


def packed_fill(attributes: Mapping[str, Any], dtype: np.dtype[Any]) -> Any:
    """Return the packed value that marks missing ones; None if `dtype` cannot hold it.

    Examples
    --------
    >>> print(packed_fill({"_FillValue": -9.0}, np.dtype("i2")))
    -9
    >>> print(packed_fill({"_FillValue": -9.5}, np.dtype("i2")))
    None
    """
    value = np.asarray(attributes.get("_FillValue"))
    if value.dtype == dtype == np.dtype("S1") and value.size == 1:
        return value.ravel()[0]
    if value.size != 1 or value.dtype.kind not in "iuf" or dtype.kind not in "iuf":
        return None
    with np.errstate(all="ignore"):
        fill = value.ravel().astype(dtype.newbyteorder("="))
    return fill[0] if np.array_equal(value.ravel(), fill, equal_nan=True) else None


def default_fill(attributes: Mapping[str, Any], dtype: np.dtype[Any]) -> Any:
    """Return the default marker of missing values in netCDF files; None if there is none.

    Examples
    --------
    >>> print(default_fill({}, np.dtype("i2")))
    -32767
    """
    deciding = {name: attributes.get(name) for name in ("_NoFill", "_Unsigned")}
    decoder = cf.decoder(dtype, deciding)
    return None if decoder is None or not decoder.masked else decoder.fill_value


def plain_value(value: Any) -> Any:
    """Return a value as a str, int, float, bool or a list of them; None for anything else.

    A long double becomes the nearest float, unless that overflows or underflows.  Bytes that
    are not valid UTF-8 become lone surrogates.

    Examples
    --------
    >>> plain_value(np.float32(0.5)), plain_value(b"K"), plain_value(np.arange(2))
    (0.5, 'K', [0, 1])
    """
    if isinstance(value, (np.ndarray, np.generic)):
        if value.dtype.kind == "f" and value.dtype.itemsize > np.dtype("f8").itemsize:
            value = _nearest_floats(value)
        return plain_value(value.tolist()) if value.dtype.kind in "biufSUO" else None
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, (list, tuple)):
        items = [plain_value(item) for item in value]
        return None if any(item is None for item in items) else items
    return None


def _nearest_floats(values: Any) -> Any:
    """Return long doubles as floats; an array of None if some overflow or underflow."""
    with np.errstate(all="ignore"):
        floats = np.asarray(values).astype("f8")
        near = (np.isinf(floats) == np.isinf(values)) & ((floats == 0) == (values == 0))
    return floats if near.all() else np.asarray(None, object)


def safe_name(name: str) -> str:
    """Return the last part of a path as a name that is valid in every format.

    Examples
    --------
    >>> safe_name("ocean/sea surface"), safe_name("/")
    ('sea_surface', 'data')
    """
    name = re.sub(r"[^A-Za-z0-9_.@+-]", "_", name.rstrip("/").rpartition("/")[2])
    if not name:
        return "data"
    return name if re.match(r"[A-Za-z_]", name) else f"_{name}"


def distinct_dims(
    dims: tuple[str, ...], shape: tuple[int, ...], lengths: dict[str, int] | None = None
) -> tuple[str, ...]:
    """Return names of axes such that equal names have equal lengths.

    Parameters
    ----------
    dims : tuple of str
        The preferred names.
    shape : tuple of int
        The lengths of the axes.
    lengths : dict, optional
        The lengths of names that are in use, to which the returned names are added.

    Examples
    --------
    >>> distinct_dims(("x", "x", "x"), (3, 4, 3))
    ('x', 'x_1', 'x')
    """
    lengths = {} if lengths is None else lengths
    names = []
    for axis, (dim, n) in enumerate(zip(dims, shape, strict=True)):
        name = safe_name(dim)
        while lengths.setdefault(name, n) != n:
            name = f"{name}_{axis}"
        names.append(name)
    return tuple(names)
