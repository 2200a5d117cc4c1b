"""Ufuncs of lazy arrays, as NumPy passes them to ``__array_ufunc__``."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.expressions.apply import applied, applied_each
from biggus.expressions.operands import operand

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from biggus.graph import Node

_WAYS_ROUND = {
    "reduceat": "read it first, with .ndarray()",
    "at": "an Array does not change; read it first, with .ndarray()",
}

_OPERATORS: Mapping[np.ufunc, Callable[..., Any]] = {
    np.equal: operator.eq,
    np.not_equal: operator.ne,
}
"""Ufuncs of the comparison operators.  Operators of ndarrays compare dtypes for which the ufunc has
no loop as unequal, so they stand in for it."""


def called(ufunc: np.ufunc, method: str, inputs: Sequence[Any], keywords: dict[str, Any]) -> Any:
    """Return the node, or the list of nodes, of a ufunc called with lazy arrays.

    Parameters
    ----------
    ufunc, method, inputs, keywords
        The arguments of ``__array_ufunc__``.

    Raises
    ------
    TypeError
        For methods and arguments that lazy arrays do not support.
    """
    name = f"numpy.{ufunc.__name__}"
    if method != "__call__":
        raise TypeError(f"{name}.{method} of a lazy array: {_WAYS_ROUND[method]}")
    if ufunc.signature is not None:
        raise TypeError(f"{name} of a lazy array: read it first, with .ndarray()")
    if any(out is not None for out in keywords.pop("out", ())):
        raise TypeError(
            f"{name} with `out=`: a lazy array has no values yet; save it, or .ndarray()"
        )
    where = keywords.pop("where", True)
    keywords.pop("order", None)  # results are always in C order, and of no subclass
    keywords.pop("subok", None)
    if keywords.get("dtype") is not None:
        keywords["dtype"] = np.dtype(keywords["dtype"])
    operands = [operand(one) for one in inputs]
    if ufunc.nout > 1:
        results = applied_each(ufunc, operands, keywords)
        return results if where is True else [_where(name, where, one) for one in results]
    if where is not True:
        return _where(name, where, applied(ufunc, operands, keywords))
    try:
        return applied(ufunc, operands, keywords)
    except TypeError:
        compare = _OPERATORS.get(ufunc)
        if compare is None or keywords:
            raise
        return applied(compare, operands)


def _where(name: str, where: Any, results: Node) -> Node:
    """Return a node with NaN or NaT where a condition is false; NumPy leaves values undefined."""
    if results.dtype.kind not in "fcmM":
        raise TypeError(
            f"{name} with `where=` leaves values undefined, and {results.dtype} has no NaN: "
            "use biggus.where"
        )
    nothing = np.array(np.nan if results.dtype.kind in "fc" else "NaT", results.dtype)
    return applied(np.where, [operand(where), results, nothing[()]])
