"""Selections agree with NumPy for every combination of kinds of items in a key."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from biggus.indexing.grid import RegularEdges
from biggus.indexing.keys import numpy_selection
from biggus.indexing.resolve import split_all
from biggus.indexing.selection import ArrayMap, DimensionMap, Selection

SHAPE = (3, 4, 5)
VALUES = np.arange(1, 61).reshape(SHAPE)
ITEMS = [
    slice(None),
    slice(None, None, -2),
    1,
    np.array([2, 0, 1, 2]),  # not sorted, so that its parts are no ranges
    np.array([[0], [2], [1]]),
    np.array([[[1, 2]], [[0, 2]]]),
]


def fits(key):
    try:
        VALUES[key]
    except IndexError:
        return False
    return True


KEYS = list(filter(fits, itertools.product(ITEMS, repeat=3)))


@pytest.mark.parametrize("first", range(len(ITEMS)))
def test_split_parts_give_the_selected_values(first):
    cuts = [(axis, RegularEdges(n, 2)) for axis, n in enumerate(SHAPE)]
    for key in KEYS:
        if key[0] is not ITEMS[first]:
            continue
        selection = numpy_selection(key, SHAPE)
        result = np.zeros(selection.shape, int)
        for part, part_out in split_all(selection, Selection.identity(selection.shape), cuts):
            part_out.put_into(result, part.take_from(VALUES))
        np.testing.assert_array_equal(result, VALUES[key])


def items_for(length, rng):
    """Return items of a key of an axis of a length, one of each kind."""
    return [
        slice(None),
        slice(None, None, -1),
        slice(int(rng.integers(length)), None, 2),
        int(rng.integers(length)),
        rng.integers(length, size=3),
        rng.integers(length, size=(2, 1)),
    ]


@pytest.mark.parametrize("first", range(len(ITEMS)))
def test_selection_of_a_selection_gives_the_selected_values(first):
    rng = np.random.default_rng(first)
    for key in KEYS:
        if key[0] is not ITEMS[first]:
            continue
        outer = numpy_selection(key, SHAPE)
        values = VALUES[key]
        for _ in range(6):
            second = tuple(items_for(n, rng)[rng.integers(6)] for n in values.shape)
            selection = outer.compose(numpy_selection(second, values.shape))
            np.testing.assert_array_equal(selection.take_from(VALUES), values[second])
            box, local = selection.bounding_box()
            np.testing.assert_array_equal(local.take_from(VALUES[box]), values[second])


def test_dims_that_index_arrays_tie_together_in_a_chain_are_split_together():
    shape = (6, 7, 5)
    rng = np.random.default_rng(1)
    # The arrays of the first two axes share no dim; that of the last ties them together.
    lengths = ((2, 3, 1, 1), (1, 1, 2, 3), (1, 3, 2, 1))
    key = tuple(rng.integers(n, size=size) for n, size in zip(shape, lengths, strict=True))
    selection = numpy_selection(key, shape)
    assert selection.joint_dims(0) == (0, 1, 2, 3)
    values = np.arange(210).reshape(shape)
    result = np.zeros(selection.shape, int)
    cuts = [(axis, RegularEdges(n, 2)) for axis, n in enumerate(shape)]
    for part, part_out in split_all(selection, Selection.identity(selection.shape), cuts):
        part_out.put_into(result, part.take_from(values))
    np.testing.assert_array_equal(result, values[key])


@pytest.mark.parametrize("later", [[slice(None), slice(5, None)], [slice(None), []]])
@pytest.mark.parametrize("item", [1, slice(None, None, -2), [2, 0], [1]])
def test_a_selection_of_nothing_keeps_the_positions_on_other_axes(item, later):
    selection = numpy_selection((slice(None), item), (3, 4, 5))
    kept = selection.maps[1]
    key = (*[slice(None)] * (len(selection.shape) - 2), *later)
    empty = selection.compose(numpy_selection(key, selection.shape))
    assert 0 in empty.shape
    positions = [getattr(kept, "index", None), getattr(kept, "start", None)]
    found = [getattr(empty.maps[1], "index", None), getattr(empty.maps[1], "start", None)]
    np.testing.assert_equal(found, positions)


def test_a_selection_of_nothing_may_name_positions_that_are_not_there():
    positions = np.zeros((0, 3), np.intp)
    nothing = Selection((0, 3), (ArrayMap((0, 1), positions), DimensionMap(1, 0, 1)))
    for key in [([], 1), ([[]], slice(None)), ([], [0, 1, 2][:0]), (slice(None), [2, 1])]:
        selection = nothing.compose(numpy_selection(key, (0, 3)))
        assert selection.shape == positions[key].shape
        assert selection.take_from(VALUES[0]).shape == selection.shape
