"""How the overviews of an array are cut: which elements a tile of a level stands for.

A level halves the rows and the columns of the one before it.  Its tiles are of one
size, so four tiles of a level lie under each of the next; and as far as that can be, whole
chunks of the array lie under each tile of the third level, which is what is read at
once.  All of it follows from shape and grid alone, but for how much beside a tile is read at once.

Pure: reads nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from biggus.cells import longest_of
from biggus.grid import Grid, IrregularEdges
from biggus.pyramids.blocks import EXACT_LEVELS

if TYPE_CHECKING:
    from biggus.grid import Box, Edges
    from biggus.source import Chunks

TILE = 256
"""About how many rows and columns a tile has."""

CHANNELS = (1, 3, 4)
"""How many values a pixel may have: one, red green and blue, or with opacity."""

_LARGEST_TILE = 1024
_MOST_BANDS = 16
"""A last axis of so many elements is read with each pixel: colours, not steps of time."""


@dataclass(frozen=True)
class Layout:
    """The levels of an array, and their tiles.

    Attributes
    ----------
    shape : tuple of int
        Of the array.
    axes : tuple of int
        Its rows and its columns.
    tile : tuple of int
        The rows and columns of a tile.
    depth : tuple of int
        For each axis how many elements are read at once, where that is not rows or columns: whole
        chunks, so that each is decoded once.  What the levels are does not depend on it.
    """

    shape: tuple[int, ...]
    axes: tuple[int, int]
    tile: tuple[int, int]
    depth: tuple[int, ...]

    @classmethod
    def of(cls, shape: tuple[int, ...], axes: tuple[int, int], grid: Chunks | None) -> Layout:
        """Return the layout for an array with these chunks, if it has any.

        Examples
        --------
        >>> layout = Layout.of((10, 5000, 9000), (1, 2), (1, 720, 1440))
        >>> layout.tile, layout.levels, layout.shape_of(2)
        ((270, 360), 5, (10, 1250, 2250))
        """
        edges = list(Grid(shape, grid or (1,) * len(shape)).axes)
        rows, columns = (_tile_length(shape[axis], edges[axis], grid is None) for axis in axes)
        layout = cls(shape, axes, (rows, columns), (1,) * len(shape))
        depth = [
            max(least, 1 if grid is None or not axis.count else min(longest_of(axis), n))
            for least, axis, n in zip(layout.chunks(), edges, shape, strict=True)
        ]
        for axis in axes:
            depth[axis] = 0
        return replace(layout, depth=tuple(depth))

    def shallower(self) -> Layout | None:
        """Return the same with half as much read at once; None if that is less than a chunk."""
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
    def levels(self) -> int:
        """How many levels there are above the array: of the last, rows and columns are one tile."""
        pairs = [(self.shape[axis], n) for axis, n in zip(self.axes, self.tile, strict=True)]
        level = 0
        while any(-(-length >> level) > n for length, n in pairs):
            level += 1
        return level

    def factors(self, level: int) -> tuple[int, ...]:
        """Return for each axis how many elements of the array one of a level covers."""
        return tuple([1 << level if axis in self.axes else 1 for axis in range(len(self.shape))])

    def shape_of(self, level: int) -> tuple[int, ...]:
        """Return the shape of a level."""
        pairs = zip(self.shape, self.factors(level), strict=True)
        return tuple([-(-n // factor) for n, factor in pairs])

    def chunks(self) -> tuple[int, ...]:
        """Return the chunks of every level: a tile each, of one element of a leading axis."""
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
        """Return the box of level `other`, a finer one, that a box of `level` stands for."""
        shape = self.shape_of(other)
        found = list(box)
        for axis in self.axes:
            s = box[axis]
            start, stop = s.start << (level - other), s.stop << (level - other)
            found[axis] = slice(start, min(stop, shape[axis]), 1)
        return tuple(found)

    def quarters(self, box: Box, level: int) -> list[list[Box]]:
        """Return the boxes of the level below that a tile, or its beginning, stands for.

        One for each tile there, row by row.
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
        """Return how many elements of the array each element of a box stands for; broadcast."""
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

    def tiles(self, region: Box, level: int) -> list[Box]:
        """Return the tiles of a level, or their beginnings, that lie beside one another in one."""
        lengths = list(self.chunks())
        for axis in self.axes:
            lengths[axis] = max(1, self.shape_of(level)[axis])
        return [
            tuple(_both(a, b) for a, b in zip(part.chunk, region, strict=True))
            for part in Grid(self.shape_of(level), tuple(lengths)).parts(region)
        ]


def _both(a: slice, b: slice) -> slice:
    return slice(max(a.start, b.start), min(a.stop, b.stop), 1)


def _with(box: Box, axes: tuple[int, int], parts: tuple[slice, slice]) -> Box:
    found = list(box)
    for axis, part in zip(axes, parts, strict=True):
        found[axis] = part
    return tuple(found)


def _tile_length(length: int, edges: Edges, chunkless: bool) -> int:
    """Return the length of tiles along an axis, so that whole chunks lie under eight of them."""
    if chunkless or not edges.count or isinstance(edges, IrregularEdges):
        return TILE
    chunk = min(longest_of(edges), length)
    if chunk == length:
        fitting = -(-length >> EXACT_LEVELS)  # all of the axis is read at once
        return fitting if TILE < fitting <= _LARGEST_TILE else TILE
    step = chunk // math.gcd(chunk, 1 << EXACT_LEVELS)
    fitting = -(-TILE // step) * step
    return fitting if fitting <= _LARGEST_TILE else TILE


def picture_axes(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the axes that are rows and columns where nobody says: the last two, before colours.

    A last axis of one, three or four elements is taken to be colours.

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
