"""The reductions by name: each takes a node, and what NumPy's function takes besides."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from biggus.graph import AlongAxes, Node, Reduce, select
from biggus.indexing.selection import Selection
from biggus.reductions.along import Ranked
from biggus.reductions.axes import NOT_GIVEN, reduced_axes, refuse

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Axis: TypeAlias = int | tuple[int, ...] | None

REDUCTIONS: dict[str, Callable[..., Node]] = {}
"""What makes the node of a reduction of a node, by the name of the reduction."""


def _named(*names: str) -> Callable[[Callable[..., Node]], Callable[..., Node]]:
    def register(function: Callable[..., Node]) -> Callable[..., Node]:
        REDUCTIONS.update({name: partial(function, name) for name in names})
        return function

    return register


def _reduced(name: str, a: Node, axis: Axis, keepdims: bool, **parameters: Any) -> Node:
    axes, kept = reduced_axes(name, len(a.shape), axis, keepdims)
    given = {word: value for word, value in parameters.items() if value is not None}
    return Reduce(a, name, axes, kept, **given)


@_named("sum", "prod", "nansum", "nanprod")
def _total(
    name: str,
    a: Node,
    axis: Axis = None,
    dtype: npt.DTypeLike | None = None,
    out: None = None,
    keepdims: bool = False,
    initial: None = None,
    where: bool = True,
    *,
    mdtol: float = 1,
) -> Node:
    refuse(name, out=out, initial=initial, where=where)
    return _reduced(name, a, axis, keepdims, dtype=dtype, mdtol=mdtol)


@_named("mean", "nanmean")
def _mean(
    name: str,
    a: Node,
    axis: Axis = None,
    dtype: npt.DTypeLike | None = None,
    out: None = None,
    keepdims: bool = False,
    *,
    where: bool = True,
    mdtol: float = 1,
) -> Node:
    refuse(name, out=out, where=where)
    return _reduced(name, a, axis, keepdims, dtype=dtype, mdtol=mdtol)


@_named("std", "var", "nanstd", "nanvar")
def _spread(
    name: str,
    a: Node,
    axis: Axis = None,
    dtype: npt.DTypeLike | None = None,
    out: None = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: bool = True,
    mean: None = None,
    correction: float | None = None,
    mdtol: float = 1,
) -> Node:
    refuse(name, out=out, where=where, mean=mean)
    given = {"ddof": ddof, "correction": None if correction is NOT_GIVEN else correction}
    return _reduced(name, a, axis, keepdims, dtype=dtype, mdtol=mdtol, **given)


@_named("min", "max", "nanmin", "nanmax")
def _extreme(
    name: str,
    a: Node,
    axis: Axis = None,
    out: None = None,
    keepdims: bool = False,
    initial: None = None,
    where: bool = True,
    *,
    mdtol: float = 1,
) -> Node:
    refuse(name, out=out, initial=initial, where=where)
    return _reduced(name, a, axis, keepdims, mdtol=mdtol)


@_named("any", "all")
def _logic(
    name: str,
    a: Node,
    axis: Axis = None,
    out: None = None,
    keepdims: bool = False,
    *,
    where: bool = True,
    mdtol: float = 1,
) -> Node:
    refuse(name, out=out, where=where)
    return _reduced(name, a, axis, keepdims, mdtol=mdtol)


@_named("ptp")
def _range(
    name: str,
    a: Node,
    axis: Axis = None,
    out: None = None,
    keepdims: bool = False,
    *,
    mdtol: float = 1,
) -> Node:
    refuse(name, out=out)
    return _reduced(name, a, axis, keepdims, mdtol=mdtol)


@_named("argmin", "argmax", "nanargmin", "nanargmax")
def _position(
    name: str, a: Node, axis: int | None = None, out: None = None, *, keepdims: bool = False
) -> Node:
    refuse(name, out=out)
    return _reduced(name, a, axis, keepdims)


@_named("count", "count_nonzero")
def _count(name: str, a: Node, axis: Axis = None, *, keepdims: bool = False) -> Node:
    return _reduced(name, a, axis, keepdims)


@_named("median", "nanmedian")
def _median(
    name: str,
    a: Node,
    axis: Axis = None,
    out: None = None,
    overwrite_input: bool = False,  # noqa: ARG001 - there is no input to overwrite
    keepdims: bool = False,
) -> Node:
    refuse(name, out=out)
    return _ranked(name, a, axis, keepdims)


@_named("quantile", "nanquantile", "percentile", "nanpercentile")
def _quantile(
    name: str,
    a: Node,
    q: npt.ArrayLike,
    axis: Axis = None,
    out: None = None,
    overwrite_input: bool = False,  # noqa: ARG001 - there is no input to overwrite
    method: str = "linear",
    keepdims: bool = False,
    *,
    weights: None = None,
) -> Node:
    refuse(name, out=out, weights=weights)
    return _ranked(name, a, axis, keepdims, q, method=method)


def _ranked(name: str, a: Node, axis: Axis, keepdims: bool, *q: Any, **method: str) -> Node:
    """Return what is found by the order of values: in a pass, if it is over everything."""
    with np.errstate(all="ignore"):
        axes, kept = reduced_axes(name, len(a.shape), axis, keepdims, *q, dtype=a.dtype)
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
