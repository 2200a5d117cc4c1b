"""The chunk memory: a bounded cache of decoded chunks of all sources in this process.

It resists scans: a single pass over much data does not evict chunks that are read repeatedly.
A chunk that was asked for once is *recent*; asked for again, it is *repeated*.  The repeated
chunk that was used least recently is evicted only for a chunk with a shorter reuse distance.
So while a loop reads more than there is room for, a part of it stays all the time.
"""

from __future__ import annotations

import contextlib
import contextvars
import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from biggus import options
from biggus.sources.base import Values
from biggus.support.forks import in_children
from biggus.support.within import within

MOST_REMEMBERED = 2**16
"""The most chunks whose last use is remembered though they are no longer held."""


class ScanPass(NamedTuple):
    """One pass of an evaluation over its data."""

    evaluation: object
    number: int
    last: bool
    """Whether no other follows, as far as is known."""


_current: contextvars.ContextVar[ScanPass | None] = contextvars.ContextVar(
    "biggus_scan_pass", default=None
)
in_children(partial(_current.set, None))  # a forked worker computes tasks of other evaluations


def scan_pass(evaluation: object, number: int, last: bool) -> AbstractContextManager[None]:
    """Mark a with block as a pass of an evaluation."""
    return within(_current, ScanPass(evaluation, number, last))


class LastUse(NamedTuple):
    """When a chunk that is not held was last asked for, and in which pass."""

    at: int
    scan: ScanPass | None


@dataclass(slots=True, eq=False)
class Chunk:
    """A decoded, read-only chunk and its validator."""

    values: Values
    validator: bytes
    nbytes: int
    last_use: int | None = None
    """The clock at its last use; None while it is recent."""


@dataclass(frozen=True)
class ChunkMemoryStats:
    """The contents of the chunk memory, and its hits and misses in this process.

    Attributes
    ----------
    chunks : int
        The number of chunks.
    nbytes : int
        The bytes of their values.
    limit : int
        The most bytes that it may hold now.
    hits : int
        How many chunks were found in it.
    misses : int
        How many chunks were not found in it, of those that it would have kept.
    """

    chunks: int
    nbytes: int
    limit: int
    hits: int
    misses: int


