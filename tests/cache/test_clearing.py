"""Chunks on their way to a cache that is cleared or closed are not stored afterwards."""

from __future__ import annotations

import contextlib
import gc
import shutil
import threading
import time

import numpy as np
import pytest
from busy_ledger import CHUNK, PATIENCE_SECONDS, in_use, read

import biggus
from biggus.cache import Cache, index
from biggus.cache.files import Files
from biggus.cache.ledger import Ledger


class Gated:
    """Patch a method so that it sets `reached` and waits for `open` before it goes on."""

    def __init__(self, monkeypatch, kind, name):
        self.reached, self.open = threading.Event(), threading.Event()
        method = getattr(kind, name)

        def gated(*arguments):
            self.reached.set()
            assert self.open.wait(PATIENCE_SECONDS)
            return method(*arguments)

        monkeypatch.setattr(kind, name, gated)


@contextlib.contextmanager
def in_thread(action):
    """Run `action` in a thread, and join it after the block."""
    thread = threading.Thread(target=action)
    thread.start()
    yield
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()


def clear_at_gate(gate, cache, action):
    """Run `action` in a thread, and clear the cache while the action waits at the gate."""
    with in_thread(action):
        assert gate.reached.wait(PATIENCE_SECONDS)
        cache.clear()
        gate.open.set()


def granted(cache):
    """Return the bytes granted to this process, by the ledger and by its own account."""
    with cache._index._ledger.transaction():
        ((size,),) = cache._index._ledger.run("SELECT granted FROM writers")
    noted = cache._index._notes.first(1000).values()
    assert not any(noted)
    return size, cache._index._free + cache._index._spent


def test_chunk_being_written_is_dropped_by_clear(tmp_path, monkeypatch, entries):
    cache = Cache(tmp_path / "c", "100 MB")
    read(cache, token="another")
    gate = Gated(monkeypatch, Files, "write")
    clear_at_gate(gate, cache, lambda: read(cache))
    assert entries(cache) == []
    assert cache.stats().entries == 0
    read(cache)
    assert cache.stats().entries == 1


def test_chunks_being_stored_in_the_background_are_dropped_by_clear(tmp_path, monkeypatch, entries):
    cache = Cache(tmp_path / "c", "100 MB")
    gate = Gated(monkeypatch, Files, "write")

    def action():
        with in_use(cache):
            read(cache, 3)

    clear_at_gate(gate, cache, action)
    cache._index._later.drain(PATIENCE_SECONDS)
    assert entries(cache) == []
    assert cache.stats().entries == 0


def test_clear_drops_chunks_that_wait_in_another_cache(tmp_path, entries):
    one, other = Cache(tmp_path / "c", "100 MB"), Cache(tmp_path / "c", "200 MB")
    assert one._index is not other._index
    with in_use(one):
        read(one, 3)
        one._index.clearing.begin()
        read(one, 3)
        assert (one._misses, one._hits) == (6, 0)
    other.clear()
    one._index._later.drain(PATIENCE_SECONDS)
    assert entries(one) == []
    assert one.stats().entries == other.stats().entries == 0


@pytest.mark.parametrize("keeping", [True, False])
def test_chunk_being_fetched_is_dropped_by_clear(tmp_path, entries, keeping):
    cache = Cache(tmp_path / "c", "100 MB")

    class Clearing:
        shape, dtype = (6,), np.dtype("i8")

        def __getitem__(self, key):
            cache.clear()
            return np.arange(6)[key]

    array = biggus.ArrayAdapter(Clearing(), token="clearing", cache=cache if keeping else False)
    with biggus.set_options(cache=cache):
        assert biggus.ndarrays([array.sum(), array.max()]) == [15, 5]
        assert entries(cache) == []
        Clearing.__getitem__ = lambda _, key: np.arange(6)[key]
        array.sum().ndarray()
    assert entries(cache)


def test_clear_during_a_grant_keeps_the_granted_size(tmp_path, monkeypatch):
    cache = Cache(tmp_path / "c", "100 MB")
    read(cache, 3)
    gate = Gated(monkeypatch, Ledger, "grant")
    settle = cache._index._settle_now
    with in_thread(lambda: settle(CHUNK, PATIENCE_SECONDS, ahead=True)):
        assert gate.reached.wait(PATIENCE_SECONDS)
        with in_thread(cache.clear):
            until = time.monotonic() + PATIENCE_SECONDS
            while not cache.cleared and time.monotonic() < until:
                time.sleep(0.001)
            gate.open.set()
    ours, theirs = granted(cache)
    assert ours == theirs > 0


def test_chunks_stored_during_clear_are_counted(tmp_path, monkeypatch, on_disk):
    cache, other = Cache(tmp_path / "c", "100 MB"), Cache(tmp_path / "c", "200 MB")
    read(cache, 3)
    remove_all = Files.remove_all

    def removing(files):
        remove_all(files)
        read(other, 2, "other")
        other._index.flush()

    monkeypatch.setattr(Files, "remove_all", removing)
    cache.clear()
    found = cache.stats()
    assert found.entries == 2
    assert found.bytes >= on_disk(cache.path / "entries") > 2 * CHUNK


def test_close_finishes_the_current_chunk_and_drops_the_rest(tmp_path, monkeypatch, entries):
    monkeypatch.setattr(index, "_CLOSING_SECONDS", 0.0)
    monkeypatch.setattr(index, "_DRAINING_SECONDS", 0.0)
    cache = Cache(tmp_path / "c", "100 MB")
    gate = Gated(monkeypatch, Files, "write")
    with in_use(cache):
        read(cache, 3)
    assert gate.reached.wait(PATIENCE_SECONDS)

    def dropping():
        clear()
        monkeypatch.setattr(index, "_DRAINING_SECONDS", PATIENCE_SECONDS)
        gate.open.set()

    clear = cache._index._later.clear
    monkeypatch.setattr(cache._index._later, "clear", dropping)
    cache.close()
    assert len(entries(cache)) == 1
    cache._index._later.drain(PATIENCE_SECONDS)
    assert len(entries(cache)) == 1


def test_close_does_not_recreate_a_removed_folder(tmp_path):
    cache = Cache(tmp_path / "c", 100_000)
    read(cache, 30)  # more than fits: closing would record the chunks that were not stored
    shutil.rmtree(cache.path)
    cache.close()
    assert not cache.path.exists()
    path = cache.path
    del cache
    gc.collect()
    assert not path.exists()


@pytest.mark.parametrize("replaced", [False, True])
def test_waiting_chunks_do_not_recreate_a_removed_folder(tmp_path, monkeypatch, entries, replaced):
    cache = Cache(tmp_path / "c", "100 MB")
    gate = Gated(monkeypatch, index.Index, "store_late")
    with in_use(cache):
        read(cache, 3)
    assert gate.reached.wait(PATIENCE_SECONDS)
    cache.path.rename(tmp_path / "aside")  # keeps its inode from being reused
    if replaced:
        cache.path.mkdir()
    cache._index._later.want(CHUNK)
    gate.open.set()
    cache._index._later.drain(PATIENCE_SECONDS)
    assert entries(cache) == []
    assert cache.path.exists() == replaced
    read(cache, 3)  # later reads are stored as usual
    assert cache.stats().entries == 3
