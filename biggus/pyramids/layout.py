"""The layout of the overviews of an array: its levels, their tiles, and the parts to read.

Each level halves the rows and columns of the one before.  All tiles have one size, so that four
tiles of a level lie below each tile of the next.  If possible, whole chunks of the array lie
below each tile of the third level.  They are read in *pieces* of whole chunks, and averaged in
*strips*, which are smaller.  Everything follows from the shape and the grid of the array, except
how many elements of other axes are read at once (`depth`).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from biggus.indexing.grid import Box, Chunks, Edges, Grid, IrregularEdges
from biggus.pyramids.blocks import EXACT_LEVELS

_SHORTEST_SIDE, _LONGEST_SIDE = 182, 362
"""The range of the sides of tiles, unless chunks require more: 256 divided and multiplied by the
root of two, so that halving any length reaches it."""

_MOST_OF_LAST = 2**16
"""The most elements (rows times columns) of the last level, which is read with every picture."""

CHANNELS = (1, 3, 4)
"""The possible numbers of values of a pixel: one, RGB, or RGBA."""

_LARGEST_TILE = 1024
_MOST_BANDS = 16
"""The most elements of a last axis that is read with each pixel: colours, not steps of time."""

PIECE = 2**20
"""About how many values are read at once, unless chunks are larger.  The memory of one piece is
reused for the next, and much of it is still in the processor's cache."""

STRIP = 2**19
"""About how many values are averaged at once: few, as several copies of them are made."""


