"""Progress never decreases, and ends at the total."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import biggus
from biggus.testing import ArraySource, FaultySource

VALUES = np.arange(30 * 2**17, dtype="f4").reshape(30, -1)
ANALYSES = {
    "mean": lambda a: a.mean().ndarray(),
    "along an axis": lambda a: a.std(axis=0).ndarray(),
    "several": lambda a: biggus.ndarrays([a.max(axis=1), (a * 2).mean(), a - a[::-1]]),
    "needs_reduction": lambda a: ((a - a.mean(axis=0)) / a.std()).max().ndarray(),
    "median": lambda a: a.median().ndarray(),
    "of medians": lambda a: biggus.median(a[:, :1000], axis=0).max().ndarray(),
    "elementwise": lambda a: (a + 1).ndarray(),
    "read": lambda a: a[::2, ::-1].ndarray(),
}


def array(io_bound=False):
    chunks = ((7, 3, 11, 9), (50_000, 2**17 - 50_000))
    return biggus.ArrayAdapter(ArraySource(VALUES, chunks, token="values", io_bound=io_bound))


def passes_of(calls):
    """Split calls into those of each pass, which start at 0."""
    passes = []
    for done, total in calls:
        if not passes or done <= passes[-1][-1][0]:
            passes.append([])
        passes[-1].append((done, total))
    return passes


def check(calls):
    assert calls
    for calls_of_pass in passes_of(calls):
        totals = {total for _, total in calls_of_pass}
        assert len(totals) == 1
        assert calls_of_pass[-1][0] == totals.pop()


@pytest.mark.parametrize("name", ANALYSES)
@pytest.mark.parametrize(("io_bound", "workers"), [(False, 1), (False, 4), (True, 2)])
def test_progress_never_decreases_and_ends_at_the_total(name, io_bound, workers):
    calls = []
    with biggus.set_options(progress=lambda *call: calls.append(call), workers=workers):
        ANALYSES[name](array(io_bound))
    if calls or io_bound or name not in ("elementwise", "read"):  # a single read reports nothing
        check(calls)
    most = {"needs_reduction": 2, "median": 5, "of medians": 1}
    assert len(passes_of(calls)) <= most.get(name, 1)


@pytest.mark.parametrize("name", ["several", "needs_reduction", "elementwise", "read"])
def test_progress_with_an_executor(name):
    calls = []
    report = biggus.set_options(progress=lambda *call: calls.append(call))
    with ThreadPoolExecutor(3) as pool, report, biggus.set_options(executor=pool):
        ANALYSES[name](array())
    check(calls)


@pytest.mark.parametrize("name", ["mean", "several", "needs_reduction"])
def test_kept_results_count_as_done(name, tmp_path):
    a = array()
    with biggus.Cache(tmp_path / "cache") as cache, biggus.set_options(cache=cache):
        ANALYSES[name](a)
        calls = []
        with biggus.set_options(progress=lambda *call: calls.append(call)):
            ANALYSES[name](a)
    check(calls)


def test_progress_of_a_save():
    class Nowhere:
        shape = VALUES.shape

        def __setitem__(self, box, values):
            pass

    calls = []
    with biggus.set_options(progress=lambda *call: calls.append(call)):
        biggus.save(array() * 2, Nowhere())
    check(calls)
    assert len(calls) > 1


@pytest.mark.parametrize(("name", "io_bound"), [("mean", False), ("read", True)])
def test_exception_in_the_callback_ends_the_evaluation(name, io_bound):
    def progress(done, total):
        raise ValueError("enough")

    with biggus.set_options(progress=progress), pytest.raises(ValueError, match="enough"):
        ANALYSES[name](array(io_bound))


def test_no_progress_after_a_failure():
    source = FaultySource(ArraySource(VALUES, (1, 2**17)), OSError("unplugged"), on={1})
    calls = []
    report = biggus.set_options(progress=lambda *call: calls.append(call), workers=4)
    with report, pytest.raises(biggus.SourceError):
        biggus.ArrayAdapter(source).max().ndarray()
    count = len(calls)
    biggus.ArrayAdapter(ArraySource(VALUES, (1, 2**17))).max().ndarray()
    assert len(calls) == count
