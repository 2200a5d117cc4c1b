"""Idle files are closed although arrays over them exist."""

import contextlib
import cProfile
import gc
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import biggus
from biggus.backends import idle_handles
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


def test_idle_handles_are_closed(pool, monkeypatch):
    now = 100.0
    monkeypatch.setattr(idle_handles, "IDLE_SECONDS", 1.0)
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


def test_handles_used_by_an_evaluation_stay_open_until_its_end(pool, monkeypatch):
    now = 100.0
    monkeypatch.setattr(idle_handles, "IDLE_SECONDS", 1.0)
    monkeypatch.setattr("biggus.backends.files.time.monotonic", lambda: now)
    pool.get("before", lambda: "A")
    now = 100.5

    def evaluate():
        nonlocal now
        pool.get("meanwhile", lambda: "B")
        now = 200.0
        assert pool.due() == 101
        pool.close_idle()
        assert pool.closed == ["A"]
        assert pool.due() is None

    watching.evaluated(evaluate)
    assert pool.due() == 101.5
    pool.close_idle()
    assert pool.closed == ["A", "B"]


def test_idle_handles_are_not_closed_while_the_library_is_locked(pool, monkeypatch):
    monkeypatch.setattr(idle_handles, "IDLE_SECONDS", 0.0)
    pool.get("a", lambda: "A")
    with pool._lock:
        pool.close_idle()
        assert pool.closed == []
    assert pool.closed == ["A"]


def test_failed_open_is_never_due(pool):
    with pytest.raises(OSError, match="no such"):
        pool.get("a", lambda: (_ for _ in ()).throw(OSError("no such thing")))
    assert pool.due() is None


def wait_until(condition):
    """Poll until a condition holds, for two minutes at most."""
    give_up = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_idle_thread_lives_as_long_as_handles(pool, monkeypatch):
    monkeypatch.setattr(idle_handles, "IDLE_SECONDS", 0.05)
    monkeypatch.setattr(idle_handles, "_PERIOD_SECONDS", 0.1)
    clock = idle_handles._Clock()
    monkeypatch.setattr(idle_handles, "clock", clock)
    for _ in range(2):
        pool.get("a", lambda: "A")
        wait_until(lambda: len(pool) == 0)
        wait_until(lambda: clock._thread is None)
    assert pool.closed == ["A", "A"]


def test_idle_thread_stays_between_briefly_open_files(pool, monkeypatch):
    clock = idle_handles._Clock()
    monkeypatch.setattr(idle_handles, "clock", clock)
    clock._thread = threading.current_thread()  # so that no thread is started
    actions = [
        lambda: pool.discard("a"),
        lambda: pool.get("b", lambda: "B"),
        lambda: pool.discard("b"),
        lambda: None,
    ]

    class Waits:
        def wait(self, seconds):
            actions.pop(0)()

    monkeypatch.setattr(clock, "_stopped", Waits())
    pool.get("a", lambda: "A")
    clock._run()
    assert not actions
    assert clock._thread is None


@pytest.mark.parametrize("guarded", [True, False])
def test_idle_handles_are_closed_while_the_main_thread_waits(guarded, monkeypatch):
    """Guarded handles are closed by the idle thread, others by the main thread."""
    monkeypatch.setattr(idle_handles, "IDLE_SECONDS", 0.05)
    monkeypatch.setattr(idle_handles, "_PERIOD_SECONDS", 0.1)
    monkeypatch.setattr(idle_handles, "clock", idle_handles._Clock())
    closers, closing = [], threading.Event()

    def close(_):
        closers.append(threading.current_thread().name)
        closing.set()

    pool = HandlePool(close, LibraryLock(), guarded=guarded)
    if guarded:
        monkeypatch.setattr(idle_handles._main, "call", lambda _: None)
    pool.get("a", lambda: "A")
    if guarded:
        assert closing.wait(60)
        assert closers == ["biggus-idle"]
    else:
        closing.wait(0.5)
        wait_until(closing.is_set)
        assert closers == [threading.main_thread().name]


