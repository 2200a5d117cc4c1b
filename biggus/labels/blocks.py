"""Labels of functions of blocks, such as statistics of windows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from biggus.graph import Blockwise, Mosaic
from biggus.labels.attributes import after_statistic, of_others
from biggus.labels.labels import Labels
from biggus.reductions.rolled import Rolled
from biggus.reductions.windows import OfWindows, of_windows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from biggus.labels.coordinate import Coordinate


def labels_of_blocks(node: Blockwise, several: Sequence[Labels]) -> Labels:
    """Return the labels of a function of blocks, which has the axes of the operands.

    Axes that keep their length keep their coordinates.  Adjacent windows have the means of the
    coordinates.

    Parameters
    ----------
    node : Blockwise
    several : sequence of Labels
        The labels of the operands.
    """
    names: list[list[str | None]] = [[] for _ in node.shape]
    coordinates: list[Coordinate] = []
    function = node.function
    for labels, child, reaches in zip(several, node.children, node.reaches, strict=True):
        places = {axis: each.axis for axis, each in enumerate(reaches) if each.axis is not None}
        for axis, place in places.items():
            names[place].append(labels.dims[axis])
        same = {axis for axis in places if child.shape[axis] == node.shape[places[axis]]}
        remaining = [
            replace(each, axes=tuple([places[axis] for axis in each.axes]))
            for each in labels.coordinates
            if set(each.axes) <= same
        ]
        if isinstance(function, OfWindows):
            windows = [
                _of_windows(each, function.factors, node.shape) for each in labels.coordinates
            ]
            remaining = [each for each in windows if each is not None]
        coordinates = max(coordinates, remaining, key=len)
    dims = [next((name for name in each if name is not None), None) for each in names]
    known = Labels(tuple(dims), coordinates=tuple(coordinates), decoded=True)
    if not isinstance(function, Rolled | OfWindows):
        return known
    first, statistic = several[0], function.name
    return replace(
        known,
        name=first.name,
        place=first.place,
        attributes=after_statistic(first.attributes, statistic, [None]),
        statistics=(*first.statistics, statistic),
        grid_mapping=first.grid_mapping,
        group_attributes=first.group_attributes,
    )


def _of_windows(
    each: Coordinate, factors: Mapping[int, int], shape: tuple[int, ...]
) -> Coordinate | None:
    """Return the means of a coordinate in windows, and their bounds; None of texts.

    Parameters
    ----------
    each : Coordinate
    factors : mapping of int to int
        The lengths of the windows along axes of the array.
    shape : tuple of int
        The number of windows along each axis of the array.
    """
    own = {place: factors[axis] for place, axis in enumerate(each.axes) if axis in factors}
    if not own:
        return each
    node = each.node
    if node.dtype.kind not in "iuf":
        return None
    cut = all(shape[each.axes[n]] == node.shape[n] // factor for n, factor in own.items())
    bounds = each.bounds
    if bounds is not None:
        name, attributes, ends = bounds
        bounds = None
        if len(each.axes) == 1 and ends.shape[1:] == (2,) and ends.dtype.kind in "iuf":
            extremes = [of_windows(ends, end, {**own, 1: 2}, {}, cut) for end in ("min", "max")]
            bounds = (name, attributes, Mosaic(extremes, 1))
    means = of_windows(node, "mean", own, {}, cut)
    return replace(each, node=means, attributes=of_others(each.attributes), bounds=bounds)
