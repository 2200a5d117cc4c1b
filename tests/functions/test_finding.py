"""NumPy's functions whose results are as long as the values say: a pass, when they are called."""

import numpy as np
import pytest
from surface import lazy, outcome

import biggus
from biggus.errors import MemoryBudgetError
from biggus.testing import ArraySource, RecordingSource

SHAPES = [(), (0,), (9,), (4, 5), (2, 3, 4), (0, 3)]

CALLS = {
    "nonzero": np.nonzero,
    "method nonzero": lambda a: a.nonzero(),
    "flatnonzero": np.flatnonzero,
    "argwhere": np.argwhere,
    "extract": lambda a: np.extract(a > 1, a),
    "unique": np.unique,
    "unique and all": lambda a: np.unique(a, True, True, True),
    "unique and counts": lambda a: np.unique(a, return_counts=True),
    "unique_values": np.unique_values,
    "unique_counts": np.unique_counts,
    "unique_inverse": np.unique_inverse,
    "unique_all": np.unique_all,
    "union1d": lambda a: np.union1d(a, [7, 1]),
    "intersect1d": lambda a: np.intersect1d([7, 1], a),
    "setdiff1d": lambda a: np.setdiff1d(a, [1]),
    "setxor1d": lambda a: np.setxor1d(a, a[:1]),
}


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", CALLS)
def test_it_is_what_numpy_gives(name, shape):
    for dtype in ("f8", "i2", "?", "U1"):
        values = np.random.default_rng(1).integers(0, 4, shape).astype(dtype)
        theirs = outcome(CALLS[name], values)
        if isinstance(theirs, DeprecationWarning):
            continue  # which an older NumPy raises here, and a newer one an error
        ours = outcome(CALLS[name], lazy(values)[1])
        if isinstance(theirs, Exception):
            assert isinstance(ours, type(theirs))
            continue
        if isinstance(ours, Exception):
            raise ours
        if name == "unique_values":
            theirs = np.sort(theirs)  # those of NumPy are in no order
        several = theirs if isinstance(theirs, tuple) else (theirs,)
        assert type(ours) is type(theirs) or name == "extract"
        for one, other in zip(ours if isinstance(theirs, tuple) else (ours,), several, strict=True):
            found = one.ndarray() if isinstance(one, biggus.Array) else one
            assert (found.dtype, found.shape) == (other.dtype, other.shape)
            np.testing.assert_array_equal(found, other)


def test_nan_are_one_value_or_many():
    values = np.array([[1.0, np.nan], [np.nan, 1.0]])
    _, array = lazy(values)
    for equal in (True, False):
        np.testing.assert_array_equal(
            np.unique(array, equal_nan=equal), np.unique(values, equal_nan=equal)
        )


def test_it_is_one_pass():
    source = RecordingSource(ArraySource(np.arange(600).reshape(20, 30) % 7, (3, 30)))
    assert np.unique(biggus.ArrayAdapter(source)).tolist() == list(range(7))
    assert sum((box[0].stop - box[0].start) * 30 for box in source.boxes) == 600


def test_missing_values_are_no_more_than_zero():
    values = np.ma.masked_equal([[0, 1, 2], [3, 0, 2]], 2)
    found = np.nonzero(lazy(values)[1])
    np.testing.assert_array_equal(found, np.ma.nonzero(values))
    with pytest.raises(TypeError, match=r"\.filled"):
        np.unique(lazy(values)[1])


def test_more_than_there_is_room_for_is_refused():
    array = biggus.ArrayAdapter(ArraySource(np.arange(2_000_000), (100_000,)))
    with biggus.set_options(memory="16 MB"), pytest.raises(MemoryBudgetError, match="unique"):
        np.unique(array)
