"""nonzero and its relatives match NumPy; one pass counts the values, in any memory."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surface import assert_same, assert_same_outcome, lazy, outcome

import biggus
from biggus.testing import ArraySource, RecordingSource

SHAPES = [(), (0,), (9,), (4, 5), (2, 3, 4), (0, 3)]

CALLS = {
    "nonzero": np.nonzero,
    "method nonzero": lambda a: a.nonzero(),
    "where": np.where,
    "flatnonzero": np.flatnonzero,
    "argwhere": np.argwhere,
    "extract": lambda a: np.extract(a > 1, a),
    "extract with a smaller condition": lambda a: np.extract(a[:1] > 1, a),
    "extract with a larger condition": lambda a: np.extract(a > 1, a[:1]),
    "ix_": lambda a: np.ix_(a > 1, a[:1] > 1),
}


@pytest.fixture(params=["few", "many"])
def room(request, monkeypatch):
    """Keep the positions that the counting pass finds, or find them again when they are read."""
    if request.param == "many":
        monkeypatch.setattr("biggus.functions.nonzero.SHARE", 10**12)


@pytest.mark.usefixtures("room")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", CALLS)
def test_function_matches_numpy(name, shape):
    for dtype in ("f8", "i2", "?", "U1"):
        values = np.random.default_rng(1).integers(0, 4, shape).astype(dtype)
        theirs = outcome(CALLS[name], values)
        if isinstance(theirs, DeprecationWarning):
            continue  # older NumPy warns where newer NumPy raises an error
        assert_same_outcome(outcome(CALLS[name], lazy(values)[1]), theirs)


@given(st.data())
@settings(max_examples=30)
def test_many_positions_are_found_when_read(data):
    shape = tuple(data.draw(st.lists(st.integers(1, 7), min_size=1, max_size=3)))
    chunks = tuple(data.draw(st.integers(1, n)) for n in shape)
    seed = data.draw(st.integers(0, 9))
    values = np.random.default_rng(seed).integers(0, 3, shape) * (seed % 3)
    array = biggus.ArrayAdapter(ArraySource(values, chunks))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("biggus.functions.nonzero.SHARE", 10**12)
        patch.setattr("biggus.indexing.reduction_blocks.RUN", 4)
        patch.setattr("biggus.indexing.reduction_blocks.BLOCK", 4)
        found, chosen = np.nonzero(array), np.extract(array, array * 2)
    assert_same(found, np.nonzero(values))
    assert_same(found[0][::-2], np.nonzero(values)[0][::-2])
    assert_same(chosen, np.extract(values, values * 2))


def test_few_positions_take_one_pass():
    source = RecordingSource(ArraySource(np.arange(600).reshape(20, 30) % 7, (3, 30)))
    rows, _ = np.nonzero(biggus.ArrayAdapter(source) == 3)
    assert sum((box[0].stop - box[0].start) * 30 for box in source.boxes) == 600
    read = len(source.boxes)
    assert rows.shape == (86,)
    assert rows.ndarray()[-1] == 19
    assert len(source.boxes) == read


def test_positions_stay_within_the_memory_budget(traced_peak):
    array = biggus.ArrayAdapter(ArraySource(np.ones(8_000_000, bool), (500_000,)))
    with biggus.set_options(memory="50 MB", workers=1):
        assert traced_peak(lambda: np.flatnonzero(array), 50_000_000) <= 50_000_000
        places = np.flatnonzero(array)
        assert places.nbytes == 64_000_000
        ends = places[[5, 7_999_990]]
        assert traced_peak(ends.ndarray, 50_000_000) <= 50_000_000
    assert ends.ndarray().tolist() == [5, 7_999_990]


def test_values_changed_since_counting_raise(monkeypatch):
    monkeypatch.setattr("biggus.functions.nonzero.SHARE", 10**12)
    values = np.array([1, 0, 2])
    found = np.flatnonzero(biggus.ArrayAdapter(ArraySource(values, (3,))))
    values[1] = 1
    with pytest.raises(ValueError, match="instead of"):
        found.ndarray()


@pytest.mark.usefixtures("room")
def test_missing_values_count_as_zero():
    values = np.ma.masked_equal([[0, 1, 2], [3, 0, 2]], 2)
    assert_same(np.nonzero(lazy(values)[1]), tuple(map(np.asarray, np.ma.nonzero(values))))
    array = biggus.ArrayAdapter(values)
    chosen = np.extract(array > 0, array).masked_array()
    assert chosen.tolist() == [1, 3]
