"""File validators and the pool of handles."""

import errno
import gc
import os
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import biggus
from biggus.backends import files, settling
from biggus.backends.files import HandlePool, file_validator
from biggus.backends.native import LibraryLock
from biggus.backends.signature import FileSignature
from biggus.sources.chunk_memory import chunk_memory

NS = 10**9


def settled_validator(*paths):
    give_up = time.monotonic() + 120
    while (validator := file_validator(*paths)) is None:
        assert time.monotonic() < give_up
        time.sleep(0.01)
    return validator


def test_validator_exists_once_the_file_has_settled(tmp_path, monkeypatch):
    path, other = tmp_path / "a", tmp_path / "b"
    for file in (path, other):
        file.write_bytes(b"abc")
    monkeypatch.setattr(files, "SETTLED_SECONDS", 1e9)
    assert file_validator(path) is None  # written a moment ago
    monkeypatch.setattr(files, "SETTLED_SECONDS", 0.1)
    both = settled_validator(path, str(other))
    assert both == file_validator(path, other)
    assert file_validator(path) == both[: len(both) // 2]
    assert file_validator(other) != file_validator(path)
    monkeypatch.setattr(files, "SETTLED_SECONDS", 1e9)
    path.write_bytes(b"abd")
    assert file_validator(path) is None
    assert file_validator(path, other) is None
    monkeypatch.setattr(files, "SETTLED_SECONDS", 0.1)
    assert settled_validator(path) != both[: len(both) // 2]
    other.unlink()
    assert file_validator(other) is None
    assert file_validator(path, other) is None
    assert file_validator() == b""


def test_validator_changes_though_times_are_set_by_hand(tmp_path, settled_soon_after_writing):
    path, copy = tmp_path / "a", tmp_path / "b"
    path.write_bytes(b"abc")
    before = settled_validator(path)
    state = path.stat()
    copy.write_bytes(b"xyz")
    os.utime(copy, ns=(state.st_atime_ns, state.st_mtime_ns))
    copy.replace(path)  # the same name, size and mtime
    assert settled_validator(path) != before
    future = time.time() + 10**6
    os.utime(path, (future, future))
    if os.name != "nt":
        assert settled_validator(path) is not None  # before that time has come


class _Clock:
    """A clock that a test advances, and a server clock that is `ahead` of it."""

    def __init__(self):
        self.now, self.ahead = 1000.0, 0.0

    def monotonic(self):
        return self.now

    def time(self):
        return 10**9 + self.now

    def signature(self, digits=123_456_789, size=1000):
        """Return the signature of a file that is written now."""
        seconds = int(self.time() + self.ahead)
        return FileSignature(1, 2, size, seconds * NS + digits, seconds * NS + digits)


@pytest.fixture
def clock(monkeypatch):
    clock = _Clock()
    monkeypatch.setattr(settling, "time", clock)
    monkeypatch.setattr(settling, "_seen", {})
    monkeypatch.setattr(files, "SOON_SETTLED_SECONDS", 0.25)
    return clock


@pytest.mark.parametrize("ahead", [0.0, -1.0, 1000.0])
def test_fine_file_times_settle_soon(clock, ahead):
    clock.ahead = ahead
    written = clock.signature()
    assert not files._is_settled(written)
    clock.now += 0.24
    assert not files._is_settled(written)
    clock.now += 0.02
    assert files._is_settled(written)
    assert not files._is_settled(written._replace(changed=written.changed + 1, modified=5))


def test_file_not_seen_while_settling_settles_later(clock):
    written = clock.signature()
    clock.now += 1.5  # the clock of a server may be behind by that much
    assert not files._is_settled(written)
    clock.now += 0.6
    assert files._is_settled(written)


@pytest.mark.parametrize("digits", [0, 500_000_000, 7_000_000])
def test_coarse_file_times_settle_later(clock, digits):
    written = clock.signature(digits)
    for _ in range(3):
        assert not files._is_settled(written)
        clock.now += 0.6
    clock.now += 1
    assert files._is_settled(written)


def test_large_files_settle_later(clock):
    written = clock.signature(size=2**27)
    assert not files._is_settled(written)
    clock.now += 0.9
    assert not files._is_settled(written)
    clock.now += 0.2
    assert files._is_settled(written)


def test_validator_of_a_settled_file_shows_every_change(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "SOON_SETTLED_SECONDS", 0.05)
    path = tmp_path / "a"
    for number in range(4):
        path.write_bytes(b"%d" % number)
        before = settled_validator(path)
        path.write_bytes(b"x")  # the size stays the same
        assert settled_validator(path) != before


def test_chunks_of_a_settled_file_are_decoded_once(tmp_path, monkeypatch):
    h5py = pytest.importorskip("h5py")
    monkeypatch.setattr(files, "SETTLED_SECONDS", 1e9)
    monkeypatch.setattr(files, "SOON_SETTLED_SECONDS", 1e9)
    path, later = tmp_path / "a.h5", tmp_path / "b.h5"
    values = np.arange(64.0).reshape(8, 8)
    for name, written in ((path, values), (later, -values)):
        with h5py.File(name, "w") as file:
            file.create_dataset("v", data=written, chunks=(8, 4), compression="gzip")
    a = biggus.open(path, "v")
    assert a[0].ndarray().tolist() == values[0].tolist()
    assert not len(chunk_memory)
    monkeypatch.setattr(files, "SOON_SETTLED_SECONDS", 0)
    assert a[1].ndarray().tolist() == values[1].tolist()
    assert len(chunk_memory) == 2
    assert a[2].ndarray().tolist() == values[2].tolist()
    later.replace(path)
    assert a[2].ndarray().tolist() == (-values[2]).tolist()


class _Handle:
    def __init__(self, key, closed):
        self.key, self.closed, self.open = key, closed, True

    def close(self):
        assert self.open
        self.open = False
        self.closed.append(self.key)


@pytest.fixture
def pool():
    """Return a pool for three handles."""
    made = HandlePool(_Handle.close, LibraryLock(), capacity=3)
    made.closed = []
    made.take = lambda key: made.get(key, lambda: _Handle(key, made.closed))
    yield made
    made.clear()  # otherwise idle handles would be closed during another test


def test_least_recently_used_handle_is_closed(pool):
    first = pool.take("a")
    for key in "bcab":
        pool.take(key)
    assert pool.take("a") is first
    assert pool.closed == []
    pool.take("d")
    assert pool.closed == ["c"]
    assert pool.open_keys() == ["b", "a", "d"]
    assert len(pool) == 3
    assert "a" in pool
    assert "c" not in pool


def test_handle_is_closed_before_a_new_one_is_opened(pool):
    for key in "abc":
        pool.take(key)
    assert pool.get("d", lambda: len(pool)) == 2


def test_discard_and_clear(pool):
    for key in "abc":
        pool.take(key)
    pool.discard("b")
    pool.discard("b")
    pool.discard("never")
    assert pool.closed == ["b"]
    pool.clear()
    assert pool.closed == ["b", "a", "c"]
    assert len(pool) == 0
    assert pool.take("a").open


def test_pool_follows_the_descriptor_limit(pool, monkeypatch):
    resource = pytest.importorskip("resource", reason="no limits of descriptors here")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (8, 1024))
    for key in "abc":
        pool.take(key)
    assert pool.open_keys() == ["b", "c"]
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
    pool.take("d")
    assert len(pool) == 3


def test_failed_open_leaves_no_handle(pool):
    def fail():
        raise OSError(errno.EIO, "no")

    with pytest.raises(OSError, match="no"):
        pool.get("a", fail)
    assert len(pool) == 0
    assert pool.take("a").open


def test_failed_close_is_logged(caplog):
    def close(_):
        raise RuntimeError("stuck")

    pool = HandlePool(close, LibraryLock(), capacity=1)
    pool.get("a", lambda: "A")
    assert pool.get("b", lambda: "B") == "B"
    assert "could not close a" in caplog.text
    pool.clear()
    assert len(pool) == 0


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE])
def test_out_of_descriptors_closes_all_handles(pool, code):
    pool.take("a")
    pool.take("b")

    def open_if_pool_is_empty():
        if len(pool):
            raise OSError(code, "too many open files")
        return _Handle("c", pool.closed)

    assert pool.get("c", open_if_pool_is_empty).key == "c"
    assert pool.closed == ["a", "b"]

    def fail_to_open():
        raise OSError(code, "too many open files")

    with pytest.raises(OSError, match="too many"):
        pool.get("d", fail_to_open)


