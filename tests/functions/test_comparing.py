"""NumPy's functions that compare, look up and choose are lazy and match NumPy."""

import numpy as np
import pytest
from surface import check, lazy

import biggus

SHAPES = [(), (4,), (2, 3), (2, 2, 2), (0, 3)]
DTYPES = ["f8", "i2", "?", "f4"]

CALLS = {
    "array_equal": lambda a: np.array_equal(a, a),
    "array_equal to other values": lambda a: np.array_equal(a, a * 2),
    "array_equiv": lambda a: np.array_equiv(a, a[..., :1]),
    "allclose": lambda a: np.allclose(a, a + 1e-9),
    "allclose to other values": lambda a: np.allclose(a, a + 1, atol=0.5),
    "digitize": lambda a: np.digitize(a, [1, 3, 5]),
    "digitize downwards": lambda a: np.digitize(a, [5, 3, 1], right=True),
    "digitize by unsorted bins": lambda a: np.digitize(a, [1, 5, 3]),
    "interp": lambda a: np.interp(a, [0, 2, 9], [1, -1, 5]),
    "interp by keywords": lambda a: np.interp(x=a, fp=[1, -1, 5], xp=[0, 2, 9]),
    "interp with left and right": lambda a: np.interp(a, [2, 3], [1.5, 2], left=-1, right=7),
    "searchsorted": lambda a: np.searchsorted([1, 3, 5], a),
    "searchsorted from the right": lambda a: np.searchsorted([1, 3, 5], a, "right"),
    "isin": lambda a: np.isin(a, [1, 5]),
    "is not in": lambda a: np.isin(a, [[1], [5]], invert=True),
    "polyval": lambda a: np.polyval([1, 0, -2], a),
    "unravel_index": lambda a: np.unravel_index(a.astype("i8"), (3, 4)),
    "select": lambda a: np.select([a > 5, a > 2], [a, a * 2], -1),
    "select without default": lambda a: np.select([a > 5], [a]),
    "select with a float condition": lambda a: np.select([a * 1.5], [a]),
    "choose": lambda a: np.choose((a > 3).astype(int), [a, a * 2]),
    "choose clip": lambda a: np.choose(a.astype(int), [a, 1.5], mode="clip"),
    "piecewise": lambda a: np.piecewise(a, [a < 2, a > 6], [1, lambda v: v * 2, 3]),
    "piecewise without default": lambda a: np.piecewise(a, [a < 2], [7]),
    "piecewise with too many functions": lambda a: np.piecewise(a, [a < 2], [7, 8, 9]),
    "astype": lambda a: a.astype("f4") + np.float32(1),
}


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", CALLS)
def test_function_is_lazy_and_matches_numpy(name, shape):
    for dtype in DTYPES:
        values = np.random.default_rng(1).integers(0, 9, shape).astype(dtype)
        check(CALLS[name], values)


def test_arrays_of_other_shapes_are_unequal():
    _, array = lazy(np.zeros((2, 3)))
    assert np.array_equal(array, np.zeros(3)) is False
    assert np.array_equiv(array, np.zeros(2)) is False


def test_array_equal_with_equal_nan():
    values = np.array([1, np.nan])
    assert np.array_equal(lazy(values)[1], values, equal_nan=True)
    assert not np.array_equal(lazy(values)[1], values)


@pytest.mark.parametrize(
    "call",
    [
        lambda a: np.digitize(1, a),
        lambda a: np.interp(1.5, a, a),
        lambda a: np.searchsorted(a, 1.5, sorter=[0, 1, 2]),
        lambda a: np.isin([1, 2], a),
    ],
)
def test_lazy_lookup_table_raises(call):
    with pytest.raises(TypeError, match=r"\.ndarray\(\)|np.sort"):
        call(lazy(np.arange(3.0))[1])


def test_searchsorted_keeps_missing_values():
    values = np.ma.masked_equal([0.0, 1, 2, 3], 2)
    found = np.searchsorted([1, 2], lazy(values)[1])
    assert isinstance(found, biggus.Array)
    assert found.masked_array().mask.tolist() == [False, False, True, False]


@pytest.mark.parametrize("mode", ["raise", "wrap", "clip"])
def test_choose_leaves_out_missing_numbers_and_missing_values_that_are_chosen(mode):
    random = np.random.default_rng(1)
    numbers = np.ma.masked_equal(random.integers(0, 4, (4, 5)), 3)  # 3 is out of bounds
    first, second = np.ma.masked_less(random.random((2, 4, 5)), 0.5)
    for a, choices in [(numbers, [first, 7, second]), (numbers.filled(1), [first, second, 0.5])]:
        theirs = np.ma.choose(a, choices, mode=mode)
        given = [lazy(one)[1] if np.ndim(one) else one for one in choices]
        ours = np.choose(lazy(a)[1], given, mode=mode).masked_array()
        np.testing.assert_array_equal(ours.mask, np.ma.getmaskarray(theirs))
        np.testing.assert_array_equal(ours.filled(0), theirs.filled(0))
