"""Traces: sequences of requested chunks, for caches of `CACHE` chunks.  Each is deterministic."""

from __future__ import annotations

import numpy as np

CACHE = 500
_FAR = 10**6
"""Numbers from here on are chunks of another dataset."""


def traces() -> dict[str, list[int]]:
    """Return all traces, by name."""
    made = {f"a scan of {size:g} x the cache, 8 times": scan(size) * 8 for size in (0.9, 1.25, 2)}
    made |= {
        f"Zipf {slope} over {size} x the cache": zipf(40_000, size * CACHE, slope)
        for slope, size in ((0.6, 10), (0.8, 10), (1.0, 10), (1.2, 10), (0.8, 2), (1.0, 100))
    }
    made["Zipf 0.9, and what is popular moves on"] = _drifting()
    made["two passes over 0.5 x, then other data"] = _sessions(0.5, 2)
    made["three passes over 0.8 x, then other data"] = _sessions(0.8, 3)
    made["three passes over 1.25 x, then other data"] = _sessions(1.25, 3)
    made["Zipf 1.0, and now and then a new scan of 2 x"] = _disturbed(_FAR)
    made["Zipf 1.0, and now and then the same scan of 2 x"] = _disturbed(0)
    made["panning over a map"] = _panning()
    made["1.25 x forth and back"] = (scan(1.25) + scan(1.25)[::-1]) * 4
    made["1.25 x, shuffled each time"] = _shuffled()
    made["8 threads scan 1.25 x, 8 times"] = _threads()
    return made


def scan(size: float, first: int = 0) -> list[int]:
    """Return the chunks of a dataset of `size` times the cache, once, in order."""
    return list(range(first, first + int(size * CACHE)))


def zipf(count: int, chunks: int, slope: float, seed: int = 1) -> list[int]:
    """Return random chunks; the frequency of the n-th most popular is proportional to n**-slope."""
    random = np.random.default_rng(seed)
    shares = np.arange(1, chunks + 1) ** -slope
    found = random.choice(chunks, size=count, p=shares / shares.sum())
    return [int(chunk) for chunk in random.permutation(chunks)[found]]


def _drifting() -> list[int]:
    parts = [(step, zipf(3000, 10 * CACHE, 0.9, step)) for step in range(12)]
    return [chunk + step * CACHE for step, part in parts for chunk in part]


def _sessions(size: float, passes: int) -> list[int]:
    return [chunk for step in range(12) for chunk in scan(size, step * 2 * CACHE) * passes]


def _disturbed(offset: int) -> list[int]:
    wanted = zipf(30_000, 3 * CACHE, 1.0, 3)
    return [
        chunk
        for step in range(20)
        for chunk in wanted[1500 * step : 1500 * step + 1500] + scan(2, _FAR + offset * step)
    ]


def _panning() -> list[int]:
    random = np.random.default_rng(5)
    places = 50 + np.cumsum(2 * random.normal(size=(1500, 2)), axis=0)
    return [
        (int(row) + i) % 200 * 200 + (int(column) + j) % 200
        for row, column in places
        for i in range(5)
        for j in range(5)
    ]


def _shuffled() -> list[int]:
    random = np.random.default_rng(6)
    return [int(chunk) for _ in range(8) for chunk in random.permutation(scan(1.25))]


def _threads() -> list[int]:
    random = np.random.default_rng(7)
    turns = [[(chunk + random.uniform(0, 8), chunk) for chunk in scan(1.25)] for _ in range(8)]
    return [chunk for turn in turns for _, chunk in sorted(turn)]
