"""Validators and a bounded pool of handles, for the backends of local files."""

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

from biggus.backends import idle_handles
from biggus.backends.native import look_for_interrupts
from biggus.backends.settling import age_of, seen_for
from biggus.backends.signature import FileSignature
from biggus.support.forks import between_forks
from biggus.support.watching import Look, agrees, under_way_since

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator
    from pathlib import Path

    from biggus.backends.native import LibraryLock

Handle = TypeVar("Handle")

log = logging.getLogger("biggus.backends")

SETTLED_SECONDS = 2.0
"""A file that changed less than this ago has no validator: some file systems store times so
coarsely that two writes may have the same one."""

SOON_SETTLED_SECONDS = 0.25
"""On file systems with fine times, a file has a validator once it was seen unchanged for this
long; their clocks tick every 1 to 16 ms."""

_FINE_NS = 10**6
_WRITTEN_BYTES = 2**27
"""The least bytes written in a second; the time of a file is that when a write begins."""

_MOST_SETTLED = 2**12
_settled: dict[FileSignature, bytes] = {}
"""The validators of settled signatures."""


def file_validator(*paths: Path | str) -> bytes | None:
    """Return bytes that identify the state of files: the size, times and inode of each.

    Parameters
    ----------
    *paths : path or str
        The files.

    Returns
    -------
    bytes or None
        None if a file is missing, is not settled (see `_is_settled`), or has changed since this
        evaluation first saw it.
    """
    parts = [validator_of_file(str(path)) for path in paths]
    return None if None in parts else b"".join(filter(None, parts))


def validator_of_file(path: str, look: Look | None = None) -> bytes | None:
    """Return the validator of one file; `look` is that of `biggus.support.watching.agrees`."""
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
    """Return whether every future change of a file would change its signature.

    That is so once its last change is `SETTLED_SECONDS` ago.  On file systems with fine times it
    is also so once the clock has ticked since this signature was first seen, and a write that
    was under way then has ended.  This uses the clock of this machine alone, which may differ
    from that of a file server.
    """
    if age_of(signature) >= SETTLED_SECONDS:
        return True
    latest = signature.modified if os.name == "nt" else signature.changed
    if not latest % _FINE_NS:
        return False  # the file system stores whole milliseconds, seconds or two seconds
    return seen_for(signature) >= max(SOON_SETTLED_SECONDS, signature.size / _WRITTEN_BYTES)


def _fair_share() -> int:
    """Return how many files a pool may keep open: a quarter of the limit of the process.

    There are several pools, and the process opens other files.
    """
    try:
        with between_forks():
            import resource
    except ImportError:  # such as on Windows
        return 2**31
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2**31 if most == resource.RLIM_INFINITY else max(1, most // 4)


class Hold:
    """A token kept by a user of a file: while it lives, the handle may stay open."""

    __slots__ = ("__weakref__",)


class HandlePool(Generic[Handle]):
    """A bounded pool of open handles by key, which closes the least recently used.

    A caller holds the library's lock as long as it uses a handle, and the pool opens and closes
    handles under the same lock.  After a fork, a child neither uses nor closes the handles of
    its parent.

    A handle that was not used for `idle.IDLE_SECONDS` is closed, unless a running evaluation has
    used it, which may return to each of many files.

    A handle whose key was held (see :meth:`hold`) is closed when its last hold is garbage
    collected: at once, or, if a thread is inside the library, when that thread leaves it.

    Parameters
    ----------
    close : callable
        Closes a handle.
    lock : LibraryLock
        The lock of the library behind the handles.
    capacity : int
        How many handles stay open; fewer if the process may open few files.
    guarded : bool
        Whether the library has a lock of its own, so that any thread may close handles.
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
        self._asked: dict[Hashable, float] = {}  # the last use of each handle
        self._holds: dict[Hashable, weakref.ref[Hold]] = {}
        self._pid = os.getpid()

    def __len__(self) -> int:
        return len(self._handles)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._handles

    def has(self, key: Hashable, handle: Handle) -> bool:
        """Return whether a handle is still open, without counting that as a use."""
        return self._handles.get(key) is handle and self._pid == os.getpid()

    def open_keys(self) -> list[Any]:
        """Return the keys of the handles that are open, the least recently used first."""
        return list(self._handles)

    def hold(self, key: Hashable) -> Hold:
        """Return the hold on `key`, whose handle is closed when the hold is garbage collected.

        All users of a key share one hold, so that no counting is needed, and a thousand users
        cost no more than one.  It cannot be pickled, and keeps nothing else alive.  The caller
        must hold the lock.
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
        """Hold `key` for the length of a with block."""
        with self._lock:
            hold = self.hold(key)
        try:
            yield
        finally:
            del hold  # the traceback of an error would keep it alive

    def _settle(self, key: Hashable) -> None:
        known = self._holds.get(key)
        if known is not None and known() is None:  # else it is held again or closed already
            del self._holds[key]
            self.discard(key)

    def get(self, key: Hashable, open_: Callable[[], Handle]) -> Handle:
        """Return the handle of `key`, opened with `open_` if it is not open.

        If the process has no file descriptors left, all handles are closed and `open_` is
        called once more.  The caller must hold the lock.
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
        idle_handles.clock.attend(self)
        return handle

    def discard(self, key: Hashable) -> None:
        """Close the handle of `key` if it is open."""
        with self._lock:
            self._leave_parents_handles()
            self._asked.pop(key, None)
            if key in self._handles:
                self._close_quietly(key, self._handles.pop(key))
            look_for_interrupts()

    def due(self) -> float | None:
        """Return when the least recently used handle will be idle; None if there is none."""
        # Called by another thread without the lock; a stale answer does no harm.
        began = under_way_since()
        uses = [at for at in list(self._asked.values()) if began is None or at < began]
        return min(uses) + idle_handles.IDLE_SECONDS if uses else None

    def close_idle(self) -> None:
        """Close the handles that are idle, as soon as no thread is inside the library."""
        self._lock.soon(self._close_idle)

    def _close_idle(self) -> None:
        before = time.monotonic() - idle_handles.IDLE_SECONDS
        began = under_way_since()
        if began is not None:
            before = min(before, math.nextafter(began, 0))
        for key in [key for key, used in self._asked.items() if used <= before]:
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
        # The caller wants room in the pool, and should not fail because closing fails.
        with contextlib.suppress(Exception):
            self._close(handle)
            return
        log.warning("could not close %s", key)