def test_files_open_without_an_idle_thread(pool, monkeypatch):
    clock = idle_handles._Clock()
    monkeypatch.setattr(idle_handles, "clock", clock)

    def start(_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        pool.get("a", object)
    assert clock._thread is None
    pool.get("b", object)
    assert clock._thread is not None
    pool.clear()


def test_failed_pending_call_is_retried():
    main = idle_handles._Main()
    answers = [-1, 0]
    main._add = lambda *_: answers.pop(0)
    done = []
    main.call(lambda: done.append(1))
    main.call(lambda: done.append(2))
    assert answers == []
    main._work(None)
    main._work(None)
    assert done == [2]


def test_one_pending_call_at_a_time():
    main = idle_handles._Main()
    additions, done = [], []
    main._add = lambda *_: additions.append(len(done))

    def task():
        main.call(task)  # as another thread may do at the same time
        done.append(1)

    for number in range(3):
        main.call(task)
        main.call(task)
        main._work(None)
        assert additions == list(range(number + 1))
    assert len(done) == 3


def test_pending_call_under_a_profiler_does_not_loop():
    """Python 3.11 runs pending calls again and again if another thread adds one meanwhile."""
    main = idle_handles._Main()
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
        wait_until(done.is_set)
    finally:
        profile.disable()


def write_file(path, kind, values=VALUES, mode="w"):
    if kind == "hdf5":
        h5py = pytest.importorskip("h5py")
        with h5py.File(path, mode) as file:
            file.require_dataset("v", values.shape, values.dtype, chunks=(2, 100))[...] = values
        return
    library = pytest.importorskip("netCDF4")
    with library.Dataset(path, mode, format=kind) as file:
        if mode == "w":
            file.createDimension("x", 6), file.createDimension("y", 100)
            options = {"chunksizes": (2, 100)} if kind == "NETCDF4" else {}
            file.createVariable("v", "f8", ("x", "y"), **options)
        file["v"][:] = values


def open_files_in(folder):
    """Return the files in a folder that are open in this process."""
    from biggus.backends.hdf5.files import files
    from biggus.backends.netcdf.files import datasets

    keys = {*files.open_keys(), *datasets.open_keys()}
    return [key for key in keys if Path(key).is_relative_to(folder)]


KINDS = ["hdf5", "NETCDF4", "NETCDF3_CLASSIC"]


@pytest.mark.parametrize("kind", KINDS)
def test_idle_file_of_a_live_array_can_be_written_to(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(idle_handles, "IDLE_SECONDS", 0.2)
    path = tmp_path / "a"
    write_file(path, kind)
    a = biggus.open(path, "v")
    np.testing.assert_array_equal(a.ndarray(), VALUES)
    wait_until(lambda: open_files_in(tmp_path) == [])
    write_file(path, kind, -VALUES, "r+" if kind == "hdf5" else "a")
    np.testing.assert_array_equal(a.ndarray(), -VALUES)


@pytest.mark.parametrize("kind", ["hdf5", "NETCDF4"])
def test_lookup_tables_survive_closing_of_idle_files(kind, tmp_path):
    """An unchanged file that is opened again needs no second lookup of its chunks."""
    from biggus.backends.hdf5 import lookup
    from biggus.backends.hdf5.files import datasets as opened
    from biggus.backends.hdf5.files import files
    from biggus.backends.netcdf.files import datasets

    write_file(tmp_path / "a", kind)
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
def test_no_reference_cycle_keeps_a_file_open(kind, tmp_path):
    """A file is closed with its last array after any use, without garbage collection."""
    path = tmp_path / "a"
    write_file(path, kind)

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

    everything()  # imports modules and fills caches
    gc.collect()
    assert open_files_in(tmp_path) == []
    gc.disable()
    try:
        everything()
        assert open_files_in(tmp_path) == []
    finally:
        gc.enable()


def test_main_thread_is_called_again_after_an_interrupted_call():
    main = idle_handles._Main()
    calls = []

    def interrupted():
        calls.append("interrupted")
        raise KeyboardInterrupt

    for task in interrupted, lambda: calls.append("again"):
        main._task, main._pending = task, True
        with contextlib.suppress(KeyboardInterrupt):
            main._work(None)
        assert not main._pending
    assert calls == ["interrupted", "again"]
