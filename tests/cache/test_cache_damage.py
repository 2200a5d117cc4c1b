"""Damaged and lost entries are fetched again, and a damaged index is rebuilt."""

import logging
import os
import random

import numpy as np
import pytest
from number_sources import WHOLE, fill, numbers

from biggus.cache import Cache


@pytest.mark.parametrize("region", ["magic", "format", "checksum", "header", "values", "any"])
def test_entries_with_flipped_bits_are_fetched_again(cache, counting, box, entries, region):
    source = counting(np.arange(1000.0), (100,))
    cached = cache.wrap(source)
    cached[WHOLE]
    start, stop = {
        "magic": (0, 6), "format": (6, 8), "checksum": (8, 12), "header": (12, 80),
        "values": (-800, 0), "any": (0, 0),
    }[region]  # fmt: skip
    chance = random.Random(region)
    for path in entries(cache):
        data = bytearray(path.read_bytes())
        at = chance.randrange(start % len(data), stop % len(data) or len(data))
        data[at] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
    assert cached[WHOLE].tolist() == source.values.tolist()
    assert len(source.fetched) == 20
    assert cached[WHOLE].tolist() == source.values.tolist()
    assert len(source.fetched) == 20


@pytest.mark.parametrize("content", [b"", b"biggus", b"\x80\x04.", bytes(5000)])
def test_overwritten_entry_is_fetched_again(cache, counting, entries, caplog, content):
    source = counting(np.arange(1000.0), (1000,))
    cached = cache.wrap(source)
    cached[WHOLE]
    (path,) = entries(cache)
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING, "biggus.cache"):
        assert cached[WHOLE].tolist() == source.values.tolist()
    assert "damaged" in caplog.text
    assert len(source.fetched) == 2


def test_swapped_entries_are_fetched_again(cache, counting, entries):
    source = counting(np.arange(1000.0), (500,))
    cached = cache.wrap(source)
    cached[WHOLE]
    one, other = entries(cache)
    content = one.read_bytes(), other.read_bytes()
    one.write_bytes(content[1])
    other.write_bytes(content[0])
    assert cached[WHOLE].tolist() == source.values.tolist()
    assert len(source.fetched) == 4


def test_lost_entries_are_fetched_again(cache, counting, entries):
    source = counting(np.arange(1000.0), (500,))
    cached = cache.wrap(source)
    cached[WHOLE]
    cache.close()
    for path in entries(cache):
        path.unlink()
    assert cached[WHOLE].tolist() == source.values.tolist()
    assert len(source.fetched) == 4
    assert cache.stats().entries == 2


def test_entries_missing_from_the_index_are_found(tmp_path, entries):
    cache = Cache(tmp_path / "c")
    fill(cache, "one")
    cache.close()
    fill(cache, "two")
    (cache.path / "index.db").unlink()  # all rows are lost
    again = Cache(cache.path)
    cached = again.wrap(numbers("one"))
    assert cached.cached(WHOLE)
    cached[WHOLE]
    assert again.stats().entries >= 10
    assert len(entries(again)) == 20


@pytest.mark.parametrize("content", [b"no database at all" * 1000, b""])
def test_damaged_index_is_rebuilt(tmp_path, caplog, content):
    cache = Cache(tmp_path / "c")
    fill(cache)
    cache.close()
    (cache.path / "index.db").write_bytes(content)
    again = Cache(cache.path)
    cached = fill(again)
    assert again.stats().entries == 10
    assert again.stats().hits == 10
    assert cached.cached(WHOLE)


def test_read_succeeds_when_the_open_index_is_damaged(tmp_path, caplog):
    cache = Cache(tmp_path / "c")
    fill(cache, "one")
    cache.close()
    path = cache.path / "index.db"
    path.write_bytes(os.urandom(path.stat().st_size))
    with caplog.at_level(logging.WARNING, "biggus.cache"):
        assert fill(cache, "two")[WHOLE].sum() == 499500
        cache.close()
        cache.close()
    assert "index" in caplog.text
    assert cache.stats().entries == 20
