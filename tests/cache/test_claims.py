"""Claims: several processes fetch a chunk once, and do not wait for a process that is stopped."""

from __future__ import annotations

import collections
import contextlib
import errno
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from biggus import options
from biggus.cache import Cache, claims
from biggus.cache.claims import Claims
from biggus.errors import DeadlineError
from biggus.sources.wrappers import ObjectSource

pytestmark = pytest.mark.skipif(os.name != "posix", reason="locks of bytes of files")

KEY = f"{7:040x}"[::-1]

READER = """if True:
    import os, sys, time, numpy as np
    from biggus.cache import Cache
    from biggus.sources.wrappers import ObjectSource
    folder, log, begin, limit = sys.argv[1:]
    class Slow:
        shape, dtype = (400_000,), np.dtype("i4")
        def __getitem__(self, box):
            number = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(number, f"{box[0].start}\\n".encode())
            os.close(number)
            time.sleep(0.01)
            return np.arange(box[0].start, box[0].stop, dtype="i4")
    cached = Cache(folder, int(limit)).wrap(ObjectSource(Slow(), token="slow"), (10_000,))
    print("ready", flush=True)
    while not os.path.exists(begin):
        time.sleep(0.001)
    values = cached[slice(0, 400_000, 1),]
    assert (values == np.arange(400_000)).all()
"""

HOLDER = """if True:
    import sys
    from pathlib import Path
    from biggus.cache.claims import Claims
    with Claims(Path(sys.argv[1])).taken([sys.argv[2]]) as others:
        print(len(others), flush=True)
        sys.stdin.read()
"""


def read_together(tmp_path, count, limit):
    """Read the same chunks in several processes at once; count the fetches of each chunk."""
    command = [sys.executable, "-c", READER, *(str(tmp_path / n) for n in ("c", "log", "begin"))]
    running = [
        subprocess.Popen([*command, str(limit)], stdout=subprocess.PIPE) for _ in range(count)
    ]
    assert all(process.stdout.readline() == b"ready\n" for process in running)
    (tmp_path / "begin").touch()
    for process in running:
        process.communicate()
    assert [process.returncode for process in running] == [0] * count
    return collections.Counter((tmp_path / "log").read_text().split())


@pytest.mark.machine
def test_processes_fetch_each_chunk_once(tmp_path):
    fetched = read_together(tmp_path, 4, 100_000_000)
    assert len(fetched) == 40
    # A process that finds the index locked for long does not store its chunk.
    assert fetched.total() <= 50


def test_chunks_that_are_not_stored_are_fetched_by_each_process(tmp_path):
    assert set(read_together(tmp_path, 2, 30_000).values()) == {2}


@contextlib.contextmanager
def holding(folder):
    """Run a process that holds the claim of KEY during the block."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-c", HOLDER, str(folder), KEY]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"0\n"
        try:
            yield process
        finally:
            process.kill()


def test_second_process_waits_for_the_first(tmp_path, monkeypatch):
    with holding(tmp_path / "c") as process:
        claims = Claims(tmp_path / "c")
        with claims.taken([KEY]) as others:
            assert others == [KEY]
        sleeps = []

        def sleep(seconds):
            sleeps.append(seconds)
            if len(sleeps) == 3:
                process.communicate(b"")

        monkeypatch.setattr(time, "sleep", sleep)
        claims.wait(KEY)
        assert len(sleeps) == 3
        with claims.taken([KEY]) as others:
            assert others == []
        claims.close()


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells that a process is stopped")
def test_wait_ends_if_the_owner_is_stopped_or_dead(tmp_path, number):
    with holding(tmp_path / "c") as process:
        claims = Claims(tmp_path / "c")
        with claims.taken([KEY]) as others:
            assert others == [KEY]
        process.send_signal(number)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        claims.wait(KEY)
        claims.close()


FORKER = """if True:
    import os, sys
    from biggus.cache import Cache, claims
    def waiting(seconds):
        raise AssertionError("the child waits")
    own = Cache(sys.argv[1]).claims
    with own.taken([sys.argv[2]]):
        child = os.fork()
        if not child:
            claims.time.sleep = waiting
            with own.taken([sys.argv[2]]) as others:
                own.wait(sys.argv[2])
            os._exit(len(others))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_child_does_not_wait_for_claims_that_its_parent_had_when_it_forked(tmp_path):
    # The parent may be waiting for the child, as in a source that reads in forked workers.
    command = [sys.executable, "-c", FORKER, str(tmp_path), KEY]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "1\n", done.stderr


def test_wait_for_an_unknown_owner_ends_after_a_second(tmp_path, monkeypatch):
    claims = Claims(tmp_path)
    now = [0.0]
    monkeypatch.setattr(claims, "_owner", lambda key: 0)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    claims.wait(KEY)
    assert 1 <= now[0] <= 1.1


def test_deadline_ends_the_wait(tmp_path):
    from biggus.support import deadlines

    with holding(tmp_path / "c"), options.set_options(deadline=0.05), deadlines.evaluation():
        claims = Claims(tmp_path / "c")
        with pytest.raises(DeadlineError):
            claims.wait(KEY)
        claims.close()


def test_without_file_locks_every_process_fetches(tmp_path, monkeypatch):
    import fcntl

    def fails(*_):
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "lockf", fails)
    monkeypatch.setattr(fcntl, "fcntl", fails)
    claims = Claims(tmp_path)
    with claims.taken([KEY]) as others:
        assert others == []
    claims.wait(KEY)
    claims.close()
    cached = Cache(tmp_path / "c").wrap(ObjectSource(np.arange(10), token="ten"))
    assert cached[slice(0, 10, 1),].sum() == 45


def test_replaced_claims_file_has_its_own_claims(tmp_path):
    folder = tmp_path / "c"
    folder.mkdir()
    claims = Claims(folder)
    with claims.taken([KEY]):
        (folder / "claims").unlink()
    with holding(folder), claims.taken([KEY]) as others:
        assert others == [KEY]
    claims.close()


def test_failed_read_releases_its_claim(tmp_path):
    folder = tmp_path / "c"

    class Failing:
        shape, dtype = (10,), np.dtype(int)

        def __getitem__(self, box):
            raise OSError("gone")

    cached = Cache(folder).wrap(ObjectSource(Failing(), token="failing"))
    with pytest.raises(OSError, match="gone"):
        cached[slice(0, 10, 1),]
    with holding(folder):
        pass
    assert not cached.cache.claims._held


def test_cache_may_be_garbage_collected_while_locks_are_held(tmp_path):
    """Garbage collection may delete the last cache of a folder while its thread holds the locks."""
    from biggus.cache import sharing

    cache = Cache(tmp_path / "c")
    claims = cache.claims
    with claims.taken([KEY]):
        pass
    with sharing._lock, claims._lock:
        del cache
    assert claims._descriptor is not None
    claims.close()
    assert claims._descriptor is None


def test_interrupt_just_after_a_chunk_is_locked_leaves_no_claim(tmp_path, monkeypatch):
    locked = set()

    def lock(descriptor, operation, length, start):
        if operation & claims.fcntl.LOCK_UN:
            locked.discard(start)
        else:
            locked.add(start)
            if len(locked) == 2:
                raise KeyboardInterrupt

    monkeypatch.setattr(claims.fcntl, "lockf", lock)
    own = Claims(tmp_path)
    keys = [f"{number:040x}"[::-1] for number in range(3)]
    with pytest.raises(KeyboardInterrupt), own.taken(keys):
        raise AssertionError("the second lock is interrupted")
    assert not locked
    assert not own._held
