"""The registry: a module and a row suffice to add a statistic with all its features."""

from __future__ import annotations

import inspect
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

import biggus
from biggus.array.statistics import Statistics, method_of
from biggus.functions import statistics as functions
from biggus.functions.statistics import STATISTICS, function_of
from biggus.statistics import signatures
from biggus.statistics.registry import ENTRIES, Row, register
from biggus.testing import ArraySource, RecordingSource

VALUES = np.random.default_rng(1).normal(0, 1, (40, 10))


def expected(values, axis=None):
    return (values.min(axis=axis) + values.max(axis=axis)) / 2


@pytest.fixture
def midrange():
    row = Row("midrange", "midrange:midrange", signatures.extreme, "the midrange", "1.", "[1.]")
    register(row, twin=True)
    yield function_of("midrange")
    del ENTRIES["midrange"], ENTRIES["nanmidrange"]


def recorded(values, **options):
    source = RecordingSource(ArraySource(values, (8, 4), **options))
    return source, biggus.ArrayAdapter(source)


@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1)])
def test_new_statistic_of_an_array(midrange, axis):
    source, a = recorded(VALUES)
    found = midrange(a, axis=axis)
    assert not source.boxes
    assert np.array_equal(found.ndarray(), expected(VALUES, axis))
    computed = midrange(a * 2 - a[:1], axis).ndarray()
    assert np.array_equal(computed, expected(VALUES * 2 - VALUES[:1], axis))


def test_new_statistic_shares_reads_with_others(midrange):
    source, a = recorded(VALUES)
    results = biggus.ndarrays([midrange(a), a.mean(), (a - midrange(a[:, :1])).max()])
    right = [expected(VALUES), VALUES.mean(), (VALUES - expected(VALUES[:, :1])).max()]
    assert results == pytest.approx(right, rel=1e-14)
    assert max(source.boxes.count(box) for box in source.boxes) <= 2  # two passes
    _, again = recorded(VALUES)
    assert midrange(again).ndarray() == results[0]


def test_new_statistic_with_masks_and_nan(midrange):
    masked = np.ma.masked_greater(VALUES, 1)
    assert midrange(biggus.ArrayAdapter(masked)).masked_array() == expected(masked)
    with_nan = np.where(VALUES > 1, np.nan, VALUES)
    twin = function_of("nanmidrange")
    assert twin(biggus.ArrayAdapter(with_nan)).ndarray() == expected(masked)


def test_new_statistic_has_signature_and_docstring(midrange):
    a = biggus.ArrayAdapter(VALUES)
    assert midrange(a, axis=1, keepdims=True).shape == (40, 1)
    with pytest.raises(TypeError, match="midrange of a lazy array takes no `out=`"):
        midrange(a, out=VALUES)
    with pytest.raises(np.exceptions.AxisError):
        midrange(a, axis=2)
    assert midrange.__doc__.startswith("Return the midrange.")
    assert list(inspect.signature(midrange).parameters)[:2] == ["a", "axis"]
    assert np.array_equal(method_of("midrange")(a, 0).ndarray(), expected(VALUES, 0))


def test_new_statistic_reuses_kept_partial_results(midrange, tmp_path):
    source, a = recorded(VALUES, token="values")
    with biggus.Cache(tmp_path) as cache, biggus.set_options(cache=cache):
        first = midrange(a).ndarray()
        del source.boxes[:]
        assert midrange(a).ndarray() == first
        assert not source.boxes


def test_new_statistic_in_processes(midrange):
    a = biggus.ArrayAdapter(ArraySource(VALUES, (8, 4)))
    statistic = midrange(a).node.statistic
    assert pickle.loads(pickle.dumps(statistic)) == statistic
    with (
        ProcessPoolExecutor(1, get_context("spawn")) as pool,
        biggus.set_options(executor=pool),
    ):
        assert midrange(a).ndarray() == expected(VALUES)


def test_every_row_has_a_function_a_method_and_a_numpy_handler():
    assert set(STATISTICS) == {name for name, entry in ENTRIES.items() if entry.signature}
    for name in STATISTICS:
        assert getattr(biggus, name) is getattr(functions, name)
        assert hasattr(biggus.Array, name) is ENTRIES[name].method
        if hasattr(np, name):
            lazy = biggus.ArrayAdapter(VALUES)
            more = (0.5,) if "q" in inspect.signature(getattr(np, name)).parameters else ()
            assert isinstance(getattr(np, name)(lazy, *more), biggus.Array)


def test_type_declarations_cover_all_methods():
    declared = {name for name in inspect.get_annotations(Statistics) if not name.startswith("_")}
    source = inspect.getsource(Statistics)
    declared |= {name for name in STATISTICS if f"\n        {name}: Method\n" in source}
    assert declared == {name for name in STATISTICS if ENTRIES[name].method}