def test_concurrent_use_under_the_lock(pool):
    def work(number):
        for i in range(300):
            with pool._lock:
                handle = pool.take((number + i) % 7)
                assert handle.open
                assert handle.key == (number + i) % 7

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    assert len(pool) == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked_child_closes_no_handles_of_its_parent(pool):
    pool.take("a")
    for action in (lambda: pool.take("a").key, lambda: pool.discard("a"), pool.clear):
        child = os.fork()
        if child == 0:
            ok = 1
            try:
                action()
                ok = 0 if pool.closed == [] else 2
            finally:
                os._exit(ok)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert pool.closed == []
    assert pool.take("a").open


def test_handle_is_closed_with_its_last_hold(pool):
    first, second, other = (hold_open(pool, key) for key in "aab")
    del first
    assert pool.closed == []
    del second
    assert pool.closed == ["a"]
    assert pool.open_keys() == ["b"]
    del other
    assert pool.closed == ["a", "b"]
    pool.take("c")  # never held
    assert pool.open_keys() == ["c"]


def hold_open(pool, key):
    with pool._lock:
        hold = pool.hold(key)
        pool.take(key)
    return hold


def test_closed_handles_can_be_held(pool):
    holds = [hold_open(pool, key) for key in "abcd"]
    assert pool.closed == ["a"]
    del holds[0]
    pool.clear()
    del holds
    assert pool.closed == ["a", "b", "c", "d"]
    assert hold_open(pool, "a") is not None
    assert pool.closed == ["a", "b", "c", "d", "a"]