class ChunkMemory:
    """A cache of decoded chunks by key, of bounded size in bytes.

    Examples
    --------
    >>> import numpy as np
    >>> memory = ChunkMemory()
    >>> memory.keep("key", np.arange(3), b"validator")
    True
    >>> memory.find("key").values
    array([0, 1, 2])
    """

    def __init__(self) -> None:
        self._reset()
        # In a child, a thread of the parent may hold the lock for ever.
        in_children(self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._recent: OrderedDict[Hashable, Chunk] = OrderedDict()
        self._repeated: OrderedDict[Hashable, Chunk] = OrderedDict()
        self._known: OrderedDict[Hashable, LastUse] = OrderedDict()  # of chunks not held
        self._bytes = 0
        self._clock = 0  # counts the bytes of repeated uses
        self._allowed: dict[object, int] = {}
        self._hits = self._misses = 0

    @property
    def limit(self) -> int:
        """The most bytes that it may hold, by the options and by running evaluations."""
        current = options.current()
        return min(current.chunk_memory, current.memory, *self._allowed.values())

    @contextlib.contextmanager
    def allowing(self, nbytes: int) -> Iterator[None]:
        """Lower the limit to `nbytes` for the length of a with block."""
        mark = object()
        try:
            with self._lock:
                self._allowed[mark] = max(0, nbytes)
                self._shrink(self.limit)
            yield
        finally:
            with self._lock:
                self._allowed.pop(mark, None)

    def find(self, key: Hashable, *, counts_miss: bool = True) -> Chunk | None:
        """Return a chunk if it is held; the caller checks whether it is still valid."""
        with self._lock:
            chunk = self._repeated.get(key) or self._recent.pop(key, None)
            if chunk is None:
                self._misses += counts_miss
                return None
            self._repeated[key] = chunk
            self._repeated.move_to_end(key)
            self._clock += chunk.nbytes
            chunk.last_use = self._clock
            self._hits += 1
            return chunk

    def __len__(self) -> int:
        return len(self._recent) + len(self._repeated)

    def holds(self, key: Hashable) -> bool:
        """Return whether a chunk is held, without counting that as a use."""
        return key in self._repeated or key in self._recent

    def came_before(self, key: Hashable) -> bool:
        """Return whether a chunk that is not held is known to have been read before.

        In the last pass of an evaluation, reads by its earlier passes do not count.
        """
        last_use, now = self._known.get(key), _current.get()
        if last_use is None or last_use.scan is None or now is None or not now.last:
            return last_use is not None
        return last_use.scan.evaluation is not now.evaluation or last_use.scan.number == now.number

    def note(self, keys: Iterable[Hashable]) -> None:
        """Note that chunks are read but not kept."""
        with self._lock:
            for key in keys:
                self._note(key, self._clock, _current.get())

    def keep(
        self, key: Hashable, values: Values, validator: bytes | None, copy: bool = False
    ) -> bool:
        """Keep a chunk if there is room for it; return whether it is kept.

        The values become read-only unless they are copied.
        """
        if not copy:
            _freeze(values)
        if validator is None:
            return False
        chunk = Chunk(values, validator, _nbytes(values))
        limit = self.limit
        with self._lock:
            self._drop(key)
            last_use = self._known.pop(key, None)
            before = None
            if last_use is not None:
                before = last_use.at
                self._clock += chunk.nbytes
            if not self._make_room(chunk.nbytes, limit, before):
                self._note(key, self._clock)
                return False
            if copy:
                chunk.values = values.copy()
                _freeze(chunk.values)
            self._bytes += chunk.nbytes
            if before is None:
                self._recent[key] = chunk
            else:
                self._repeated[key] = chunk
                chunk.last_use = self._clock
            return True

    def forget(self, key: Hashable) -> None:
        """Drop a chunk that is no longer valid."""
        with self._lock:
            self._drop(key)

    def clear(self) -> None:
        """Drop all chunks."""
        with self._lock:
            self._shrink(0)
            self._known.clear()

    def stats(self) -> ChunkMemoryStats:
        """Return the contents, hits and misses."""
        limit = self.limit
        with self._lock:
            return ChunkMemoryStats(
                len(self),
                self._bytes,
                limit,
                self._hits,
                self._misses,
            )

    def _make_room(self, nbytes: int, limit: int, before: int | None) -> bool:
        """Evict chunks for a new one if their reuse distance is longer; return whether it fits.

        `before` is the last use of the new chunk, None if it was not used before.
        """
        if nbytes > limit:
            return False
        while self._bytes + nbytes > limit:
            oldest = next(iter(self._repeated), None)
            oldest_use = None if oldest is None else self._repeated[oldest].last_use
            # A chunk that was used after the last use of the new one has a shorter reuse
            # distance, and stays.  For a chunk never seen before, one gives way that was not
            # used while a whole limit's worth of others was.
            since = self._clock - limit if before is None else before
            if oldest_use is not None and oldest_use < since:
                self._evict(oldest)
            elif self._recent:
                self._evict(next(iter(self._recent)))
            else:
                return False
        return True

    def _shrink(self, limit: int) -> None:
        while self._bytes > limit:
            self._evict(next(iter(self._recent or self._repeated)))

    def _evict(self, key: Hashable) -> None:
        last_use = self._drop(key)
        self._note(key, self._clock if last_use is None else last_use)

    def _drop(self, key: Hashable) -> int | None:
        """Drop a chunk if it is held; return its last use, None if it is recent."""
        chunk = self._recent.pop(key, None) or self._repeated.pop(key, None)
        if chunk is None:
            return None
        self._bytes -= chunk.nbytes
        return chunk.last_use

    def _note(self, key: Hashable, at: int, scan: ScanPass | None = None) -> None:
        self._known[key] = LastUse(at, scan)
        self._known.move_to_end(key)
        if len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)


def _nbytes(values: Values) -> int:
    mask = np.ma.getmask(values) if isinstance(values, np.ma.MaskedArray) else np.ma.nomask
    return values.nbytes + (0 if mask is np.ma.nomask else mask.nbytes)


def _freeze(values: Values) -> None:
    """Make values read-only."""
    if isinstance(values, np.ma.MaskedArray):
        mask = np.ma.getmask(values)
        if mask is not np.ma.nomask:
            mask.flags.writeable = False
    values.flags.writeable = False


chunk_memory = ChunkMemory()
"""The chunk memory of this process."""


def chunk_memory_stats() -> ChunkMemoryStats:
    """Return the contents of the chunk memory of this process, and its hits and misses.

    Decoded chunks of opened arrays stay in memory to be read again, in at most as many bytes
    as the option ``chunk_memory`` says.

    Returns
    -------
    ChunkMemoryStats
        The number of chunks and their bytes, the limit, hits and misses.

    Examples
    --------
    >>> import biggus
    >>> with biggus.set_options(chunk_memory="64 MB"):
    ...     biggus.chunk_memory_stats().limit
    64000000
    """
    return chunk_memory.stats()
