"""Nodes of statistics: a node, and what NumPy's function takes besides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.graph import AlongAxes, Node, Reduce, select
from biggus.indexing.selection import Selection
from biggus.reductions.along import Ranked
from biggus.reductions.axes import reduced_axes
from biggus.reductions.excluding import excluding, takes
from biggus.reductions.rolled import rolled
from biggus.reductions.skipping import without_nan
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
    axes, kept = reduced_axes(name, len(a.shape), asked.axis, asked.keepdims)
    given = {word: value for word, value in asked.parameters.items() if value is not None}
    return rolled(Reduce(a, name, axes, kept, **given))


def _ranked(name: str, a: Node, asked: Asked) -> Node:
    """Return what is found by the order of values: in a pass, if it is over everything."""
    axis, keepdims, method, q = asked
    with np.errstate(all="ignore"):
        axes, kept = reduced_axes(name, len(a.shape), axis, keepdims, *q, dtype=a.dtype, **method)
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
    counts = Reduce(a, "histogram", tuple(_all(a)), **given)
    return counts, Reduce(a, "histogram_edges", tuple(_all(a)), **given)


def histogram_edges(
    a: Node, bins: Any = 10, range: tuple[Any, Any] | None = None, weights: None = None
) -> Node:
    """Return the node of the edges of the bins of a histogram."""
    return histogram(a, bins, range, None, weights)[1]


def _all(a: Node) -> range:
    return range(len(a.shape))
