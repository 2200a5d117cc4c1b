"""Clearing and pinning take effect at once in other processes, whatever they are doing."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from busy_ledger import CHUNK, read

from biggus.cache import Cache, index
from biggus.errors import CacheError

LIMIT = 200_000
ON_DISK = 12_288

OTHER = """
import sys
sys.path.insert(0, sys.argv[2])
from busy_ledger import in_use, read
from biggus.cache import Cache
from biggus.cache.account import Account
from biggus.cache.files import Files
from biggus.cache.index import Index
from biggus.cache.pending import PendingRecords
from biggus.sources.wrappers import ObjectSource


class Gated:
    waits = True

    def __init__(self, kind, name):
        method = getattr(kind, name)

        def gated(*arguments, **named):
            if Gated.waits:
                Gated.waits = False
                print("at the gate", flush=True)
                sys.stdin.readline()
            return method(*arguments, **named)

        setattr(kind, name, gated)


cache = Cache(sys.argv[1], int(sys.argv[3]))
"""


@contextlib.contextmanager
def other_process_at_gate(cache, code):
    """Run `code` in another process; it waits at its gate during the block, then finishes."""
    command = [
        sys.executable,
        "-c",
        OTHER + code,
        cache.path,
        Path(__file__).parent,
        cache.size_limit,
    ]
    with subprocess.Popen(
        list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        try:
            assert other.stdout.readline() == "at the gate\n"
            yield
        finally:
            other.communicate("go on\n")
    assert other.returncode == 0


@pytest.mark.parametrize(
    "gate",
    [
        "ObjectSource, '__getitem__'",  # while it is fetched
        "Files, '_written'",  # before the file exists
        "Files, '_put'",  # after the check that it may be stored
        "PendingRecords, 'store'",  # after the file exists
    ],
)
def test_clear_drops_a_chunk_in_flight_in_another_process(tmp_path, entries, gate):
    cache = Cache(tmp_path / "c", "100 MB")
    read(cache, 3)
    with other_process_at_gate(cache, f"Gated({gate}); read(cache, 1, 'other'); cache.close()"):
        assert len(entries(cache)) in {3, 4}
        cache.clear()
        assert entries(cache) == []
    assert not list((cache.path / "entries").glob("*/*"))


def test_clear_drops_waiting_chunks_of_another_process(tmp_path, entries):
    cache = Cache(tmp_path / "c", "100 MB")
    waiting = """if True:
        with in_use(cache):
            read(cache, 3)
            Gated(Index, 'store_late')
        cache._index._later.drain(60)
    """
    with other_process_at_gate(cache, waiting):
        cache.clear()
    assert entries(cache) == []


def test_chunks_read_after_clear_are_stored(tmp_path, entries):
    cache = Cache(tmp_path / "c", "100 MB")
    with other_process_at_gate(
        cache, "Gated(ObjectSource, '__getitem__'); read(cache, 3, 'other')"
    ):
        cache.clear()
        read(cache, 2, "another")
    assert len(entries(cache)) == 4


def test_pin_waits_for_an_eviction_by_another_process(tmp_path, entries, monkeypatch):
    """Chunks that are present when the pin takes effect stay."""
    monkeypatch.setattr(index, "PATIENCE_SECONDS", 0.0)
    cache = Cache(tmp_path / "c", LIMIT)
    numbers = read(cache, 20)
    cache.close()
    keys = [numbers.key((slice(i * CHUNK, (i + 1) * CHUNK, 1),)) for i in range(20)]
    sizes = dict.fromkeys(list(filter(cache.files.exists, keys))[:12], CHUNK)
    with other_process_at_gate(
        cache, "Gated(Files, 'remove'); read(cache, 4, 'other'); cache.close()"
    ):
        present = set(filter(cache.files.exists, sizes))
        with pytest.raises(CacheError, match="removing files"):
            cache.pin(sizes)
        assert set(filter(cache.files.exists, sizes)) == present
        assert cache.stats().pinned == 0
    monkeypatch.undo()
    cache.pin(sizes)
    present = set(filter(cache.files.exists, sizes))
    assert present
    with other_process_at_gate(
        cache, "Gated(Files, 'remove'); read(cache, 9, 'more'); cache.close()"
    ):
        pass
    assert set(filter(cache.files.exists, sizes)) == present


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs forks")
def test_pin_does_not_wait_for_a_forked_child(tmp_path):
    cache = Cache(tmp_path / "c", LIMIT)
    reading, writing = os.pipe()
    with cache._index._evicting.under_way():
        child = os.fork()
        if not child:
            os.close(writing)
            os.read(reading, 1)
            os._exit(0)
    os.close(reading)
    cache.pin({"00" * 20: CHUNK})
    os.close(writing)
    assert os.waitpid(child, 0)[1] == 0


def test_pinning_holds_off_evictions(tmp_path):
    cache, other = Cache(tmp_path / "c", LIMIT), Cache(tmp_path / "c", 2 * LIMIT)
    read(cache, 3)
    with cache._index._evicting.held_off():
        other._index._make_way()
        assert len(list(cache.files.keys())) == 3
    other._index._make_way()
    assert not list(cache.files.keys())


def test_pinned_chunks_stay_on_a_full_disk(tmp_path):
    cache = Cache(tmp_path / "c", LIMIT)
    numbers = read(cache, 3)
    cache.close()
    pinned = [numbers.key((slice(i * CHUNK, (i + 1) * CHUNK, 1),)) for i in range(2)]
    cache.pin(dict.fromkeys(pinned, CHUNK))
    for _ in range(2):
        cache._index._make_way()
        assert sorted(key for key, _ in cache.files.keys()) == sorted(pinned)  # noqa: SIM118
