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


def _settled(*paths):
    give_up = time.monotonic() + 120
    while (validator := file_validator(*paths)) is None:
        assert time.monotonic() < give_up
        time.sleep(0.01)
    return validator


def test_validators_are_trusted_once_files_have_settled(tmp_path, monkeypatch):
    path, other = tmp_path / "a", tmp_path / "b"
    for file in (path, other):
        file.write_bytes(b"abc")
    monkeypatch.setattr(files, "SETTLED_SECONDS", 1e9)
    assert file_validator(path) is None  # written a moment ago
    monkeypatch.setattr(files, "SETTLED_SECONDS", 0.1)
    both = _settled(path, str(other))
    assert both == file_validator(path, other)
    assert file_validator(path) == both[: len(both) // 2]
    assert file_validator(other) != file_validator(path)
    monkeypatch.setattr(files, "SETTLED_SECONDS", 1e9)
    path.write_bytes(b"abd")
    assert file_validator(path) is None
    assert file_validator(path, other) is None
    monkeypatch.setattr(files, "SETTLED_SECONDS", 0.1)
    assert _settled(path) != both[: len(both) // 2]
    other.unlink()
    assert file_validator(other) is None
    assert file_validator(path, other) is None
    assert file_validator() == b""


def test_times_that_are_set_deceive_nobody(tmp_path, soon_settled):
    path, copy = tmp_path / "a", tmp_path / "b"
    path.write_bytes(b"abc")
    before = _settled(path)
    state = path.stat()
    copy.write_bytes(b"xyz")
    os.utime(copy, ns=(state.st_atime_ns, state.st_mtime_ns))
    copy.replace(path)  # the same name, size and mtime
    assert _settled(path) != before
    future = time.time() + 10**6
    os.utime(path, (future, future))
    if os.name != "nt":
        assert _settled(path) is not None  # not only when the future has come


class _Clock:
    """Time that passes only when it is told to, of this machine and of a server."""

    def __init__(self):
        self.now, self.ahead = 1000.0, 0.0

    def monotonic(self):
        return self.now

    def time(self):
        return 10**9 + self.now

    def signature(self, digits=123_456_789, size=1000):
        """Return that of a file that is written now."""
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
def test_where_times_are_fine_a_file_is_trusted_soon(clock, ahead):
    clock.ahead = ahead
    written = clock.signature()
    assert not files._is_settled(written)
    clock.now += 0.24
    assert not files._is_settled(written)
    clock.now += 0.02
    assert files._is_settled(written)
    assert not files._is_settled(written._replace(changed=written.changed + 1, modified=5))


def test_what_was_not_seen_meanwhile_may_have_changed_in_that_moment(clock):
    written = clock.signature()
    clock.now += 1.5  # the clock of a server may be behind by as much
    assert not files._is_settled(written)
    clock.now += 0.6
    assert files._is_settled(written)


@pytest.mark.parametrize("digits", [0, 500_000_000, 7_000_000])
def test_where_times_are_coarse_a_file_is_trusted_later(clock, digits):
    written = clock.signature(digits)
    for _ in range(3):
        assert not files._is_settled(written)
        clock.now += 0.6
    clock.now += 1
    assert files._is_settled(written)


def test_a_large_file_may_still_be_written(clock):
    written = clock.signature(size=2**27)
    assert not files._is_settled(written)
    clock.now += 0.9
    assert not files._is_settled(written)
    clock.now += 0.2
    assert files._is_settled(written)


def test_every_change_shows_in_a_file_that_is_trusted(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "SOON_SETTLED_SECONDS", 0.05)
    path = tmp_path / "a"
    for number in range(4):
        path.write_bytes(b"%d" % number)
        before = _settled(path)
        path.write_bytes(b"x")  # no other size
        assert _settled(path) != before


def test_what_repeats_of_a_file_that_was_just_written_is_decoded_once(tmp_path, monkeypatch):
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
    made.clear()  # or what is idle is closed, or cannot be, while another test looks


def test_the_least_recently_used_is_closed(pool):
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


def test_there_is_room_before_a_handle_is_opened(pool):
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


def test_the_limit_of_the_process_is_shared(pool, monkeypatch):
    resource = pytest.importorskip("resource", reason="no limits of descriptors here")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (8, 1024))
    for key in "abc":
        pool.take(key)
    assert pool.open_keys() == ["b", "c"]
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
    pool.take("d")
    assert len(pool) == 3


def test_failing_to_open_leaves_nothing(pool):
    def fail():
        raise OSError(errno.EIO, "no")

    with pytest.raises(OSError, match="no"):
        pool.get("a", fail)
    assert len(pool) == 0
    assert pool.take("a").open


def test_failing_to_close_fails_nobody(caplog):
    def close(_):
        raise RuntimeError("stuck")

    pool = HandlePool(close, LibraryLock(), capacity=1)
    pool.get("a", lambda: "A")
    assert pool.get("b", lambda: "B") == "B"
    assert "could not close a" in caplog.text
    pool.clear()
    assert len(pool) == 0


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE])
def test_out_of_descriptors_all_are_closed(pool, code):
    pool.take("a")
    pool.take("b")

    def scarce():
        if len(pool):
            raise OSError(code, "too many open files")
        return _Handle("c", pool.closed)

    assert pool.get("c", scarce).key == "c"
    assert pool.closed == ["a", "b"]

    def never():
        raise OSError(code, "too many open files")

    with pytest.raises(OSError, match="too many"):
        pool.get("d", never)


