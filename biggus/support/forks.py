"""Forks: what must not be going on in any thread while the process forks.

A child has the thread that forked alone.  Locks that others held are held in it
for ever, and of some nobody else can make new ones: those of Python's imports
and of SQLite.  So a fork waits until no thread is at that.
"""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401 - what it does at forks comes after this
import contextlib
import logging
import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_log = logging.getLogger("biggus.support.forks")

PATIENCE_SECONDS = 30.0
"""For so long a fork waits at most."""

PRECEDENCE_SECONDS = 1.0
"""For so long a thread lets a fork that waits go first: one inside may be waiting for it."""


class ForkGate:
    """What threads enter for what no fork may come between; any number at once.

    Examples
    --------
    >>> with ForkGate().entered():
    ...     import json
    """

    def __init__(self) -> None:
        self._reset()
        # What was registered last comes first: before the lock of `logging` is taken, which
        # those inside may need.
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=self._close, after_in_parent=self._open, after_in_child=self._reset
            )

    def _reset(self) -> None:
        self._inside: dict[int, int] = {}
        self._forking = 0
        self._changed = threading.Condition(threading.RLock())

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Hold off forks for the length of the block."""
        thread = threading.get_ident()
        with self._changed:
            if self._forking and thread not in self._inside:
                self._changed.wait_for(lambda: not self._forking, PRECEDENCE_SECONDS)
            self._inside[thread] = self._inside.get(thread, 0) + 1
        try:
            yield
        finally:
            with self._changed:
                left = self._inside.pop(thread, 1) - 1
                if left > 0:
                    self._inside[thread] = left
                self._changed.notify_all()

    def _close(self) -> None:
        self._changed.acquire()
        self._forking += 1
        if not self._changed.wait_for(self._empty, PATIENCE_SECONDS):
            _log.debug("a fork does not wait any longer for what threads are at")
        self._forking -= 1
        self._changed.notify_all()

    def _empty(self) -> bool:
        return not self._inside.keys() - {threading.get_ident()}

    def _open(self) -> None:
        self._changed.release()


def in_children(begin_anew: Callable[[], object]) -> None:
    """Have something called in each child of a fork, which has one thread of its parent's.

    There may be locks that nobody there lets go of, and what is still the parent's.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=begin_anew)


_gate = ForkGate()
between_forks = _gate.entered
