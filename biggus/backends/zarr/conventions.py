"""Recognising Zarr arrays that follow the CF conventions.

A Zarr array counts as following them if its attributes do, by `biggus.cf.follows`, or if it has
format 2, xarray's attribute ``_ARRAY_DIMENSIONS`` and a fill value, where xarray stores
``_FillValue``.  In format 3 the fill value only stands for values that were never written, and
``_FillValue`` is an attribute, of some dtypes in Base64.
"""

from __future__ import annotations

import base64
import binascii
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus import cf

if TYPE_CHECKING:
    from collections.abc import Mapping

    from biggus.backends.zarr.metadata import ArrayDocument

CONVENTIONS = "CF-Zarr"
"""CF in Zarr stores: only values named by attributes are missing."""

_SENTINELS = ("_FillValue", "missing_value", "valid_min", "valid_max", "valid_range")

_WORDS = {"NaN": np.nan, "Infinity": np.inf, "-Infinity": -np.inf}


def follows_cf(document: ArrayDocument, dtype: np.dtype[Any]) -> bool:
    """Return whether an array with values of `dtype` follows the CF conventions."""
    attributes = document.fields.get("attributes") or {}
    if cf.follows(dtype, attributes):
        return True
    marked = document.zarr_format == 2 and "_ARRAY_DIMENSIONS" in attributes
    return marked and document.fields.get("fill_value") is not None


def cf_attributes(
    document: ArrayDocument, dtype: np.dtype[Any], fill_value: Any
) -> Mapping[str, Any]:
    """Return the attributes of an array that follows CF, as `biggus.cf` expects them.

    JSON has neither bytes nor widths of numbers.  The numbers that floating-point values are
    compared with are cast to their dtype.

    Parameters
    ----------
    document : ArrayDocument
        The metadata of the array.
    dtype : dtype
        The dtype of the packed values.
    fill_value : scalar or None
        The fill value of the array, of `dtype`.
    """
    attributes = dict(document.attributes)
    if "_FillValue" in attributes:
        attributes["_FillValue"] = _decoded(attributes["_FillValue"], dtype)
    elif (
        document.zarr_format == 2
        and document.fields.get("fill_value") is not None
        and _comparable(fill_value, dtype)
    ):
        attributes["_FillValue"] = np.asarray(fill_value, dtype)[()]
    for name in _SENTINELS:
        if name in attributes:
            attributes[name] = _of_width(attributes[name], dtype)
    return attributes


def _comparable(fill_value: Any, dtype: np.dtype[Any]) -> bool:
    # An empty character pads strings, and is not a chosen fill value.
    return dtype.kind in "iufcmM" or (dtype == "S1" and bool(fill_value))


def _decoded(value: Any, dtype: np.dtype[Any]) -> Any:
    """Decode a fill value that may be in Base64; return it unchanged if it is not."""
    try:
        if dtype.kind == "c" and isinstance(value, list) and len(value) == 2:
            return complex(*(_number(part) for part in value))
        if dtype.kind == "f" and isinstance(value, str):
            return _number(value)
        if dtype.kind == "S" and isinstance(value, str):
            return base64.b64decode(value, validate=True)
    except (binascii.Error, struct.error, ValueError):
        pass
    return value


def _number(value: Any) -> float:
    if not isinstance(value, str):
        return float(value)
    if value in _WORDS:
        return float(_WORDS[value])
    number: float = struct.unpack("<d", base64.b64decode(value, validate=True))[0]
    return number


def _of_width(value: Any, dtype: np.dtype[Any]) -> Any:
    """Cast numbers to the dtype of the floating-point values that they are compared with."""
    array = np.asarray(value) if isinstance(value, (int, float, complex, list)) else None
    if dtype.kind not in "fc" or array is None or array.dtype.kind not in "iufc":
        return value
    if array.dtype.kind == "c" and dtype.kind == "f":
        return value
    with np.errstate(all="ignore"):
        cast = array.astype(dtype)
    # A number that is too large for the dtype stays as it is.
    return cast[()] if np.array_equal(np.isinf(cast), np.isinf(array)) else value
