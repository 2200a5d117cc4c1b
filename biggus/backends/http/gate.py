"""A gate before a host: how many requests are under way there, and when to hold back.

One gate serves all threads of a process, and every source that reads from
the host.  It knows no HTTP: it counts, and it keeps two times.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class HostGate:
    """Lets in so many at a time, first come first served.

    The limit is given on entering, as sources that share a host may have
    been opened with different ones; the count is common to all.  Passing
    costs O(1): who leaves wakes only those who can go in.

    Examples
    --------
    >>> gate = HostGate()
    >>> with gate.passing(limit=2):
    ...     gate.inside
    1
    """

    def __init__(self) -> None:
        self.inside = 0
        self._lock = threading.Lock()
        self._queue: deque[tuple[int, threading.Lock]] = deque()
        self._held_until = 0.0
        self._down_until = 0.0

    @contextmanager
    def passing(self, limit: int) -> Iterator[None]:
        """Wait until fewer than `limit` are inside, and be inside for the block."""
        self._enter(limit)
        try:
            yield
        finally:
            with self._lock:
                self.inside -= 1
                self._admit()

    def _enter(self, limit: int) -> None:
        with self._lock:
            if not self._queue and self.inside < limit:
                self.inside += 1
                return
            ticket = threading.Lock()
            ticket.acquire()
            entry = (limit, ticket)
            self._queue.append(entry)
        try:
            ticket.acquire()
        except BaseException:  # an interrupt while waiting: give the place up
            with self._lock:
                if entry in self._queue:
                    self._queue.remove(entry)
                else:
                    self.inside -= 1
                self._admit()
            raise

    def _admit(self) -> None:
        while self._queue and self.inside < self._queue[0][0]:
            _, ticket = self._queue.popleft()
            self.inside += 1
            ticket.release()

    def hold(self, seconds: float) -> None:
        """Ask all to wait that long before they knock again."""
        self._held_until = max(self._held_until, time.monotonic() + seconds)

    @property
    def held(self) -> float:
        """The seconds that are left to wait; 0 if none."""
        return max(0.0, self._held_until - time.monotonic())

    def mark_down(self, seconds: float) -> None:
        """Note that the host was out of reach, for that long."""
        self._down_until = time.monotonic() + seconds

    def mark_up(self) -> None:
        """Note that the host has answered."""
        self._down_until = 0.0

    @property
    def down(self) -> bool:
        """Whether the host was out of reach a moment ago."""
        return time.monotonic() < self._down_until
