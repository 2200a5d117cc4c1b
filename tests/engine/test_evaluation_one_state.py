"""An evaluation sees one state of each file, even if the file is written meanwhile.

The writer is a hook here that changes a file after the n-th read of an evaluation, so that
the expected outcome is exact.  In `tests/support/test_watching.py` it is another process.
"""

import itertools
import multiprocessing
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from waiting import settle
from written import FORMATS, NEW, OLD, ROW, overwrite

import biggus
from biggus.backends import files
from biggus.cache import cached
from biggus.errors import SourceChangedError, SourceError
from biggus.sources import base as source

Spawned = partial(ProcessPoolExecutor, mp_context=multiprocessing.get_context("spawn"))


@pytest.fixture(params=list(FORMATS))
def path(request, tmp_path):
    path = tmp_path / request.param
    FORMATS[request.param](path)
    return path


@pytest.fixture
def meanwhile(monkeypatch):
    """Return a dict of calls to make after the n-th read (from 1), and the count of reads."""
    todo = {"reads": 0}
    read = source.call

    def read_then_call(*args):
        values = read(*args)
        todo["reads"] += 1
        todo.get(todo["reads"], todo.get("always", lambda: None))()
        return values

    monkeypatch.setattr(source, "call", read_then_call)
    return todo


def opened(path, **keywords):
    variable = None if path.suffix in (".npy", ".zarr") else "v"
    return biggus.open(path, variable, **keywords)


def test_file_changed_between_two_reads_raises(path, meanwhile):
    a = opened(path)
    meanwhile[1] = lambda: overwrite(path)
    with pytest.raises(
        SourceChangedError, match=rf"{path.name}.*changed during the read"
    ) as caught:
        biggus.ndarrays([a[0], a[2]])
    assert isinstance(caught.value, SourceError)
    assert path.name in caught.value.source
    first, second = biggus.ndarrays([a[0], a[2]])  # another evaluation, another state
    np.testing.assert_array_equal(first, NEW[0])
    np.testing.assert_array_equal(second, NEW[2])


def test_file_changed_between_two_passes_raises(path, meanwhile):
    a = opened(path)
    array = (a - (a + 0).mean()).max()  # computed operands are not streamed: reads are counted
    meanwhile[1] = lambda: overwrite(path)
    with pytest.raises(SourceChangedError, match=path.name):
        array.ndarray()
    assert array.ndarray() == (NEW - NEW.mean()).max()


def test_retry_changed_evaluates_again(path, meanwhile):
    a = opened(path)
    meanwhile[1] = lambda: overwrite(path)
    with biggus.set_options(retry_changed=1):
        first, second = biggus.ndarrays([a[0], a[2]])
    np.testing.assert_array_equal(first, NEW[0])
    np.testing.assert_array_equal(second, NEW[2])


@pytest.mark.parametrize("retries", [0, 2])
def test_file_that_keeps_changing_raises_after_all_retries(path, meanwhile, retries, caplog):
    a = opened(path)
    states = itertools.cycle([NEW, OLD])
    meanwhile["always"] = lambda: overwrite(path, next(states))
    caplog.set_level("INFO", "biggus.engine")
    with biggus.set_options(retry_changed=retries), pytest.raises(SourceChangedError):
        biggus.ndarrays([a[0], a[2]])
    assert caplog.text.count("evaluating again") == retries


def test_separate_evaluations_may_see_different_states(path):
    a = opened(path)
    np.testing.assert_array_equal(a.ndarray(), OLD)
    overwrite(path)
    np.testing.assert_array_equal(a.ndarray(), NEW)


def test_nested_evaluation_shares_the_state_of_the_outer_one(path, meanwhile):
    a = opened(path)

    class Lazy:
        shape, dtype = OLD.shape[1:], OLD.dtype

        def __getitem__(self, box):
            return a[0][box].ndarray()

    lazy = biggus.ArrayAdapter(Lazy())
    meanwhile[2] = lambda: overwrite(path)  # after the inner read and the outer one
    with pytest.raises(SourceChangedError, match=path.name):
        biggus.ndarrays([lazy, a[2]])


