"""What cannot be stored at once is stored later, within bounds, and nobody waits for it."""

from __future__ import annotations

import gc
import os
import threading
import time
import weakref

import numpy as np
import pytest
from busy_ledger import CHUNK, PATIENCE_SECONDS, in_use, read

from biggus.cache import Cache, index, ledger, room
from biggus.cache import later as module
from biggus.cache.clearing import Clearing
from biggus.cache.files import Files
from biggus.cache.later import Later
from biggus.sources.wrappers import ObjectSource


def all_there(cached):
    return cached.cached((slice(0, cached.shape[0], 1),))


def test_what_was_read_while_the_ledger_was_in_use_is_stored_afterwards(tmp_path):
    cache = Cache(tmp_path / "c", "100 MB")
    with in_use(cache):
        cached = read(cache, 30)
        assert not all_there(cached)
        before = cache._misses
        read(cache, 30)  # what waits is read as if it were stored
        assert cache._misses == before
    until = time.monotonic() + PATIENCE_SECONDS
    while not all_there(cached) and time.monotonic() < until:
        time.sleep(0.01)
    assert all_there(cached)
    read(cache, 30)
    assert cache.stats().hits == 60


def test_closing_waits_for_it(tmp_path):
    cache = Cache(tmp_path / "c", "100 MB")
    with in_use(cache):
        cached = read(cache, 30)
    cache._index._failing_since = None
    cache.close()
    assert all_there(cached)


def test_no_more_than_a_bound_waits(tmp_path, monkeypatch):
    monkeypatch.setattr("biggus.cache.index._LATER_MOST", 5 * CHUNK)
    cache = Cache(tmp_path / "c", "100 MB")
    with in_use(cache):
        read(cache, 30)
        assert len(cache._index._later._waiting) == 4  # with their headers
        assert cache._index._later._bytes <= 5 * CHUNK
    cache.close()


