"""Nodes of statistics, made from the arguments of NumPy's functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.graph import AlongAxes, Node, Reduce, select
from biggus.indexing.selection import Selection
from biggus.reductions.along import Ranked
from biggus.reductions.excluding import excluding, takes
from biggus.reductions.rolled import rolled
from biggus.reductions.skipping import without_nan
from biggus.sources.normal import normal_axes, refuse_names
from biggus.statistics.registry import ENTRIES
from biggus.statistics.signatures import NOT_GIVEN, refuse

if TYPE_CHECKING:
    from biggus.statistics.signatures import Asked


def reduction(name: str, a: Node, *arguments: Any, **keywords: Any) -> Node:
    """Return the node of a statistic of a node, by its name in the registry."""
    if keywords and takes(name) and ("where" in keywords or "initial" in keywords):
        where = keywords.pop("where", True)
        initial = keywords.pop("initial", NOT_GIVEN)
        return excluding(reduction, name, a, where, initial, *arguments, **keywords)
    if name == "sum" and (values := without_nan(a)) is not None:
        name, a = "nansum", values
    entry = ENTRIES[name]
    assert entry.signature is not None
    asked = entry.signature(name, *arguments, **keywords)
    if entry.ranked:
        return _ranked(name, a, asked)
    axes, kept = _reduced_axes(name, len(a.shape), asked.axis, asked.keepdims)
    given = {word: value for word, value in asked.parameters.items() if value is not None}
    return rolled(Reduce(a, name, axes, kept, **given))


def _ranked(name: str, a: Node, asked: Asked) -> Node:
    """Return the node of a median or of quantiles; over all values, it takes several passes."""
    axis, keepdims, method, q = asked
    with np.errstate(all="ignore"):
        axes, kept = _reduced_axes(name, len(a.shape), axis, keepdims, *q, dtype=a.dtype, **method)
    function = Ranked(name, a.dtype, a.shape, axes, q, method)
    found: Node
    if len(axes) == len(a.shape) and function.accumulates:
        found = Reduce(a, name, axes, kept, **function.parameters)
    else:
        found = AlongAxes(a, function, axes, kept, function.shape)
    # NumPy puts the axes of several quantiles first.
    rank, last = len(found.shape), len(function.shape)
    if not last:
        return found
    order = (*range(rank - last, rank), *range(rank - last))
    return select(found, Selection.permuted(found.shape, order))


def _reduced_axes(
    name: str,
    ndim: int,
    axis: Any,
    keepdims: Any,
    *more: Any,
    dtype: Any = np.float64,
    **method: Any,
) -> tuple[tuple[int, ...], bool]:
    """Return the reduced axes, ascending, and whether the result keeps them.

    NumPy's own function is called with an array of one element, to raise its errors.

    Parameters
    ----------
    name : str
        The name of a function of NumPy or of np.ma.
    ndim : int
        The number of axes of the array.
    axis, keepdims : object
        The arguments of the function.
    *more : object
        Its other positional arguments.
    dtype : dtype, optional
        The dtype of the values, if it matters.
    **method : object
        Its other keyword arguments.

    Raises
    ------
    AxisError, TypeError, ValueError
        If the function raises them.
    """
    refuse_names(axis)
    keepdims = False if keepdims is NOT_GIVEN else keepdims
    if axis is None and keepdims is False and not more and dtype is np.float64:
        return tuple(range(ndim)), False  # always valid
    # Functions that NumPy does not have take axes as np.max does.
    function: Any = getattr(np, name, None) or getattr(np.ma, name, np.max)
    function(np.ones((1,) * ndim, dtype), *more, axis=axis, keepdims=keepdims, **method)
    if axis is None:
        return tuple(range(ndim)), bool(keepdims)
    if not ndim:
        return (), bool(keepdims)  # many functions take axis 0 and -1 of a 0-d array
    return tuple(sorted(normal_axes(axis, ndim))), bool(keepdims)


def histogram(
    a: Node,
    bins: Any = 10,
    range: tuple[Any, Any] | None = None,
    density: bool | None = None,
    weights: None = None,
) -> tuple[Node, Node]:
    """Return the nodes of a histogram of all values, and of the edges of its bins."""
    refuse("histogram", weights=weights)
    given = {"bins": bins, "range": range, "density": bool(density)}
    axes = tuple(axis for axis, _ in enumerate(a.shape))
    return Reduce(a, "histogram", axes, **given), Reduce(a, "histogram_edges", axes, **given)


def histogram_edges(
    a: Node, bins: Any = 10, range: tuple[Any, Any] | None = None, weights: None = None
) -> Node:
    """Return the node of the edges of the bins of a histogram."""
    return histogram(a, bins, range, None, weights)[1]
