"""The coordinate of a statistic: the middle of the reduced coordinate, with bounds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from biggus.expressions import applied
from biggus.graph import Mosaic, Node, select
from biggus.indexing.selection import ConstantMap, DimensionMap, Selection
from biggus.reductions import reduction

if TYPE_CHECKING:
    from biggus.labels.coordinate import Coordinate
    from biggus.labels.labels import Labels

_GONE = frozenset(["climatology", "valid_min", "valid_max", "valid_range", "actual_range"])
"""Attributes of a coordinate that do not hold for its middle."""


def spans_of(labels: Labels, axes: tuple[int, ...], keepdims: bool) -> list[Coordinate]:
    """Return the coordinates of a statistic along some axes, from those that axes are named by."""
    over = [
        _spanning(each, keepdims)
        for each in labels.coordinates
        for axis in axes
        if each.axes == (axis,) and each.name == labels.dims[axis]
    ]
    return [each for each in over if each is not None]


def _spanning(each: Coordinate, keepdims: bool) -> Coordinate | None:
    """Return the middle of a coordinate, with bounds; None if its values are not numbers.

    The bounds are the outermost bounds of the coordinate, or its least and greatest value.  With
    them the cell methods of a statistic refer to a coordinate (CF conventions, section 7.3).

    Parameters
    ----------
    each : Coordinate
        A coordinate along one axis.
    keepdims : bool
        Whether to keep the axis, with length one.
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
    attributes = {word: value for word, value in each.attributes.items() if word not in _GONE}
    return replace(
        each,
        attributes={**attributes, "bounds": name.rpartition("/")[2]},
        node=middle,
        axes=each.axes if keepdims else (),
        bounds=(name, {}, ends),
        spans=whole,
    )


def _extreme(name: str, whole: Node) -> Node:
    """Return the least or greatest of all values, as an array of one axis."""
    extreme = reduction(name, whole, keepdims=True)
    others = [ConstantMap(0)] * (len(whole.shape) - 1)
    return select(extreme, Selection((1,), (DimensionMap(0, 0, 1), *others)))
