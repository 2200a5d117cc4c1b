"""Cutting selections by index arrays into boxes to read, for sources without chunks.

Axes that are indexed together form a *group*, which selects *points*.  Points are joined to
*clusters*, either in C order over wider and wider gaps, or by larger and larger cells of a
grid; each step is a *level*.  The bounding boxes of the clusters of one level are disjoint.
One box is read for each combination of one cluster of each group, so the number of reads is
the product of the numbers of clusters, and the size of a read the product of their extents.
The level of each group is chosen so that the cost of all reads is least.

No element is read twice, and large boxes are read in parts.  This module reads nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from biggus.indexing.grid import RegularEdges, box_shape, strides_of
from biggus.indexing.resolve import laid_out, split, split_all, split_numbered
from biggus.indexing.selection import ArrayMap, DimensionMap, Positions, Selection

MANY_READS = 64
"""The most reads of the points alone, if each index array acts on its own axis."""


class Costs(NamedTuple):
    """The costs of reading, each expressed as the bytes that could be read instead."""

    read: int
    """The cost of a read."""

    seek: int
    """The cost of a seek within a read."""


OF_FILE = Costs(2**18, 2**16)
"""For values that lie contiguously in a file, which is read ahead."""

OF_OBJECT = Costs(2**16, 2**9)
"""For other objects, whose values may be expensive, and are most likely in C order."""

PART_BYTES = 4 * 2**20
"""Larger boxes are read in parts of about this size; of twice this size from contiguous files."""

_WIDER = 4
"""The factor by which gaps grow from level to level."""

_DENSE = 4
"""Points are read together if their bounding box has at most this many elements per point."""

_MOST_NUMBERED = 2**62
"""The largest volume whose elements are numbered in 64 bits."""

_FEW_POINTS = 2**12
"""The most points that are clustered even if they are dense."""


class Stored(NamedTuple):
    """How an array is stored."""

    shape: tuple[int, ...]
    itemsize: int
    flat: bool
    """Whether its values are known to lie contiguously in a file, in C order."""


def cut_scattered(
    selection: Selection, out_selection: Selection, stored: Stored
) -> Iterator[tuple[Selection, Selection]]:
    """Cut a non-empty selection with index arrays into selections of one read each."""
    groups = _groups(selection, stored)
    alone = all(len(group.axes) == 1 for group in groups)
    levels = _chosen(groups, _Cost(selection, stored), alone and not stored.flat)
    numbered = [
        (group.axes[0], _numbers_of(level))
        for group, level in zip(groups, levels, strict=True)
        if level.clusters > 1
    ]
    for part, part_out in split_all(selection, out_selection, numbered, split_numbered):
        yield from _in_parts(part, part_out, stored)


class _Level(NamedTuple):
    """One clustering of the points of a group."""

    below: _Level | None
    """The finer level that this one was made from."""

    numbers: Positions
    """The cluster of each cluster of the level below, or of each point."""

    lows: tuple[Positions, ...]
    """For each axis the first position of each cluster."""

    highs: tuple[Positions, ...]
    """For each axis the last position of each cluster."""

    @property
    def clusters(self) -> int:
        """The number of clusters."""
        return len(self.lows[0])

    def in_order(self, axis: int, gap: int) -> _Level:
        """Join clusters with equal positions before `axis` and gaps of at most `gap` along it."""
        begins_cluster = self.lows[axis][1:] - self.highs[axis][:-1] > gap + 1
        for before in self.lows[:axis]:
            begins_cluster |= before[1:] != before[:-1]
        return self._joined(self.lows, self.highs, begins_cluster, None)

    def in_cells(self, bits: int) -> _Level:
        """Join clusters that lie in one cell of a grid of side ``2**bits``."""
        cells = [low >> bits for low in self.lows]
        order = np.lexsort(cells[::-1])
        begins_cluster = np.zeros(self.clusters - 1, bool)
        for cell in cells:
            begins_cluster |= np.diff(cell[order]) != 0
        lows = tuple([low[order] for low in self.lows])
        return self._joined(
            lows, tuple([high[order] for high in self.highs]), begins_cluster, order
        )

    def _joined(
        self,
        lows: tuple[Positions, ...],
        highs: tuple[Positions, ...],
        begins_cluster: npt.NDArray[np.bool],
        order: Positions | None,
    ) -> _Level:
        starts = np.concatenate([[0], np.flatnonzero(begins_cluster) + 1])
        numbers = np.concatenate([[0], np.cumsum(begins_cluster)])
        return _Level(
            self,
            numbers if order is None else _undone(order, numbers),
            tuple([np.minimum.reduceat(low, starts) for low in lows]),
            tuple([np.maximum.reduceat(high, starts) for high in highs]),
        )


def _undone(order: Positions, values: Positions) -> Positions:
    """Return the values that were permuted by `order`, in their original order."""
    before = np.empty_like(values)
    before[order] = values
    return before


def _numbers_of(level: _Level) -> Positions:
    """Return the number of the cluster of each point."""
    numbers, below = level.numbers, level.below
    while below is not None:
        numbers, below = numbers[below.numbers], below.below
    return numbers


class _AxisGroup:
    """Axes that are indexed together, and the levels of clusters of their points.

    The clusters of the first level are runs of neighbouring points; the last level has one.
    """

    def __init__(self, selection: Selection, axes: tuple[int, ...], stored: Stored) -> None:
        self.axes = axes
        places = []
        for axis in axes:
            m = selection.maps[axis]
            assert type(m) is ArrayMap
            places.append(laid_out(selection, axis, m.index))
        lows = tuple([place.min(keepdims=True) for place in places])
        highs = tuple([place.max(keepdims=True) for place in places])
        lengths = [int(high[0]) - int(low[0]) + 1 for low, high in zip(lows, highs, strict=True)]
        size, volume = len(places[0]), math.prod(lengths)
        if len(axes) > 1 and size > _FEW_POINTS and volume <= _DENSE * size:
            self.levels = [_Level(None, np.zeros(size, np.intp), lows, highs)]
            return
        order = _order_of(places, lows, lengths)
        ordered = tuple([place[order] for place in places])
        points = _Level(None, _undone(order, np.arange(size)), ordered, ordered)
        if stored.flat:
            # Points this near are read together, and a cell has as many pieces as its points.
            begins_cluster = math.prod(stored.shape[axes[-1] + 1 :]) * stored.itemsize
            self.levels = list(_in_order(points, lengths, OF_FILE.seek // begins_cluster))
            return
        first, *others = _in_order(points, lengths)
        cells = _in_cells(points, stored.itemsize) if len(axes) > 1 else ()
        self.levels = [first, *cells, *others]


def _order_of(
    places: Sequence[Positions], lows: Sequence[Positions], lengths: Sequence[int]
) -> Positions:
    """Return the indices that sort points by their positions in C order."""
    if math.prod(lengths) > _MOST_NUMBERED:
        return np.lexsort(places[::-1])
    number = np.zeros(1, np.int64)
    for place, low, length in zip(places, lows, lengths, strict=True):
        number = number * length + (place - low)
    return np.argsort(number)


def _in_order(level: _Level, lengths: Sequence[int], room: int = 0) -> Iterator[_Level]:
    """Yield levels joined over wider and wider gaps in C order, until there is one cluster."""
    inner = [math.prod(lengths[n + 1 :]) for n in range(len(lengths))]
    count = math.inf
    while count > 1:
        axis = next(n for n, size in enumerate(inner) if size <= max(1, room))
        level = level.in_order(axis, room // inner[axis])
        if level.clusters < count:
            yield level
        count = level.clusters
        room = max(1, room * _WIDER)


def _in_cells(level: _Level, itemsize: int) -> Iterator[_Level]:
    """Yield levels joined by larger and larger cells, up to cells of `PART_BYTES`."""
    bits, axes = 1, len(level.lows)
    while level.clusters > 1 and itemsize << bits * axes <= PART_BYTES:
        larger = level.in_cells(bits)
        if larger.clusters < level.clusters:
            yield larger
        level = larger
        bits += 1


def _groups(selection: Selection, stored: Stored) -> list[_AxisGroup]:
    tied: dict[tuple[int, ...], list[int]] = {}
    for axis, m in enumerate(selection.maps):
        if type(m) is ArrayMap:
            tied.setdefault(selection.joint_dims(axis), []).append(axis)
    return [_AxisGroup(selection, tuple(axes), stored) for axes in tied.values()]


class _Cost:
    """Estimates the cost of reads, as the bytes that could be read instead."""

    def __init__(self, selection: Selection, stored: Stored) -> None:
        self._itemsize = stored.itemsize
        self._costs = OF_FILE if stored.flat else OF_OBJECT
        steps = [abs(m.step) if type(m) is DimensionMap else 1 for m in selection.maps]
        strides = strides_of(stored.shape)
        self._paces = [step * n * stored.itemsize for step, n in zip(steps, strides, strict=True)]
        self._lengths = [
            float(selection.shape[m.dim]) if type(m) is DimensionMap else 1.0
            for m in selection.maps
        ]

    def __call__(self, chosen: Sequence[_Choice]) -> float:
        """Return the cost of reading one box for each combination of clusters."""
        read, seek = self._costs
        reads = math.prod([choice.count for choice in chosen])
        lengths = list(self._lengths)
        for choice in chosen:
            for axis, length in zip(choice.axes, choice.lengths, strict=True):
                lengths[axis] = length
        piece, pieces = float(self._itemsize), 1.0
        excess: float = math.prod([choice.excess for choice in chosen])
        for length, pace in zip(reversed(lengths), reversed(self._paces), strict=True):
            if pieces == 1 and pace - piece <= seek:
                piece += (length - 1) * pace
            else:
                pieces *= length
        return reads * (read + excess * pieces * (seek + piece))


class _Choice:
    """A level of a group, with the figures that its cost depends on."""

    def __init__(self, group: _AxisGroup, level: _Level) -> None:
        self.axes = group.axes
        self.level = level
        self.count = level.clusters
        lengths = np.array(level.highs, float) - np.array(level.lows, float) + 1
        self.lengths: list[float] = lengths.mean(axis=1).tolist()
        # The ratio of the mean volume of the clusters to the product of their mean lengths.
        self.excess = float(lengths.prod(axis=0).mean()) / math.prod(self.lengths)


def _chosen(groups: Sequence[_AxisGroup], cost: _Cost, exact: bool) -> list[_Level]:
    """Return for each group the level of the least total cost that a descent finds."""
    finest = [group.levels[0] for group in groups]
    if exact and math.prod([level.clusters for level in finest]) <= MANY_READS:
        return finest
    choices = [[_Choice(group, level) for level in group.levels] for group in groups]
    ends = [
        _descended([of_group[start] for of_group in choices], choices, cost) for start in (0, -1)
    ]
    return [choice.level for choice in min(ends, key=cost)]


def _descended(
    chosen: list[_Choice], choices: Sequence[Sequence[_Choice]], cost: _Cost
) -> list[_Choice]:
    """Change the level of one group at a time, as long as that lowers the cost."""
    least, before = cost(chosen), math.inf
    while least < before:
        before = least
        for place, of_group in enumerate(choices):
            for choice in of_group:
                other = [*chosen[:place], choice, *chosen[place + 1 :]]
                if (costs := cost(other)) < least:
                    least, chosen = costs, other
    return chosen


def _in_parts(
    selection: Selection, out_selection: Selection, stored: Stored
) -> Iterator[tuple[Selection, Selection]]:
    """Cut a large selection into parts, along the first axis that is longer than one."""
    lengths = box_shape(selection.bounding_box()[0])
    nbytes = math.prod(lengths) * stored.itemsize
    axis = next((axis for axis, n in enumerate(lengths) if n > 1), None)
    part_bytes = 2 * PART_BYTES if stored.flat else PART_BYTES
    if axis is None or nbytes <= part_bytes:
        yield selection, out_selection
        return
    m = selection.maps[axis]
    step = abs(m.step) if type(m) is DimensionMap else 1
    edges = RegularEdges(stored.shape[axis], max(1, part_bytes * lengths[axis] // nbytes) * step)
    for part in split(selection, out_selection, axis, edges):
        yield from _in_parts(part.selection, part.out_selection, stored)
