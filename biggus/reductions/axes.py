"""Which axes are meant: asked of NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from biggus.sources.normal import normal_axes, refuse_names
from biggus.statistics.signatures import NOT_GIVEN


def reduced_axes(
    name: str,
    ndim: int,
    axis: Any,
    keepdims: Any,
    *more: Any,
    dtype: Any = np.float64,
    **method: Any,
) -> tuple[tuple[int, ...], bool]:
    """Return the axes that are meant, ascending, and whether they stay.

    Parameters
    ----------
    name : str
        The function of NumPy's, or of np.ma, that is to take them.
    ndim : int
        How many axes there are.
    axis, keepdims : object
        As they were given.
    *more : object
        What the function needs besides.
    dtype : dtype, optional
        That of the values, if it matters.
    **method : object
        What else the function takes.

    Raises
    ------
    AxisError, TypeError, ValueError
        As the function raises.
    """
    refuse_names(axis)
    keepdims = False if keepdims is NOT_GIVEN else keepdims
    if axis is None and keepdims is False and not more and dtype is np.float64:
        return tuple(range(ndim)), False  # of which nothing is to be refused
    # Those that NumPy does not have take axes as its extremes do.
    function: Any = getattr(np, name, None) or getattr(np.ma, name, np.max)
    function(np.ones((1,) * ndim, dtype), *more, axis=axis, keepdims=keepdims, **method)
    if axis is None:
        return tuple(range(ndim)), bool(keepdims)
    if not ndim:
        return (), bool(keepdims)  # of no axes, many functions take the first and the last
    return tuple(sorted(normal_axes(axis, ndim))), bool(keepdims)
