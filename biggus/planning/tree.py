"""The tree in which the partial results of cells are merged.

Cells lie in *segments*, which are the tiles of a mosaic; those of a segment in
*batches*, which is what is kept of partial results.  Those of a batch are merged,
then the batches of a segment, then the segments.  So the partial result of a tile is
the same in every mosaic that the tile is part of.  Pure.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from biggus.grid import Edges, Grid, Index, RegularEdges

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.cells import Lengths

BATCH = 64
"""Cells whose partial results are kept as one."""


class Place(NamedTuple):
    """Where a cell is in the tree."""

    segment: int
    batch: int
    position: int


class Batch(NamedTuple):
    """Some cells of a segment."""

    first: Index
    """The number along each axis of the first cell of the box that holds them."""

    last: Index
    """The same of the last."""

    size: int
    """How many they are."""


class Tree:
    """Where each cell of those that are reduced to one is in the tree.

    Parameters
    ----------
    cells : tuple of Edges
        How the reduced axes are cut into cells.
    seams : tuple of Edges
        Where along these axes tiles meet.
    """

    def __init__(self, cells: tuple[Edges, ...], seams: tuple[Edges, ...]) -> None:
        counts = tuple([edges.count for edges in cells])
        lengths = [_in_cells(*pair) for pair in zip(cells, seams, strict=True)]
        self.grid = Grid(counts, lengths)
        self._counts = tuple([edges.count for edges in self.grid.axes])
        self.segments = max(1, math.prod(self._counts))
        self.cells = math.prod(counts)

    def place(self, cell: Index) -> Place:
        """Return where a cell is."""
        segment = number = 0
        for edges, position in zip(self.grid.axes, cell, strict=True):
            found = edges.find(position)
            start, stop = edges.bounds(found)
            segment = segment * edges.count + found
            number = number * (stop - start) + position - start
        return Place(segment, *divmod(number, BATCH))

    def batches(self, segment: int) -> int:
        """Return how many batches a segment has."""
        return -(-math.prod(stop - start for start, stop in self._bounds(segment)) // BATCH)

    def batch_size(self, segment: int, batch: int) -> int:
        """Return how many cells a batch has."""
        cells = math.prod(stop - start for start, stop in self._bounds(segment))
        return min(BATCH, cells - batch * BATCH)

    def batch(self, segment: int, batch: int) -> Batch:
        """Return which cells are in a batch."""
        bounds = self._bounds(segment)
        lengths = [stop - start for start, stop in bounds]
        begin = batch * BATCH
        end = min(begin + BATCH, math.prod(lengths)) - 1
        if not bounds:
            return Batch((), (), 1)
        first, last = _unraveled(begin, lengths), _unraveled(end, lengths)
        split = next((axis for axis in range(len(lengths)) if first[axis] != last[axis]), None)
        if split is not None:
            first[split + 1 :] = [0] * (len(lengths) - split - 1)
            last[split + 1 :] = [n - 1 for n in lengths[split + 1 :]]
        starts = [start for start, _ in bounds]
        return Batch(
            tuple([a + b for a, b in zip(starts, first, strict=True)]),
            tuple([a + b for a, b in zip(starts, last, strict=True)]),
            end - begin + 1,
        )

    def _bounds(self, segment: int) -> list[tuple[int, int]]:
        """Return the numbers of the first cell, and of that after the last, of a segment."""
        bounds = []
        for edges in reversed(self.grid.axes):
            segment, number = divmod(segment, edges.count)
            bounds.append(edges.bounds(number))
        return bounds[::-1]


def _unraveled(number: int, lengths: Sequence[int]) -> list[int]:
    """Return the numbers along each axis of one in C order: of two NumPy takes longer."""
    found = []
    for length in reversed(lengths):
        number, rest = divmod(number, length)
        found.append(rest)
    return found[::-1]


def _in_cells(cells: Edges, seams: Edges) -> Lengths:
    """Return how many cells there are between the seams of an axis."""
    count = max(1, cells.count)
    if seams.count < 2 or not cells.count:
        return count
    if isinstance(cells, RegularEdges) and isinstance(seams, RegularEdges):
        each, rest = divmod(seams.size, cells.size)
        return each if each and not rest else BATCH
    starts = np.array([cells.bounds(number)[0] for number in range(cells.count)])
    ends = np.array([seams.bounds(number)[0] for number in range(seams.count)])
    found = np.searchsorted(starts, ends)
    aligned = bool((found < count).all()) and bool((starts[found] == ends).all())
    if not aligned:
        return BATCH  # tiles that are smaller than a cell
    return tuple([int(n) for n in np.diff([*found, cells.count]) if n])
