"""Reduction blocks cover an array once, follow its chunks, and end at tile boundaries."""

from __future__ import annotations

import math

import pytest

from biggus.indexing.grid import Grid
from biggus.indexing.reduction_blocks import (
    BLOCK,
    LARGEST,
    common_grid,
    joined_grid,
    reduction_blocks,
)

pytest.importorskip("hypothesis")
import itertools

from hypothesis import given
from hypothesis import strategies as st


@st.composite
def cut_axes(draw, most=40):
    """Return the length of an axis and two chunkings of it, each one length or all lengths."""
    length = draw(st.integers(1, most))

    def lengths():
        if draw(st.booleans()):
            return draw(st.integers(1, length))
        cuts = sorted(draw(st.sets(st.integers(1, length - 1), max_size=5))) if length > 1 else []
        edges = [0, *cuts, length]
        return tuple(b - a for a, b in itertools.pairwise(edges))

    return length, lengths(), lengths()


def edges_of_axis(edges):
    return {edges.bounds(number)[0] for number in range(edges.count)} | {edges.length}


@given(st.lists(cut_axes(), min_size=1, max_size=3))
def test_reduction_blocks_cover_an_array_in_whole_chunks(axes):
    shape = tuple(length for length, *_ in axes)
    grid = tuple(lengths for _, lengths, _ in axes)
    blocks, chunks = reduction_blocks(shape, grid), Grid(shape, grid)
    for block, chunk in zip(blocks.axes, chunks.axes, strict=True):
        assert block.bounds(0)[0] == 0
        assert block.bounds(block.count - 1)[1] == block.length
        assert edges_of_axis(block) <= edges_of_axis(chunk)


@given(st.lists(cut_axes(), min_size=1, max_size=3), st.integers(0, 2), st.integers(1, 9))
def test_longer_reduction_blocks_consist_of_shorter_ones(axes, at, elements):
    at = min(at, len(axes) - 1)
    # Several rows of this slow axis make a reduction block; there are axes before and after it.
    shape = [length for length, *_ in axes]
    shape.insert(at + 1, BLOCK // elements)
    tile_edges = [tiles for *_, tiles in axes]
    tile_edges.insert(at + 1, shape[at + 1])
    blocks, longer = (
        reduction_blocks(shape, None, tile_edges),
        reduction_blocks(shape, None, tile_edges, longer=2),
    )
    slower = []
    for short, long in zip(blocks.axes, longer.axes, strict=True):
        assert edges_of_axis(long) <= edges_of_axis(short)
        assert long.longest <= 2 * short.longest
        slower.append(long.longest > short.longest)
    assert sum(slower) <= 1


@given(cut_axes(), st.integers(0, 8))
def test_no_reduction_block_spans_two_longer_tiles(axis, more):
    length, chunks, tiles = axis
    wide = BLOCK // max(1, more)  # so that few rows make a reduction block
    blocks = reduction_blocks((length, wide), (chunks, wide), (tiles, wide)).axes[0]
    tile_edges = Grid((length,), (tiles,)).axes[0]
    at_chunks = edges_of_axis(Grid((length,), (chunks,)).axes[0])
    if tile_edges.longest < blocks.longest:
        return
    # Only tile boundaries at chunk boundaries can be edges of blocks.
    assert edges_of_axis(tile_edges) & at_chunks <= edges_of_axis(blocks) | {length}


def test_tile_has_the_same_reduction_blocks_in_every_mosaic():
    wide = BLOCK // 4
    tile = (3, 3, 3, 1)  # ten rows in chunks of three
    for count in (2, 3, 50):
        blocks = reduction_blocks((10 * count, wide), (tile * count, wide), (10, wide)).axes[0]
        assert [blocks.bounds(n) for n in range(4)] == [(0, 3), (3, 6), (6, 9), (9, 10)]
        assert blocks.count == 4 * count


def test_small_chunks_are_merged_and_large_ones_kept():
    blocks = reduction_blocks((800, 8000), (8, 8))
    assert math.prod(blocks.longest) > BLOCK // 4
    assert [axis.bounds(0) for axis in reduction_blocks((9, 2**21), (1, 2**21)).axes] == [
        (0, 1),
        (0, 2**21),
    ]


def test_growing_array_keeps_its_reduction_blocks():
    shorter, longer = (reduction_blocks((n, 721, 1440), (24, 181, 360)).axes for n in (240, 264))
    for one, other in zip(shorter, longer, strict=True):
        assert [one.bounds(n) for n in range(one.count)] == [
            other.bounds(n) for n in range(one.count)
        ]


@given(st.lists(cut_axes(), min_size=1, max_size=3))
def test_joined_grid_has_whole_chunks_of_both_grids(axes):
    shape = tuple(length for length, *_ in axes)
    first, second = (tuple(axis[which] for axis in axes) for which in (1, 2))
    joined = joined_grid(shape, [first, second])
    assert joined is not None
    for axis in range(len(shape)):
        edges = edges_of_axis(Grid(shape, joined).axes[axis])
        for grid in (first, second):
            assert edges <= edges_of_axis(Grid(shape, grid).axes[axis])


def test_grids_with_too_large_joined_chunks_are_not_joined():
    shape = (LARGEST, 3)
    grids = [(1009, 1), (LARGEST // 2 + 1, 3)]
    assert joined_grid(shape, grids) is None
    assert common_grid(shape, grids) == grids[0]
