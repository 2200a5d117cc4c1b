"""The index on a full disk: it evicts chunks to make room, and logs one warning."""

import contextlib
import logging
import sqlite3

import numpy as np

from biggus.cache import Cache
from biggus.sources.wrappers import ObjectSource

CHUNK = 10_000


def read(cache, token, numbers):
    """Read chunks through a cache, and return the source."""
    values = np.arange(400 * CHUNK, dtype="u1")
    cached = cache.wrap(ObjectSource(values, token=token), (CHUNK,))
    for i in numbers:
        box = (slice(i * CHUNK, (i + 1) * CHUNK, 1),)
        assert (cached[box] == values[box]).all()
    return cached


def is_stored(cached, number):
    return cached.cached((slice(number * CHUNK, (number + 1) * CHUNK, 1),))


def test_index_on_a_full_disk_evicts_least_recently_used_chunks(tmp_path, monkeypatch, caplog):
    cache = Cache(tmp_path / "c", "100 MB")
    cached = read(cache, "a", range(100))
    kept = [cached.key((slice(i * CHUNK, (i + 1) * CHUNK, 1),)) for i in range(10)]
    cache.pin(dict.fromkeys(kept, CHUNK))
    ledger = cache._index._ledger
    connect = ledger._connect

    def connect_without_space():
        connect()
        (pages,) = ledger.run("PRAGMA page_count")[0]
        ledger.run(f"PRAGMA max_page_count={pages}")

    monkeypatch.setattr(ledger, "_connect", connect_without_space)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            monkeypatch.setattr(cache._index, "_quiet_until", 0.0)
            read(cache, "b", range(400))
            cache.close()
    assert [record.name for record in caplog.records].count("biggus.cache") == 1
    assert "disk is full" in caplog.text
    assert all(is_stored(cached, i) for i in range(10))
    assert not any(is_stored(cached, i) for i in range(10, 42))
    monkeypatch.setattr(ledger, "_connect", connect)
    ledger.close()
    monkeypatch.setattr(cache._index, "_quiet_until", 0.0)
    late = read(cache, "c", range(10))
    cache.close()
    assert all(is_stored(late, i) for i in range(10))
    assert all(is_stored(cached, i) for i in range(10))


def test_index_full_of_missing_entries_is_rebuilt(tmp_path, caplog):
    cache = Cache(tmp_path / "c", "300 kB")
    read(cache, "a", range(5))
    cache.close()
    rows = [(number.to_bytes(20, "big"), number) for number in range(10_000)]
    with contextlib.closing(sqlite3.connect(tmp_path / "c" / "index.db")) as other, other:
        other.executemany("INSERT INTO entries VALUES (0, ?, 4096, ?)", rows)
    read(cache, "b", range(20))
    cache.close()
    assert caplog.text.count("the index is larger than the cache may be") == 1
    assert cache.stats().bytes <= 300_000
    late = read(cache, "c", range(5))
    cache.close()
    assert all(is_stored(late, i) for i in range(5))
