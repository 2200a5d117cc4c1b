"""What is on its way to a cache that is cleared or closed does not arrive afterwards."""

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
    """A method that waits in its first call until it may go on."""

    def __init__(self, monkeypatch, kind, name):
        self.reached, self.open = threading.Event(), threading.Event()
        method = getattr(kind, name)

        def gated(*arguments):
            self.reached.set()
            assert self.open.wait(PATIENCE_SECONDS)
            return method(*arguments)

        monkeypatch.setattr(kind, name, gated)


@contextlib.contextmanager
def meanwhile(action):
    """Do something in a thread, which is at its end at that of the block."""
    thread = threading.Thread(target=action)
    thread.start()
    yield
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()


def cleared_while(gate, cache, doing):
    """Clear a cache while something has come to a gate."""
    with meanwhile(doing):
        assert gate.reached.wait(PATIENCE_SECONDS)
        cache.clear()
        gate.open.set()


def granted(cache):
    """Return what the ledger says that this process may write, and what it thinks itself."""
    with cache._index._ledger.transaction():
        ((size,),) = cache._index._ledger.run("SELECT granted FROM writers")
    noted = cache._index._notes.first(1000).values()
    assert not any(noted)
    return size, cache._index._free + cache._index._spent


def test_what_is_being_written_is_not_stored(tmp_path, monkeypatch, entries):
    cache = Cache(tmp_path / "c", "100 MB")
    read(cache, token="another")
    gate = Gated(monkeypatch, Files, "write")
    cleared_while(gate, cache, lambda: read(cache))
    assert entries(cache) == []
    assert cache.stats().entries == 0
    read(cache)
    assert cache.stats().entries == 1


def test_what_is_being_stored_later_is_not(tmp_path, monkeypatch, entries):
    cache = Cache(tmp_path / "c", "100 MB")
    gate = Gated(monkeypatch, Files, "write")

    def doing():
        with in_use(cache):
            read(cache, 3)

    cleared_while(gate, cache, doing)
    cache._index._later.drain(PATIENCE_SECONDS)
    assert entries(cache) == []
    assert cache.stats().entries == 0


def test_what_waits_in_a_cache_of_another_limit_is_not_stored_nor_read(tmp_path, entries):
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
def test_what_is_being_fetched_is_not_stored(tmp_path, entries, keeping):
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


def test_it_is_still_known_what_may_be_written(tmp_path, monkeypatch):
    cache = Cache(tmp_path / "c", "100 MB")
    read(cache, 3)
    gate = Gated(monkeypatch, Ledger, "grant")
    settle = cache._index._settle_now
    with meanwhile(lambda: settle(CHUNK, PATIENCE_SECONDS, ahead=True)):
        assert gate.reached.wait(PATIENCE_SECONDS)
        with meanwhile(cache.clear):
            until = time.monotonic() + PATIENCE_SECONDS
            while not cache.cleared and time.monotonic() < until:
                time.sleep(0.001)
            gate.open.set()
    ours, theirs = granted(cache)
    assert ours == theirs > 0


def test_what_another_process_stores_meanwhile_is_counted(tmp_path, monkeypatch, on_disk):
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


def test_closing_waits_for_what_is_being_stored_and_lets_the_rest_go(
    tmp_path, monkeypatch, entries
):
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


def test_a_folder_that_was_removed_is_not_made_anew_to_close_it(tmp_path):
    cache = Cache(tmp_path / "c", 100_000)
    read(cache, 30)  # which is more than fits: what passed by is told at the end
    shutil.rmtree(cache.path)
    cache.close()
    assert not cache.path.exists()
    path = cache.path
    del cache
    gc.collect()
    assert not path.exists()


@pytest.mark.parametrize("replaced", [False, True])
def test_a_folder_that_was_removed_is_not_made_anew_for_what_waits(
    tmp_path, monkeypatch, entries, replaced
):
    cache = Cache(tmp_path / "c", "100 MB")
    gate = Gated(monkeypatch, index.Index, "store_late")
    with in_use(cache):
        read(cache, 3)
    assert gate.reached.wait(PATIENCE_SECONDS)
    cache.path.rename(tmp_path / "aside")  # where its inode is not used anew
    if replaced:
        cache.path.mkdir()
    cache._index._later.want(CHUNK)
    gate.open.set()
    cache._index._later.drain(PATIENCE_SECONDS)
    assert entries(cache) == []
    assert cache.path.exists() == replaced
    read(cache, 3)  # what is read is stored as ever
    assert cache.stats().entries == 3
