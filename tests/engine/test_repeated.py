"""Values that many blocks need are read once, if memory allows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import biggus
from biggus.indexing.reduction_blocks import BLOCK
from biggus.testing import ArraySource, RecordingSource

YEARS = np.random.default_rng(1).standard_normal((12, 4, BLOCK // 4), "f4")
CLIMATE = YEARS.mean(axis=0)


def recorded(values, chunks, **options):
    source = RecordingSource(ArraySource(values, chunks, **options))
    return source, biggus.ArrayAdapter(source)


@pytest.fixture
def years():
    return recorded(YEARS, (1, 2, BLOCK // 4))


@pytest.fixture
def climate():
    return recorded(CLIMATE, (2, BLOCK // 4))


@pytest.mark.parametrize("workers", [1, 3])
def test_climatology_is_read_once(years, climate, workers, times_read):
    (one, a), (other, b) = years, climate
    wanted = [(a - b).std(), (abs(a - b * 2)).max(axis=0)]
    with biggus.set_options(workers=workers):
        plan = biggus.plan(wanted)
        std, largest = biggus.ndarrays(wanted)
    assert std == pytest.approx((YEARS - CLIMATE).std(dtype="f8"), rel=1e-6)
    np.testing.assert_array_equal(largest, abs(YEARS - CLIMATE * 2).max(axis=0))
    assert times_read(one) == times_read(other) == [1]
    assert plan.requests == len(one.boxes) + len(other.boxes)
    assert plan.passes[0].times_read == 1


def test_repeated_operand_stays_in_memory(years):
    source, a = years
    assert (a - a[0]).max().ndarray() == (YEARS - YEARS[0]).max()
    times = np.zeros(source.shape, int)
    for box in source.boxes:
        times[box] += 1
    assert times.max() == 2  # once as one of the years, once as the other operand
    assert (times[1:] == 1).all()


def test_climatology_is_read_again_if_memory_is_short(years, climate, times_read):
    (one, a), (other, b) = years, climate
    plenty = biggus.plan([(a - b).max()])
    with biggus.set_options(memory=8 * CLIMATE.nbytes - 1, workers=1):
        plan = biggus.plan([(a - b).max()])
        assert (a - b).max().ndarray() == (YEARS - CLIMATE).max()
    assert times_read(one) == [1]
    assert times_read(other) == [12]
    assert plan.requests == len(one.boxes) + len(other.boxes)
    assert plan.peak_bytes < plenty.peak_bytes


def test_executor_reads_climatology_again_as_planned(years, climate):
    (_, a), (_, b) = years, climate
    with ThreadPoolExecutor(2) as pool, biggus.set_options(executor=pool):
        plan = biggus.plan([(a - b).max()])
        assert (a - b).max().ndarray() == (YEARS - CLIMATE).max()
    assert plan.passes[0].times_read > 1


def test_failed_read_of_a_repeated_operand_is_not_remembered(years):
    class Failing:
        shape, dtype = CLIMATE.shape, CLIMATE.dtype

        def __getitem__(self, box):
            raise OSError("gone")

    _, a = years
    failing = biggus.ArrayAdapter(Failing())
    for _ in range(2):
        with pytest.raises(biggus.SourceError, match="gone"):
            (a - failing).max().ndarray()
