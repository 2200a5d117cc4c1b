"""Ufuncs: what NumPy hands over when one of them meets a lazy array."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.expressions.apply import applied
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
"""Ufuncs that ndarrays and NumPy's scalars call when an operator compares them.  What has
no loop is unequal to them then, and to know how often, they would read the other."""


def called(ufunc: np.ufunc, method: str, inputs: Sequence[Any], keywords: dict[str, Any]) -> Any:
    """Return the node, or the tuple of nodes, of a ufunc called with lazy arrays.

    Parameters
    ----------
    ufunc, method, inputs, keywords
        As ``__array_ufunc__`` is given them.

    Raises
    ------
    TypeError
        For what is not lazy: methods that change what there is.
    """
    name = f"numpy.{ufunc.__name__}"
    if method != "__call__":
        raise TypeError(f"{name}.{method} of a lazy array: {_WAYS_ROUND[method]}")
    if ufunc.signature is not None:
        raise TypeError(f"{name} of a lazy array: read it first, with .ndarray()")
    if any(out is not None for out in keywords.pop("out", ())):
        raise TypeError(f"{name} with out=: a lazy array has no values yet; save it, or .ndarray()")
    where = keywords.pop("where", True)
    keywords.pop("order", None)  # what is read is always in C order, and of no subclass
    keywords.pop("subok", None)
    if keywords.get("dtype") is not None:
        keywords["dtype"] = np.dtype(keywords["dtype"])
    outputs = ufunc.nout if ufunc.nout > 1 else None
    operands = [operand(one) for one in inputs]
    compare = _OPERATORS.get(ufunc)
    if where is not True:
        found = applied(ufunc, operands, keywords, outputs)
        several = found if isinstance(found, list) else [found]
        chosen = [_where(name, where, one) for one in several]
        return chosen if isinstance(found, list) else chosen[0]
    if compare is None or keywords:
        return applied(ufunc, operands, keywords, outputs)
    try:
        return applied(ufunc, operands)
    except TypeError:
        return applied(compare, operands)


def _where(name: str, where: Any, found: Node) -> Node:
    """Return what a ufunc gives where it is asked; elsewhere NumPy leaves values undefined."""
    if found.dtype.kind not in "fcmM":
        raise TypeError(
            f"{name} with where= leaves values undefined, and {found.dtype} has no NaN: "
            "use biggus.where"
        )
    nothing = np.array(np.nan if found.dtype.kind in "fc" else "NaT", found.dtype)
    chosen: Node = applied(np.where, [operand(where), found, nothing[()]])
    return chosen
