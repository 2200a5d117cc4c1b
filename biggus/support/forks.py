"""A gate that makes forks wait for threads that import modules or use SQLite.

A forked child has only the thread that forked.  Locks that other threads held stay locked
in the child for ever, and some cannot be replaced: those of Python's imports and of SQLite.
So a fork waits until no thread is inside such code.
"""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401 - registers its fork handlers before ours
import logging
import os
import threading
from collections.abc import Callable

_log = logging.getLogger("biggus.support.forks")

PATIENCE_SECONDS = 30.0
"""The longest time that a fork waits."""

PRECEDENCE_SECONDS = 1.0
"""How long a thread waits before it enters while a fork is pending.  It does not wait longer,
for a thread inside may be waiting for this one."""


class ForkGate:
    """A gate around code that no fork may interrupt; any number of threads may be inside.

    Examples
    --------
    >>> with ForkGate().entered():
    ...     import json
    """

    def __init__(self) -> None:
        self._reset()
        # Handlers run in reverse order of registration: this one runs before `logging` takes
        # its lock, which threads inside may need.
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=self._close, after_in_parent=self._open, after_in_child=self._reset
            )

    def _reset(self) -> None:
        self._inside: dict[int, int] = {}
        self._forking = 0
        self._changed = threading.Condition(threading.RLock())

    def __enter__(self) -> None:
        thread = threading.get_ident()
        with self._changed:
            if self._forking and thread not in self._inside:
                self._changed.wait_for(lambda: not self._forking, PRECEDENCE_SECONDS)
            self._inside[thread] = self._inside.get(thread, 0) + 1

    def __exit__(self, *_: object) -> None:
        thread = threading.get_ident()
        with self._changed:
            entries = self._inside.pop(thread, 1) - 1
            if entries > 0:
                self._inside[thread] = entries
            if self._forking:
                self._changed.notify_all()

    def entered(self) -> ForkGate:
        """Return a context in which forks wait: the gate itself."""
        return self

    def _close(self) -> None:
        self._changed.acquire()
        self._forking += 1
        if not self._changed.wait_for(self._empty, PATIENCE_SECONDS):
            _log.debug("a fork went ahead although other threads were inside the gate")
        self._forking -= 1
        self._changed.notify_all()

    def _empty(self) -> bool:
        return not self._inside.keys() - {threading.get_ident()}

    def _open(self) -> None:
        self._changed.release()


def in_children(begin_anew: Callable[[], object]) -> None:
    """Register a function to be called in each forked child.

    A child replaces locks that threads of its parent may have held, and lets go of handles
    that belong to the parent.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=begin_anew)


_gate = ForkGate()
between_forks = _gate.entered
