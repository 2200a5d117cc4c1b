"""Filling missing values of ndarrays and MaskedArrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from biggus.errors import MaskedValueError


def filled(values: npt.NDArray[Any], fill: Any = None) -> npt.NDArray[Any]:
    """Return values as an ndarray; masked ones are replaced in place.

    Raises
    ------
    MaskedValueError, ValueError
        If a value is masked and cannot be replaced, as in `value`.
    """
    if type(values) is np.ndarray or not isinstance(values, np.ma.MaskedArray):
        return values
    data, mask = values.data, np.ma.getmaskarray(values)
    if mask.any():
        data[mask] = value(fill, data.dtype)
    return data


def masked(values: npt.NDArray[Any]) -> np.ma.MaskedArray[Any, Any]:
    """Return values as a MaskedArray with a full mask."""
    if isinstance(values, np.ma.MaskedArray):
        return values
    return np.ma.MaskedArray(values, mask=np.zeros(values.shape, bool))


def value(fill: Any, dtype: np.dtype[Any]) -> Any:
    """Return the value to replace missing values with.

    Parameters
    ----------
    fill : scalar or None
        The value given by the caller; None for NaN or NaT.
    dtype : dtype
        The dtype of the array.

    Raises
    ------
    MaskedValueError
        If `fill` is None and `dtype` has neither NaN nor NaT.
    ValueError
        If `dtype` cannot hold `fill`.
    """
    return _missing(dtype) if fill is None else _fitting(fill, dtype)


def _missing(dtype: np.dtype[Any]) -> Any:
    if dtype.kind in "fc":
        return np.nan
    if dtype.kind in "mM":
        return np.array("NaT", dtype)
    raise MaskedValueError(
        f"a value is missing, and dtype {dtype} has neither NaN nor NaT",
        "call .masked_array(), `.ndarray(fill=...)`, or .filled(...)",
    )


def _fitting(fill: Any, dtype: np.dtype[Any]) -> Any:
    """Return `fill`, after checking that `dtype` can hold it."""
    value = np.asarray(fill)
    if value.ndim:
        raise ValueError(f"fill is one value, not an array of shape {value.shape}")
    if dtype.kind in "iu":
        whole = value.dtype.kind in "biu" or value == np.trunc(value)
        fits = whole and np.iinfo(dtype).min <= value <= np.iinfo(dtype).max
    elif dtype.kind in "SU":
        item = value.item()
        text = item if isinstance(item, (str, bytes)) else str(item)
        fits = len(text) <= dtype.itemsize // np.dtype(f"{dtype.kind}1").itemsize
    else:
        fits = True
    if not fits:
        raise ValueError(f"the fill {fill!r} does not fit into dtype {dtype}")
    return fill
