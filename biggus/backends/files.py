"""What the backends of local files share: state, and a bounded pool of handles."""

from __future__ import annotations

import os
import struct
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Generic, TypeVar

Handle = TypeVar("Handle")

SETTLED_SECONDS = 2.0
"""A file that changed less than this ago is not trusted to be unchanged: file
systems keep times so coarsely that two writes may show the same one."""


def file_version(*paths: Path | str) -> bytes | None:
    """Return bytes that name the state of files: size, times and inode of each.

    Returns
    -------
    bytes or None
        None if one is missing, or changed less than `SETTLED_SECONDS` ago.
    """
    parts = []
    now = time.time()
    for path in paths:
        try:
            state = os.stat(path)
        except OSError:
            return None
        if now - max(state.st_mtime, state.st_ctime) < SETTLED_SECONDS:
            return None
        parts.append(
            struct.pack("<QqqQ", state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino)
        )
    return b"".join(parts)


class HandlePool(Generic[Handle]):
    """Open handles by key, the least recently used of which are closed.

    Not locked against use after closing: a caller holds the library's lock
    for as long as it uses a handle, and the pool opens and closes under the
    same lock.  After a fork the handles of the parent are dropped unclosed.

    Parameters
    ----------
    close : callable
        Closes a handle.
    lock : lock
        The lock of the library behind the handles; re-entrant.
    capacity : int
        How many handles stay open.
    """

    def __init__(
        self, close: Callable[[Handle], object], lock: threading.RLock, capacity: int = 128
    ) -> None:
        self._close = close
        self._lock = lock
        self.capacity = capacity
        self._handles: OrderedDict[Hashable, Handle] = OrderedDict()
        self._pid = os.getpid()

    def __len__(self) -> int:
        return len(self._handles)

    def get(self, key: Hashable, open_: Callable[[], Handle]) -> Handle:
        """Return the handle of `key`, opened with `open_` if it is not there.

        The caller must hold the lock.
        """
        if self._pid != os.getpid():
            self._handles = OrderedDict()
            self._pid = os.getpid()
        handle = self._handles.get(key)
        if handle is None:
            handle = open_()
            self._handles[key] = handle
            while len(self._handles) > self.capacity:
                _, oldest = self._handles.popitem(last=False)
                self._close(oldest)
        else:
            self._handles.move_to_end(key)
        return handle

    def discard(self, key: Hashable) -> None:
        """Close and forget the handle of `key`, if it is open."""
        with self._lock:
            handle = self._handles.pop(key, None)
            if handle is not None and self._pid == os.getpid():
                self._close(handle)

    def clear(self) -> None:
        """Close all handles."""
        for key in list(self._handles):
            self.discard(key)
