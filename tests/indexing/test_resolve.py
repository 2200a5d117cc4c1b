"""Splitting a selection covers it once, with only the pieces that hold an element."""

from __future__ import annotations

import numpy as np
import numpy_keys
import pytest

from biggus.indexing.grid import Grid, IrregularEdges, RegularEdges
from biggus.indexing.keys import numpy_selection
from biggus.indexing.resolve import split, split_all
from biggus.indexing.selection import Selection
from biggus.testing import strategies

pytest.importorskip("hypothesis")
from hypothesis import assume, given
from hypothesis import strategies as st


@st.composite
def cut_arrays(draw):
    shape = draw(strategies.shapes(min_dims=1, max_dims=3, min_side=1, max_side=7))
    axes = []
    for n in shape:
        if draw(st.booleans()):
            axes.append(RegularEdges(n, draw(st.integers(1, n + 1))))
        else:
            cuts = sorted(draw(st.lists(st.integers(0, n), max_size=4)))
            axes.append(IrregularEdges([0, *cuts, n]))
    return shape, axes


@given(st.data())
def test_split_parts_cover_the_selection_once(data):
    shape, axes = data.draw(cut_arrays())
    key = data.draw(numpy_keys.advanced_keys(shape, invalid=False))
    values = np.arange(1, int(np.prod(shape)) + 1).reshape(shape)
    right = np.asarray(values[key])
    assume(0 < right.size < 10_000)
    selection = numpy_selection(key, shape)
    result = np.zeros(right.shape, int)
    written = np.zeros(right.shape, int)
    pieces = set()
    for part, part_out in split_all(
        selection, Selection.identity(selection.shape), list(enumerate(axes))
    ):
        box, local = part.bounding_box()
        numbers = tuple(edges.find(s.start) for edges, s in zip(axes, box, strict=True))
        for edges, s, number in zip(axes, box, numbers, strict=True):
            start, stop = edges.bounds(number)
            assert start <= s.start < s.stop <= stop
        assert numbers not in pieces
        pieces.add(numbers)
        found = local.take_from(values[box])
        part_out.put_into(result, found)
        part_out.put_into(written, np.ones_like(found))
    np.testing.assert_array_equal(result, right)
    assert (written == 1).all()
    touched = {
        tuple(edges.find(int(i)) for edges, i in zip(axes, place, strict=True))
        for place in zip(*np.unravel_index(right.ravel() - 1, shape), strict=True)
    }
    # Orthogonal index arrays touch every combination; so do they in `right`.
    assert pieces == touched


def test_long_stride_visits_only_pieces_with_elements():
    selection = numpy_selection(slice(None, None, 2**20), (2**40,))
    out_selection = Selection.identity(selection.shape)
    parts = split(selection.restrict(0, 0, 3), out_selection, 0, RegularEdges(2**40, 256))
    assert [part.piece for part in parts] == [0, 2**12, 2**13]


@given(st.data())
def test_grid_parts_cover_the_box(data):
    shape, axes = data.draw(cut_arrays())
    box = data.draw(strategies.boxes(shape))
    grid = Grid(
        shape,
        [[e.bounds(i)[1] - e.bounds(i)[0] for i in range(e.count)] for e in axes],
    )
    values = np.arange(int(np.prod(shape))).reshape(shape)
    result = np.full(values[box].shape, -1)
    for part in grid.parts(box):
        assert part.chunk == grid.chunk(part.number)
        result[part.outer] = values[part.chunk][part.inner]
    np.testing.assert_array_equal(result, values[box])