def test_handle_held_again_under_the_lock_stays_open(pool):
    hold = hold_open(pool, "a")
    with pool._lock:
        del hold
        again = pool.hold("a")
        del again
        again = pool.hold("a")
    assert pool.take("a").open
    assert pool.closed == []
    del again
    assert pool.closed == ["a"]


def test_visit_closes_unheld_handles(pool):
    with pool._lock, pool.visit("a"):
        with pool.visit("a"):
            pool.take("a")
        assert pool.closed == []
    assert pool.closed == ["a"]
    hold = hold_open(pool, "b")
    with pool._lock, pool.visit("b"):
        pool.take("b")
    assert pool.closed == ["a"]
    del hold
    assert pool.closed == ["a", "b"]


def test_failed_visit_closes_its_handle(pool):
    def fail():
        with pool._lock, pool.visit("c"):
            pool.take("c")
            raise ValueError

    with pytest.raises(ValueError) as kept:
        fail()
    assert pool.closed == ["c"]
    assert kept.traceback  # it refers to all local variables


def test_garbage_collected_holds_close_handles(pool):
    ring = [hold_open(pool, "a")]
    ring.append(ring)
    del ring
    assert pool.closed == []
    with ThreadPoolExecutor(1) as threads:
        threads.submit(gc.collect).result()
    assert pool.closed == ["a"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked_child_that_drops_holds_closes_nothing(pool):
    holds = [hold_open(pool, "a")]
    child = os.fork()
    if child == 0:
        holds.clear()
        os._exit(len(pool.closed))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert pool.closed == []
    holds.clear()
    assert pool.closed == ["a"]
