"""Chunks that cannot be stored at once are stored later by a background thread, within bounds."""

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
from biggus.cache import deferred as deferred_module
from biggus.cache.clearing import Clearing
from biggus.cache.deferred import DeferredStores
from biggus.cache.files import Files
from biggus.sources.wrappers import ObjectSource


def all_stored(cached):
    return cached.cached((slice(0, cached.shape[0], 1),))


def test_chunks_read_while_the_ledger_is_locked_are_stored_later(tmp_path):
    cache = Cache(tmp_path / "c", "100 MB")
    with in_use(cache):
        cached = read(cache, 30)
        assert not all_stored(cached)
        before = cache._misses
        read(cache, 30)  # waiting chunks are hits
        assert cache._misses == before
    until = time.monotonic() + PATIENCE_SECONDS
    while not all_stored(cached) and time.monotonic() < until:
        time.sleep(0.01)
    assert all_stored(cached)
    read(cache, 30)
    assert cache.stats().hits == 60


def test_close_stores_waiting_chunks(tmp_path):
    cache = Cache(tmp_path / "c", "100 MB")
    with in_use(cache):
        cached = read(cache, 30)
    cache._index._failing_since = None
    cache.close()
    assert all_stored(cached)


def test_waiting_chunks_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr("biggus.cache.index._LATER_MOST", 5 * CHUNK)
    cache = Cache(tmp_path / "c", "100 MB")
    with in_use(cache):
        read(cache, 30)
        assert len(cache._index._later._waiting) == 4  # with their headers
        assert cache._index._later._bytes <= 5 * CHUNK
    cache.close()


def test_waiting_chunks_are_dropped_after_a_while(tmp_path, monkeypatch):
    monkeypatch.setattr(deferred_module, "_KEPT_SECONDS", 0.0)
    cache = Cache(tmp_path / "c", "100 MB")
    with in_use(cache):
        cached = read(cache, 3)
        until = time.monotonic() + PATIENCE_SECONDS
        while cache._index._later.waits() and time.monotonic() < until:
            time.sleep(0.01)
    assert not cache._index._later.waits()
    assert not all_stored(cached)


def test_clear_drops_waiting_chunks(tmp_path):
    cache = Cache(tmp_path / "c", "100 MB")
    with in_use(cache):
        read(cache, 3)
    cache.clear()
    assert not cache._index._later.waits()
    assert cache.stats().entries == 0


def test_limit_holds_for_chunks_stored_later(tmp_path, on_disk):
    limit = 500_000
    cache = Cache(tmp_path / "c", limit)
    for turn in range(3):
        with in_use(cache):
            read(cache, 50, str(turn))
        cache._index._failing_since = None
        cache.close()
        assert on_disk(cache.path) <= limit
    assert cache.stats().entries > 20


def wait_until_within_limit(cache, on_disk):
    """Wait until a cache is within its limit of 200,000 bytes."""
    until = time.monotonic() + PATIENCE_SECONDS
    while on_disk(cache.path) > 200_000 and time.monotonic() < until:
        time.sleep(0.01)
    assert on_disk(cache.path) <= 200_000


def test_readers_do_not_evict_down_to_a_smaller_limit(tmp_path, on_disk, monkeypatch):
    for one in (ledger, room):
        monkeypatch.setattr(one, "EVICTED_AT_ONCE", 4)
    monkeypatch.setattr(index, "_LAG_SECONDS", 0.0)
    with Cache(tmp_path / "c", "100 MB") as large:
        read(large, 60)
    removers = []
    remove = Files.remove

    def recording_remove(files, key):
        removers.append(threading.current_thread())
        remove(files, key)

    monkeypatch.setattr(Files, "remove", recording_remove)
    cache = Cache(tmp_path / "c", 200_000)
    read(cache, 1)
    wait_until_within_limit(cache, on_disk)
    assert removers.count(threading.main_thread()) <= 4


