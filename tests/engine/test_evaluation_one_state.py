"""An evaluation sees one state of each file, whoever writes to it meanwhile.

The writer is a hook here that changes a file after the n-th read of an evaluation, so that
what must come of it is exact.  In `tests/support/test_watching.py` it is another process.
"""

import itertools
import multiprocessing
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from written import FORMATS, NEW, OLD, ROW, overwrite

import biggus
from biggus.backends import files
from biggus.backends.files import file_validator
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
    """What is to happen after a read, by its number from one on; and how many there were."""
    todo = {"reads": 0}
    asked = source.asked

    def then(*given):
        answer = asked(*given)
        todo["reads"] += 1
        todo.get(todo["reads"], todo.get("always", lambda: None))()
        return answer

    monkeypatch.setattr(source, "asked", then)
    return todo


def opened(path, **how):
    variable = None if path.suffix in (".npy", ".zarr") else "v"
    return biggus.open(path, variable, **how)


def test_what_changes_between_two_reads_is_an_error(path, meanwhile):
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


def test_what_changes_between_two_passes_is_an_error(path, meanwhile):
    a = opened(path)
    array = (a - (a + 0).mean()).max()  # what is computed is not streamed: reads are counted
    meanwhile[1] = lambda: overwrite(path)
    with pytest.raises(SourceChangedError, match=path.name):
        array.ndarray()
    assert array.ndarray() == (NEW - NEW.mean()).max()


def test_it_is_read_again_as_often_as_is_said(path, meanwhile):
    a = opened(path)
    meanwhile[1] = lambda: overwrite(path)
    with biggus.set_options(retry_changed=1):
        first, second = biggus.ndarrays([a[0], a[2]])
    np.testing.assert_array_equal(first, NEW[0])
    np.testing.assert_array_equal(second, NEW[2])


@pytest.mark.parametrize("retries", [0, 2])
def test_what_changes_every_time_is_given_up(path, meanwhile, retries, caplog):
    a = opened(path)
    states = itertools.cycle([NEW, OLD])
    meanwhile["always"] = lambda: overwrite(path, next(states))
    caplog.set_level("INFO", "biggus.engine")
    with biggus.set_options(retry_changed=retries), pytest.raises(SourceChangedError):
        biggus.ndarrays([a[0], a[2]])
    assert caplog.text.count("evaluating again") == retries


def test_two_evaluations_may_see_two_states(path):
    a = opened(path)
    np.testing.assert_array_equal(a.ndarray(), OLD)
    overwrite(path)
    np.testing.assert_array_equal(a.ndarray(), NEW)


def test_an_evaluation_within_another_is_a_part_of_it(path, meanwhile):
    a = opened(path)

    class Lazy:
        shape, dtype = OLD.shape[1:], OLD.dtype

        def __getitem__(self, box):
            return a[0][box].ndarray()

    lazy = biggus.ArrayAdapter(Lazy())
    meanwhile[2] = lambda: overwrite(path)  # the first within, and the one around it
    with pytest.raises(SourceChangedError, match=path.name):
        biggus.ndarrays([lazy, a[2]])


def settle(path):
    """Wait until what changes a file is trusted to show; the fixture makes that short."""
    for file in [path, *path.rglob("*")]:
        while file.is_file() and file_validator(file) is None:
            time.sleep(0.02)


def test_what_comes_from_the_cache_is_of_that_state_too(path, meanwhile, tmp_path, soon_settled):
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


def test_what_another_evaluation_fetched_is_of_that_state_too(path, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "SETTLED_SECONDS", 1e9)  # nothing is kept, only handed on
    a = opened(path, cache=biggus.Cache(tmp_path / "cache"), chunks=ROW)
    missed = cached.Cached._missed
    fetching = threading.Event()

    def until_joined(self, wanted):
        if fetching.is_set():
            return missed(self, wanted)
        found = missed(self, wanted)
        fetching.set()
        give_up = time.monotonic() + 120
        while not any(flight.shared for flight in list(cached._flights._flights.values())):
            assert time.monotonic() < give_up
            time.sleep(0.001)
        overwrite(path)
        return found

    monkeypatch.setattr(cached.Cached, "_missed", until_joined)
    with ThreadPoolExecutor(1) as other:
        first = other.submit(a[0].ndarray)
        assert fetching.wait(60)
        with pytest.raises(SourceChangedError, match=path.name):
            biggus.ndarrays([a[0], a[2]])
        # Of a store of many files that one is looked at once more at the end, too.
        if first.exception() is None:
            np.testing.assert_array_equal(first.result(), OLD[0])
    np.testing.assert_array_equal(a.ndarray(), NEW)


EXECUTED = [(name, ThreadPoolExecutor) for name in FORMATS]
EXECUTED += [("chunked.h5", Spawned), ("v3.zarr", Spawned)]


@pytest.mark.parametrize(("path", "executor"), EXECUTED, indirect=["path"])
def test_what_others_read_for_it_is_of_one_state(path, executor):
    a = opened(path)
    with executor(1) as pool, biggus.set_options(executor=pool, workers=1):
        whole, _ = biggus.ndarrays([(a + 0).sum(axis=0), (a + 0).max()])
        np.testing.assert_array_equal(whole, OLD.sum(axis=0))
        submit, count = pool.submit, itertools.count()

        def meanwhile(*given):
            future = submit(*given)
            future.exception()
            if not next(count):
                overwrite(path)
            return future

        pool.submit = meanwhile
        with pytest.raises(SourceChangedError, match=rf"{path.name}|behind\.h5"):
            (a - (a + 0).mean()).max().ndarray()
        assert next(count) > 1


@pytest.mark.parametrize("retries", [0, 1])
def test_a_save_is_begun_again_as_a_whole(path, meanwhile, tmp_path, retries):
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
