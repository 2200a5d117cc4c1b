"""The levels of the tree in which the partial results of reduction blocks are merged.

From below: reduction blocks; subtrees of up to 64 blocks of one tile of a mosaic; tiles; subtrees
of up to 64 tiles; the result.  So the partial result of a tile is the same in every mosaic that
has the tile.  Subtrees, of blocks and of tiles, are the units of the partial-result cache.

Pure: knows no source and reads nothing.

`ReductionTree` merges the children of one inner node.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus.indexing.grid import Edges, Grid, Index, Lengths, RegularEdges

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.statistics import Aggregator, Partial

BLOCKS_A_SUBTREE = 64
"""The most reduction blocks of a tile in one subtree."""

TILES_A_SUBTREE = 64
"""The most tiles in one subtree."""


class Subtree(NamedTuple):
    """A subtree: reduction blocks, of the same result positions, whose merge is cached."""

    kept: Index
    """The number of the reduction blocks along each kept axis."""

    number: int
    """The number of the tile; or of the subtree, if it is one of tiles."""

    part: int | None
    """The number of the subtree within its tile; None for a subtree of tiles."""


class BlockSpan(NamedTuple):
    """The reduction blocks of a subtree, and the box of blocks around them."""

    first: Index
    """The number along each reduced axis of the first block of the box."""

    last: Index
    """The number along each reduced axis of the last block of the box."""

    layout: tuple[Any, ...]
    """Which blocks of the box are in the subtree, and how they are merged; a part of cache keys."""


class TreeLevels:
    """The place of each reduction block in the tree of one result position.

    Parameters
    ----------
    blocks : tuple of Edges
        The edges of the reduction blocks along each reduced axis.
    tile_edges : tuple of Edges
        The edges of the tiles along the same axes.

    Attributes
    ----------
    grid : Grid
        The tiles, in a coordinate system whose unit is the reduction block.
    blocks, tiles, tile_subtrees : int
        The numbers of reduction blocks, of tiles, and of subtrees of tiles.
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
        """Return the tile of a reduction block, the subtree within it, and the place in that."""
        tile = number = 0
        for edges, count, position in zip(self.grid.axes, self._counts, block, strict=True):
            piece = edges.find(position)
            start, stop = edges.bounds(piece)
            tile = tile * count + piece
            number = number * (stop - start) + position - start
        return (tile, *divmod(number, BLOCKS_A_SUBTREE))

    def block_subtrees(self, tile: int) -> int:
        """Return the number of subtrees of blocks of a tile."""
        return -(-self._blocks_of(tile) // BLOCKS_A_SUBTREE)

    def block_subtree_size(self, tile: int, number: int) -> int:
        """Return the number of blocks of a subtree of a tile."""
        return min(BLOCKS_A_SUBTREE, self._blocks_of(tile) - number * BLOCKS_A_SUBTREE)

    def tile_subtree_size(self, number: int) -> int:
        """Return the number of tiles of a subtree of tiles."""
        return min(TILES_A_SUBTREE, self.tiles - number * TILES_A_SUBTREE)

    def block_subtree(self, tile: int, number: int) -> BlockSpan:
        """Return the blocks of a subtree of a tile."""
        bounds = self._bounds(tile)
        lengths = [stop - start for start, stop in bounds]
        size = self.block_subtree_size(tile, number)
        first, last, before = _around(number * BLOCKS_A_SUBTREE, size, lengths)
        return BlockSpan(
            tuple([start + n for (start, _), n in zip(bounds, first, strict=True)]),
            tuple([start + n for (start, _), n in zip(bounds, last, strict=True)]),
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
        """Return the number of blocks of a subtree of tiles."""
        begin = number * TILES_A_SUBTREE
        return sum(map(self._blocks_of, range(begin, begin + self.tile_subtree_size(number))))

    def _blocks_of(self, tile: int) -> int:
        if self.blocks == self.tiles:
            return 1  # in each tile
        return math.prod([stop - start for start, stop in self._bounds(tile)])

    def _bounds(self, tile: int) -> list[tuple[int, int]]:
        """Return along each axis the first block of a tile, and the last plus one."""
        numbers = unraveled(tile, self._counts)
        return [edges.bounds(n) for edges, n in zip(self.grid.axes, numbers, strict=True)]


def _around(begin: int, size: int, lengths: Sequence[int]) -> tuple[list[int], list[int], int]:
    """Return the box around a range of flat indices, in C order.

    Returns
    -------
    first, last : list of int
        The corners of the box.
    before : int
        The number of elements of the box that come before the range.
    """
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
    """Return the indices of a flat index in C order; for one, faster than np.unravel_index."""
    indices = []
    for length in reversed(lengths):
        number, index = divmod(number, length)
        indices.append(index)
    return indices[::-1]


def _in_blocks(blocks: Edges, tile_edges: Edges) -> Lengths:
    """Return the number of reduction blocks of each tile of an axis."""
    count = max(1, blocks.count)
    if tile_edges.count < 2 or not blocks.count:
        return count
    if isinstance(blocks, RegularEdges) and isinstance(tile_edges, RegularEdges):
        each, remainder = divmod(tile_edges.size, blocks.size)
        return BLOCKS_A_SUBTREE if remainder else each
    starts = np.array(blocks.offsets[:-1])
    tiles = np.unique(tile_edges.offsets)[:-1]  # without those that are empty
    firsts = np.searchsorted(starts, tiles)
    aligned = bool((firsts < count).all()) and bool((starts[firsts] == tiles).all())
    if not aligned:
        return BLOCKS_A_SUBTREE  # tiles smaller than a reduction block
    return tuple(np.diff(firsts, append=blocks.count).tolist())


FAN = 16
"""How many neighbours are merged into one."""


class ReductionTree:
    """Merges the partial results of a number of reduction blocks.

    Sixteen neighbours are merged from left to right, then sixteen of those results, and so on.
    Each merge has the same two sides in whatever order the partial results arrive, so the result
    is the same to the bit.

    Parameters
    ----------
    aggregator : Aggregator
        Merges two partial results.
    count : int
        The number of reduction blocks; at least one.

    Attributes
    ----------
    result : Partial or None
        The merged result, once all partial results have been added.
    """

    def __init__(self, aggregator: Aggregator, count: int) -> None:
        self.aggregator = aggregator
        self.counts = [count]
        while self.counts[-1] > 1:
            self.counts.append(-(-self.counts[-1] // FAN))
        self.result: Partial | None = None
        # By level and number: partial results that arrived before their left neighbour.
        self._early: dict[tuple[int, int], Partial] = {}
        # By level and parent: the number of the next neighbour, and the merge of those before it.
        self._merged: dict[tuple[int, int], tuple[int, Partial | None]] = {}

    def add(self, number: int, partial: Partial) -> None:
        """Add the partial result of the block with this number."""
        for level, count in enumerate(self.counts[:-1]):
            self._early[level, number] = partial
            parent = number // FAN
            following, merged = self._merged.pop((level, parent), (FAN * parent, None))
            end = min(FAN * (parent + 1), count)
            while following < end and (level, following) in self._early:
                partial = self._early.pop((level, following))
                merged = partial if merged is None else self.aggregator.merge(merged, partial)
                following += 1
            if following < end:
                self._merged[level, parent] = following, merged
                return
            assert merged is not None
            number, partial = parent, merged
        self.result = partial
