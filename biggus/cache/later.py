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
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from biggus.cache.clearing import Clearing

logger = logging.getLogger("biggus.cache")

_KEPT_SECONDS = 10.0
"""For so long it is tried to store something."""
_IDLE_SECONDS = 5.0
_RETRY_SECONDS = 0.01


class Waiting(NamedTuple):
    """An entry that is to be stored: its kind, key and bytes, and until when it is tried.

    What would go for it must not have been used since it was `seen`, if that is a time; and
    the folder not have been cleared since it was `asked` for, nor be another than at that `place`.
    """

    kind: int
    key: str
    data: bytes
    seen: int | None
    asked: int
    place: tuple[int, int] | None
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
    clearing : Clearing
        What tells when the folder is cleared.
    """

    def __init__(self, index: Stores, most: int, clearing: Clearing) -> None:
        self._index = weakref.ref(index)
        self._most = most
        self._clearing = clearing
        self._changed = threading.Condition()
        self._waiting: deque[Waiting] = deque()
        self._by_key: dict[tuple[int, str], Waiting] = {}
        self._in_hand: Waiting | None = None
        self._bytes = 0
        self._wanted: int | None = None
        self._thread: threading.Thread | None = None

    def put(
        self, kind: int, key: str, pieces: list[bytes | memoryview], seen: int | None, asked: int
    ) -> bool:
        """Have an entry stored, of which a copy is taken; False: there is too much of it."""
        size = sum(map(len, pieces))
        with self._changed:
            if self._bytes + size > self._most:
                return False
            self._bytes += size
            until = time.monotonic() + _KEPT_SECONDS
            place = self._clearing.place()
            one = Waiting(kind, key, b"".join(pieces), seen, asked, place, until)
            self._waiting.append(one)
            self._by_key[kind, key] = one
            self._begin()
        return True

    def find(self, kind: int, key: str) -> bytes | None:
        """Return an entry that waits: it is read as if it were stored already."""
        one = self._by_key.get((kind, key)) if self._by_key else None
        return None if one is None or one.asked != self._clearing.times else one.data

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
            self._changed.wait_for(lambda: not self._waiting and not self._in_hand, seconds)

    def clear(self) -> None:
        """Store nothing of what waits, but what is being stored already."""
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
        """Have nothing in hand any more; what is over does not wait any longer."""
        with self._changed:
            one, self._in_hand = self._in_hand, None
            # It may have been cleared meanwhile.
            if over and one is not None and self._waiting and self._waiting[0] is one:
                self._waiting.popleft()
                self._bytes -= len(one.data)
                if self._by_key.get((one.kind, one.key)) is one:
                    del self._by_key[one.kind, one.key]
            self._changed.notify_all()