def test_threads_under_the_lock(pool):
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
def test_a_child_leaves_its_parents_handles_alone(pool):
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


def test_a_handle_goes_with_the_last_that_holds_it(pool):
    first, second, other = (_held(pool, key) for key in "aab")
    del first
    assert pool.closed == []
    del second
    assert pool.closed == ["a"]
    assert pool.open_keys() == ["b"]
    del other
    assert pool.closed == ["a", "b"]
    pool.take("c")  # nobody ever held it
    assert pool.open_keys() == ["c"]


def _held(pool, key):
    with pool._lock:
        hold = pool.hold(key)
        pool.take(key)
    return hold


def test_what_is_not_open_any_more_can_be_held(pool):
    holds = [_held(pool, key) for key in "abcd"]
    assert pool.closed == ["a"]
    del holds[0]
    pool.clear()
    del holds
    assert pool.closed == ["a", "b", "c", "d"]
    assert _held(pool, "a") is not None
    assert pool.closed == ["a", "b", "c", "d", "a"]


def test_a_handle_that_is_held_again_in_time_stays(pool):
    hold = _held(pool, "a")
    with pool._lock:
        del hold
        again = pool.hold("a")
        del again
        again = pool.hold("a")
    assert pool.take("a").open
    assert pool.closed == []
    del again
    assert pool.closed == ["a"]


def test_visits(pool):
    with pool._lock, pool.visit("a"):
        with pool.visit("a"):
            pool.take("a")
        assert pool.closed == []
    assert pool.closed == ["a"]
    hold = _held(pool, "b")
    with pool._lock, pool.visit("b"):
        pool.take("b")
    assert pool.closed == ["a"]
    del hold
    assert pool.closed == ["a", "b"]


def test_a_visit_that_fails(pool):
    def fail():
        with pool._lock, pool.visit("c"):
            pool.take("c")
            raise ValueError

    with pytest.raises(ValueError) as kept:
        fail()
    assert pool.closed == ["c"]
    assert kept.traceback  # which knows of all that was at hand


def test_holds_that_are_garbage(pool):
    ring = [_held(pool, "a")]
    ring.append(ring)
    del ring
    assert pool.closed == []
    with ThreadPoolExecutor(1) as threads:
        threads.submit(gc.collect).result()
    assert pool.closed == ["a"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_that_lets_go_closes_nothing_of_its_parent(pool):
    holds = [_held(pool, "a")]
    child = os.fork()
    if child == 0:
        holds.clear()
        os._exit(len(pool.closed))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert pool.closed == []
    holds.clear()
    assert pool.closed == ["a"]
