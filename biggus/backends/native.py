"""Locks of native libraries that two threads must not call at once."""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

log = logging.getLogger("biggus.backends")


class LibraryLock:
    """A re-entrant lock, and a queue of tasks that run under it as soon as it is free.

    A task may be queued from anywhere, even from a finalizer, which the garbage collector runs
    in any thread at any moment: while this thread is inside the library, or while another one
    is and waits for this thread.
    """

    def __init__(self) -> None:
        lock: Any = threading.RLock()
        self._lock = lock  # taken once, however often its owner takes this one
        self._is_owned: Callable[[], bool] = lock._is_owned  # noqa: SLF001 - no other way
        self._depth = 0  # how often the owner has taken the lock
        self._tasks: deque[Callable[[], object]] = deque()
        self._inner: list[Callable[[], Any]] = []
        self._closers: list[Callable[[], object]] = []

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock, as `threading.RLock` does."""
        if self._depth and self._is_owned():
            self._depth += 1
            return True
        try:
            taken: bool = self._lock.acquire(blocking, timeout)
            if taken:
                self._depth = 1
        except BaseException:  # an interrupt, perhaps just after the lock was taken
            if self._is_owned():
                self._lock.release()
            raise
        return taken

    def release(self, *_: object) -> None:
        """Release the lock; run queued tasks before the last release."""
        try:
            if self._depth == 1 and self._tasks:
                self._work()
        finally:
            self._depth -= 1
            if not self._depth:
                self._lock.release()
            elif not self._is_owned():
                self._depth += 1
                raise RuntimeError("another thread has the lock")
        if self._tasks:  # queued meanwhile by a thread that found the lock taken
            self._attend()

    # Not functions of their own: at the start of each function an interrupt would leave the lock
    # taken.  One such moment remains, the start of `release`.
    __enter__, __exit__ = acquire, release

    def soon(self, task: Callable[[], object]) -> None:
        """Run `task` under the lock, now or when it is free.  Never waits or raises."""
        self._tasks.append(task)
        self._attend()

    def heed(self, inner: Callable[[], Any]) -> None:
        """Take also a library's own lock for tasks and forks; its calls take it after this one.

        `inner` returns that lock, or None as long as the library is not imported.
        """
        self._inner.append(inner)

    def _own_locks(self) -> list[Any]:
        return [lock for inner in self._inner if (lock := inner()) is not None]

    def close_at_forks(self, closer: Callable[[], object]) -> None:
        """Call `closer` before each fork of the process, under this lock.

        It closes files: a child that inherits an open HDF5 file keeps the lock of the file, and
        what libhdf5 has read of it, for as long as the child lives.
        """
        self._closers.append(closer)

    def take_for_fork(self, taken: list[Any]) -> None:
        """Take this lock, close all files unless this thread uses one, and take the libraries' own.

        A library may be entered without this lock, as when an object of h5py is freed, and not
        every release of h5py holds its own lock over forks.  Each lock is added to `taken` before
        it is taken, for an interrupt may come at any moment.
        """
        # h5py takes its lock before this one if it was imported a moment ago; a thread that has
        # this one may wait for it.
        early = [] if self._is_owned() else [lock for lock in self._own_locks() if _has(lock)]
        for lock in early:
            lock.release()
        taken.append(self)
        self.acquire()
        for lock in early:
            lock.acquire()
        if self._depth == 1:
            for closer in self._closers:
                closer()
        for lock in self._own_locks():
            taken.append(lock)
            lock.acquire()

    def _attend(self) -> None:
        """Run queued tasks unless a thread, this one or another, is inside the library."""
        while self._tasks and self.acquire(blocking=False):
            taken = []
            try:
                if self._depth > 1:
                    return  # this thread has the lock, and runs them when it releases it
                for inner in self._own_locks():
                    if _has(inner) or not inner.acquire(blocking=False):
                        return  # left to the next caller: nothing signals its release
                    taken.append(inner)
                self._work()
            finally:
                try:
                    for inner in taken:
                        inner.release()
                finally:
                    self._depth -= 1
                    if not self._depth:
                        self._lock.release()

    def _work(self) -> None:
        while self._tasks:
            task = self._tasks.popleft()
            try:
                task()
            except Exception:
                log.warning("clearing up after a library failed", exc_info=True)


def _has(lock: Any) -> bool:
    """Return whether this thread has `lock`, if it has the method of `threading.RLock`."""
    owned = getattr(lock, "_is_owned", None)
    return owned is not None and bool(owned())


look_for_interrupts = object
"""Called last in a with block of a `LibraryLock` in which handles may be freed.

The interpreter looks for interrupts after each call of a function in C, but not after it has freed
an object, which may take long, as files are closed then.  An interrupt that came meanwhile would
be raised at the start of `LibraryLock.release`, and the lock would stay taken.
"""

hdf5_lock = LibraryLock()
"""The lock held around every call into libhdf5 and libnetcdf.

h5py and netCDF4 may be linked to the same libhdf5, so they share one lock; libnetcdf must not be
entered by two threads either.  Files are closed under it too, when their last array is garbage
collected.  A program that calls netCDF4 itself in another thread must hold it.
"""


def guard_forks() -> None:
    """Make forks wait until no thread is inside the native libraries.

    A fork while another thread holds `hdf5_lock` would leave it locked in the child for ever,
    and the library in the middle of a call.  Call this right after importing a library that has
    a lock of its own, such as h5py: fork handlers run in reverse order, so the locks are taken
    in the same order as by reads.  Several calls are harmless, as the locks are re-entrant; this
    module makes one, for libraries without a lock.
    """
    if hasattr(os, "register_at_fork"):
        guard = _LockAtFork()
        os.register_at_fork(
            before=guard.take, after_in_parent=guard.let_go, after_in_child=guard.let_go
        )


class _LockAtFork(threading.local):
    """Holds the locks over a fork, unless the fork began before this was registered."""

    def __init__(self) -> None:
        self._taken: list[Any] = []

    def take(self) -> None:
        hdf5_lock.take_for_fork(self._taken)

    def let_go(self) -> None:
        while self._taken:
            if _has(lock := self._taken[-1]):
                lock.release()
            del self._taken[-1]


guard_forks()
