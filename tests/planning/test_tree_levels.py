"""Trees: each block has one position, and merging does not depend on the order of blocks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from biggus.indexing.grid import edges_of
from biggus.planning.tree_levels import BLOCKS_A_SUBTREE, TILES_A_SUBTREE, ReductionTree, TreeLevels
from biggus.statistics import partials, statistic

pytest.importorskip("hypothesis")
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    import random


@st.composite
def trees(draw):
    """Return a tree, and the number of reduction blocks along each axis."""
    counts, blocks, tile_edges = [], [], []
    for _ in range(draw(st.integers(0, 3))):
        each = draw(st.integers(1, 3))
        tiles = draw(st.lists(st.integers(1, 6), min_size=1, max_size=4))
        length = each * sum(tiles)
        blocks.append(edges_of(length, each))
        small = draw(st.booleans())
        tile_edges.append(edges_of(length, 1 if small else [each * n for n in tiles]))
        counts.append(sum(tiles))
    return TreeLevels(tuple(blocks), tuple(tile_edges)), counts


@given(trees())
def test_each_reduction_block_has_a_unique_position(made):
    tree, counts = made
    blocks = list(itertools.product(*map(range, counts)))
    places = [tree.place(block) for block in blocks]
    assert tree.blocks == len(blocks)
    assert len(set(places)) == len(blocks)
    expected = {
        (tile, block_subtree, position)
        for tile in range(tree.tiles)
        for block_subtree in range(tree.block_subtrees(tile))
        for position in range(tree.block_subtree_size(tile, block_subtree))
    }
    assert set(places) == expected


@given(trees())
def test_blocks_lie_in_the_box_of_their_subtree(made):
    tree, counts = made
    for block in itertools.product(*map(range, counts)):
        tile, number, position = tree.place(block)
        block_subtree = tree.block_subtree(tile, number)
        assert position < tree.block_subtree_size(tile, number) <= BLOCKS_A_SUBTREE
        assert all(
            a <= n <= b
            for a, n, b in zip(block_subtree.first, block, block_subtree.last, strict=True)
        )


@given(trees())
def test_span_of_a_subtree_determines_its_blocks(made):
    tree, counts = made
    blocks = list(itertools.product(*map(range, counts)))
    tile_subtrees = {n: (tree.tile_subtree(n), []) for n in range(tree.tile_subtrees)}
    block_subtrees = {}
    for block in blocks:
        tile, number, _ = tree.place(block)
        tile_subtrees[tile // TILES_A_SUBTREE][1].append(block)
        block_subtree = block_subtrees.setdefault(
            (tile, number), (tree.block_subtree(tile, number), [])
        )
        block_subtree[1].append(block)
    for number, (span, found) in tile_subtrees.items():
        assert tree.blocks_below(number) == len(found)
        assert tree.tile_subtree_size(number) == span.layout[1]
        assert _around(found, span)
    for span, found in block_subtrees.values():
        before, size = span.layout
        box = list(itertools.product(*_ranges(span)))
        assert sorted(found) == box[before : before + size]


def _ranges(span):
    return [range(a, b + 1) for a, b in zip(span.first, span.last, strict=True)]


def _around(blocks, span):
    """Return whether a span is the bounding box of blocks, up to the first axis with several."""
    inside = all(n in r for block in blocks for n, r in zip(block, _ranges(span), strict=True))
    ends = [(min(axis), max(axis)) for axis in zip(*blocks, strict=True)]
    split = next((n for n, (a, b) in enumerate(ends) if a < b), len(ends) - 1)
    return (
        inside and ends[: split + 1] == list(zip(span.first, span.last, strict=True))[: split + 1]
    )


ALIGNED = {
    "one tile": (24, 2, 24),
    "regular": (24, 2, 6),
    "the last shorter": (23, 2, 6),
    "irregular tiles": (24, 2, (6, 2, 12, 4)),
    "empty tiles": (24, 2, (0, 6, 0, 0, 18, 0)),
    "irregular blocks": (24, (1, 5, 2, 4, 3, 9), 12),
    "both irregular": (24, (1, 5, 2, 4, 3, 9), (6, 6, 3, 9)),
    "many tiles": (300, 1, 2),
}


@pytest.mark.parametrize("name", ALIGNED)
def test_tile_of_a_block_is_the_tile_that_holds_it(name):
    length, each, tiles = ALIGNED[name]
    blocks, edges = edges_of(length, each), edges_of(length, tiles)
    tree = TreeLevels((blocks,), (edges,))
    holding = [edges.find(blocks.bounds(number)[0]) for number in range(blocks.count)]
    numbers = {tile: number for number, tile in enumerate(sorted(set(holding)))}
    places = [tree.place((number,)) for number in range(blocks.count)]
    assert [tile for tile, _, _ in places] == [numbers[tile] for tile in holding]
    assert tree.tiles == len(numbers)
    sizes = [tree.tile_subtree_size(number) for number in range(tree.tile_subtrees)]
    assert sum(sizes) == tree.tiles
    assert max(sizes) <= TILES_A_SUBTREE


@pytest.mark.parametrize("tiles", [1, 3, (5, 19), (7, 3, 14)])
def test_tiles_that_are_not_whole_blocks_do_not_cut_the_tree(tiles):
    tree = TreeLevels((edges_of(24, 2),), (edges_of(24, tiles),))
    assert tree.tiles == 1
    assert tree.block_subtree_size(0, 0) == 12


def test_position_in_a_tree_of_many_blocks():
    tree = TreeLevels((edges_of(10**12, 1000),), (edges_of(10**12, 10**6),))
    assert tree.tiles == 10**6
    assert tree.place((10**9 - 1,)) == (10**6 - 1, 999 // BLOCKS_A_SUBTREE, 999 % BLOCKS_A_SUBTREE)


@given(st.integers(1, 300), st.randoms())
def test_merge_order_does_not_change_a_bit(count, shuffled: random.Random):
    aggregator = statistic("std", np.dtype("f8"), False, (count, 5), (0, 1)).aggregator
    values = np.random.default_rng(count).normal(1e6, 1, (count, 5))
    results = []
    for shuffle in (False, True):
        numbers = list(range(count))
        if shuffle:
            shuffled.shuffle(numbers)
        tree = ReductionTree(aggregator, count)
        for number in numbers:
            partial = partials([aggregator], values[number : number + 1], (0, 1), (number, 0))[0]
            tree.add(number, partial)
        results.append(b"".join(entry.tobytes() for entry in tree.result))
    assert results[0] == results[1]
