"""The cache compared with plain files, and its hit rate for scans larger than the cache."""

from __future__ import annotations

import itertools
import os
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.policies import POLICIES
from benchmarks.timing import Row, quickest, show
from benchmarks.traces import CACHE, traces
from biggus.cache import Cache
from biggus.sources.wrappers import ObjectSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.setup import Setup
    from biggus.cache import Cached

KIB = 1024
MOST_HIT = {192: 1.3, 4096: 1.1}
MOST_STORE = 2.0
MOST_WARM = 1.5
MOST_MISSED = 1 / 0.95

_CALLS = 20


def run(setup: Setup) -> list[Row]:
    """Compare hits and stores with plain files, and hit rates with the best possible ones."""
    rounds = 3 * setup.size.rounds
    with TemporaryDirectory(prefix="biggus-benchmarks-") as name:
        folder = Path(name)
        rows = [row for kib in MOST_HIT for row in _beside_files(folder, kib, rounds)]
        rows += _beside_diskcache(folder, rounds)
    return rows + _scans()


def _cached(folder: Path, values: np.ndarray[Any, Any]) -> tuple[Cached, Callable[[], Any]]:
    """Store an array in a new cache; return the cached source and a function that reads it."""
    source = ObjectSource(values, chunks=values.shape, token="benchmark")
    cached = Cache(folder, "10 GB").wrap(source)
    box = (slice(0, len(values), 1),)
    assert (cached[box] == values).all()
    return cached, lambda: cached[box]


def _values(nbytes: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(nbytes).integers(0, 256, nbytes, np.uint8)


def _beside_files(folder: Path, kib: int, rounds: int) -> list[Row]:
    values = _values(kib * KIB)
    cached, hit = _cached(folder / f"cache-{kib}", values)
    plain = folder / f"plain-{kib}"
    plain.mkdir()
    path = str(plain / "0")
    Path(path).write_bytes(values.tobytes())
    checksum = zlib.crc32(values)
    count = itertools.count()

    def read_and_check() -> None:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - as fast as the cache
            found = np.empty(os.fstat(file.fileno()).st_size, np.uint8)
            file.readinto(found.data)
        assert zlib.crc32(found) == checksum

    def write_and_rename() -> None:
        with open(path + ".new", "xb", buffering=0) as file:  # noqa: PTH123
            file.write(values.data)
        os.replace(path + ".new", plain / str(next(count) % 50))  # noqa: PTH105

    def store() -> None:
        assert cached.cache.store(f"{next(count) % 50:040x}", values, b"benchmark", 0)

    times = quickest({"hit": hit, "plain": read_and_check}, rounds, _CALLS)
    rows = [_row(f"hit of {kib} KiB", "a file read and checked", times, MOST_HIT[kib])]
    times = quickest({"store": store, "plain": write_and_rename}, rounds, _CALLS)
    return [*rows, _row(f"store {kib} KiB", "a file written and renamed", times, MOST_STORE)]


def _row(work: str, other: str, times: dict[str, float], most: float | None) -> Row:
    ours, theirs = times.values()
    return Row(work, show(ours), f"{other}, {show(theirs)}", ours / theirs, most)


def _beside_diskcache(folder: Path, rounds: int) -> list[Row]:
    try:
        import diskcache
    except ImportError:
        return []
    values = _values(512 * KIB)
    _, hit = _cached(folder / "cache-512", values)
    with diskcache.Cache(folder / "diskcache") as other:
        other["key"] = values.tobytes()
        times = quickest({"hit": hit, "other": lambda: other["key"]}, rounds, _CALLS)
    return [_row("hit of 512 KiB", "bytes of diskcache, unchecked", times, MOST_WARM)]


def _scans() -> list[Row]:
    found = traces()
    rows = []
    for name in ("a scan of 1.25 x the cache, 8 times", "Zipf 0.8 over 10 x the cache"):
        trace = found[name]
        hits = {policy: POLICIES[policy](trace, CACHE) / len(trace) for policy in POLICIES}
        best, most = ("Belady", MOST_MISSED) if "scan" in name else ("LRU", 1.001)
        limit = f"{best}, {hits[best]:.3f}"
        rows.append(Row(name, f"{hits['biggus']:.3f}", limit, hits[best] / hits["biggus"], most))
    return rows
