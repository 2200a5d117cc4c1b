"""Trees: each cell has one place, and what is merged is the same in whatever order it comes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from biggus.indexing.grid import edges_of
from biggus.planning import ReductionTree, Run
from biggus.planning.tree import BATCH, SHELF, Tree
from biggus.statistics import statistic

pytest.importorskip("hypothesis")
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    import random


@st.composite
def trees(draw):
    """Return a tree, and how many cells there are along each axis."""
    counts, cells, tile_edges = [], [], []
    for _ in range(draw(st.integers(0, 3))):
        each = draw(st.integers(1, 3))
        tiles = draw(st.lists(st.integers(1, 6), min_size=1, max_size=4))
        length = each * sum(tiles)
        cells.append(edges_of(length, each))
        small = draw(st.booleans())
        tile_edges.append(edges_of(length, 1 if small else [each * n for n in tiles]))
        counts.append(sum(tiles))
    return Tree(tuple(cells), tuple(tile_edges)), counts


@given(trees())
def test_each_cell_has_a_place_of_its_own(made):
    tree, counts = made
    cells = list(itertools.product(*map(range, counts)))
    places = [tree.place(cell) for cell in cells]
    assert tree.cells == len(cells)
    assert len(set(places)) == len(cells)
    expected = {
        (segment, batch, position)
        for segment in range(tree.segments)
        for batch in range(tree.batches(segment))
        for position in range(tree.batch_size(segment, batch))
    }
    assert set(places) == expected


@given(trees())
def test_a_batch_lies_in_its_box(made):
    tree, counts = made
    for cell in itertools.product(*map(range, counts)):
        segment, number, position = tree.place(cell)
        batch = tree.batch(segment, number)
        assert position < tree.batch_size(segment, number) <= BATCH
        assert all(a <= n <= b for a, n, b in zip(batch.first, cell, batch.last, strict=True))


@given(trees())
def test_what_is_said_of_a_unit_tells_its_cells(made):
    tree, counts = made
    cells = list(itertools.product(*map(range, counts)))
    shelves = {n: (tree.shelf(n), []) for n in range(tree.shelves)}
    batches = {}
    for cell in cells:
        segment, number, _ = tree.place(cell)
        shelves[segment // SHELF][1].append(cell)
        batch = batches.setdefault((segment, number), (tree.batch(segment, number), []))
        batch[1].append(cell)
    for number, (span, found) in shelves.items():
        assert tree.cells_on(number) == len(found)
        assert tree.shelf_size(number) == span.layout[1]
        assert _around(found, span)
    for span, found in batches.values():
        before, size = span.layout
        box = list(itertools.product(*_ranges(span)))
        assert sorted(found) == box[before : before + size]


def _ranges(span):
    return [range(a, b + 1) for a, b in zip(span.first, span.last, strict=True)]


def _around(cells, span):
    """Tell whether a span is just the box around cells, along the first axis that has several."""
    inside = all(n in r for cell in cells for n, r in zip(cell, _ranges(span), strict=True))
    ends = [(min(axis), max(axis)) for axis in zip(*cells, strict=True)]
    split = next((n for n, (a, b) in enumerate(ends) if a < b), len(ends) - 1)
    return (
        inside and ends[: split + 1] == list(zip(span.first, span.last, strict=True))[: split + 1]
    )


def test_many_cells_are_found_without_being_listed():
    tree = Tree((edges_of(10**12, 1000),), (edges_of(10**12, 10**6),))
    assert tree.segments == 10**6
    assert tree.place((10**9 - 1,)) == (10**6 - 1, 999 // BATCH, 999 % BATCH)


@given(st.integers(1, 300), st.randoms())
def test_any_order_merges_to_the_same_bits(count, shuffled: random.Random):
    aggregator = statistic("std", np.dtype("f8"), False, (count, 5), (0, 1)).aggregator
    values = np.random.default_rng(count).normal(1e6, 1, (count, 5))
    results = []
    for shuffle in (False, True):
        numbers = list(range(count))
        if shuffle:
            shuffled.shuffle(numbers)
        fold = ReductionTree(aggregator, count)
        for number in numbers:
            partial = aggregator.partial(values[number : number + 1], (0, 1), (number, 0))
            fold.add(Run(0, number, number + 1, partial))
        results.append(b"".join(entry.tobytes() for entry in fold.result))
    assert results[0] == results[1]


@given(st.integers(1, 300), st.integers(0, 17), st.randoms())
def test_runs_that_were_merged_elsewhere_fit(count, groups, shuffled):
    """Whoever computes some cells sends what has come of them, merged as far as it goes."""
    aggregator = statistic("mean", np.dtype("f8"), False, (count,), (0,)).aggregator
    values = np.random.default_rng(count).normal(0, 1, count)

    def partial(number):
        return aggregator.partial(values[number : number + 1], (0,), (number,))

    plain, joined = ReductionTree(aggregator, count), ReductionTree(aggregator, count)
    for number in range(count):
        plain.add(Run(0, number, number + 1, partial(number)))
    cuts = sorted({0, count, *[shuffled.randrange(count) for _ in range(groups)]})
    parts = list(itertools.pairwise(cuts))
    shuffled.shuffle(parts)
    for start, stop in parts:
        there = ReductionTree(aggregator, count)
        for number in range(start, stop):
            there.add(Run(0, number, number + 1, partial(number)))
        for run in there.runs():
            joined.add(run)
    assert [e.tobytes() for e in plain.result] == [e.tobytes() for e in joined.result]
