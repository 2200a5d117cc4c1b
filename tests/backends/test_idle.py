"""Files that nobody reads are let go, though arrays over them live."""

import cProfile
import gc
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import biggus
from biggus.backends import idle
from biggus.backends.files import HandlePool
from biggus.backends.native import LibraryLock
from biggus.support import watching

VALUES = np.arange(600.0).reshape(6, 100)


@pytest.fixture
def pool():
    closed = []
    pool = HandlePool(closed.append, LibraryLock())
    pool.closed = closed
    return pool


def test_what_was_not_asked_for_is_closed(pool, monkeypatch):
    now = 100.0
    monkeypatch.setattr(idle, "IDLE_SECONDS", 1.0)
    monkeypatch.setattr("biggus.backends.files.time.monotonic", lambda: now)
    assert pool.due() is None
    for key in "ab":
        pool.get(key, lambda key=key: key.upper())
    assert pool.due() == 101
    now = 100.7
    pool.get("a", None)
    now = 101.1
    pool.close_idle()
    assert pool.closed == ["B"]
    assert pool.due() == pytest.approx(101.7)
    assert pool.get("b", lambda: "again") == "again"
    now = 200.0
    pool.close_idle()
    assert sorted(pool.closed) == ["A", "B", "again"]
    assert pool.due() is None
    assert len(pool) == 0


def test_what_an_evaluation_has_asked_for_stays_open_till_its_end(pool, monkeypatch):
    now = 100.0
    monkeypatch.setattr(idle, "IDLE_SECONDS", 1.0)
    monkeypatch.setattr("biggus.backends.files.time.monotonic", lambda: now)
    pool.get("before", lambda: "A")
    now = 100.5
    with watching.evaluation():
        pool.get("meanwhile", lambda: "B")
        now = 200.0
        assert pool.due() == 101
        pool.close_idle()
        assert pool.closed == ["A"]
        assert pool.due() is None
    assert pool.due() == 101.5
    pool.close_idle()
    assert pool.closed == ["A", "B"]


def test_nothing_is_closed_while_a_thread_is_in_the_library(pool, monkeypatch):
    monkeypatch.setattr(idle, "IDLE_SECONDS", 0.0)
    pool.get("a", lambda: "A")
    with pool._lock:
        pool.close_idle()
        assert pool.closed == []
    assert pool.closed == ["A"]


def test_what_fails_to_open_is_never_due(pool):
    with pytest.raises(OSError, match="no such"):
        pool.get("a", lambda: (_ for _ in ()).throw(OSError("no such thing")))
    assert pool.due() is None


def until(condition):
    """Wait, in steps of Python's, until something holds; a slow machine takes its time."""
    give_up = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_the_thread_is_there_as_long_as_handles_are(pool, monkeypatch):
    monkeypatch.setattr(idle, "IDLE_SECONDS", 0.05)
    monkeypatch.setattr(idle, "_PERIOD_SECONDS", 0.1)
    clock = idle._Clock()
    monkeypatch.setattr(idle, "clock", clock)
    for _ in range(2):
        pool.get("a", lambda: "A")
        until(lambda: len(pool) == 0)
        until(lambda: clock._thread is None)
    assert pool.closed == ["A", "A"]


def test_the_thread_stays_between_two_files_that_are_open_for_a_moment(pool, monkeypatch):
    clock = idle._Clock()
    monkeypatch.setattr(idle, "clock", clock)
    clock._thread = threading.current_thread()  # so that no other is begun
    meanwhile = [
        lambda: pool.discard("a"),
        lambda: pool.get("b", lambda: "B"),
        lambda: pool.discard("b"),
        lambda: None,
    ]

    class Waits:
        def wait(self, seconds):
            meanwhile.pop(0)()

    monkeypatch.setattr(clock, "_stopped", Waits())
    pool.get("a", lambda: "A")
    clock._run()
    assert not meanwhile
    assert clock._thread is None


@pytest.mark.parametrize("guarded", [True, False])
def test_while_the_main_thread_waits(guarded, monkeypatch):
    """What has no lock of its own stays open for it, and the rest is closed by another thread."""
    monkeypatch.setattr(idle, "IDLE_SECONDS", 0.05)
    monkeypatch.setattr(idle, "_PERIOD_SECONDS", 0.1)
    monkeypatch.setattr(idle, "clock", idle._Clock())
    closers, closing = [], threading.Event()

    def close(_):
        closers.append(threading.current_thread().name)
        closing.set()

    pool = HandlePool(close, LibraryLock(), guarded=guarded)
    if guarded:
        monkeypatch.setattr(idle._main, "call", lambda _: None)
    pool.get("a", lambda: "A")
    if guarded:
        assert closing.wait(60)
        assert closers == ["biggus-idle"]
    else:
        closing.wait(0.5)
        until(closing.is_set)
        assert closers == [threading.main_thread().name]


