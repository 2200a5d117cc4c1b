"""A gate that limits the requests to a host, and delays them if the host asks for it.

One gate serves all threads of a process, and all sources that read from the host.
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
    """Admits a limited number of threads at a time, first come first served.

    The limit is given on entering, as sources that share a host may have different ones; all are
    counted together.  A thread that leaves wakes only those that can enter.

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
        """Wait until fewer than `limit` threads are inside, and enter for a with block."""
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
        except BaseException:  # an interrupt while waiting: leave the queue
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
        """Delay further requests of all threads by that long."""
        self._held_until = max(self._held_until, time.monotonic() + seconds)

    @property
    def held(self) -> float:
        """The seconds of delay that are left."""
        return max(0.0, self._held_until - time.monotonic())

    def mark_down(self, seconds: float) -> None:
        """Note that the host could not be reached; it counts as down for that long."""
        self._down_until = time.monotonic() + seconds

    def mark_up(self) -> None:
        """Note that the host has responded."""
        self._down_until = 0.0

    @property
    def down(self) -> bool:
        """Whether the host could not be reached a moment ago."""
        return time.monotonic() < self._down_until
