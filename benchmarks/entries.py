"""A cache of many entries compared with one of few, and the time to evict a part of them.

The chunks are tiny, each a block on the disk.  Most entries that stay are hard links to a few
files, which are faster to create; each entry that is evicted is a separate file.
"""

from __future__ import annotations

import itertools
import os
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.timing import Row, quickest, show
from biggus.cache import Cache
from biggus.cache.ledger import NAME
from biggus.sources.wrappers import ObjectSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from benchmarks.setup import Setup

MOST_HIT = 1.2
MOST_OPEN_SECONDS = 0.05
MOST_EVICTION = 1.2
MOST_EVICTION_SECONDS = 10.0
MOST_READ_SECONDS = 0.2
EVICTED = 10
"""One in this many entries is evicted."""

_BARE = 10
"""One in this many files is unlinked for the comparison."""
_CHUNK = 1024
_BLOCK = 4096
_LINKS = 1000
_MAKERS = 8
_CALLS = 20
_PATIENCE_SECONDS = 600.0
_SHARDS = [f"{number:02x}" for number in range(256)]


def run(setup: Setup) -> list[Row]:
    """Compare hits and opening; then evict a part, and unlink plain files for comparison."""
    with TemporaryDirectory(prefix="biggus-benchmarks-") as name:
        # In a separate function: caches that still exist would recreate their folders.
        return _rows(Path(name), 10 * setup.size.tiny_chunks, 3 * setup.size.rounds)


def _rows(folder: Path, count: int, rounds: int) -> list[Row]:
    _, few = _cached(folder / "few")
    cache, many = _cached(folder / "many")
    cache.close()
    keys = _keys(count)
    _fill(folder / "many", keys)
    times = quickest({"many": many, "few": few}, rounds, _CALLS)
    ours, theirs = times.values()
    work, limit = f"hit of 1 KiB, {count:,} entries", f"one entry, {show(theirs)}"
    rows = [Row(work, show(ours), limit, ours / theirs, MOST_HIT)]
    rows.append(_opened(folder / "many", count))
    del cache, many
    return rows + _evicted(folder, keys, ours)


def _cached(path: Path, size_limit: int = 10**11) -> tuple[Cache, Callable[[], Any]]:
    """Return a cache with at least one chunk, and a function that reads it."""
    cache = Cache(path, size_limit, policy="lru")
    values = np.random.default_rng(0).integers(0, 256, _CHUNK, np.uint8)
    cached = cache.wrap(ObjectSource(values, chunks=values.shape, token="benchmark"))
    box = (slice(0, _CHUNK, 1),)
    assert (cached[box] == values).all()
    return cache, lambda: cached[box]


def _keys(count: int) -> list[str]:
    return [blake2b(b"%d" % number, digest_size=20).hexdigest() for number in range(count)]


def _opened(path: Path, count: int) -> Row:
    """Time opening the cache once more and looking up a description."""
    started = time.perf_counter()
    Cache(path, "101 GB").recall("nothing")
    seconds = time.perf_counter() - started
    limit = f"the limit, {show(MOST_OPEN_SECONDS)}"
    return Row(f"open {count:,} entries", show(seconds), limit, seconds / MOST_OPEN_SECONDS, 1.0)


def _evicted(folder: Path, keys: list[str], alone: float) -> list[Row]:
    """Open the cache with a smaller limit, and read until the last evicted entry is removed."""
    count = len(keys) // EVICTED
    bare = _BARE * _bare(folder / "bare", count // _BARE)
    before = _cached(folder / "many")[0].stats().bytes
    smaller, read = _cached(folder / "many", before - count * _BLOCK)
    last = folder / "many" / "entries" / keys[count - 1][:2] / keys[count - 1][2:]
    reads = []
    started = time.perf_counter()
    smaller.store("00" * 20, np.zeros(_CHUNK, np.uint8), b"benchmark", 0)  # starts the eviction
    while last.exists() or not reads:
        read_started = time.perf_counter()
        read()
        reads.append(time.perf_counter() - read_started)
        if read_started - started > _PATIENCE_SECONDS:
            raise TimeoutError("the entries were not evicted")
    seconds = time.perf_counter() - started
    median, longest = float(np.median(reads)), max(reads)
    work = f"evict {count:,} entries beside reading"
    unlinked = f"files unlinked by one thread, {_BARE} × {show(bare / _BARE)}"
    limit = f"the limit, {show(MOST_EVICTION_SECONDS)}"
    others = f"the limit, {show(MOST_READ_SECONDS)}"
    return [
        Row(work, show(seconds), unlinked, seconds / bare, MOST_EVICTION),
        Row("the same", show(seconds), limit, seconds / MOST_EVICTION_SECONDS, None),
        Row("a hit meanwhile", show(median), f"alone, {show(alone)}", median / alone, None),
        Row("the longest", show(longest), others, longest / MOST_READ_SECONDS, 1.0),
    ]


def _bare(path: Path, count: int) -> float:
    """Return the seconds that one thread needs to unlink `count` files in such folders."""
    names = [f"{key[:2]}/{key[2:]}" for key in _keys(count)]
    _make(path, names)
    os.sync()
    started = time.perf_counter()
    for name in names:
        os.unlink(f"{path}/{name}")  # noqa: PTH108 - faster than Path.unlink
    return time.perf_counter() - started


def _fill(path: Path, keys: list[str]) -> None:
    """Write files of a block each into a cache folder, and add them to its ledger."""
    names = [f"{key[:2]}/{key[2:]}" for key in keys]
    _make(path / "entries", names[: len(keys) // EVICTED + _LINKS])
    _make(path / "entries", names[len(keys) // EVICTED + _LINKS :], links=_LINKS)
    os.sync()
    rows = sorted((bytes.fromhex(key), place - len(keys)) for place, key in enumerate(keys))
    database = sqlite3.connect(path / NAME)
    with database:
        statement = f"INSERT OR REPLACE INTO entries VALUES (0, ?, {_BLOCK}, ?)"
        database.executemany(statement, rows)
        database.execute("DELETE FROM shards WHERE kind = 0")
        found = database.execute("SELECT key, bytes FROM entries WHERE kind = 0").fetchall()
        for shard, its in itertools.groupby(found, lambda row: row[0][0]):
            sizes = [size for _, size in its]
            values = shard, len(sizes), sum(sizes)
            database.execute("INSERT INTO shards VALUES (0, ?, ?, ?)", values)
    database.close()


def _make(path: Path, names: Iterable[str], links: int = 1) -> None:
    """Write files of a block each, with `links` hard links per file, folder by folder."""
    for shard in _SHARDS:
        (path / shard).mkdir(parents=True, exist_ok=True)
    names = sorted(names)
    data = bytes(_BLOCK)

    def make(first: int) -> None:
        one = f"{path}/{names[first]}"
        Path(one).write_bytes(data)
        for name in names[first + 1 : first + links]:
            os.link(one, f"{path}/{name}")

    with ThreadPoolExecutor(_MAKERS) as threads:
        list(threads.map(make, range(0, len(names), links)))
