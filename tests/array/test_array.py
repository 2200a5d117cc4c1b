"""Attributes, methods and conversions of an array, against those of ndarrays."""

from __future__ import annotations

import copy
import operator
import pickle

import numpy as np
import pytest

import biggus
from biggus.errors import MaskedValueError, MemoryBudgetError
from biggus.testing import UnreadableSource


@pytest.fixture
def unread():
    """Return an array that fails the test if it is read."""
    return biggus.ArrayAdapter(UnreadableSource((3, 4), np.dtype("f8")))


def test_attributes(unread):
    assert unread.shape == (3, 4)
    assert unread.dtype == np.dtype("f8")
    assert unread.ndim == 2
    assert unread.size == 12
    assert unread.itemsize == 8
    assert unread.nbytes == 96
    assert unread.masked is False
    assert unread.grid is None
    assert unread.T.shape == (4, 3)
    assert len(unread) == 3


def test_repr_slicing_joining_and_pickling_read_nothing(unread):
    joined = biggus.LinearMosaic([unread, unread[::-1]], axis=1)
    stacked = biggus.ArrayStack([[joined, joined], [joined, joined]])
    view = biggus.broadcast_to(
        stacked[:, 0, None, 1:, [0, 3]].T.astype("i2"),
        (5, *stacked[:, 0, None, 1:, [0, 3]].T.shape),
    )
    assert repr(view).startswith("<biggus.Array shape=(5, ")
    assert "int16" in view._repr_html_()
    for same in (pickle.loads(pickle.dumps(view)), copy.copy(view), copy.deepcopy(view)):
        assert (same.shape, same.dtype) == (view.shape, view.dtype)
    assert [row.shape for row in view] == [view.shape[1:]] * 5
    assert hasattr(view, "chunks")


def test_repr(unread):
    assert repr(unread) == "<biggus.Array shape=(3, 4) dtype=float64 96 B>"
    assert repr(unread[0]) == "<biggus.Array shape=(4,) dtype=float64 32 B>"
    assert "3 × 4" in unread._repr_html_()
    masked = biggus.ArrayAdapter(np.ma.masked_array([1, 2], [True, False]))
    assert "masked" in repr(masked)


def test_repr_of_an_array_with_names_and_units():
    source = UnreadableSource((12,), "f4", dims=("time",), attributes={"units": "K"})
    array = biggus.ArrayAdapter(source)[:, None]
    assert repr(array) == "<biggus.Array (time: 12, dim_1: 1) dtype=float32 units='K' 48 B>"
    assert repr(array[0]) == "<biggus.Array shape=(1,) dtype=float32 units='K' 4 B>"


def test_repr_of_a_variable_of_a_store(tmp_path):
    pytest.importorskip("zarr")
    biggus.save(np.zeros((2, 3)), f"{tmp_path}/a.zarr::inner/v")
    opened = biggus.open(tmp_path / "a.zarr", "inner/v")
    assert repr(opened) == "<biggus.Array 'v' (dim_0: 2, dim_1: 3) dtype=float64 48 B>"


def test_results_are_fresh_and_writable():
    values = np.arange(6.0).reshape(2, 3)
    array = biggus.ArrayAdapter(values)
    for view in (array, array[0], array[0, 0], array[:0], array[::-1], array.T):
        result = view.ndarray()
        assert type(result) is np.ndarray
        assert result.flags.writeable
        assert result.flags.c_contiguous
        assert not np.shares_memory(result, values)


@pytest.mark.parametrize("call", [bool, float, int, complex])
@pytest.mark.parametrize("value", [0.0, 2.5])
@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_conversions_of_one_element(call, value, shape):
    values = np.full(shape, value)
    if call is not bool and shape:
        values = values.reshape(())  # NumPy deprecates the others
    assert call(biggus.ArrayAdapter(values)) == call(values)


def test_conversions_of_several_elements_raise_without_reading(unread):
    for call, error in [(bool, ValueError), (float, TypeError), (int, TypeError)]:
        with pytest.raises(error):
            call(unread)
    with pytest.raises(ValueError):
        unread.item()
    with pytest.raises(TypeError):
        operator.index(unread)
    assert operator.index(biggus.ArrayAdapter(np.array(3))) == 3
    with pytest.raises(TypeError):
        operator.index(biggus.ArrayAdapter(np.array(3.0)))


def test_item():
    values = np.arange(6).reshape(2, 3)
    array = biggus.ArrayAdapter(values)
    for args in [(4,), (-1,), (1, 2), ((1, 0),)]:
        assert array.item(*args) == values.item(*args)
        assert type(array.item(*args)) is int
    for args in [(6,), (0, 0, 0), (0, 3)]:
        with pytest.raises((IndexError, ValueError)) as ours:
            array.item(*args)
        with pytest.raises(ours.type):
            values.item(*args)


def test_iteration_gives_lazy_rows(unread):
    rows = list(unread)
    assert [row.shape for row in rows] == [(4,)] * 3
    scalar = biggus.ArrayAdapter(np.array(1))
    with pytest.raises(TypeError):
        len(scalar)
    with pytest.raises(TypeError):
        iter(scalar)


def test_operations_that_would_read_everything_raise(unread):
    with pytest.raises(TypeError, match="ndarray"):
        operator.contains(unread, 1.0)
    with pytest.raises(TypeError):
        hash(unread)
    with pytest.raises(TypeError, match="ndarray"):
        np.linalg.eig(unread)
    with pytest.raises(TypeError, match="ndarray"):
        np.add.reduceat(unread, [0])
    with pytest.raises(IndexError, match="integer"):
        unread[unread]
    with pytest.raises(IndexError, match="integer"):
        unread.oindex[unread, 0]
    with pytest.raises(TypeError):
        unread[0] = 1
    with pytest.raises(TypeError):
        biggus.Array()


