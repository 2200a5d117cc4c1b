"""Functions that work value by value and are no ufuncs; their operands are nodes or constants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.expressions.apply import applied
from biggus.expressions.operands import operand

if TYPE_CHECKING:
    from biggus.graph import Node


def where(condition: Any, x: Any, y: Any) -> Node:
    """Return the node of what is chosen from `x` where the condition holds, else from `y`."""
    node: Node = applied(np.where, [operand(one) for one in (condition, x, y)])
    return node


def clip(a: Any, least: Any, greatest: Any, **keywords: Any) -> Node:
    """Return the node of values that are kept between bounds; None for no bound."""
    bounds = [one if one is None else operand(one) for one in (least, greatest)]
    node: Node = applied(np.clip, [operand(a), *bounds], keywords)
    return node


def rounded(a: Any, decimals: int) -> Node:
    """Return the node of values that are rounded to a number of decimals."""
    node: Node = applied(np.round, [operand(a)], {"decimals": decimals})
    return node


def real(node: Node) -> Node:
    """Return the node of the real parts."""
    if node.dtype.kind != "c":
        return node
    parts: Node = applied(np.real, [node])
    return parts


def imag(node: Node) -> Node:
    """Return the node of the imaginary parts."""
    parts: Node = applied(np.imag, [node])
    return parts
