"""The chunk memory: decoded chunks of all sources of this process, within so many bytes.

What repeats stays, and a single pass over much washes none of it out.  A chunk that
came once is a recent one; when it comes again it is one that repeats.  Of these, that
which nobody asked for the longest gives way, but only to a chunk that comes back sooner:
while a loop goes over more than there is room for, a part of that stays all the time.
"""

from __future__ import annotations

import contextlib
import contextvars
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from biggus import options
from biggus.support.forks import in_children
from biggus.support.within import within

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator
    from contextlib import AbstractContextManager

    from biggus.sources.base import Values

MOST_REMEMBERED = 2**16
"""Of so many chunks that are not kept it is known that they came."""


class ScanPass(NamedTuple):
    """One of the passes of an evaluation over its data."""

    evaluation: object
    number: int
    last: bool
    """Whether no other follows, as far as is known."""


_current: contextvars.ContextVar[ScanPass | None] = contextvars.ContextVar(
    "biggus_scan_pass", default=None
)


def scan_pass(evaluation: object, number: int, last: bool) -> AbstractContextManager[None]:
    """Make a pass of an evaluation in a with block."""
    return within(_current, ScanPass(evaluation, number, last))


class Came(NamedTuple):
    """When a chunk that is not held was asked for last, and in which pass."""

    at: int
    scan: ScanPass | None


class Chunk(NamedTuple):
    """A decoded chunk, which nobody writes to, and what it is good under."""

    values: Values
    validator: bytes
    nbytes: int


@dataclass(frozen=True)
class ChunkMemoryStats:
    """What the chunk memory holds, and how it served this process.

    Attributes
    ----------
    chunks : int
        How many chunks it holds.
    nbytes : int
        The bytes of their values.
    limit : int
        The most bytes it may hold here and now.
    hits : int
        How many chunks were had from it.
    misses : int
        How many were looked for in vain, of those that it would have kept.
    """

    chunks: int
    nbytes: int
    limit: int
    hits: int
    misses: int