def test_cache_shrinks_to_a_smaller_limit_in_the_background(tmp_path, on_disk, monkeypatch):
    for one in (ledger, room):
        monkeypatch.setattr(one, "EVICTED_AT_ONCE", 1)
    monkeypatch.setattr(deferred_module, "_KEPT_SECONDS", 0.0)
    with Cache(tmp_path / "c", "100 MB") as large:
        read(large, 60)
    cache = Cache(tmp_path / "c", 200_000)
    read(cache, 1, "another")
    wait_until_within_limit(cache, on_disk)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs forks")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_forked_child_has_no_waiting_chunks(tmp_path):
    cache = Cache(tmp_path / "c", "100 MB")
    with in_use(cache):
        read(cache, 5)
        child = os.fork()
        if not child:
            os._exit(len(cache._index._later._waiting))
        assert os.waitpid(child, 0)[1] == 0
    cache.close()


def test_background_thread_ends_when_idle(tmp_path, monkeypatch):
    monkeypatch.setattr(deferred_module, "_IDLE_SECONDS", 0.0)

    class Index:
        stored = ()

        def store_late(self, one):
            self.stored += (one.key,)
            return True

    index = Index()
    later = DeferredStores(index, 100, Clearing(tmp_path))
    assert later.put(0, "a", [b"one"], None, 0)
    later.drain(PATIENCE_SECONDS)
    assert index.stored == ("a",)
    until = time.monotonic() + PATIENCE_SECONDS
    while later._thread is not None and time.monotonic() < until:
        time.sleep(0.01)
    assert later._thread is None
    assert not later.waits()


def test_failed_background_store_does_not_block_others(tmp_path, caplog):
    class Index:
        attempts = ()

        def store_late(self, one):
            self.attempts += (one.key,)
            if one.key == "a":
                raise MemoryError
            return True

    index = Index()
    later = DeferredStores(index, 100, Clearing(tmp_path))
    assert later.put(0, "a", [b"one"], None, 0)
    later.drain(PATIENCE_SECONDS)
    assert later.put(0, "b", [b"two"], None, 0)
    later.drain(PATIENCE_SECONDS)
    assert index.attempts == ("a", "b")
    assert later._bytes == 0
    assert "could not be stored in the background: MemoryError()" in caplog.text


def test_background_thread_keeps_no_cache_alive(tmp_path):
    cache = Cache(tmp_path / "c", "100 MB")
    read(cache, 3)
    index = weakref.ref(cache._index)
    gc.disable()
    try:
        del cache
        assert index() is None
    finally:
        gc.enable()


def test_readers_record_few_uses_in_the_ledger(tmp_path, monkeypatch):
    by_reader, by_thread = [], []
    record = ledger.Ledger.record

    def counting_record(self, noted):
        reading = threading.current_thread() is threading.main_thread()
        (by_reader if reading else by_thread).append(len(noted))
        return record(self, noted)

    numbers = ObjectSource(np.arange(200.0), token="numbers")
    caches = [Cache(tmp_path / "c", f"{limit} MB") for limit in (1, 2, 3)]
    stores, hits, _ = cached = [cache.wrap(numbers, (1,)) for cache in caches]
    stores[slice(0, 150, 1),]
    caches[0].close()
    monkeypatch.setattr(ledger.Ledger, "record", counting_record)
    monkeypatch.setattr(index, "MOST", 100)
    hits[slice(0, 150, 1),]
    until = time.monotonic() + PATIENCE_SECONDS
    while not by_thread and time.monotonic() < until:
        time.sleep(0.001)
    assert by_thread
    assert by_reader == []
    monkeypatch.setattr(index, "MOST", 1000)
    cached[2][slice(0, 151, 1),]  # the last chunk is new and is stored
    assert [uses for uses in by_reader if uses] == [64]  # a first try may find the ledger locked
    assert [cache._hits for cache in caches] == [0, 150, 150]
