"""What many blocks need the same values of is read once, if there is room for it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import biggus
from biggus.indexing.reduction_blocks import BLOCK
from biggus.testing import ArraySource, RecordingSource

YEARS = np.random.default_rng(1).standard_normal((12, 4, BLOCK // 4), "f4")
CLIMATE = YEARS.mean(axis=0)


def recorded(values, chunks, **said):
    source = RecordingSource(ArraySource(values, chunks, **said))
    return source, biggus.ArrayAdapter(source)


@pytest.fixture
def years():
    return recorded(YEARS, (1, 2, BLOCK // 4))


@pytest.fixture
def climate():
    return recorded(CLIMATE, (2, BLOCK // 4))


@pytest.mark.parametrize("workers", [1, 3])
def test_a_climatology_is_read_once(years, climate, workers, times_read):
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


def test_the_first_year_is_kept_as_others_are_compared_with_it(years):
    source, a = years
    assert (a - a[0]).max().ndarray() == (YEARS - YEARS[0]).max()
    times = np.zeros(source.shape, int)
    for box in source.boxes:
        times[box] += 1
    assert times.max() == 2  # as one of the years, and as what they are compared with
    assert (times[1:] == 1).all()


def test_where_there_is_no_room_it_is_read_again(years, climate, times_read):
    (one, a), (other, b) = years, climate
    plenty = biggus.plan([(a - b).max()])
    with biggus.set_options(memory=8 * CLIMATE.nbytes - 1, workers=1):
        plan = biggus.plan([(a - b).max()])
        assert (a - b).max().ndarray() == (YEARS - CLIMATE).max()
    assert times_read(one) == [1]
    assert times_read(other) == [12]
    assert plan.requests == len(one.boxes) + len(other.boxes)
    assert plan.peak_bytes < plenty.peak_bytes


def test_elsewhere_it_is_read_again_and_the_plan_says_so(years, climate):
    (_, a), (_, b) = years, climate
    with ThreadPoolExecutor(2) as pool, biggus.set_options(executor=pool):
        plan = biggus.plan([(a - b).max()])
        assert (a - b).max().ndarray() == (YEARS - CLIMATE).max()
    assert plan.passes[0].times_read > 1


def test_a_failure_to_read_it_is_no_value(years):
    class Failing:
        shape, dtype = CLIMATE.shape, CLIMATE.dtype

        def __getitem__(self, box):
            raise OSError("gone")

    _, a = years
    failing = biggus.ArrayAdapter(Failing())
    for _ in range(2):
        with pytest.raises(biggus.SourceError, match="gone"):
            (a - failing).max().ndarray()