class ChunkMemory:
    """Decoded chunks by key, in no more than so many bytes.

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
        # A thread of the parent may have had the lock; and what was the parent's is let go.
        in_children(self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._recent: OrderedDict[Hashable, Chunk] = OrderedDict()
        self._repeated: OrderedDict[Hashable, Chunk] = OrderedDict()
        self._asked: dict[Hashable, int] = {}  # of those that repeat, when it was last
        self._known: OrderedDict[Hashable, Came] = OrderedDict()  # those that are not kept
        self._recent_bytes = self._repeated_bytes = 0
        self._clock = 0
        self._allowed: dict[object, int] = {}
        self._hits = self._misses = 0

    @property
    def limit(self) -> int:
        """The bytes that it may hold: of what the options say, what a plan leaves of the memory."""
        current = options.current()
        return min(current.chunk_memory, current.memory, *self._allowed.values())

    @contextlib.contextmanager
    def allowing(self, nbytes: int) -> Iterator[None]:
        """Hold no more than so many bytes for the length of a with block."""
        mark = object()
        with self._lock:
            self._allowed[mark] = max(0, nbytes)
            self._shrink(self.limit)
        try:
            yield
        finally:
            with self._lock:
                del self._allowed[mark]

    def find(self, key: Hashable) -> Chunk | None:
        """Return a chunk that is held; whether it is still good is for the caller to see."""
        with self._lock:
            found = self._repeated.get(key)
            if found is not None:
                self._repeated.move_to_end(key)
            else:
                found = self._recent.pop(key, None)
                if found is None:
                    self._misses += 1
                    return None
                self._recent_bytes -= found.nbytes
                self._repeated[key] = found
                self._repeated_bytes += found.nbytes
            self._clock += found.nbytes
            self._asked[key] = self._clock
            self._hits += 1
            return found

    def __len__(self) -> int:
        return len(self._recent) + len(self._repeated)

    def holds(self, key: Hashable) -> bool:
        """Tell whether a chunk is held; that is not asking for it."""
        return key in self._repeated or key in self._recent

    def came_before(self, key: Hashable) -> bool:
        """Tell whether a chunk that is not held was read, as far as that is remembered.

        In the last pass of an evaluation it does not count that one before read it.
        """
        came, now = self._known.get(key), _current.get()
        if came is None or came.scan is None or now is None or not now.last:
            return came is not None
        return came.scan.evaluation is not now.evaluation or came.scan.number == now.number

    def note(self, keys: Iterable[Hashable]) -> None:
        """Note that chunks are read which are not to be kept."""
        with self._lock:
            for key in keys:
                self._note(key, self._clock, _current.get())

    def keep(
        self, key: Hashable, values: Values, validator: bytes | None, copy: bool = False
    ) -> bool:
        """Keep a chunk that was read, if there is room for it; tell whether it is kept.

        Unless they are copied, nobody writes to the values from now on, kept or not.
        """
        if not copy:
            _freeze(values)
        if validator is None:
            return False
        chunk = Chunk(values, validator, _nbytes(values))
        limit = self.limit
        with self._lock:
            self._drop(key)
            came = self._known.pop(key, None)
            before = None if came is None else came.at
            if came is not None:
                self._clock += chunk.nbytes
            if not self._make_room(chunk.nbytes, limit, before):
                self._note(key, self._clock)
                return False
            if copy:
                chunk = chunk._replace(values=values.copy())
                _freeze(chunk.values)
            if before is None:
                self._recent[key] = chunk
                self._recent_bytes += chunk.nbytes
            else:
                self._repeated[key] = chunk
                self._repeated_bytes += chunk.nbytes
                self._asked[key] = self._clock
            return True

    def forget(self, key: Hashable) -> None:
        """Drop a chunk that is good no more."""
        with self._lock:
            self._drop(key)

    def clear(self) -> None:
        """Drop all."""
        with self._lock:
            self._shrink(0)
            self._known.clear()

    def stats(self) -> ChunkMemoryStats:
        """Return what is held, and how that served."""
        limit = self.limit
        with self._lock:
            return ChunkMemoryStats(
                len(self),
                self._recent_bytes + self._repeated_bytes,
                limit,
                self._hits,
                self._misses,
            )

    def _make_room(self, nbytes: int, limit: int, before: int | None) -> bool:
        """Let go what gives way to a chunk; `before` is when that was asked for last, if it was."""
        if nbytes > limit:
            return False
        while self._recent_bytes + self._repeated_bytes + nbytes > limit:
            oldest = next(iter(self._repeated), None)
            asked = None if oldest is None else self._asked[oldest]
            # What was asked for since the chunk was comes back sooner than that; to a chunk
            # that is new gives way what all else might have come back since.
            since = self._clock - limit if before is None else before
            if asked is not None and asked < since:
                self._give_way(oldest)
            elif self._recent:
                self._give_way(next(iter(self._recent)))
            else:
                return False
        return True

    def _shrink(self, limit: int) -> None:
        while self._recent_bytes + self._repeated_bytes > limit:
            self._give_way(next(iter(self._recent or self._repeated)))

    def _give_way(self, key: Hashable) -> None:
        at = self._asked.get(key, self._clock)
        self._drop(key)
        self._note(key, at)

    def _drop(self, key: Hashable) -> None:
        found = self._recent.pop(key, None)
        if found is not None:
            self._recent_bytes -= found.nbytes
            return
        found = self._repeated.pop(key, None)
        if found is not None:
            self._repeated_bytes -= found.nbytes
            del self._asked[key]

    def _note(self, key: Hashable, at: int, scan: ScanPass | None = None) -> None:
        self._known[key] = Came(at, scan)
        self._known.move_to_end(key)
        if len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)


def _nbytes(values: Values) -> int:
    mask = np.ma.getmask(values) if isinstance(values, np.ma.MaskedArray) else np.ma.nomask
    return values.nbytes + (0 if mask is np.ma.nomask else mask.nbytes)


def _freeze(values: Values) -> None:
    """Have nobody write to values."""
    if isinstance(values, np.ma.MaskedArray):
        mask = np.ma.getmask(values)
        if mask is not np.ma.nomask:
            mask.flags.writeable = False
    values.flags.writeable = False


chunk_memory = ChunkMemory()
"""That of this process."""


def chunk_memory_stats() -> ChunkMemoryStats:
    """Return what the chunk memory of this process holds, and how it has served.

    Decoded chunks of what is opened stay in memory, in so many bytes as the option
    ``chunk_memory`` says, for what is read again.

    Returns
    -------
    ChunkMemoryStats
        How many chunks there are, and their bytes; the limit; hits and misses.

    Examples
    --------
    >>> import biggus
    >>> with biggus.set_options(chunk_memory="64 MB"):
    ...     biggus.chunk_memory_stats().limit
    64000000
    """
    return chunk_memory.stats()
