"""Reads do not wait for the index while a stopped process holds its lock."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys

import numpy as np
import pytest

from biggus.cache import Cache
from biggus.cache.ledger import NAME
from biggus.errors import CacheError
from biggus.sources.wrappers import ObjectSource

HOLDER = """if True:
    import sqlite3, sys
    database = sqlite3.connect(sys.argv[1], isolation_level=None)
    database.execute(sys.argv[2])
    print("held", flush=True)
    sys.stdin.read()
"""

READER = """if True:
    import sys, numpy as np
    from biggus.cache import Cache
    from biggus.sources.wrappers import ObjectSource
    cache = Cache(sys.argv[1], "10 MB")
    values = np.arange(200_000)
    cached = cache.wrap(ObjectSource(values, token="read"), (1000,))
    for _ in range(2):
        for i in range(200):
            box = slice(1000 * i, 1000 * i + 1000, 1),
            assert (cached[box] == values[box]).all()
    cache.remember("a", {})
    cache.close()
    print(sum(cached.cached((slice(1000 * i, 1000 * i + 1000, 1),)) for i in range(200)))
"""
# A reader that does not hang ends long before.
HUNG_SECONDS = 300


@pytest.fixture
def cache_folder(tmp_path):
    """Return a cache folder with one chunk in it."""
    folder = tmp_path / "c"
    with Cache(folder, "10 MB") as cache:
        cache.wrap(ObjectSource(np.arange(1000), token="old"), (1000,))[slice(0, 1000, 1),]
    return folder


@pytest.fixture(params=["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"], autouse=True)
def holder(request, cache_folder):
    """Return a stopped process that holds the lock of the index."""
    if not hasattr(signal, "SIGSTOP"):
        pytest.skip("needs processes that can be stopped")
    command = [sys.executable, "-c", HOLDER, str(cache_folder / NAME), request.param]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process:
        assert process.stdout.readline() == b"held\n"
        process.send_signal(signal.SIGSTOP)
        yield process
        process.kill()


def last_use(folder):
    """Return the time of the last use of an entry, by the clock of the index."""
    database = sqlite3.connect(f"file:{folder / NAME}?immutable=1", uri=True)
    ((last,),) = database.execute("SELECT MAX(used) FROM entries")
    database.close()
    return last


def test_reads_do_not_wait_for_a_stopped_holder_of_the_index(cache_folder):
    command = [sys.executable, "-c", READER, str(cache_folder)]
    done = subprocess.run(command, check=True, timeout=HUNG_SECONDS, capture_output=True)
    assert done.stdout == b"0\n", "chunks are not stored without granted room"


def test_locked_index_is_tried_less_and_less_often(cache_folder, monkeypatch):
    cache = Cache(cache_folder, "10 MB")
    attempts = []
    index = cache._index
    settle = index._settle
    monkeypatch.setattr(
        index, "_settle", lambda *needs: (attempts.append(needs), settle(*needs))[1]
    )
    monkeypatch.setattr("biggus.cache.account._PAUSES", (1000.0, 1000.0))
    cached = cache.wrap(ObjectSource(np.arange(50_000), token="new"), (1000,))
    index._pause = 1000.0
    assert cached[slice(0, 50_000, 1),].sum() == 50_000 * 49_999 // 2
    assert len(attempts) == 1


def test_uses_are_recorded_once_the_index_is_free(cache_folder, holder):
    before = last_use(cache_folder)
    cache = Cache(cache_folder, "10 MB")
    cached = cache.wrap(ObjectSource(np.arange(1000), token="old"), (1000,))
    assert cached[slice(0, 1000, 1),].sum() == 499500
    cache.close()
    holder.kill()
    holder.wait()
    assert last_use(cache_folder) == before
    cache.close()
    assert last_use(cache_folder) > before


def test_stats_raise_if_the_index_is_locked(cache_folder, monkeypatch):
    monkeypatch.setattr("biggus.cache.index.PATIENCE_SECONDS", 0.1)
    with pytest.raises(CacheError, match="another process is using the index of the cache"):
        Cache(cache_folder, "10 MB").stats()
