"""What the backends of local files share: state, and a bounded pool of handles."""

from __future__ import annotations

import contextlib
import errno
import logging
import math
import os
import time
import weakref
from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from biggus.backends import idle
from biggus.backends.settling import age_of, seen_for
from biggus.backends.signature import FileSignature
from biggus.support.forks import between_forks
from biggus.support.watching import agrees, under_way_since

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator
    from pathlib import Path

    from biggus.backends.native import LibraryLock
    from biggus.support.watching import Look

Handle = TypeVar("Handle")

log = logging.getLogger("biggus.backends")

SETTLED_SECONDS = 2.0
"""A file that changed less than this ago is not trusted to be unchanged: file
systems keep times so coarsely that two writes may show the same one."""

SOON_SETTLED_SECONDS = 0.25
"""Where times are fine, one that has been seen as it is for so long is trusted: clocks tick
every 1 to 16 ms."""

_FINE_NS = 10**6
_WRITTEN_BYTES = 2**27
"""So many are written in a second, at least: a write shows when it begins, not when it ends."""

_MOST_SETTLED = 2**12
_settled: dict[FileSignature, bytes] = {}
"""The validators of states of files that are trusted to be unchanged."""


def file_validator(*paths: Path | str, look: Look | None = None) -> bytes | None:
    """Return bytes that name the state of files: size, times and inode of each.

    Parameters
    ----------
    *paths : path or str
        The files.
    look : callable, optional
        As `biggus.support.watching.agrees` takes it.

    Returns
    -------
    bytes or None
        None if one is missing, is not trusted to be unchanged (see `_is_settled`), or has
        changed since the evaluation that asks has first seen it.
    """
    if len(paths) == 1:
        return _validator_of(str(paths[0]), look)
    parts = [_validator_of(str(path), look) for path in paths]
    return None if None in parts else b"".join(filter(None, parts))


def _validator_of(path: str, look: Look | None) -> bytes | None:
    try:
        signature = FileSignature.of(os.stat(path))  # noqa: PTH116 - half the time of Path.stat
    except OSError:
        return None
    validator = _settled.get(signature)
    if validator is None:
        if not _is_settled(signature):
            return None
        if len(_settled) >= _MOST_SETTLED:
            _settled.clear()
        validator = _settled[signature] = signature.packed()
    return validator if agrees(path, signature, look) else None


def _is_settled(signature: FileSignature) -> bool:
    """Tell whether every change that is still to come would show in a signature.

    It would, once the change that it shows is `SETTLED_SECONDS` ago; or, where times are
    fine, once a clock has ticked since the file was first seen so here, and what was being
    written then has been.  That one asks no clock but this machine's: those of file servers differ.
    """
    if age_of(signature) >= SETTLED_SECONDS:
        return True
    latest = signature.modified if os.name == "nt" else signature.changed
    if not latest % _FINE_NS:
        return False  # whole seconds, or every other; or so many milliseconds
    return seen_for(signature) >= max(SOON_SETTLED_SECONDS, signature.size / _WRITTEN_BYTES)