def test_cached_values_belong_to_the_same_state(
    path, meanwhile, tmp_path, settled_soon_after_writing
):
    cache = biggus.Cache(tmp_path / "cache")
    a = opened(path, cache=cache, chunks=ROW)
    settle(path)
    a[0].ndarray()
    assert cache.stats().entries == 1
    meanwhile[meanwhile["reads"] + 1] = lambda: overwrite(path)
    with pytest.raises(SourceChangedError, match=path.name):
        biggus.ndarrays([a[0], a[2]])
    assert cache.stats().hits == 1
    np.testing.assert_array_equal(a.ndarray(), NEW)
    settle(path)
    for _ in range(2):
        np.testing.assert_array_equal(a.ndarray(), NEW)


def test_values_fetched_by_another_evaluation_belong_to_the_same_state(path, tmp_path, monkeypatch):
    monkeypatch.setattr(
        files, "SETTLED_SECONDS", 1e9
    )  # nothing is stored; concurrent reads share values
    a = opened(path, cache=biggus.Cache(tmp_path / "cache"), chunks=ROW)
    fetch_missing = cached.Cached._fetch_missing
    fetching = threading.Event()

    def until_joined(self, wanted):
        if fetching.is_set():
            return fetch_missing(self, wanted)
        found = fetch_missing(self, wanted)
        fetching.set()
        give_up = time.monotonic() + 120
        while not any(flight.shared for flight in list(cached._flights._flights.values())):
            assert time.monotonic() < give_up
            time.sleep(0.001)
        overwrite(path)
        return found

    monkeypatch.setattr(cached.Cached, "_fetch_missing", until_joined)
    with ThreadPoolExecutor(1) as other:
        first = other.submit(a[0].ndarray)
        assert fetching.wait(60)
        with pytest.raises(SourceChangedError, match=path.name):
            biggus.ndarrays([a[0], a[2]])
        # The evaluation of a store of many files checks that file at its end, too.
        if first.exception() is None:
            np.testing.assert_array_equal(first.result(), OLD[0])
    np.testing.assert_array_equal(a.ndarray(), NEW)


EXECUTED = [(name, ThreadPoolExecutor) for name in FORMATS]
EXECUTED += [("chunked.h5", Spawned), ("v3.zarr", Spawned)]


@pytest.mark.parametrize(("path", "executor"), EXECUTED, indirect=["path"])
def test_values_read_by_workers_belong_to_one_state(path, executor):
    a = opened(path)
    with executor(1) as pool, biggus.set_options(executor=pool, workers=1):
        whole, _ = biggus.ndarrays([(a + 0).sum(axis=0), (a + 0).max()])
        np.testing.assert_array_equal(whole, OLD.sum(axis=0))
        submit, count = pool.submit, itertools.count()

        def overwrite_after_first(*args):
            future = submit(*args)
            future.exception()
            if not next(count):
                overwrite(path)
            return future

        pool.submit = overwrite_after_first
        with pytest.raises(SourceChangedError, match=rf"{path.name}|behind\.h5"):
            (a - (a + 0).mean()).max().ndarray()
        assert next(count) > 1


@pytest.mark.parametrize("retries", [0, 1])
def test_save_starts_again_as_a_whole(path, meanwhile, tmp_path, retries):
    a = opened(path)
    (tmp_path / "saved").mkdir()
    goal, out = tmp_path / "saved" / "a.npy", np.zeros(OLD.shape[1:])
    meanwhile[1] = lambda: overwrite(path)
    with biggus.set_options(retry_changed=retries, workers=1):
        if not retries:
            with pytest.raises(SourceChangedError, match=path.name):
                biggus.save([a[0] + 0, a[2] + 0], [goal, out])
            assert list(goal.parent.iterdir()) == []
            return
        biggus.save([a[0] + 0, a[2] + 0], [goal, out])
    np.testing.assert_array_equal(np.load(goal), NEW[0])
    np.testing.assert_array_equal(out, NEW[2])
