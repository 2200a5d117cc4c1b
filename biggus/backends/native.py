"""Locks of native libraries that are not safe to call from two threads."""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger("biggus.backends")


class LibraryLock:
    """A re-entrant lock, and tasks that are done under it as soon as it is free.

    A task may be handed over from anywhere, from a finalizer too, which the
    garbage collector runs in any thread at any moment: while this very thread
    is inside the library, or while another one is and waits for something
    that this one has.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._depth = 0  # how often the thread that has the lock has taken it
        self._tasks: deque[Callable[[], object]] = deque()
        self._inner: tuple[Any, ...] = ()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock, as `threading.RLock` does."""
        taken = self._lock.acquire(blocking, timeout)
        if taken:
            self._depth += 1
        return taken

    def release(self) -> None:
        """Let go of the lock, having done the tasks that wait if nobody needs it any more."""
        try:
            if self._depth == 1 and self._tasks:
                self._work()
        finally:
            self._depth -= 1
            self._lock.release()
        if self._tasks:  # handed over since: who did that has seen the lock taken, and went
            self._attend()

    def __enter__(self) -> None:
        self._lock.acquire()
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self.release()

    def soon(self, task: Callable[[], object]) -> None:
        """Do `task` under the lock: now, or once no thread is inside.  Never waits or raises."""
        self._tasks.append(task)
        self._attend()

    def heed(self, inner: Any) -> None:
        """Take a library's own lock into account, which its calls take after this one."""
        if inner not in self._inner:
            self._inner = (*self._inner, inner)

    def _attend(self) -> None:
        """Do the tasks unless a thread, this one or another, is inside the library."""
        while self._tasks and self._lock.acquire(blocking=False):
            taken = []
            try:
                if self._depth:
                    return  # this thread has it, and does them when it lets go
                for inner in self._inner:
                    if _has(inner) or not inner.acquire(blocking=False):
                        return  # left to whoever comes next, for it does not tell when it is free
                    taken.append(inner)
                self._depth = 1
                try:
                    self._work()
                finally:
                    self._depth = 0
            finally:
                for inner in taken:
                    inner.release()
                self._lock.release()

    def _work(self) -> None:
        while self._tasks:
            task = self._tasks.popleft()
            try:
                task()
            except Exception:
                log.warning("clearing up after a library failed", exc_info=True)


def _has(lock: Any) -> bool:
    """Tell whether this thread has `lock`, if it says so in the way of `threading.RLock`."""
    owned = getattr(lock, "_is_owned", None)
    return owned is not None and bool(owned())


hdf5_lock = LibraryLock()
"""Held around every call into libhdf5 and libnetcdf.

h5py and netCDF4 may be linked to one and the same libhdf5, so they share one
lock; netCDF's own library must not be entered twice at once either.  Files
are closed under it too, when the last array over them goes: code that calls
netCDF4 itself, in another thread than the one that drops arrays, must hold it.
"""


def guard_forks() -> None:
    """Make forks wait until no thread is inside the native libraries.

    A fork while another thread holds `hdf5_lock` would leave it locked in the
    child for ever, and the library half-way through a call.  Call it right
    after importing a library that has a lock of its own (h5py has one, held
    over forks as well): what is registered last is asked first, so the locks
    are always taken in the order in which reading takes them.  Calling it
    several times is harmless, for the lock is re-entrant; this module does so
    itself, for the libraries that have no lock.
    """
    if hasattr(os, "register_at_fork"):
        guard = _LockAtFork()
        os.register_at_fork(
            before=guard.take, after_in_parent=guard.let_go, after_in_child=guard.let_go
        )


class _LockAtFork:
    """The lock, held over a fork: unless the fork had begun before this was registered."""

    _taken = False

    def take(self) -> None:
        hdf5_lock.acquire()
        self._taken = True

    def let_go(self) -> None:
        if self._taken:
            self._taken = False
            hdf5_lock.release()


guard_forks()
