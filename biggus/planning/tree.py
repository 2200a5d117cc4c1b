"""The tree in which the partial results of cells are merged.

Cells lie in *segments*, which are the tiles of a mosaic; those of a segment in
*batches*.  Those of a batch are merged, then the batches of a segment, then the
segments of a *shelf*, then the shelves.  So the partial result of a tile is the same
in every mosaic that the tile is part of, and that of a shelf as long as its tiles are.
What is kept of partial results are batches, and shelves.  Pure.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus.indexing.grid import Edges, Grid, Index, RegularEdges

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.indexing.cells import Lengths

BATCH = 64
"""Cells whose partial results are kept as one."""

SHELF = 64
"""Segments whose partial results are kept as one besides."""


class Place(NamedTuple):
    """Where a cell is in the tree."""

    segment: int
    batch: int
    position: int


class Unit(NamedTuple):
    """What is kept as one: a batch, or a shelf, of those that are reduced to one position."""

    kept: Index
    """The number of the cells along the axes that are kept."""

    number: int
    """That of the segment; of a shelf, its own."""

    batch: int | None
    """The number of the batch in the segment; None for a shelf."""


class Span(NamedTuple):
    """Cells, and the box around them."""

    first: Index
    """The number along each axis of the first cell of the box."""

    last: Index
    """The same of the last."""

    layout: tuple[Any, ...]
    """What tells, of all that is in the box, which cells are meant and how they are merged."""


class Tree:
    """Where each cell of those that are reduced to one is in the tree.

    Parameters
    ----------
    cells : tuple of Edges
        How the reduced axes are cut into cells.
    edges of tiles : tuple of Edges
        Where along these axes tiles meet.
    """

    def __init__(self, cells: tuple[Edges, ...], tile_edges: tuple[Edges, ...]) -> None:
        counts = tuple([edges.count for edges in cells])
        lengths = [_in_cells(*pair) for pair in zip(cells, tile_edges, strict=True)]
        self.grid = Grid(counts, lengths)
        self._counts = tuple([edges.count for edges in self.grid.axes])
        self.segments = max(1, math.prod(self._counts))
        self.shelves = -(-self.segments // SHELF)
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

    def shelf_size(self, shelf: int) -> int:
        """Return how many segments a shelf has."""
        return min(SHELF, self.segments - shelf * SHELF)

    def batch(self, segment: int, batch: int) -> Span:
        """Return the cells of a batch."""
        bounds = self._bounds(segment)
        lengths = [stop - start for start, stop in bounds]
        size = self.batch_size(segment, batch)
        first, last, before = _around(batch * BATCH, size, lengths)
        starts = [start for start, _ in bounds]
        return Span(
            tuple([a + b for a, b in zip(starts, first, strict=True)]),
            tuple([a + b for a, b in zip(starts, last, strict=True)]),
            (before, size),
        )

    def shelf(self, shelf: int) -> Span:
        """Return the cells of a shelf."""
        size = self.shelf_size(shelf)
        first, last, before = _around(shelf * SHELF, size, self._counts)
        bounds = [
            [edges.bounds(number) for number in range(a, b + 1)]
            for edges, a, b in zip(self.grid.axes, first, last, strict=True)
        ]
        return Span(
            tuple([axis[0][0] for axis in bounds]),
            tuple([axis[-1][1] - 1 for axis in bounds]),
            (before, size, [[stop - start for start, stop in axis] for axis in bounds]),
        )

    def cells_on(self, shelf: int) -> int:
        """Return how many cells a shelf has."""
        begin = shelf * SHELF
        segments = range(begin, begin + self.shelf_size(shelf))
        return sum(math.prod([b - a for a, b in self._bounds(segment)]) for segment in segments)

    def _bounds(self, segment: int) -> list[tuple[int, int]]:
        """Return the numbers of the first cell, and of that after the last, of a segment."""
        bounds = []
        for edges in reversed(self.grid.axes):
            segment, number = divmod(segment, edges.count)
            bounds.append(edges.bounds(number))
        return bounds[::-1]


def _around(begin: int, size: int, lengths: Sequence[int]) -> tuple[list[int], list[int], int]:
    """Return the first and the last of the box around so many, and how many it has before them."""
    first, last = unraveled(begin, lengths), unraveled(begin + size - 1, lengths)
    split = next((axis for axis in range(len(lengths)) if first[axis] != last[axis]), None)
    before = 0
    if split is not None:
        for axis in range(split + 1, len(lengths)):
            before = before * lengths[axis] + first[axis]
        first[split + 1 :] = [0] * (len(lengths) - split - 1)
        last[split + 1 :] = [n - 1 for n in lengths[split + 1 :]]
    return first, last, before


def unraveled(number: int, lengths: Sequence[int]) -> list[int]:
    """Return the numbers along each axis of one in C order: NumPy takes longer for so few."""
    found = []
    for length in reversed(lengths):
        number, rest = divmod(number, length)
        found.append(rest)
    return found[::-1]


def _in_cells(cells: Edges, tile_edges: Edges) -> Lengths:
    """Return how many cells there are between the edges of tiles of an axis."""
    count = max(1, cells.count)
    if tile_edges.count < 2 or not cells.count:
        return count
    if isinstance(cells, RegularEdges) and isinstance(tile_edges, RegularEdges):
        each, rest = divmod(tile_edges.size, cells.size)
        return each if each and not rest else BATCH
    starts = np.array([cells.bounds(number)[0] for number in range(cells.count)])
    ends = np.array([tile_edges.bounds(number)[0] for number in range(tile_edges.count)])
    found = np.searchsorted(starts, ends)
    aligned = bool((found < count).all()) and bool((starts[found] == ends).all())
    if not aligned:
        return BATCH  # tiles that are smaller than a cell
    return tuple([int(n) for n in np.diff([*found, cells.count]) if n])
