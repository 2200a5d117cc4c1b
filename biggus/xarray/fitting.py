"""Least-squares fits of lazy arrays with missing values, for ``polyfit`` of xarray."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from xarray.core import nputils

from biggus.array import Array
from biggus.functions.axes import moveaxis
from biggus.xarray.gufuncs import apply_gufunc

_in_memory: Any = getattr(nputils, "least_squares", None)
"""xarray's function for arrays in memory."""


def least_squares(lhs: Any, rhs: Any, rcond: Any = None, skipna: bool = False) -> Any:
    """Return the coefficients and residuals of fits along the first axis.

    Parameters
    ----------
    lhs : ndarray
        The matrix of powers.
    rhs : Array or ndarray
        The values.  The results are lazy for a lazy array.
    rcond : float, optional
        The relative condition number.
    skipna : bool, default: False
        Whether values can be missing.
    """
    if not (skipna and isinstance(rhs, Array)):
        return _in_memory(lhs, rhs, rcond=rcond, skipna=skipna)
    fit = partial(_of_lines, lhs=lhs, rcond=rcond)
    sizes = {"degree": lhs.shape[1]}
    lines = moveaxis(rhs, 0, -1)
    coefficients, residuals = apply_gufunc(fit, "(x)->(degree),()", lines, output_sizes=sizes)
    return moveaxis(coefficients, -1, 0), residuals


def _of_lines(lines: npt.NDArray[Any], lhs: Any, rcond: Any) -> tuple[Any, Any]:
    """Return the coefficients, as the last axis, and the residuals of lines along the last axis."""
    columns = lines.reshape(-1, lines.shape[-1]).T
    coefficients, residuals = _in_memory(lhs, columns, rcond=rcond, skipna=True)
    shape = lines.shape[:-1]
    return np.moveaxis(coefficients, 0, -1).reshape(*shape, -1), residuals.reshape(shape)


# `polyfit` asks neither the array nor a chunk manager.  If values are missing, it calls a dozen of
# NumPy's functions, each of which would read a lazy array again.  So this function of xarray is
# extended; in a release without it, the values are read again.
if _in_memory is not None:
    setattr(nputils, "least_squares", least_squares)  # noqa: B010 - no public name of xarray