@dataclass(frozen=True)
class PyramidLayout:
    """The levels of an array, and their tiles.

    Attributes
    ----------
    shape : tuple of int
        The shape of the array.
    axes : tuple of int
        The axes of its rows and columns.
    tile : tuple of int
        The rows and columns of a tile.
    depth : tuple of int
        For each axis other than rows and columns the number of elements read at once: whole
        chunks, so that each is decoded once.  The levels do not depend on it.
    steps : tuple of int
        Numbers of rows and columns; pieces of multiples of them consist of whole chunks and
        whole blocks of the third level.  0 if only all elements below a tile do.
    """

    shape: tuple[int, ...]
    axes: tuple[int, int]
    tile: tuple[int, int]
    depth: tuple[int, ...]
    steps: tuple[int, int] = (0, 0)

    @classmethod
    def of(
        cls, shape: tuple[int, ...], axes: tuple[int, int], grid: Chunks | None
    ) -> PyramidLayout:
        """Return the layout of an array with these chunks, None if it has none.

        Examples
        --------
        >>> layout = PyramidLayout.of((10, 5000, 9000), (1, 2), (1, 720, 1440))
        >>> layout.tile, layout.levels, layout.shape_of(2)
        ((360, 360), 5, (10, 1250, 2250))
        """
        edges = list(Grid(shape, grid or (1,) * len(shape)).axes)
        rows, columns = (_tile_length(shape[axis], edges[axis], grid is None) for axis in axes)
        steps = (
            _step(edges[axes[0]], rows, grid is None),
            0 if grid is None else _step(edges[axes[1]], columns, chunkless=False),
        )
        layout = cls(shape, axes, (rows, columns), (1,) * len(shape), steps)
        depth = [
            max(least, 1 if grid is None or not axis.count else min(axis.longest, n))
            for least, axis, n in zip(layout.chunks(), edges, shape, strict=True)
        ]
        for axis in axes:
            depth[axis] = 0
        return replace(layout, depth=tuple(depth))

    def shallower(self) -> PyramidLayout | None:
        """Return a layout that reads half as much at once; None if it reads the least already."""
        least = self.chunks()
        places = [
            axis for axis, n in enumerate(self.depth) if axis not in self.axes and n > least[axis]
        ]
        if not places:
            return None
        longest = max(places, key=lambda axis: self.depth[axis])
        depth = list(self.depth)
        depth[longest] = -(-depth[longest] // 2)
        return replace(self, depth=tuple(depth))

    @property
    def whole_chunks(self) -> bool:
        """Whether reads consist of whole chunks, unless the layout was made `shallower`."""
        # Without a step all elements below a tile are read.
        return all(
            step or n << min(self.levels, EXACT_LEVELS) >= self.shape[axis]
            for step, n, axis in zip(self.steps, self.tile, self.axes, strict=True)
        )

    @property
    def levels(self) -> int:
        """The number of levels above the array; the last one is a single tile of limited size."""
        pairs = [(self.shape[axis], n) for axis, n in zip(self.axes, self.tile, strict=True)]
        level = 0
        while (
            any(-(-length >> level) > n for length, n in pairs)
            or math.prod(-(-length >> level) for length, _ in pairs) > _MOST_OF_LAST
        ):
            level += 1
        return level

    def factors(self, level: int) -> tuple[int, ...]:
        """Return for each axis how many elements of the array an element of a level covers."""
        return tuple([1 << level if axis in self.axes else 1 for axis in range(len(self.shape))])

    def shape_of(self, level: int) -> tuple[int, ...]:
        """Return the shape of a level."""
        pairs = zip(self.shape, self.factors(level), strict=True)
        return tuple([-(-n // factor) for n, factor in pairs])

    def chunks(self) -> tuple[int, ...]:
        """Return the chunks of every level: one tile, one element along leading axes."""
        lengths = [
            n if axis > max(self.axes) and n <= _MOST_BANDS else 1
            for axis, n in enumerate(self.shape)
        ]
        for axis, n in zip(self.axes, self.tile, strict=True):
            lengths[axis] = n
        return tuple(max(1, n) for n in lengths)

    def grid(self, level: int) -> Grid:
        """Return the tiles of a level."""
        return Grid(self.shape_of(level), self.chunks())

    def below(self, box: Box, level: int, other: int) -> Box:
        """Return the box of a finer level `other` that a box of `level` covers."""
        slices = list(box)
        for axis in self.axes:
            s = box[axis]
            start, stop = s.start << (level - other), s.stop << (level - other)
            slices[axis] = slice(start, min(stop, -(-self.shape[axis] >> other)), 1)
        return tuple(slices)

    def quarters(self, box: Box, level: int) -> list[list[Box]]:
        """Return the boxes of the level below that a tile, or the start of one, covers.

        One for each tile there, in rows.
        """
        under = self.below(box, level, level - 1)
        cuts = []
        for axis, size in zip(self.axes, self.tile, strict=True):
            s = under[axis]
            middle = min(s.start + size, s.stop)
            halves = (slice(s.start, middle, 1), slice(middle, s.stop, 1))
            cuts.append([half for half in halves if half.start < half.stop])
        return [[_with(under, self.axes, (r, c)) for c in cuts[1]] for r in cuts[0]]

    def sizes(self, box: Box, level: int) -> npt.NDArray[np.int64]:
        """Return how many elements of the array each element of a box covers; broadcast."""
        if all(box[axis].stop << level <= self.shape[axis] for axis in self.axes):
            return np.full((1,) * len(self.shape), 1 << 2 * level, np.int64)  # most boxes
        sizes: npt.NDArray[Any] = np.ones((1,) * len(self.shape), np.int64)
        for axis in self.axes:
            starts = np.arange(box[axis].start, box[axis].stop, dtype=np.int64) << level
            lengths = np.minimum(1 << level, self.shape[axis] - starts)
            if lengths.size and lengths[0] == lengths[-1]:
                lengths = lengths[:1]  # none but the last is shorter
            around = [1] * len(self.shape)
            around[axis] = len(lengths)
            sizes = sizes * lengths.reshape(around)
        return sizes

    def regions(self, level: int) -> Grid:
        """Return the regions of a level: a tile each, and all that is read at once with it."""
        lengths = [max(1, n) for n in self.depth]
        for axis, n in zip(self.axes, self.tile, strict=True):
            lengths[axis] = n
        return Grid(self.shape_of(level), tuple(lengths))

    def pieces(self, box: Box, level: int) -> list[list[Box]]:
        """Cut a box of one of the first `EXACT_LEVELS` levels into pieces to read, in rows."""
        length = [s.stop - s.start for s in self.below(box, level, 0)]
        room = PIECE * length[self.axes[0]] * length[self.axes[1]] // max(1, math.prod(length))
        steps = [
            length[axis] if not step else min(step, length[axis])
            for axis, step in zip(self.axes, self.steps, strict=True)
        ]
        columns = length[self.axes[1]]
        if steps[0] * columns > room:
            columns = max(steps[1], room // steps[0] // steps[1] * steps[1])
        rows = max(steps[0], room // min(columns, length[self.axes[1]]) // steps[0] * steps[0])
        cuts = [
            _cut(box[axis], -(-step >> level))
            for axis, step in zip(self.axes, (rows, columns), strict=True)
        ]
        return [[_with(box, self.axes, (r, c)) for c in cuts[1]] for r in cuts[0]]

    def strips(self, box: Box, level: int) -> list[Box]:
        """Cut a piece into strips of rows, which are averaged one by one."""
        length = [s.stop - s.start for s in self.below(box, level, 0)]
        rows = STRIP * length[self.axes[0]] // max(1, math.prod(length))
        columns = box[self.axes[1]]
        step = max(1, rows >> level)
        return [_with(box, self.axes, (r, columns)) for r in _cut(box[self.axes[0]], step)]


def _cut(s: slice, step: int) -> list[slice]:
    """Cut a slice into parts that end at multiples of `step`, unless it is no longer than that."""
    if s.stop - s.start <= step:
        return [s]
    ends = [*range(s.start // step * step + step, s.stop, step), s.stop]
    return [slice(a, b, 1) for a, b in itertools.pairwise([s.start, *ends])]


def _with(box: Box, axes: tuple[int, int], parts: tuple[slice, slice]) -> Box:
    slices = list(box)
    for axis, part in zip(axes, parts, strict=True):
        slices[axis] = part
    return tuple(slices)


def _tile_length(length: int, edges: Edges, chunkless: bool) -> int:
    """Return the side of tiles along an axis, such that whole chunks lie below eight tiles.

    Levels consist of whole tiles if possible: those of an array of 1440 columns have two tiles
    of 360, then one.
    """
    side = length
    while side > _LONGEST_SIDE:
        side = -(-side // 2)
    side = max(side, _SHORTEST_SIDE)
    if chunkless or not edges.count or isinstance(edges, IrregularEdges):
        return side
    chunk = min(edges.longest, length)
    step = chunk // math.gcd(chunk, 1 << EXACT_LEVELS)
    if chunk == length:
        step = -(-length >> EXACT_LEVELS)  # the whole axis is read at once
        if step <= side:
            return side
    fitting = -(-side // step) * step
    return fitting if fitting <= _LARGEST_TILE else side


def _step(edges: Edges, tile: int, chunkless: bool) -> int:
    """Return how many elements along an axis are whole chunks and whole blocks of the third level.

    0 if only all elements below a tile of the third level are.
    """
    block = 1 << EXACT_LEVELS
    if chunkless:
        return block
    if not edges.count or isinstance(edges, IrregularEdges):
        return 0
    step = math.lcm(edges.longest, block)
    return step if tile * block % step == 0 else 0


def picture_axes(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the default axes of rows and columns: the last two, not counting colours.

    A last axis of one, three or four elements counts as colours.

    Raises
    ------
    ValueError
        If there are fewer than two axes.

    Examples
    --------
    >>> picture_axes((365, 720, 1440)), picture_axes((512, 512, 3))
    ((1, 2), (0, 1))
    """
    ndim = len(shape)
    if ndim < 2:
        raise ValueError(f"a picture has two axes or more, not {ndim}")
    last = ndim - 1 if ndim > 2 and shape[-1] in CHANNELS else ndim
    return last - 2, last - 1
