"""What is in a cache, as it tells its user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class CacheStats:
    """What is in a cache, and how it served.

    Attributes
    ----------
    path : Path
        The folder.
    entries : int
        How many chunks are in it.
    bytes : int
        Their size on disk, the index included.
    size_limit : int
        The bytes above which the least recently used chunks go.
    hits, misses : int
        How often a chunk was in this cache, and was not, in this process.
    pinned : int
        The bytes that chunks which were pinned may take.
    """

    path: Path
    entries: int
    bytes: int
    size_limit: int
    hits: int
    misses: int
    pinned: int = 0
