"""Statistics with ``where=`` or ``initial=``: of some values, and with an initial value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.adapt import node_of
from biggus.expressions import applied, operand
from biggus.graph import Cast, Elementwise, Node, spread_to
from biggus.statistics.signatures import NOT_GIVEN

if TYPE_CHECKING:
    from collections.abc import Callable

    Make = Callable[..., Node]

_NEUTRAL = {"sum": 0, "nansum": 0, "prod": 1, "nanprod": 1, "any": False, "all": True}
"""The values that do not change a statistic; they replace excluded values."""

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

_SPREADS = {"mean", "var", "std"}

_NAN_TWINS = {"nanmean", "nanvar", "nanstd"}


def takes(name: str) -> bool:
    """Return whether a statistic supports ``where=`` or ``initial=``."""
    return name in _NEUTRAL or name in _FIRST or name in _SPREADS or name in _NAN_TWINS


def excluding(
    make: Make, name: str, a: Node, where: Any, initial: Any, *given: Any, **keywords: Any
) -> Node:
    """Return the node of a statistic of the values where a condition holds.

    Excluded values are replaced by a neutral value; or masked, if there is none and values can be
    missing.

    Parameters
    ----------
    make : callable
        Makes the node of a statistic by its name.
    name : str
    a : Node
    where : array_like of bool, or True
        Whether each value is included.
    initial : scalar or None
        The initial value; `NOT_GIVEN` for none.
    *given, **keywords
        The other arguments of the statistic.

    Raises
    ------
    ValueError
        If an extreme of some values has no initial value.
    TypeError
        If `initial` cannot be a value of this statistic.
    """
    has_initial = initial is not NOT_GIVEN and initial is not None
    if where is not True and where is not NOT_GIVEN:
        condition = operand(where)
        where = condition if isinstance(condition, Node) else node_of(condition)
        neutral = _NEUTRAL.get(name, initial if has_initial else None)
        if a.masked and neutral is None:
            missing = np.ma.MaskedArray(np.zeros((), a.dtype), mask=True)
            return make(name, _chosen(where, a, operand(missing)), *given, **keywords)
        if name in _NAN_TWINS and a.dtype.kind in "fc":
            return make(name, _chosen(where, a, a.dtype.type(np.nan)), *given, **keywords)
        plain = name.removeprefix("nan")
        if plain in _SPREADS:
            return _spread(make, plain, a, where, *given, **keywords)
        if neutral is None:
            raise ValueError(
                f"reduction operation {name!r} does not have an identity, so to use a where mask "
                "one has to specify 'initial'"
            )
        a = _chosen(where, a, np.asarray(neutral).astype(a.dtype)[()])
    found = make(name, a, *given, **keywords)
    if not has_initial:
        return found
    first = np.asarray(initial)
    if first.ndim:
        raise ValueError("initial must be a scalar")
    return _cast(applied(_FIRST[name], [found, first.astype(found.dtype)[()]]), found.dtype)


def _spread(make: Make, name: str, a: Node, where: Node, *given: Any, **keywords: Any) -> Node:
    """Return the mean, variance or standard deviation of some values."""
    dtype = make(name, a, *given, **keywords).dtype
    ddof = keywords.pop("ddof", 0)
    keywords.pop("dtype", None)
    exact = np.dtype(np.complex128 if a.dtype.kind == "c" else np.float64)
    values = _cast(a, exact)
    chosen = _chosen(where, values, exact.type(0))
    counted = _cast(spread_to(where, chosen.shape), np.dtype(bool))
    count = make("sum", counted, *given, **keywords)
    if name == "mean":
        total = make("sum", chosen, *given, **keywords)
        return _cast(applied(np.true_divide, [total, count]), dtype)
    kept = {**keywords, "keepdims": True}
    total, number = make("sum", chosen, *given, **kept), make("sum", counted, *given, **kept)
    off = applied(np.subtract, [values, applied(np.true_divide, [total, number])])
    squares = applied(np.square, [applied(np.absolute, [off])])
    squares = make("sum", _chosen(where, squares, 0.0), *given, **keywords)
    rest = applied(np.maximum, [applied(np.subtract, [count, ddof]), 0])
    found = applied(np.true_divide, [squares, rest])
    return _cast(applied(np.sqrt, [found]) if name == "std" else found, dtype)


def _chosen(where: Node, node: Node, other: Any) -> Node:
    return applied(np.where, [where, node, other])


def _cast(node: Node, dtype: np.dtype[Any]) -> Node:
    return node if node.dtype == dtype else Elementwise(Cast(dtype), node)