def test_a_file_opens_where_no_thread_can_begin(pool, monkeypatch):
    clock = idle._Clock()
    monkeypatch.setattr(idle, "clock", clock)

    def start(_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        pool.get("a", object)
    assert clock._thread is None
    pool.get("b", object)
    assert clock._thread is not None
    pool.clear()


def test_what_the_main_thread_cannot_be_told_now_it_is_told_later():
    main = idle._Main()
    answers = [-1, 0]
    main._add = lambda *_: answers.pop(0)
    done = []
    main.call(lambda: done.append(1))
    main.call(lambda: done.append(2))
    assert answers == []
    main._work(None)
    main._work(None)
    assert done == [2]


def test_nothing_more_is_asked_of_the_main_thread_before_it_is_through():
    main = idle._Main()
    asked, done = [], []
    main._add = lambda *_: asked.append(len(done))

    def task():
        main.call(task)  # as another thread may, meanwhile
        done.append(1)

    for number in range(3):
        main.call(task)
        main.call(task)
        main._work(None)
        assert asked == list(range(number + 1))
    assert len(done) == 3


def test_the_main_thread_goes_on_while_it_is_profiled():
    """With what another thread asks for while it closes files: in Python 3.11 it did not."""
    main = idle._Main()
    done = threading.Event()

    def task():
        other = threading.Thread(target=main.call, args=(done.set,))
        other.start()
        other.join()
        done.set()

    profile = cProfile.Profile()
    profile.enable()
    try:
        main.call(task)
        until(done.is_set)
    finally:
        profile.disable()


def written(path, kind, values=VALUES, mode="w"):
    if kind == "hdf5":
        h5py = pytest.importorskip("h5py")
        with h5py.File(path, mode) as file:
            file.require_dataset("v", values.shape, values.dtype, chunks=(2, 100))[...] = values
        return
    library = pytest.importorskip("netCDF4")
    with library.Dataset(path, mode, format=kind) as file:
        if mode == "w":
            file.createDimension("x", 6), file.createDimension("y", 100)
            how = {"chunksizes": (2, 100)} if kind == "NETCDF4" else {}
            file.createVariable("v", "f8", ("x", "y"), **how)
        file["v"][:] = values


def open_in(folder):
    """Return the files in a folder that are open here."""
    from biggus.backends.hdf5.files import files
    from biggus.backends.netcdf.files import datasets

    keys = {*files.open_keys(), *datasets.open_keys()}
    return [key for key in keys if Path(key).is_relative_to(folder)]


KINDS = ["hdf5", "NETCDF4", "NETCDF3_CLASSIC"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_whose_array_lives_can_be_written_to(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(idle, "IDLE_SECONDS", 0.2)
    path = tmp_path / "a"
    written(path, kind)
    a = biggus.open(path, "v")
    np.testing.assert_array_equal(a.ndarray(), VALUES)
    until(lambda: open_in(tmp_path) == [])
    written(path, kind, -VALUES, "r+" if kind == "hdf5" else "a")
    np.testing.assert_array_equal(a.ndarray(), -VALUES)


@pytest.mark.parametrize("kind", ["hdf5", "NETCDF4"])
def test_what_is_known_of_a_file_stays_known(kind, tmp_path):
    """To let a file go that nobody changes costs what it takes to open it, and no more."""
    from biggus.backends.hdf5 import lookup
    from biggus.backends.hdf5.files import datasets as opened
    from biggus.backends.hdf5.files import files
    from biggus.backends.netcdf.files import datasets

    written(tmp_path / "a", kind)
    a = biggus.open(tmp_path / "a", "v")
    before = set(lookup.tables.kept)
    a.ndarray()
    known = set(lookup.tables.kept) - before
    assert len(known) == 1
    for pool in (opened, files, datasets):
        pool.clear()
    np.testing.assert_array_equal(a.ndarray(), VALUES)
    assert set(lookup.tables.kept) - before == known


@pytest.mark.parametrize("kind", KINDS)
def test_no_cycle_keeps_a_file_open(kind, tmp_path):
    """A file is closed with the last array, whatever was done with it, and without a collection."""
    path = tmp_path / "a"
    written(path, kind)

    def everything():
        a = biggus.open(path, "v")
        b = (a - a.mean(axis=0)) / a.std(axis=0)
        biggus.ndarrays([b.max(), b[2:4], a[[3, 1]], biggus.concatenate([a, b]).sum(axis=1)])
        biggus.median(a, axis=0).ndarray()
        biggus.plan([b.max(), a.mean()])
        biggus.save(b, tmp_path / "b.npy", overwrite=True)
        np.asarray(a), np.mean(b), b.masked_array(), repr(b)
        cached = biggus.open(path, "v", cache=biggus.Cache(tmp_path / "cache"))
        cached.mean().ndarray(), cached[1].ndarray()
        with pytest.raises(IndexError):
            a[6].ndarray()
        with pytest.raises(biggus.BiggusError), biggus.set_options(memory=1):
            b.max().ndarray()

    everything()  # what is imported and made once
    gc.collect()
    assert open_in(tmp_path) == []
    gc.disable()
    try:
        everything()
        assert open_in(tmp_path) == []
    finally:
        gc.enable()
