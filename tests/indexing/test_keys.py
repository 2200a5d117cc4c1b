"""Keys select the elements that NumPy selects, or raise the same type of exception."""

from __future__ import annotations

import itertools

import numpy as np
import numpy_keys
import pytest

from biggus.indexing.keys import numpy_selection, orthogonal_selection
from biggus.testing import strategies

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import given
from hypothesis import strategies as st

ATOMS = [
    slice(None),
    slice(None, None, -2),
    slice(1, 1),
    slice(-9, 9, 3),
    slice(None, None, 0),
    slice(1.5),
    0,
    -1,
    3,
    99,
    np.int8(2),
    None,
    Ellipsis,
    True,
    False,
    np.True_,
    [],
    [0, 2],
    [[0], [1]],
    (0, 1),
    np.array(1),
    np.array([], int),
    np.array([True, False, True]),
    np.ones(5, bool),
    np.ones((3, 4), bool),
    np.arange(3, dtype=np.uint64),
    1.5,
    "x",
    np.array([1.5]),
    [[1], [2, 3]],
    object(),
]


def compare(values, key, select=numpy_selection):
    try:
        right = values[key]
    except Exception as error:
        # Older NumPy only warns of an index out of bounds if nothing is selected.
        late = isinstance(error, DeprecationWarning)
        with pytest.raises(IndexError if late else type(error)):
            select(key, values.shape)
        return
    selection = select(key, values.shape)
    got = selection.take_from(values)
    assert selection.shape == np.shape(right)
    assert got.shape == np.shape(right)
    np.testing.assert_array_equal(got, right)


@pytest.mark.parametrize("shape", [(), (3,), (3, 4), (3, 4, 5), (0, 3), (3, 1, 5)])
@pytest.mark.parametrize("length", range(4))
@pytest.mark.filterwarnings("ignore:.*out-of-bound.*:DeprecationWarning")
def test_every_short_key(shape, length):
    values = np.arange(int(np.prod(shape))).reshape(shape)
    for key in itertools.product(ATOMS, repeat=length):
        compare(values, key)
    if length == 1:
        for key in ATOMS:
            compare(values, key)


@given(st.data())
def test_random_keys(data):
    shape = data.draw(strategies.shapes())
    values = np.arange(int(np.prod(shape))).reshape(shape)
    compare(values, data.draw(numpy_keys.advanced_keys(shape)))


@given(st.data())
def test_composed_keys(data):
    shape = data.draw(strategies.shapes(min_side=1))
    values = np.arange(int(np.prod(shape))).reshape(shape)
    selection = numpy_selection((), shape)
    for _ in range(3):
        key = data.draw(numpy_keys.advanced_keys(values.shape, invalid=False))
        selection = selection.compose(numpy_selection(key, values.shape))
        values = values[key]
        if values.size > 1000:
            break
    original = np.arange(int(np.prod(shape))).reshape(shape)
    np.testing.assert_array_equal(selection.take_from(original), values)
    assert selection.shape == np.shape(values)


@given(st.data())
def test_orthogonal_keys(data):
    shape = data.draw(strategies.shapes(min_dims=1))
    values = np.arange(int(np.prod(shape))).reshape(shape)
    key = data.draw(numpy_keys.oindex_keys(shape))
    got = orthogonal_selection(key, shape).take_from(values)
    right = numpy_keys.orthogonal(values, key)
    assert got.shape == right.shape
    np.testing.assert_array_equal(got, right)


@pytest.mark.parametrize(
    "key", [(np.zeros((2, 2), int),), (True,), ([0, 9],), (0, 0, 0), ([True],), ("x",), (1.5,)]
)
def test_invalid_orthogonal_keys_raise(key):
    with pytest.raises(IndexError):
        orthogonal_selection(key, (3, 4))


def test_selection_does_not_change_with_its_index_array():
    index = np.array([0, 1])
    selection = numpy_selection(index, (5,))
    index[:] = 4
    np.testing.assert_array_equal(selection.take_from(np.arange(5)), [0, 1])


def test_selection_of_a_huge_axis():
    shape = (2**40, 2**20)
    selection = numpy_selection((slice(2**39, None, -(2**30)), [0, -1]), shape)
    assert selection.shape == (2**9 + 1, 2)


def test_index_arrays_along_different_dims_stay_independent():
    selection = numpy_selection(np.ix_([0, 5], [1, 2, 3]), (10, 10))
    assert [m.dims for m in selection.maps] == [(0,), (1,)]
