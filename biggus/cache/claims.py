"""Claims: locks by which the processes that share a folder fetch each chunk only once.

A claim is a lock on one byte of a file, at an offset computed from the key of the chunk.  It
ends with its process at the latest, even if that is killed.  Another process that wants the
chunk waits for the claim to end, unless its owner is stopped.  Claims only save requests:
without file locks every process fetches for itself.
"""

from __future__ import annotations

import contextlib
import os
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from biggus.cache.writers import FLAGS
from biggus.support import deadlines
from biggus.support.file_locks import fcntl

NAME = "claims"

_PLACE_DIGITS = 15
"""How many digits of a key make an offset that fits the largest possible file."""
_POLL_SECONDS = 0.001, 0.02
_MOST_SECONDS = 120.0
_STRANGER_SECONDS = 1.0
"""How long to wait for an owner that may be stopped or running."""
_ALONE = 16
"""After an owner stored nothing, this many chunks are fetched without looking for claims."""
_STOPPED = frozenset("TtZXx")

_LOCK = struct.Struct("@hhqqi4x")
"""The ``struct flock`` of 64-bit Linux: type, whence, start, length and process."""
_TELLS_OWNERS = sys.platform == "linux" and struct.calcsize("P") == struct.calcsize("q")


class Claims:
    """The claims of this process in a cache folder.

    A process must have only one for each folder, for closing a file releases all locks that the
    process has on it.

    Parameters
    ----------
    folder : Path
        The cache folder.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._descriptor: int | None = None
        self._held_at_fork: frozenset[str] = frozenset()
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._held: Counter[str] = Counter()
        self._alone = 0

    def forked(self) -> None:
        """Reset the claims in a forked child, which has none of its parent's locks.

        The child does not wait for what its parent has claimed: the parent may be waiting for the
        child, if a source forks to read a chunk.
        """
        self._held_at_fork |= frozenset(self._held)
        self._reset()
        self.close()

    def close(self) -> None:
        """Close the file unless it is in use."""
        if not self._lock.acquire(blocking=False):
            return  # this may be a finalizer, in a thread that holds the lock
        try:
            if self._descriptor is not None and not self._held:
                os.close(self._descriptor)
                self._descriptor = None
        finally:
            self._lock.release()

    @contextlib.contextmanager
    def taken(self, keys: Sequence[str]) -> Iterator[list[str]]:
        """Claim chunks for the length of a with block; yield those that others have claimed."""
        ours: list[str] = []
        try:
            for key in keys:
                ours.append(key)  # before it is taken, as that may be interrupted
                if not self._take(key):
                    ours.pop()
            yield [key for key in keys if key not in ours]
        finally:
            for key in ours:
                self._release(key)

    def wait(self, key: str) -> None:
        """Wait until a chunk is no longer claimed, or its owner is stopped or takes too long.

        Return at once if this process was forked while the chunk was claimed by its parent.

        Raises
        ------
        DeadlineError
            If the deadline of the evaluation passes.
        """
        if key in self._held_at_fork:
            return
        pause, longest = _POLL_SECONDS
        started = time.monotonic()
        while (owner := self._owner(key)) is not None:
            state = _state(owner)
            patience = _MOST_SECONDS if state else _STRANGER_SECONDS
            if state in _STOPPED or time.monotonic() - started > patience:
                return
            deadlines.check()
            time.sleep(pause)
            pause = min(2 * pause, longest)

    def disappointed(self) -> None:
        """Note that the owner of a claim stored nothing, as may be the case for the next ones."""
        self._alone = _ALONE

    def _take(self, key: str) -> bool:
        with self._lock:
            if self._alone:
                self._alone -= 1
            elif not self._held[key] and self._locked(key) is False:
                return False
            self._held[key] += 1
            return True

    def _release(self, key: str) -> None:
        with self._lock:
            self._held[key] -= 1
            if self._held[key] <= 0:
                del self._held[key]
                self._unlock(key)

    def _owner(self, key: str) -> int | None:
        """Return the process that claims a chunk, 0 if it is unknown, None if there is none."""
        with self._lock:
            if _TELLS_OWNERS:
                return self._recorded_owner(key)
            locked = self._locked(key)
            if locked:
                self._unlock(key)
            return 0 if locked is False else None

    # The methods below are called with the lock held.

    def _locked(self, key: str) -> bool | None:
        """Lock the byte of a chunk; False if another process has it, None without file locks."""
        if fcntl is None:
            return None
        try:
            descriptor = self._file()
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _place(key))
            except (BlockingIOError, PermissionError):
                return False
        except OSError:
            return None
        return True

    def _unlock(self, key: str) -> None:
        with contextlib.suppress(OSError):
            if fcntl is not None and self._descriptor is not None:
                fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, _place(key))

    def _recorded_owner(self, key: str) -> int | None:
        wanted = _LOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, _place(key), 1, 0)
        try:
            lock = fcntl.fcntl(self._file(), fcntl.F_GETLK, wanted)
        except OSError:
            return None
        kind, _, _, _, process = _LOCK.unpack(lock)
        return None if kind == fcntl.F_UNLCK else max(process, 0)

    def _file(self) -> int:
        """Return the open file; open it again if it was deleted and nothing is claimed in it."""
        descriptor = self._descriptor
        if descriptor is not None and not self._held and not os.fstat(descriptor).st_nlink:
            os.close(descriptor)
            descriptor = None
        if descriptor is None:
            self._descriptor = None
            self._descriptor = descriptor = os.open(self._path, FLAGS | os.O_CREAT, 0o600)
        return descriptor


def _place(key: str) -> int:
    return int(key[:_PLACE_DIGITS], 16)


def _state(process: int) -> str:
    """Return the letter of a process's state on Linux; empty if it is unknown."""
    if not process:
        return ""
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return text.rpartition(") ")[2][:1]
