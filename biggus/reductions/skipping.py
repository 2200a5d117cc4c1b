"""Sums of values in which NaN was replaced by zero are computed as sums that skip NaN."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from biggus.expressions.apply import Apply, Slot
from biggus.graph import Elementwise, Leaf, Node, View
from biggus.sources.memory import MemorySource

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


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
    given = _arguments(node, np.where)
    if given is None or len(given) != 3:
        return None
    condition, zero, values = given
    asked = _arguments(condition, np.isnan)
    same = isinstance(values, Node) and asked is not None and len(asked) == 1 and asked[0] is values
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