def test_asarray():
    array = biggus.ArrayAdapter(np.arange(6).reshape(2, 3))
    np.testing.assert_array_equal(np.asarray(array), [[0, 1, 2], [3, 4, 5]])
    assert np.asarray(array, dtype="f4").dtype == "f4"
    assert np.array(array).flags.writeable
    with pytest.raises(ValueError):
        np.asarray(array, copy=False)


def test_asarray_beyond_the_memory_option_raises_without_reading(unread):
    huge = biggus.broadcast_to(unread, (2**30, 3, 4))
    with pytest.raises(MemoryBudgetError, match=r"\.ndarray\(\)"):
        np.asarray(huge)
    with biggus.set_options(memory=95), pytest.raises(MemoryBudgetError):
        np.asarray(unread)


@pytest.mark.parametrize(
    "axes", [(), (None,), ((1, 0, 2),), (2, 0, 1), (-1, 0, 1), ((0, 0, 1),), (0, 1)]
)
def test_transpose(axes, check_same):
    values = np.arange(24).reshape(2, 3, 4)
    check_same(
        lambda: biggus.ArrayAdapter(values).transpose(*axes), lambda: values.transpose(*axes)
    )


@pytest.mark.parametrize("dtype", ["f4", "c8", "U5", str, "S", bool, ">i2", "M8[s]"])
def test_astype(dtype, check_same):
    values = np.arange(12).reshape(3, 4)
    check_same(lambda: biggus.ArrayAdapter(values).astype(dtype), lambda: values.astype(dtype))


def test_fields(check_same):
    values = np.zeros(3, [("a", "i2"), ("b", "f8"), ("c", "f4", (2,))])
    values["a"] = [1, 2, 3]
    array = biggus.ArrayAdapter(values)
    check_same(lambda: array["a"][1:], lambda: values["a"][1:])
    check_same(lambda: array[["b", "a"]], lambda: values[["b", "a"]])
    check_same(lambda: array["x"], lambda: values["x"])
    check_same(lambda: biggus.ones(3)["x"], lambda: np.ones(3)["x"])
    with pytest.raises(TypeError, match="ndarray"):
        array["c"]


def test_masked_values():
    values = np.ma.masked_array(np.arange(4.0), [False, True, False, False], fill_value=-1)
    array = biggus.ArrayAdapter(values)
    assert array.masked
    assert array.fill_value == -1
    result = array[1:].masked_array()
    np.testing.assert_array_equal(result.mask, [True, False, False])
    np.testing.assert_array_equal(result.compressed(), [2, 3])
    assert result.fill_value == -1
    np.testing.assert_array_equal(array.ndarray(), [0, np.nan, 2, 3])
    np.testing.assert_array_equal(array.ndarray(fill=9), [0, 9, 2, 3])
    assert not np.ma.is_masked(values.data[0])
    plain = biggus.ones(2).masked_array()
    assert plain.mask.shape == (2,)


@pytest.mark.parametrize("dtype", ["i4", "?", "U2", "S2", "u1"])
def test_missing_values_need_a_fill_if_the_dtype_has_no_nan(dtype):
    values = np.ma.masked_array(np.ones(2).astype(dtype), [True, False])
    array = biggus.ArrayAdapter(values)
    with pytest.raises(MaskedValueError, match=r"masked_array\(\).*fill="):
        array.ndarray()
    assert array[1:].ndarray().dtype == values.dtype
    empty = np.zeros(1, values.dtype)[0]
    assert array.ndarray(fill=empty)[0] == empty


def test_missing_times_become_nat():
    values = np.ma.masked_array(np.array([1, 2], "M8[D]"), [True, False])
    assert np.isnat(biggus.ArrayAdapter(values).ndarray()[0])


@pytest.mark.parametrize(
    "make",
    [
        lambda: biggus.GridMosaic(5, (2,), (2,), "u1"),
        lambda: biggus.ArrayAdapter(np.ones(3), token=5),
        lambda: biggus.ArrayAdapter(np.ones(3), cache="chunks"),
        lambda: biggus.open("/no/such/file", 5),
        lambda: biggus.open("/no/such/file", "x", cache="chunks"),
    ],
)
def test_arguments_of_the_wrong_type_raise_type_error(make):
    with pytest.raises(TypeError, match=r"is (called|a string|a Cache)"):
        make()


def test_arrays_pickle_and_copy():
    mosaic = biggus.LinearMosaic([np.arange(3), np.arange(4)])[::-2]
    for other in (pickle.loads(pickle.dumps(mosaic)), copy.copy(mosaic), copy.deepcopy(mosaic)):
        np.testing.assert_array_equal(other.ndarray(), mosaic.ndarray())


def test_deeply_nested_expressions():
    array, values = biggus.ones((1, 1)), np.ones((1, 1))
    for i in range(100):
        height, width = array.shape
        strip = biggus.zeros((height, 1) if i % 2 else (1, width))
        array = biggus.LinearMosaic([array, strip], axis=i % 2)
        values = np.pad(values, [(0, 1 - i % 2), (0, i % 2)])
    np.testing.assert_array_equal(array.ndarray(), values)
    repr(array), pickle.loads(pickle.dumps(array))
    for _ in range(1000):
        array = array[:, ::-1]
    np.testing.assert_array_equal(array.ndarray(), values)
