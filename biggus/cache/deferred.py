"""A background thread that stores entries for which the ledger could not be used at once.

The bytes that wait, and the time that each entry waits, are bounded; readers never wait.  The
thread also makes room before it is needed, and ends when it has been idle for a while.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from biggus.cache.clearing import Clearing

logger = logging.getLogger("biggus.cache")

_KEPT_SECONDS = 10.0
"""How long storing an entry is tried."""
_IDLE_SECONDS = 5.0
_RETRY_SECONDS = 0.01


class DeferredEntry(NamedTuple):
    """An entry that waits to be stored.

    Attributes
    ----------
    kind, key, data
        The kind, key and bytes of the entry.
    seen : int or None
        Only entries last used before this time may be evicted for it; None: any.
    clears : int
        It is stored only if the folder has been cleared as often as this.
    place : tuple of int or None
        It is stored only if the folder is still the one with this device and inode.
    until : float
        When to give up, on the monotonic clock.
    """

    kind: int
    key: str
    data: bytes
    seen: int | None
    clears: int
    place: tuple[int, int] | None
    until: float


class Stores(Protocol):
    """The interface of the index that `DeferredStores` uses."""

    def store_late(self, one: DeferredEntry) -> bool:
        """Store an entry; return False if it cannot be stored yet."""

    def make_room_ahead(self, size: int) -> None:
        """Make room for `size` bytes."""


class DeferredStores:
    """Entries that a background thread stores.

    Parameters
    ----------
    index : Stores
        The index that stores them; held weakly, for it holds this object.
    most : int
        The most bytes that may wait.
    clearing : Clearing
        Counts how often the folder was cleared.
    """

    def __init__(self, index: Stores, most: int, clearing: Clearing) -> None:
        self._index = weakref.ref(index)
        self._most = most
        self._clearing = clearing
        self._changed = threading.Condition()
        self._waiting: deque[DeferredEntry] = deque()
        self._by_key: dict[tuple[int, str], DeferredEntry] = {}
        self._in_hand: DeferredEntry | None = None
        self._bytes = 0
        self._wanted: int | None = None
        self._thread: threading.Thread | None = None

    def put(
        self, kind: int, key: str, pieces: list[bytes | memoryview], seen: int | None, clears: int
    ) -> bool:
        """Queue a copy of an entry to be stored; return False if too many bytes wait."""
        size = sum(map(len, pieces))
        with self._changed:
            if self._bytes + size > self._most:
                return False
            self._bytes += size
            until = time.monotonic() + _KEPT_SECONDS
            place = self._clearing.place()
            one = DeferredEntry(kind, key, b"".join(pieces), seen, clears, place, until)
            self._waiting.append(one)
            self._by_key[kind, key] = one
            self._begin()
        return True

    def find(self, kind: int, key: str) -> bytes | None:
        """Return an entry that waits, to be read as if it were stored already."""
        one = self._by_key.get((kind, key)) if self._by_key else None
        return None if one is None or one.clears != self._clearing.times else one.data

    def waits(self) -> bool:
        """Return whether entries wait to be stored."""
        return bool(self._waiting)

    def want(self, size: int) -> None:
        """Let the thread make room for `size` bytes, and evict what is due."""
        with self._changed:
            self._wanted = max(size, self._wanted or 0)
            self._begin()

    def drain(self, seconds: float) -> None:
        """Wait until all entries are stored, at most `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting and not self._in_hand, seconds)

    def clear(self) -> None:
        """Drop all entries that wait, except the one that is being stored."""
        with self._changed:
            self._waiting.clear()
            self._by_key.clear()
            self._bytes = 0
            self._changed.notify_all()

    def _begin(self) -> None:
        self._changed.notify_all()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="biggus-cache", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:  # the interpreter is ending, or there are too many
                self._thread = None

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 - such as MemoryError
            logger.warning("an entry could not be stored in the background: %r", error)
            with self._changed:
                self._thread = None
                self._put_down(over=True)

    def _has_work(self) -> bool:
        return bool(self._waiting) or self._wanted is not None

    def _work(self) -> None:
        while True:
            with self._changed:
                if not self._changed.wait_for(self._has_work, _IDLE_SECONDS):
                    self._thread = None
                    return
                wanted, self._wanted = self._wanted, None
                one = self._in_hand = self._waiting[0] if self._waiting else None
            index = self._index()
            if index is None:
                return
            if wanted is not None:
                index.make_room_ahead(wanted)
            over = one is None or index.store_late(one) or time.monotonic() >= one.until
            del index
            self._put_down(over)
            if not over:
                time.sleep(_RETRY_SECONDS)

    def _put_down(self, over: bool) -> None:
        """Finish with the entry in hand; if it is `over`, take it off the queue."""
        with self._changed:
            one, self._in_hand = self._in_hand, None
            # The queue may have been cleared meanwhile.
            if over and one is not None and self._waiting and self._waiting[0] is one:
                self._waiting.popleft()
                self._bytes -= len(one.data)
                if self._by_key.get((one.kind, one.key)) is one:
                    del self._by_key[one.kind, one.key]
            self._changed.notify_all()
