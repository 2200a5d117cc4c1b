"""Lazy arrays as keys: their values are read when the key is given; the array is not read."""

import logging

import numpy as np
import pytest

import biggus
from biggus.testing import ArraySource, RecordingSource

VALUES = np.arange(60.0).reshape(6, 10)


def lazy(values):
    source = RecordingSource(ArraySource(np.asarray(values), (2,) * np.ndim(values)))
    return source, biggus.ArrayAdapter(source)


KEYS = {
    "integers": lambda wrap: wrap([4, 0, -1]),
    "on the second axis": lambda wrap: (slice(1, 5), wrap([[0, 9], [3, 3]])),
    "with an ellipsis": lambda wrap: (..., wrap([2])),
    "two": lambda wrap: (wrap([1, 2]), wrap([3, 4])),
    "beside one in memory": lambda wrap: ([0, 5], wrap([3, 4])),
    "a mask": lambda wrap: wrap(VALUES % 7 == 2),
    "a mask of rows": lambda wrap: wrap([True, False] * 3),
    "a mask of columns": lambda wrap: (slice(None), wrap([True, False] * 5)),
    "one number": lambda wrap: (wrap(3), slice(2, 4)),
    "an end of a slice": lambda wrap: slice(wrap(2), None),
    "too far": lambda wrap: wrap([6]),
    "a mask that does not fit": lambda wrap: wrap([True] * 5),
    "no integers": lambda wrap: wrap([0.5]),
}


@pytest.mark.parametrize("name", KEYS)
def test_lazy_keys_select_like_numpy(name, caplog):
    source, array = lazy(VALUES)
    try:
        theirs = VALUES[KEYS[name](np.asarray)]
    except IndexError:
        with pytest.raises(IndexError):
            array[KEYS[name](lambda values: lazy(values)[1])]
        return
    with caplog.at_level(logging.INFO, "biggus"):
        ours = array[KEYS[name](lambda values: lazy(values)[1])]
    assert "a lazy array as a key" in caplog.text
    assert not source.boxes
    np.testing.assert_array_equal(ours.ndarray(), theirs)


def test_key_larger_than_the_memory_raises_without_reading():
    source, mask = lazy(VALUES.T > 5)
    refused = pytest.raises(biggus.errors.MemoryBudgetError, match="key")
    with biggus.set_options(memory=50), refused:
        biggus.ArrayAdapter(VALUES)[None, mask.T]
    assert not source.boxes


def test_all_true_mask_may_be_larger_than_the_memory(traced_peak):
    mask = biggus.ones((32, 1_000_000), bool)
    values = biggus.ConstantArray(mask.shape, 2, "u1")
    with biggus.set_options(memory="31 MB", workers=1):
        found = values[mask]
        assert found.shape == (32_000_000,)
        chosen = found[[0, -1]]
        assert traced_peak(chosen.ndarray, 60_000_000) <= 60_000_000  # all positions: 256 MB
    assert chosen.ndarray().tolist() == [2, 2]


def test_orthogonal_keys():
    _, array = lazy(VALUES)
    found = array.oindex[lazy([4, 0])[1], lazy([True, False] * 5)[1]]
    np.testing.assert_array_equal(found.ndarray(), VALUES[np.ix_([4, 0], range(0, 10, 2))])


def test_missing_position_raises():
    key = biggus.ArrayAdapter(np.ma.masked_equal([1, 2], 2))
    with pytest.raises(biggus.errors.MaskedValueError):
        biggus.ArrayAdapter(VALUES)[key]
