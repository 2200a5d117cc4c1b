"""Operands that an expression uses several times are read and computed once."""

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

DEPTH = 40  # walking all of 2^40 branches would never end

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


def test_each_box_is_requested_once(case, times_read):
    values, source, a = case
    np.testing.assert_array_equal(logistic(a, 8).ndarray(), logistic(values, 8))
    assert times_read(source) == [1]
    assert len(source.boxes) == len(set(map(str, source.boxes)))


def test_deeply_shared_operand_is_read_once(case, times_read):
    values, source, a = case
    np.testing.assert_array_equal(logistic(a).ndarray(), logistic(values))
    assert times_read(source) == [1]


def test_reductions_of_shared_operands_read_once(case, times_read):
    values, source, a = case
    y = logistic(a)
    greatest, least = biggus.ndarrays([y.max(), (y + y).min(axis=0)])
    assert greatest == logistic(values).max()
    np.testing.assert_array_equal(least, 2 * logistic(values).min(axis=0))
    assert times_read(source) == [1]


def test_plan_of_shared_operands(case):
    values, source, a = case
    plan = biggus.plan([logistic(a)])
    assert plan.read_bytes == values.nbytes
    assert source.boxes == []


def test_shared_operands_on_an_executor(case, times_read):
    values, source, a = case
    with ThreadPoolExecutor(2) as executor, biggus.set_options(executor=executor):
        np.testing.assert_array_equal(logistic(a).ndarray(), logistic(values))
    assert times_read(source) == [1]


def test_save_of_shared_operands(case, tmp_path, times_read):
    values, source, a = case
    biggus.save([logistic(a)], [tmp_path / "shared.npy"])
    np.testing.assert_array_equal(np.load(tmp_path / "shared.npy"), logistic(values))
    assert times_read(source) == [1]


def test_shared_tiles_of_a_mosaic_are_read_once(times_read):
    source, a = recorded(SMALL, (3, 4))
    y = logistic(a)
    joined = np.concatenate([y, y * 2, y])
    expected = logistic(SMALL)
    np.testing.assert_array_equal(
        joined.ndarray(), np.concatenate([expected, expected * 2, expected])
    )
    assert times_read(source) == [1]


def test_medians_of_shared_operands_read_once(times_read):
    source, a = recorded(SMALL, (3, 4))
    y, expected = a, SMALL
    for _ in range(DEPTH):
        y = y - np.median(y, axis=0)
        expected = expected - np.median(expected, axis=0)
    np.testing.assert_array_equal(y.ndarray(), expected)
    assert times_read(source) == [1], source.boxes


def test_selections_of_shared_operands_read_once(times_read):
    source, a = recorded(SMALL, (3, 4))
    y = logistic(a)[::-1, 2:].T
    expected = logistic(SMALL)[::-1, 2:].T
    np.testing.assert_array_equal((y * (y + 1)).ndarray(), expected * (expected + 1))
    assert times_read(source) in ([0, 1], [1])


def test_pickle_of_shared_operands_is_small():
    a = biggus.ArrayAdapter(SMALL)
    assert len(pickle.dumps(logistic(a))) < 500 * DEPTH + len(pickle.dumps(a))


def test_partial_results_of_shared_operands_are_reused(tmp_path):
    y = logistic(biggus.ArrayAdapter(ArraySource(SMALL, (3, 4))))
    with biggus.set_options(cache=biggus.Cache(tmp_path), keep_partials=True):
        first = y.mean().ndarray()
        assert biggus.plan([y.mean()]).requests == 0
        assert y.mean().ndarray() == first


def test_metadata_is_computed_once_per_node(monkeypatch):
    computed = []
    monkeypatch.setattr(
        Elementwise,
        "natural_grid",
        lambda self, grid=Elementwise.natural_grid: computed.append(self) or grid(self),
    )
    y = logistic(biggus.ArrayAdapter(ArraySource(SMALL, (3, 4))))
    for _ in range(3):
        assert y.grid == (3, 4)
        assert not y.masked
    assert len(computed) == 3 * DEPTH


def test_schedule_has_one_entry_per_node():
    a = biggus.ArrayAdapter(ArraySource(SMALL, (3, 4)))
    schedule = Schedule([(logistic(a).node, Selection.identity(SMALL.shape))])
    assert len(schedule.entries) == 3 * DEPTH + 1


def test_intermediate_values_are_freed_after_their_last_use(traced_peak):
    """Of forty intermediate arrays, only a few are in memory at once."""

    a = biggus.ArrayAdapter(ArraySource(LARGE, (6, 2**18)))
    y = logistic(a[:, : 2**18])
    y.ndarray()
    gc.collect()
    assert traced_peak(y.ndarray, 7 * y.nbytes) < 8 * y.nbytes
    assert biggus.plan([y.max()]).peak_bytes < 8 * y.nbytes
