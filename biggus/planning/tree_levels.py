"""The tree in which the partial results of reduction blocks are merged.

Its levels, from below: reduction blocks; subtrees of up to 64 blocks of one tile of a
mosaic; tiles; subtrees of up to 64 tiles; all.  So the partial result of a tile is the
same in every mosaic that the tile is part of, and that of a subtree as long as its tiles
are.  What is cached of partial results are subtrees, of blocks and of tiles.  Pure.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus.indexing.grid import Edges, Grid, Index, RegularEdges

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.indexing.reduction_blocks import Lengths

BLOCKS_A_SUBTREE = 64
"""Reduction blocks of a tile whose partial results are cached as one."""

TILES_A_SUBTREE = 64
"""Tiles whose partial results are cached as one besides."""


class Subtree(NamedTuple):
    """What is cached as one: some of what is reduced to the same positions."""

    kept: Index
    """The number of the reduction blocks along the axes that are kept."""

    number: int
    """That of the tile; of a subtree of tiles, its own."""

    part: int | None
    """Which subtree of blocks of the tile it is; None for one of tiles."""


class BlockSpan(NamedTuple):
    """Reduction blocks, and the box around them."""

    first: Index
    """The number along each axis of the first reduction block of the box."""

    last: Index
    """The same of the last."""

    layout: tuple[Any, ...]
    """What tells which blocks of all in the box are meant, and how they are merged."""


class TreeLevels:
    """Where each reduction block of those that are reduced to one is in the tree.

    Parameters
    ----------
    blocks : tuple of Edges
        How the reduced axes are cut into reduction blocks.
    tile_edges : tuple of Edges
        Where along these axes tiles meet.
    """

    def __init__(self, blocks: tuple[Edges, ...], tile_edges: tuple[Edges, ...]) -> None:
        counts = tuple([edges.count for edges in blocks])
        lengths = [_in_blocks(*pair) for pair in zip(blocks, tile_edges, strict=True)]
        self.grid = Grid(counts, lengths)
        self._counts = tuple([edges.count for edges in self.grid.axes])
        self.tiles = max(1, math.prod(self._counts))
        self.tile_subtrees = -(-self.tiles // TILES_A_SUBTREE)
        self.blocks = math.prod(counts)

    def place(self, block: Index) -> tuple[int, int, int]:
        """Return where a reduction block is: the tile, which subtree of that, and where in it."""
        tile = number = 0
        for edges, position in zip(self.grid.axes, block, strict=True):
            found = edges.find(position)
            start, stop = edges.bounds(found)
            tile = tile * edges.count + found
            number = number * (stop - start) + position - start
        return (tile, *divmod(number, BLOCKS_A_SUBTREE))

    def block_subtrees(self, tile: int) -> int:
        """Return how many subtrees of blocks a tile has."""
        return -(-math.prod(stop - start for start, stop in self._bounds(tile)) // BLOCKS_A_SUBTREE)

    def block_subtree_size(self, tile: int, number: int) -> int:
        """Return how many blocks a subtree of a tile has."""
        blocks = math.prod(stop - start for start, stop in self._bounds(tile))
        return min(BLOCKS_A_SUBTREE, blocks - number * BLOCKS_A_SUBTREE)

    def tile_subtree_size(self, number: int) -> int:
        """Return how many tiles a subtree of tiles has."""
        return min(TILES_A_SUBTREE, self.tiles - number * TILES_A_SUBTREE)

    def block_subtree(self, tile: int, number: int) -> BlockSpan:
        """Return the blocks of a subtree of a tile."""
        bounds = self._bounds(tile)
        lengths = [stop - start for start, stop in bounds]
        size = self.block_subtree_size(tile, number)
        first, last, before = _around(number * BLOCKS_A_SUBTREE, size, lengths)
        starts = [start for start, _ in bounds]
        return BlockSpan(
            tuple([a + b for a, b in zip(starts, first, strict=True)]),
            tuple([a + b for a, b in zip(starts, last, strict=True)]),
            (before, size),
        )

    def tile_subtree(self, number: int) -> BlockSpan:
        """Return the blocks of a subtree of tiles."""
        size = self.tile_subtree_size(number)
        first, last, before = _around(number * TILES_A_SUBTREE, size, self._counts)
        bounds = [
            [edges.bounds(tile) for tile in range(a, b + 1)]
            for edges, a, b in zip(self.grid.axes, first, last, strict=True)
        ]
        return BlockSpan(
            tuple([axis[0][0] for axis in bounds]),
            tuple([axis[-1][1] - 1 for axis in bounds]),
            (before, size, [[stop - start for start, stop in axis] for axis in bounds]),
        )

    def blocks_below(self, number: int) -> int:
        """Return how many blocks a subtree of tiles has."""
        begin = number * TILES_A_SUBTREE
        tiles = range(begin, begin + self.tile_subtree_size(number))
        return sum(math.prod([b - a for a, b in self._bounds(tile)]) for tile in tiles)

    def _bounds(self, tile: int) -> list[tuple[int, int]]:
        """Return the numbers of the first block, and of that after the last, of a tile."""
        bounds = []
        for edges in reversed(self.grid.axes):
            tile, number = divmod(tile, edges.count)
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


def _in_blocks(blocks: Edges, tile_edges: Edges) -> Lengths:
    """Return how many reduction blocks there are between the edges of tiles of an axis."""
    count = max(1, blocks.count)
    if tile_edges.count < 2 or not blocks.count:
        return count
    if isinstance(blocks, RegularEdges) and isinstance(tile_edges, RegularEdges):
        each, rest = divmod(tile_edges.size, blocks.size)
        return each if each and not rest else BLOCKS_A_SUBTREE
    starts, ends = np.array(blocks.offsets[:-1]), np.array(tile_edges.offsets[:-1])
    found = np.searchsorted(starts, ends)
    aligned = bool((found < count).all()) and bool((starts[found] == ends).all())
    if not aligned:
        return BLOCKS_A_SUBTREE  # tiles that are smaller than a reduction block
    return tuple([int(n) for n in np.diff([*found, blocks.count]) if n])
