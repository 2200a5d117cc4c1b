"""Later: what could not be stored at once is, by a thread, as soon as the index can be used.

What it waits with is bounded, and so is for how long: whoever reads waits for nothing.  The
thread also has room made before it is needed, and ends when it has had nothing to do for a while.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections import deque
from typing import NamedTuple, Protocol

logger = logging.getLogger("biggus.cache")

_KEPT_SECONDS = 10.0
"""For so long it is tried to store something."""
_IDLE_SECONDS = 5.0
_RETRY_SECONDS = 0.01


class Waiting(NamedTuple):
    """An entry that is to be stored: its kind, key and bytes, and until when it is tried.

    What would go for it must not have been used since it was `seen`, if that is a time.
    """

    kind: int
    key: str
    data: bytes
    seen: int | None
    until: float


class Stores(Protocol):
    """What stores entries."""

    def store_late(self, one: Waiting) -> bool:
        """Store one, or tell by False that it cannot be stored yet."""

    def make_room_ahead(self, size: int) -> None:
        """Have room for as many bytes."""


class Later:
    """Entries that are stored by a thread.

    Parameters
    ----------
    index : Stores
        What stores them.  It holds this, and is not kept alive by it.
    most : int
        Bytes that may wait.
    """

    def __init__(self, index: Stores, most: int) -> None:
        self._index = weakref.ref(index)
        self._most = most
        self._changed = threading.Condition()
        self._waiting: deque[Waiting] = deque()
        self._by_key: dict[tuple[int, str], bytes] = {}
        self._bytes = 0
        self._wanted: int | None = None
        self._thread: threading.Thread | None = None

    def put(self, kind: int, key: str, pieces: list[bytes | memoryview], seen: int | None) -> bool:
        """Have an entry stored, of which a copy is taken; False: there is too much of it."""
        size = sum(map(len, pieces))
        with self._changed:
            if self._bytes + size > self._most:
                return False
            self._bytes += size
            until = time.monotonic() + _KEPT_SECONDS
            data = b"".join(pieces)
            self._waiting.append(Waiting(kind, key, data, seen, until))
            self._by_key[kind, key] = data
            self._begin()
        return True

    def find(self, kind: int, key: str) -> bytes | None:
        """Return an entry that waits: it is read as if it were stored already."""
        return self._by_key.get((kind, key)) if self._by_key else None

    def waits(self) -> bool:
        """Tell whether anything is to be stored still."""
        return bool(self._waiting)

    def want(self, size: int) -> None:
        """Have room made for as many bytes, and evicted what has to go."""
        with self._changed:
            self._wanted = max(size, self._wanted or 0)
            self._begin()

    def drain(self, seconds: float) -> None:
        """Wait until all is stored, for so long at most."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting, seconds)

    def clear(self) -> None:
        """Store nothing of what waits."""
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
        except Exception as error:  # noqa: BLE001 - such as no memory for it
            logger.warning("what was to be stored later is not: %r", error)
            with self._changed:
                self._thread = None
                self._drop()

    def _has_work(self) -> bool:
        return bool(self._waiting) or self._wanted is not None

    def _work(self) -> None:
        while True:
            with self._changed:
                if not self._changed.wait_for(self._has_work, _IDLE_SECONDS):
                    self._thread = None
                    return
                wanted, self._wanted = self._wanted, None
                first = self._waiting[0] if self._waiting else None
            index = self._index()
            if index is None:
                return
            if wanted is not None:
                index.make_room_ahead(wanted)
            stored = first is None or index.store_late(first)
            del index
            if first is None:
                continue
            if not stored and time.monotonic() < first.until:
                time.sleep(_RETRY_SECONDS)
                continue
            with self._changed:
                if self._waiting and self._waiting[0] is first:
                    self._drop()

    def _drop(self) -> None:
        if self._waiting:
            kind, key, data, *_ = self._waiting.popleft()
            self._bytes -= len(data)
            if self._by_key.get((kind, key)) is data:
                del self._by_key[kind, key]
        self._changed.notify_all()