def test_what_cannot_be_stored_for_long_is_let_go(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_KEPT_SECONDS", 0.0)
    cache = Cache(tmp_path / "c", "100 MB")
    with in_use(cache):
        cached = read(cache, 3)
        until = time.monotonic() + PATIENCE_SECONDS
        while cache._index._later.waits() and time.monotonic() < until:
            time.sleep(0.01)
    assert not cache._index._later.waits()
    assert not all_there(cached)


def test_clearing_stores_nothing_of_it(tmp_path):
    cache = Cache(tmp_path / "c", "100 MB")
    with in_use(cache):
        read(cache, 3)
    cache.clear()
    assert not cache._index._later.waits()
    assert cache.stats().entries == 0


def test_the_limit_holds_for_what_is_stored_later(tmp_path, on_disk):
    limit = 500_000
    cache = Cache(tmp_path / "c", limit)
    for turn in range(3):
        with in_use(cache):
            read(cache, 50, str(turn))
        cache._index._failing_since = None
        cache.close()
        assert on_disk(cache.path) <= limit
    assert cache.stats().entries > 20


def shrunk(cache, on_disk):
    """Wait until a cache is within its limit, of 200,000 bytes."""
    until = time.monotonic() + PATIENCE_SECONDS
    while on_disk(cache.path) > 200_000 and time.monotonic() < until:
        time.sleep(0.01)
    assert on_disk(cache.path) <= 200_000


def test_what_is_over_a_smaller_limit_is_removed_by_nobody_who_reads(
    tmp_path, on_disk, monkeypatch
):
    for one in (ledger, room):
        monkeypatch.setattr(one, "EVICTED_AT_ONCE", 4)
    monkeypatch.setattr(index, "_LAG_SECONDS", 0.0)
    with Cache(tmp_path / "c", "100 MB") as large:
        read(large, 60)
    removers = []
    remove = Files.remove

    def noting(files, key):
        removers.append(threading.current_thread())
        remove(files, key)

    monkeypatch.setattr(Files, "remove", noting)
    cache = Cache(tmp_path / "c", 200_000)
    read(cache, 1)
    shrunk(cache, on_disk)
    assert removers.count(threading.main_thread()) <= 4


def test_what_is_over_a_smaller_limit_goes_though_nothing_waits_for_it(
    tmp_path, on_disk, monkeypatch
):
    for one in (ledger, room):
        monkeypatch.setattr(one, "EVICTED_AT_ONCE", 1)
    monkeypatch.setattr(module, "_KEPT_SECONDS", 0.0)
    with Cache(tmp_path / "c", "100 MB") as large:
        read(large, 60)
    cache = Cache(tmp_path / "c", 200_000)
    read(cache, 1, "another")
    shrunk(cache, on_disk)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs forks")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_child_stores_what_it_reads_itself(tmp_path):
    cache = Cache(tmp_path / "c", "100 MB")
    with in_use(cache):
        read(cache, 5)
        child = os.fork()
        if not child:
            os._exit(len(cache._index._later._waiting))
        assert os.waitpid(child, 0)[1] == 0
    cache.close()


def test_the_thread_ends_when_there_is_nothing_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_IDLE_SECONDS", 0.0)

    class Index:
        stored = ()

        def store_late(self, one):
            self.stored += (one.key,)
            return True

    index = Index()
    later = Later(index, 100, Clearing(tmp_path))
    assert later.put(0, "a", [b"one"], None, 0)
    later.drain(PATIENCE_SECONDS)
    assert index.stored == ("a",)
    until = time.monotonic() + PATIENCE_SECONDS
    while later._thread is not None and time.monotonic() < until:
        time.sleep(0.01)
    assert later._thread is None
    assert not later.waits()


def test_what_fails_to_be_stored_is_in_nobodys_way(tmp_path, caplog):
    class Index:
        asked = ()

        def store_late(self, one):
            self.asked += (one.key,)
            if one.key == "a":
                raise MemoryError
            return True

    index = Index()
    later = Later(index, 100, Clearing(tmp_path))
    assert later.put(0, "a", [b"one"], None, 0)
    later.drain(PATIENCE_SECONDS)
    assert later.put(0, "b", [b"two"], None, 0)
    later.drain(PATIENCE_SECONDS)
    assert index.asked == ("a", "b")
    assert later._bytes == 0
    assert "could not be stored in the background: MemoryError()" in caplog.text


def test_what_waits_keeps_no_cache_alive(tmp_path):
    cache = Cache(tmp_path / "c", "100 MB")
    read(cache, 3)
    index = weakref.ref(cache._index)
    gc.disable()
    try:
        del cache
        assert index() is None
    finally:
        gc.enable()


def test_who_reads_brings_little_of_what_was_used_into_the_ledger(tmp_path, monkeypatch):
    by_reader, by_thread = [], []
    record = ledger.Ledger.record

    def counted(self, noted):
        reading = threading.current_thread() is threading.main_thread()
        (by_reader if reading else by_thread).append(len(noted))
        return record(self, noted)

    numbers = ObjectSource(np.arange(200.0), token="numbers")
    caches = [Cache(tmp_path / "c", f"{limit} MB") for limit in (1, 2, 3)]
    stores, hits, _ = cached = [cache.wrap(numbers, (1,)) for cache in caches]
    stores[slice(0, 150, 1),]
    caches[0].close()
    monkeypatch.setattr(ledger.Ledger, "record", counted)
    monkeypatch.setattr(index, "MOST", 100)
    hits[slice(0, 150, 1),]
    until = time.monotonic() + PATIENCE_SECONDS
    while not by_thread and time.monotonic() < until:
        time.sleep(0.001)
    assert by_thread
    assert by_reader == []
    monkeypatch.setattr(index, "MOST", 1000)
    cached[2][slice(0, 151, 1),]  # the last of which is stored
    assert by_reader == [64]
    assert [cache._hits for cache in caches] == [0, 150, 150]
