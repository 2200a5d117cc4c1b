"""What a statistic was taken over: one value, with bounds, in the place of a coordinate."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from biggus.expressions import applied
from biggus.graph import Mosaic, select
from biggus.indexing.selection import ConstantMap, DimensionMap, Selection
from biggus.reductions import reduction

if TYPE_CHECKING:
    from biggus.graph import Node
    from biggus.labels.coordinate import Coordinate

_GONE = frozenset(["climatology", "valid_min", "valid_max", "valid_range", "actual_range"])
"""Attributes of a coordinate that are not true of the middle of what it spans."""


def spanning(each: Coordinate, keepdims: bool) -> Coordinate | None:
    """Return the middle and the bounds of the values of a coordinate; None if it has no numbers.

    The bounds are the outermost of its own, or its least and its greatest value; so cell methods
    that name its axis name a coordinate (CF conventions, 7.3).

    Parameters
    ----------
    each : Coordinate
        Along one axis.
    keepdims : bool
        Whether that axis stays, at length one.
    """
    whole = each.node if each.bounds is None else each.bounds[2]
    if each.node.dtype.kind not in "iuf" or whole.dtype.kind not in "iuf" or 0 in whole.shape:
        return None
    low, high = (_extreme(name, whole) for name in ("min", "max"))
    half = applied(np.true_divide, [applied(np.subtract, [high, low]), 2])
    middle = applied(np.add, [low, half])
    ends: Node = Mosaic([low, high], 0)
    if keepdims:
        ends = select(ends, Selection((1, 2), (DimensionMap(1, 0, 1),)))
    else:
        middle = select(middle, Selection((), (ConstantMap(0),)))
    name = f"{each.name}_bnds" if each.bounds is None else each.bounds[0]
    kept = {word: value for word, value in each.attributes.items() if word not in _GONE}
    return replace(
        each,
        attributes={**kept, "bounds": name.rpartition("/")[2]},
        node=middle,
        axes=each.axes if keepdims else (),
        bounds=(name, {}, ends),
        spans=whole,
    )


def _extreme(name: str, whole: Node) -> Node:
    """Return an extreme of all values, along one axis."""
    found = reduction(name, whole, keepdims=True)
    others = [ConstantMap(0)] * (len(whole.shape) - 1)
    return select(found, Selection((1,), (DimensionMap(0, 0, 1), *others)))
