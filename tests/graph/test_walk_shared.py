"""What an expression uses several times is read and computed once."""

from __future__ import annotations

import gc
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import biggus
from biggus.graph import Elementwise
from biggus.indexing.selection import Selection
from biggus.planning.schedule import Schedule
from biggus.testing import ArraySource, RecordingSource

DEPTH = 40  # of 2^40 branches, no computer gets through one in a thousand

SMALL = np.random.default_rng(1).random((6, 8))
LARGE = np.random.default_rng(2).random((6, 2**19))


def logistic(y, depth=DEPTH):
    for _ in range(depth):
        y = 3.7 * y * (1 - y)
    return y


def recorded(values, chunks):
    source = RecordingSource(ArraySource(values, chunks))
    return source, biggus.ArrayAdapter(source)


@pytest.fixture(params=[(SMALL, (3, 4)), (LARGE, (1, 2**18))], ids=["small", "large"])
def case(request):
    values, chunks = request.param
    return values, *recorded(values, chunks)


def test_each_box_is_asked_for_once(case, times_read):
    values, source, a = case
    np.testing.assert_array_equal(logistic(a, 8).ndarray(), logistic(values, 8))
    assert times_read(source) == [1]
    assert len(source.boxes) == len(set(map(str, source.boxes)))


def test_however_often_it_is_shared(case, times_read):
    values, source, a = case
    np.testing.assert_array_equal(logistic(a).ndarray(), logistic(values))
    assert times_read(source) == [1]


def test_in_reductions(case, times_read):
    values, source, a = case
    y = logistic(a)
    greatest, least = biggus.ndarrays([y.max(), (y + y).min(axis=0)])
    assert greatest == logistic(values).max()
    np.testing.assert_array_equal(least, 2 * logistic(values).min(axis=0))
    assert times_read(source) == [1]


def test_in_a_plan(case):
    values, source, a = case
    plan = biggus.plan([logistic(a)])
    assert plan.read_bytes == values.nbytes
    assert source.boxes == []


def test_on_an_executor(case, times_read):
    values, source, a = case
    with ThreadPoolExecutor(2) as executor, biggus.set_options(executor=executor):
        np.testing.assert_array_equal(logistic(a).ndarray(), logistic(values))
    assert times_read(source) == [1]


def test_when_saved(case, tmp_path, times_read):
    values, source, a = case
    biggus.save([logistic(a)], [tmp_path / "shared.npy"])
    np.testing.assert_array_equal(np.load(tmp_path / "shared.npy"), logistic(values))
    assert times_read(source) == [1]


def test_in_tiles(times_read):
    source, a = recorded(SMALL, (3, 4))
    y = logistic(a)
    joined = np.concatenate([y, y * 2, y])
    expected = logistic(SMALL)
    np.testing.assert_array_equal(
        joined.ndarray(), np.concatenate([expected, expected * 2, expected])
    )
    assert times_read(source) == [1]


def test_in_medians(times_read):
    source, a = recorded(SMALL, (3, 4))
    y, expected = a, SMALL
    for _ in range(DEPTH):
        y = y - np.median(y, axis=0)
        expected = expected - np.median(expected, axis=0)
    np.testing.assert_array_equal(y.ndarray(), expected)
    assert times_read(source) == [1], source.boxes


def test_under_selections(times_read):
    source, a = recorded(SMALL, (3, 4))
    y = logistic(a)[::-1, 2:].T
    expected = logistic(SMALL)[::-1, 2:].T
    np.testing.assert_array_equal((y * (y + 1)).ndarray(), expected * (expected + 1))
    assert times_read(source) in ([0, 1], [1])


def test_in_pickles():
    a = biggus.ArrayAdapter(SMALL)
    assert len(pickle.dumps(logistic(a))) < 500 * DEPTH + len(pickle.dumps(a))


def test_partial_results_are_kept_under_one_name(tmp_path):
    y = logistic(biggus.ArrayAdapter(ArraySource(SMALL, (3, 4))))
    with biggus.set_options(cache=biggus.Cache(tmp_path), keep_partials=True):
        first = y.mean().ndarray()
        assert biggus.plan([y.mean()]).requests == 0
        assert y.mean().ndarray() == first


def test_metadata_is_found_once_a_node(monkeypatch):
    asked = []
    monkeypatch.setattr(
        Elementwise,
        "natural_grid",
        lambda self, cut=Elementwise.natural_grid: asked.append(self) or cut(self),
    )
    y = logistic(biggus.ArrayAdapter(ArraySource(SMALL, (3, 4))))
    for _ in range(3):
        assert y.grid == (3, 4)
        assert not y.masked
    assert len(asked) == 3 * DEPTH


def test_a_schedule_has_an_entry_a_node():
    a = biggus.ArrayAdapter(ArraySource(SMALL, (3, 4)))
    schedule = Schedule([(logistic(a).node, Selection.identity(SMALL.shape))])
    assert len(schedule.entries) == 3 * DEPTH + 1


def test_values_are_let_go_when_the_last_that_needs_them_is_there(traced_peak):
    """Of forty arrays on the way no more than a few are there at once."""

    a = biggus.ArrayAdapter(ArraySource(LARGE, (6, 2**18)))
    y = logistic(a[:, : 2**18])
    y.ndarray()
    gc.collect()
    assert traced_peak(y.ndarray, 7 * y.nbytes) < 8 * y.nbytes
    assert biggus.plan([y.max()]).peak_bytes < 8 * y.nbytes
