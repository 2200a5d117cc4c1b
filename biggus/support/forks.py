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
import time
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

_log = logging.getLogger("biggus.support.forks")

PATIENCE_SECONDS = 30.0
"""The longest time that a fork waits."""

PRECEDENCE_SECONDS = 1.0
"""How long a thread waits before it enters while a fork is pending.  It does not wait longer,
for a thread inside may be waiting for this one."""

_PAUSE_SECONDS = 0.0005
"""How often a fork looks whether the threads have left, and threads whether a fork is over."""


class ForkGate:
    """A gate around code that no fork may interrupt; any number of threads may be inside.

    Each thread has a lock of its own, and a fork takes the locks of all other threads.  The
    interpreter enters and leaves its own locks in one step.  An interrupt of a context manager
    written in Python may come before it has counted a thread in or out.

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
        self._own = threading.local()
        self._adding = threading.Lock()
        self._locks: weakref.WeakSet[Any] = weakref.WeakSet()
        self._taken: list[Any] = []
        self._forking = 0

    def entered(self) -> AbstractContextManager[bool]:
        """Return a context in which forks wait: the lock of this thread."""
        try:
            lock = self._own.lock
        except AttributeError:
            lock = threading.RLock()
            with self._adding:
                self._locks.add(lock)
            self._own.lock = lock
        if self._forking and not lock._is_owned():  # noqa: SLF001 - no other way
            until = time.monotonic() + PRECEDENCE_SECONDS
            while self._forking and time.monotonic() < until:
                time.sleep(_PAUSE_SECONDS)
        entered: AbstractContextManager[bool] = lock
        return entered

    def _close(self) -> None:
        self._forking += 1
        try:
            until = time.monotonic() + PATIENCE_SECONDS
            while not self._take_all():
                if time.monotonic() >= until:
                    _log.debug("a fork went ahead although other threads were inside the gate")
                    break
                time.sleep(_PAUSE_SECONDS)
        finally:
            self._forking -= 1

    def _take_all(self) -> bool:
        """Take the locks of all other threads, or none; return whether they are taken."""
        if not self._take(self._adding):  # another thread forks, or is about to enter
            return False
        own = getattr(self._own, "lock", None)
        if all(self._take(lock) for lock in list(self._locks) if lock is not own):
            return True
        self._open()
        return False

    def _take(self, lock: Any) -> bool:
        taken: bool = lock.acquire(blocking=False)
        if taken:
            self._taken.append(lock)
        return taken

    def _open(self) -> None:
        while self._taken:
            self._taken.pop().release()


_fresh: weakref.WeakSet[Any] = weakref.WeakSet()


def new_lock() -> AbstractContextManager[bool]:
    """Return a re-entrant lock that is free in forked children, whichever thread has it.

    For short blocks that leave the state sound after each step.  A thread that forks while it has
    the lock keeps it in the child.
    """
    lock: Any = threading.RLock()
    _fresh.add(lock)
    return lock  # type: ignore[no-any-return]


def _free_locks() -> None:
    for lock in list(_fresh):
        if not lock._is_owned():  # noqa: SLF001 - no other way
            lock._at_fork_reinit()  # noqa: SLF001 - as the standard library does


def in_children(begin_anew: Callable[[], object]) -> None:
    """Register a function to be called in each forked child.

    A child replaces locks that threads of its parent may have held, and lets go of handles
    that belong to the parent.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=begin_anew)


in_children(_free_locks)
_gate = ForkGate()
between_forks = _gate.entered