def _fair_share() -> int:
    """Return how many files a pool may keep open of those that the process may have open.

    A quarter, for there are several pools, and the process has other things to open.
    """
    try:
        with between_forks():
            import resource
    except ImportError:  # such as on Windows
        return 2**31
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2**31 if most == resource.RLIM_INFINITY else max(1, most // 4)


class Hold:
    """What a user of a file keeps: while it lives, the handle may stay open."""

    __slots__ = ("__weakref__",)


class HandlePool(Generic[Handle]):
    """Open handles by key, the least recently used of which are closed.

    Not locked against use after closing: a caller holds the library's lock
    for as long as it uses a handle, and the pool opens and closes under the
    same lock.  After a fork the handles of the parent are neither used nor
    closed in the child, whatever drops them.

    A handle that nobody has asked for since `idle.IDLE_SECONDS` is closed, but for those that
    an evaluation has asked for which is under way: it may come back to each of many files.

    A handle whose key was held (see :meth:`hold`) is closed when the last hold
    on it is gone, which may be noticed in any thread at any moment: it happens
    at once, or, if some thread is inside the library, when that one leaves it.

    Parameters
    ----------
    close : callable
        Closes a handle.
    lock : LibraryLock
        The lock of the library behind the handles.
    capacity : int
        How many handles stay open: fewer, where the process may have few files open.
    guarded : bool
        Whether the library has a lock of its own, so that any thread may close handles at any time.
    """

    _inherited: ClassVar[list[Any]] = []  # keeps finalizers from closing what the parent uses

    def __init__(
        self,
        close: Callable[[Handle], object],
        lock: LibraryLock,
        capacity: int = 128,
        guarded: bool = False,
    ) -> None:
        self._close = close
        self._lock = lock
        self.capacity = capacity
        self.guarded = guarded
        self._handles: OrderedDict[Hashable, Handle] = OrderedDict()
        self._asked: dict[Hashable, float] = {}  # when each was asked for last
        self._holds: dict[Hashable, weakref.ref[Hold]] = {}
        self._pid = os.getpid()

    def __len__(self) -> int:
        return len(self._handles)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._handles

    def has(self, key: Hashable, handle: Handle) -> bool:
        """Tell whether a handle is still open; that is not asking for it."""
        return self._handles.get(key) is handle and self._pid == os.getpid()

    def open_keys(self) -> list[Any]:
        """Return the keys of the handles that are open, the least recently used first."""
        return list(self._handles)

    def hold(self, key: Hashable) -> Hold:
        """Return the hold on `key`: its handle is closed when nobody keeps that any more.

        All who hold a key at a time share one hold, so that the last one is
        found without counting, and a thousand holders cost no more than one.
        It neither pickles nor keeps anything else alive.  The caller must hold
        the lock.
        """
        known = self._holds.get(key)
        hold = None if known is None else known()
        if hold is None:
            hold = Hold()
            self._holds[key] = weakref.ref(hold)
            weakref.finalize(hold, self._lock.soon, partial(self._settle, key)).atexit = False
        return hold

    @contextlib.contextmanager
    def visit(self, key: Hashable) -> Iterator[None]:
        """Hold `key` for the time of a with block, errors that leave it or not."""
        with self._lock:
            hold = self.hold(key)
        try:
            yield
        finally:
            del hold  # the traceback of an error would keep it

    def _settle(self, key: Hashable) -> None:
        known = self._holds.get(key)
        if known is not None and known() is None:  # else it is held again, or closed already
            del self._holds[key]
            self.discard(key)

    def get(self, key: Hashable, open_: Callable[[], Handle]) -> Handle:
        """Return the handle of `key`, opened with `open_` if it is not there.

        Where the process has no file descriptor left, all handles are closed
        and it is tried once more.  The caller must hold the lock.
        """
        self._leave_parents_handles()
        handle = self._handles.get(key)
        if handle is not None:
            self._asked[key] = time.monotonic()
            self._handles.move_to_end(key)
            return handle
        most = min(self.capacity, _fair_share())
        while self._handles and len(self._handles) >= most:
            self.discard(next(iter(self._handles)))
        try:
            handle = open_()
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE) or not self._handles:
                raise
            log.info("out of file descriptors: closing %d handles", len(self._handles))
            self.clear()
            handle = open_()
        self._handles[key] = handle
        self._asked[key] = time.monotonic()
        idle.clock.attend(self)
        return handle

    def discard(self, key: Hashable) -> None:
        """Close and forget the handle of `key`, if it is open."""
        with self._lock:
            self._leave_parents_handles()
            self._asked.pop(key, None)
            if key in self._handles:
                self._close_quietly(key, self._handles.pop(key))

    def due(self) -> float | None:
        """Return when the handle that was asked for longest ago will be idle, if there is one."""
        # Asked by another thread, without the lock: whatever it gives, it asks again.
        began = under_way_since()
        asked = [at for at in list(self._asked.values()) if began is None or at < began]
        return min(asked) + idle.IDLE_SECONDS if asked else None

    def close_idle(self) -> None:
        """Close the handles that are idle, as soon as no thread is inside the library."""
        self._lock.soon(self._close_idle)

    def _close_idle(self) -> None:
        before = time.monotonic() - idle.IDLE_SECONDS
        began = under_way_since()
        if began is not None:
            before = min(before, math.nextafter(began, 0))
        for key in [key for key, asked in self._asked.items() if asked <= before]:
            self.discard(key)

    def clear(self) -> None:
        """Close all handles."""
        with self._lock:
            for key in list(self._handles):
                self.discard(key)

    def _leave_parents_handles(self) -> None:
        if self._pid != os.getpid():
            self._inherited.append(self._handles)
            self._handles = OrderedDict()
            self._asked = {}
            self._pid = os.getpid()

    def _close_quietly(self, key: Hashable, handle: Handle) -> None:
        # Closing is nobody's request: it must not fail the one that needs the room.
        with contextlib.suppress(Exception):
            self._close(handle)
            return
        log.warning("could not close %s", key)
