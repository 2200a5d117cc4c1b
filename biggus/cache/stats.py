"""The statistics of a cache."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class CacheStats:
    """The contents of a cache, and its hits and misses.

    Attributes
    ----------
    path : Path
        The folder.
    entries : int
        The number of chunks.
    bytes : int
        The bytes on disk, the index included.
    size_limit : int
        The most bytes on disk, above which the least recently used chunks are evicted.
    hits, misses : int
        How often a chunk was found in this cache, and was not, in this process.
    pinned : int
        The bytes that pinned chunks may take.
    """

    path: Path
    entries: int
    bytes: int
    size_limit: int
    hits: int
    misses: int
    pinned: int = 0
