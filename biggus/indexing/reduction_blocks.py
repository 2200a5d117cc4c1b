"""Reduction blocks: the units in which reductions are accumulated and merged.

A reduction block is a chunk, or a run of small chunks of the same tile.  The reduction blocks of
an array follow from its shape and its natural grid alone, never from the memory, the number of
workers or what else is computed with it.  They are merged in a fixed order, so results are the
same to the bit wherever they are computed.

Pure: knows no source and reads nothing.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Collection, Sequence
from functools import reduce

import numpy as np

from biggus.indexing.grid import Edges, Grid, Lengths, RegularEdges, edges_of

RUN = 2**17
"""Small chunks are joined along the last axes, up to about this many elements."""

BLOCK = 2**21
"""They are then joined along the other axes, up to about this many elements."""

LARGEST = 2**23
"""The most elements of a block that has whole chunks of several unlike grids."""


def reduction_blocks(
    shape: tuple[int, ...],
    grid: Sequence[Lengths] | None,
    tile_edges: Sequence[Lengths] | None = None,
    axes: Collection[int] | None = None,
    longer: int = 1,
) -> Grid:
    """Return the reduction blocks of an array.

    Parameters
    ----------
    shape : tuple of int
        The shape of the array.
    grid : sequence or None
        For each axis the regular chunk length or the lengths of all chunks;
        None if the array can be cut anywhere.
    tile_edges : sequence, optional
        For each axis the length, or the lengths, of the tiles that the array is
        made of: no reduction block lies in two tiles, unless a chunk does.
    axes : collection of int, optional
        The reduced axes, if not all.  Only along these are blocks made longer than `RUN`, because
        a partial result has as many positions as its block has along the other axes.
    longer : int
        How many reduction blocks are joined into one, along the last axis that has several.

    Examples
    --------
    >>> reduction_blocks((480, 721, 1440), (24, 181, 360)).axes[1].bounds(0)
    (0, 181)
    >>> [axis.bounds(0)[1] for axis in reduction_blocks((480, 721, 1440), None).axes]
    [2, 721, 1440]
    >>> reduced = reduction_blocks((40, 999, 999), (1, 500, 500), axes=(0,))
    >>> [axis.bounds(0)[1] for axis in reduced.axes]
    [8, 500, 500]
    >>> reduction_blocks((20, 2**20), (1, 2**20), (5, 2**20)).axes[0].offsets
    [0, 2, 4, 5, 7, 9, 10, 12, 14, 15, 17, 19, 20]
    """
    if grid is None:
        grid = (1,) * len(shape)
    edges = Grid(shape, grid).axes
    within = Grid(shape, shape if tile_edges is None else tile_edges).axes
    most = [max(1, tiles.longest) for tiles in within]
    lengths = [max(1, chunks.longest) for chunks in edges]
    for axis in reversed(range(len(shape))):
        _lengthen(axis, most, lengths, RUN)
        if lengths[axis] < most[axis]:
            break
    for axis in reversed(range(len(shape))):
        if axes is None or axis in axes:
            _lengthen(axis, most, lengths, BLOCK)
    cut = [axis for axis, n in enumerate(most) if lengths[axis] < n]
    if cut:
        lengths[cut[-1]] = min(most[cut[-1]], longer * lengths[cut[-1]])
    return Grid(shape, list(map(_joined_chunks, edges, lengths, within)))


def _lengthen(axis: int, most: list[int], lengths: list[int], elements: int) -> None:
    """Make reduction blocks longer along an axis, up to a number of elements."""
    more = elements // math.prod(lengths)
    if more > 1:
        lengths[axis] = max(lengths[axis], min(most[axis], lengths[axis] * more))


def _joined_chunks(chunks: Edges, length: int, tiles: Edges) -> Lengths:
    """Return the lengths of runs of chunks, up to `length`; a run begins where a tile does."""
    if isinstance(chunks, RegularEdges):
        run = max(1, length // max(1, chunks.size)) * max(1, chunks.size)
        if tiles.count < 2 or (isinstance(tiles, RegularEdges) and tiles.size % run == 0):
            return run
    firsts = []
    offsets, ends = sorted(set(chunks.offsets)), sorted(set(tiles.offsets))
    number = 0
    while number < len(offsets) - 1:
        start = offsets[number]
        firsts.append(start)
        stop = min(start + length, ends[bisect_right(ends, start)])
        number = max(number + 1, bisect_right(offsets, stop) - 1)
    return simplified(chunks.length, np.diff([*firsts, chunks.length]).tolist())


def common_grid(shape: tuple[int, ...], grids: Sequence[Sequence[Lengths]]) -> tuple[Lengths, ...]:
    """Return a grid whose chunks hold whole chunks of all `grids`.

    If such chunks would have more than `LARGEST` elements, the first of the grids is
    returned; the chunks of the others are then read more than once.

    Parameters
    ----------
    shape : tuple of int
        The shape of the arrays.
    grids : sequence
        At least one; the most important first.

    Examples
    --------
    >>> common_grid((100, 50), [(10, 50), (20, 25)])
    (20, 50)
    >>> common_grid((9,), [((3, 2, 4),), ((5, 4),)])
    ((5, 4),)
    """
    joined = joined_grid(shape, grids)
    return tuple(grids[0]) if joined is None else joined


def joined_grid(
    shape: tuple[int, ...], grids: Sequence[Sequence[Lengths]], most: int = LARGEST
) -> tuple[Lengths, ...] | None:
    """Return a grid whose chunks hold whole chunks of all `grids`.

    None if such chunks would have more than `most` elements, unless all grids are equal.
    """
    first, *others = [tuple(grid) for grid in grids]
    if all(grid == first for grid in others):
        return first
    joined = tuple(
        reduce(lambda left, right: _common_lengths(n, left, right), lengths)
        for n, lengths in zip(shape, zip(first, *others, strict=True), strict=True)
    )
    return joined if math.prod(Grid(shape, joined).longest) <= most else None


def _common_lengths(n: int, left: Lengths, right: Lengths) -> Lengths:
    """Return the lengths between the edges that two grids of an axis share."""
    if left == right:
        return left
    if isinstance(left, int) and isinstance(right, int):
        return min(math.lcm(left, right), max(1, n))
    shared = np.intersect1d(edges_of(n, left).offsets, edges_of(n, right).offsets)
    return tuple(np.diff(shared).tolist())


def simplified(length: int, lengths: Sequence[int]) -> Lengths:
    """Return the lengths of the pieces of an axis as one number, if they are regular."""
    edges = edges_of(length, lengths)
    return edges.size if isinstance(edges, RegularEdges) else tuple(lengths)


def nested_lengths(pieces: Lengths, length: int, room: int) -> Lengths:
    """Return lengths of no more than `room` that subdivide the pieces of an axis."""
    if isinstance(pieces, int):
        size = min(pieces, length)
        if size <= room or size % (part := -(-size // -(-size // room))) == 0:
            return min(room, size) if size <= room else part
        pieces = tuple([min(size, length - start) for start in range(0, length, size)])
    lengths: list[int] = []
    for piece in pieces:
        number = max(1, -(-piece // room))
        lengths += [piece * (n + 1) // number - piece * n // number for n in range(number)]
    return tuple(lengths)
