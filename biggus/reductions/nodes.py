"""Nodes of statistics, made from the arguments of NumPy's functions.

With ``where=`` or ``initial=`` a statistic is of some values, or has an initial value.  Sums of
values in which NaN was replaced by zero are computed as sums that skip NaN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.adapt import node_of
from biggus.expressions import applied, operand
from biggus.expressions.apply import Apply, Slot
from biggus.expressions.validity import Unmasked, ValidWhere
from biggus.graph import (
    AlongAxes,
    Cast,
    Elementwise,
    Leaf,
    Node,
    Reduce,
    View,
    select,
    spread_to,
)
from biggus.indexing.selection import Selection
from biggus.reductions.along import Ranked
from biggus.reductions.rolled import rolled
from biggus.sources.byte_order import native_order
from biggus.sources.memory import MemorySource
from biggus.sources.normal import normal_axes, refuse_names
from biggus.statistics.registry import ENTRIES
from biggus.statistics.signatures import NOT_GIVEN, StatisticCall, refuse

if TYPE_CHECKING:
    from collections.abc import Sequence


def reduction(name: str, a: Node, *arguments: Any, **keywords: Any) -> Node:
    """Return the node of a statistic of a node, by its name in the registry."""
    if keywords and name in _PARTIAL and ("where" in keywords or "initial" in keywords):
        where = keywords.pop("where", True)
        initial = keywords.pop("initial", NOT_GIVEN)
        return excluding(name, a, where, initial, *arguments, **keywords)
    if name == "sum" and (values := without_nan(a)) is not None:
        name, a = "nansum", values
    entry = ENTRIES[name]
    assert entry.signature is not None
    call = entry.signature(name, *arguments, **keywords)
    if entry.ranked:
        return _ranked(name, a, call)
    axes, keepdims = _reduced_axes(name, len(a.shape), call.axis, call.keepdims)
    parameters = {word: value for word, value in call.parameters.items() if value is not None}
    return rolled(Reduce(a, name, axes, keepdims, **parameters))


_EMPTY_MEANS = {"nanquantile", "nanpercentile"}
"""Functions whose results for empty arrays are those of `nanmean` in NumPy."""


def _ranked(name: str, a: Node, call: StatisticCall) -> Node:
    """Return the node of a median or of quantiles; over all values, it takes several passes."""
    axis, keepdims, method, q = call
    if name in _EMPTY_MEANS and 0 in a.shape and not a.masked:
        return reduction("nanmean", a, axis=axis, keepdims=keepdims)  # for any quantiles, as NumPy
    with np.errstate(all="ignore"):
        axes, keeps = _reduced_axes(name, len(a.shape), axis, keepdims, *q, dtype=a.dtype, **method)
    function = Ranked(name, a.dtype, a.shape, axes, q, method)
    node: Node
    if len(axes) == len(a.shape) and function.accumulates:
        node = Reduce(a, name, axes, keeps, **function.parameters)
    else:
        node = AlongAxes(a, function, axes, keeps, function.shape)
    # NumPy puts the axes of several quantiles first.
    rank, last = len(node.shape), len(function.shape)
    if not last:
        return node
    order = (*range(rank - last, rank), *range(rank - last))
    return select(node, Selection.permuted(node.shape, order))


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
    options = {"bins": bins, "range": range, "density": bool(density)}
    axes = tuple(axis for axis, _ in enumerate(a.shape))
    counts = Reduce(a, "histogram", axes, **options)
    if range is None and np.ndim(bins) == 0:
        return counts, Reduce(a, "histogram_edges", axes, **options)
    # The edges do not depend on the values, so that none are read.
    probe = np.zeros(1, np.uint8 if a.dtype.kind == "b" else a.dtype)
    return counts, node_of(np.histogram_bin_edges(probe, bins, range))


def histogram_edges(
    a: Node, bins: Any = 10, range: tuple[Any, Any] | None = None, weights: None = None
) -> Node:
    """Return the node of the edges of the bins of a histogram."""
    return histogram(a, bins, range, None, weights)[1]


def without_nan(node: Node) -> Node | None:
    """Return the node whose NaN were replaced by zero to make a node, as xarray does; or None.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> a = biggus.ArrayAdapter(np.array([1.0, np.nan]))
    >>> without_nan(np.where(np.isnan(a), 0.0, a).node) is a.node
    True
    """
    if node.masked or node.dtype.kind != "f":
        return None
    chosen = _arguments(node, np.where)
    if chosen is None or len(chosen) != 3:
        return None
    condition, zero, values = chosen
    tested = _arguments(condition, np.isnan)
    same = (
        isinstance(values, Node) and tested is not None and len(tested) == 1 and tested[0] is values
    )
    alike = same and (values.dtype, values.shape) == (node.dtype, node.shape)
    return values if alike and _is_zero(zero) else None


def _arguments(node: Any, function: Any) -> Sequence[Any] | None:
    """Return the arguments of a function, if a node is the result of it."""
    if not isinstance(node, Elementwise) or not isinstance(node.step, Apply):
        return None
    step = node.step
    if step.function is not function or step.keywords or step.output is not None:
        return None
    return [node.children[int(one)] if type(one) is Slot else one for one in step.arguments]


def _is_zero(value: Any) -> bool:
    while isinstance(value, View):
        value = value.base
    if isinstance(value, Leaf) and not value.shape and isinstance(value.origin, MemorySource):
        value = value.origin.array[()]
    return isinstance(value, (int, float, np.generic)) and bool(value == 0)


_OF_NONE = frozenset(
    [
        *("sum", "nansum", "prod", "nanprod", "any", "all"),
        *("mean", "nanmean", "var", "nanvar", "std", "nanstd"),
    ]
)
"""The statistics that are defined for no values, for example as 0 or NaN."""

_FIRST = {
    "sum": np.add,
    "nansum": np.add,
    "prod": np.multiply,
    "nanprod": np.multiply,
    "max": np.maximum,
    "min": np.minimum,
    "nanmax": np.fmax,
    "nanmin": np.fmin,
}
"""The functions that combine a statistic with its initial value."""

_PARTIAL = {*_OF_NONE, *_FIRST}
"""The statistics that support ``where=`` or ``initial=``."""


def excluding(
    name: str, a: Node, where: Any, initial: Any, *arguments: Any, **keywords: Any
) -> Node:
    """Return the node of a statistic of the values where a condition holds.

    Excluded values are masked.  Where no value is included, the result is the statistic of no
    values, or it is missing if values of the array can be missing.

    Parameters
    ----------
    name : str
        The name of the statistic.
    a : Node
        The values.
    where : array_like of bool, or True
        Whether each value is included.
    initial : scalar or None
        The initial value; `NOT_GIVEN` for none.
    *arguments, **keywords
        The other arguments of the statistic.

    Raises
    ------
    ValueError
        If an extreme of some values has no initial value.
    TypeError
        If `initial` cannot be a value of this statistic.
    """
    first = None if initial is NOT_GIVEN or initial is None else np.asarray(initial)
    if first is not None and first.ndim:
        raise ValueError("initial must be a scalar")
    if first is not None and 0 in a.shape and name not in _OF_NONE:
        # Without an initial value, extremes of no values are errors.
        only = node_of(np.array(initial, native_order(a.dtype)))
        return spread_to(only, reduction("any", a, *arguments, **keywords).shape)
    if where is True or where is NOT_GIVEN:
        result = reduction(name, a, *arguments, **keywords)
    else:
        if not (a.masked or first is not None or name in _OF_NONE):
            raise ValueError(
                f"reduction operation {name!r} does not have an identity, so to use a where mask "
                "one has to specify 'initial'"
            )
        condition = operand(where)
        condition = condition if isinstance(condition, Node) else node_of(condition)
        if name in ("any", "all") and a.dtype.kind != "O":
            a = _cast(a, np.dtype(bool))
        included = Elementwise(ValidWhere(a.dtype), a, condition)
        result = reduction(name, included, *arguments, **keywords)
        if not a.masked:
            # Under the mask are the statistics of no values.
            result = Elementwise(Unmasked(result.dtype), result)
    if first is None:
        return result
    return _cast(applied(_FIRST[name], [result, np.array(initial, result.dtype)[()]]), result.dtype)


def _cast(node: Node, dtype: np.dtype[Any]) -> Node:
    return node if node.dtype == dtype else Elementwise(Cast(dtype), node)
