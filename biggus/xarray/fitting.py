"""Least-squares fits of lazy arrays with missing values, for ``polyfit`` of xarray."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from biggus.array import Array
from biggus.functions.axes import moveaxis
from biggus.xarray.gufuncs import apply_gufunc


def least_squares(
    in_memory: Callable[..., Any], lhs: Any, rhs: Any, rcond: Any = None, skipna: bool = False
) -> Any:
    """Return the coefficients and residuals of fits along the first axis.

    Parameters
    ----------
    in_memory : callable
        xarray's function for arrays in memory.
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
        return in_memory(lhs, rhs, rcond=rcond, skipna=skipna)
    fit = partial(_of_lines, in_memory=in_memory, lhs=lhs, rcond=rcond)
    sizes = {"degree": lhs.shape[1]}
    lines = moveaxis(rhs, 0, -1)
    coefficients, residuals = apply_gufunc(fit, "(x)->(degree),()", lines, output_sizes=sizes)
    return moveaxis(coefficients, -1, 0), residuals


def _of_lines(
    lines: npt.NDArray[Any], in_memory: Callable[..., Any], lhs: Any, rcond: Any
) -> tuple[Any, Any]:
    """Return the coefficients, as the last axis, and the residuals of lines along the last axis."""
    columns = lines.reshape(-1, lines.shape[-1]).T
    coefficients, residuals = in_memory(lhs, columns, rcond=rcond, skipna=True)
    shape = lines.shape[:-1]
    return np.moveaxis(coefficients, 0, -1).reshape(*shape, -1), residuals.reshape(shape)
