"""A disk that is full: the index makes way for itself, and that is said once."""

import logging

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


def is_there(cached, number):
    return cached.cached((slice(number * CHUNK, (number + 1) * CHUNK, 1),))


def test_what_was_used_least_recently_goes_for_the_index(tmp_path, monkeypatch, caplog):
    cache = Cache(tmp_path / "c", "100 MB")
    cached = read(cache, "a", range(100))
    kept = [cached.key((slice(i * CHUNK, (i + 1) * CHUNK, 1),)) for i in range(10)]
    cache.pin(dict.fromkeys(kept, CHUNK))
    ledger = cache._index._ledger
    connect = ledger._connect

    def full():
        connect()
        (pages,) = ledger.run("PRAGMA page_count")[0]
        ledger.run(f"PRAGMA max_page_count={pages}")

    monkeypatch.setattr(ledger, "_connect", full)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            monkeypatch.setattr(cache._index, "_quiet_until", 0.0)
            read(cache, "b", range(400))
            cache.close()
    assert [record.name for record in caplog.records].count("biggus.cache") == 1
    assert "disk is full" in caplog.text
    assert all(is_there(cached, i) for i in range(10))
    assert not any(is_there(cached, i) for i in range(10, 42))
    monkeypatch.setattr(ledger, "_connect", connect)
    ledger.close()
    monkeypatch.setattr(cache._index, "_quiet_until", 0.0)
    late = read(cache, "c", range(10))
    cache.close()
    assert all(is_there(late, i) for i in range(10))
    assert all(is_there(cached, i) for i in range(10))
