"""Elementwise functions that are no ufuncs; their operands are nodes or constants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.expressions.apply import applied
from biggus.expressions.operands import operand

if TYPE_CHECKING:
    from biggus.graph import Node


def where(condition: Any, x: Any, y: Any) -> Node:
    """Return the node of values of `x` where the condition holds, and of `y` elsewhere."""
    return applied(np.where, [operand(one) for one in (condition, x, y)])


def clip(a: Any, least: Any, greatest: Any, **keywords: Any) -> Node:
    """Return the node of values limited to bounds; None for no bound."""
    bounds = [one if one is None else operand(one) for one in (least, greatest)]
    return applied(np.clip, [operand(a), *bounds], keywords)


def rounded(a: Any, decimals: int) -> Node:
    """Return the node of values rounded to a number of decimals."""
    return applied(np.round, [operand(a)], {"decimals": decimals})


def real(node: Node) -> Node:
    """Return the node of the real parts."""
    return node if node.dtype.kind != "c" else applied(np.real, [node])


def imag(node: Node) -> Node:
    """Return the node of the imaginary parts."""
    return applied(np.imag, [node])
