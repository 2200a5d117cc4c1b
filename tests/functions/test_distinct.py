"""unique and the set functions match NumPy, in one pass and in any memory."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surface import assert_same, assert_same_outcome, lazy, outcome

import biggus
from biggus.errors import MemoryBudgetError
from biggus.testing import ArraySource, RecordingSource

SHAPES = [(), (0,), (9,), (4, 5), (2, 3, 4), (0, 3)]

CALLS = {
    "unique": np.unique,
    "unique and all": lambda a: np.unique(a, True, True, True),
    "unique and counts": lambda a: np.unique(a, return_counts=True),
    "unique_values": lambda a: np.sort(np.unique_values(a)),  # NumPy returns them unsorted
    "unique_counts": np.unique_counts,
    "unique_inverse": np.unique_inverse,
    "unique_all": np.unique_all,
    "union1d": lambda a: np.union1d(a, [7, 1]),
    "intersect1d": lambda a: np.intersect1d([7, 1], a),
    "intersect1d and where": lambda a: np.intersect1d(a, a[1:], return_indices=True),
    "setdiff1d": lambda a: np.setdiff1d(a, np.ones(1, a.dtype)),
    "setdiff1d in order": lambda a: np.setdiff1d(a, np.ones(1, a.dtype), assume_unique=True),
    "setxor1d": lambda a: np.setxor1d(a, a[:1]),
}


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", CALLS)
def test_function_matches_numpy(name, shape):
    for dtype in ("f8", "i2", "?", "U1"):
        values = np.random.default_rng(1).integers(0, 4, shape).astype(dtype)
        ours = outcome(CALLS[name], lazy(values)[1])
        assert_same_outcome(ours, outcome(CALLS[name], values))


def test_nan_is_one_value_or_many():
    values = np.array([[1.0, np.nan], [np.nan, 2.0]])
    _, array = lazy(values)
    for equal in (True, False):
        assert_same(np.unique(array, equal_nan=equal), np.unique(values, equal_nan=equal))
    for name in ("union1d", "intersect1d", "setdiff1d", "setxor1d"):
        function = getattr(np, name)
        assert_same(function(array, [2.0, np.nan]), function(values, [2.0, np.nan]))


@pytest.mark.parametrize("dtype", [">i4", ">f8", ">U2", ">M8[s]", [("a", ">i4"), ("b", "<f8")]])
@pytest.mark.parametrize("memory", ["20 MB", "1 GB"])
def test_distinct_values_have_the_byte_order_of_numpy(dtype, memory, monkeypatch):
    monkeypatch.setattr("biggus.functions.nonzero.SHARE", 50_000)
    values = (np.arange(300) % 90).astype(dtype)
    array = biggus.ArrayAdapter(values, chunks=(50,))
    with biggus.set_options(memory=memory):
        assert_same(np.unique(array), np.unique(values))
        assert_same(np.setdiff1d(array, values[:7]), np.setdiff1d(values, values[:7]))
        assert_same(np.intersect1d(array, values[:7]), np.intersect1d(values, values[:7]))


def test_unique_takes_one_pass():
    source = RecordingSource(ArraySource(np.arange(600).reshape(20, 30) % 7, (3, 30)))
    found = np.unique(biggus.ArrayAdapter(source))
    assert found.ndarray().tolist() == list(range(7))
    assert sum((box[0].stop - box[0].start) * 30 for box in source.boxes) == 600


def test_unique_of_masked_array_raises():
    with pytest.raises(TypeError, match=r"\.filled"):
        np.unique(lazy(np.ma.masked_equal([1, 2], 2))[1])


# More values than fit in memory -------------------------------------------------------------------


@given(st.data())
@settings(max_examples=15)
def test_sorted_runs_of_many_values_are_merged(data):
    size, most = data.draw(st.integers(1, 200)), data.draw(st.integers(1, 300))
    random = np.random.default_rng(data.draw(st.integers(0, 9)))
    values = random.integers(0, most, size).astype(data.draw(st.sampled_from(["i4", "f8", "U3"])))
    array = biggus.ArrayAdapter(ArraySource(values, (data.draw(st.integers(1, 50)),)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("biggus.functions.nonzero.SHARE", 50_000)
        with biggus.set_options(memory=data.draw(st.integers(10, 200)) * 500_000):
            found = np.unique(array, return_index=True, return_counts=True)
            either = np.union1d(array, array[:5])
    assert_same(found, np.unique(values, return_index=True, return_counts=True))
    assert_same(found[0][::-3], np.unique(values)[::-3])
    assert_same(either, np.unique(values))


def test_unique_stays_within_the_memory_budget(traced_peak):
    values = np.random.default_rng(1).permutation(500_000)
    array = biggus.ArrayAdapter(ArraySource(values, (25_000,)))
    with biggus.set_options(memory="5 MB", workers=1):
        assert traced_peak(lambda: np.unique(array), 10_000_000) <= 10_000_000
        found, counts = np.unique(array, return_counts=True)
        assert (found.shape, found.nbytes) == ((500_000,), 4_000_000)
        middle = found[250_000:250_010]
        assert traced_peak(middle.ndarray, 10_000_000) <= 10_000_000
        assert middle.ndarray().tolist() == list(range(250_000, 250_010))
        assert counts[350_000:350_003].ndarray().tolist() == [1, 1, 1]
        with pytest.raises(MemoryBudgetError, match="inverse"):
            np.unique(array, return_inverse=True)
        with pytest.raises(MemoryBudgetError, match="objects"):
            np.unique(array.astype(object))
