"""Claims: which chunks processes that share a folder are fetching, so that each is fetched once.

A claim is a lock on one byte of a file, at a place that follows from the key of the chunk.  It
ends with its process at the latest, however that ends.  Who finds one waits until it
is gone, and not for a process that is stopped.  Nothing hangs on it but how
often a chunk is fetched: where there are no locks, everybody fetches.
"""

from __future__ import annotations

import contextlib
import os
import struct
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from biggus.cache.writers import FLAGS
from biggus.support import deadlines
from biggus.support.forks import between_forks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NAME = "claims"

_PLACE_DIGITS = 15
"""Of a key: as many as make a place in the largest file that can be."""
_POLL_SECONDS = 0.001, 0.02
_MOST_SECONDS = 120.0
_STRANGER_SECONDS = 1.0
"""For so long somebody is waited for of whom it cannot be told whether they are stopped."""
_ALONE = 16
"""After waiting for what then was not stored, so many chunks are fetched without a look."""
_STOPPED = frozenset("TtZXx")

_LOCK = struct.Struct("@hhqqi4x")
"""Type, whence, start, length and process, as 64-bit Linux has them."""
_TELLS_OWNERS = sys.platform == "linux" and struct.calcsize("P") == struct.calcsize("q")


class Claims:
    """The claims of this process in a cache folder.

    There must be one of it alone: who closes a file lets go of all locks that a process has on it.

    Parameters
    ----------
    folder : Path
        The cache folder.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._descriptor: int | None = None
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._held: Counter[str] = Counter()
        self._alone = 0

    def forked(self) -> None:
        """Begin anew in a child, which has none of its parent's locks."""
        self._reset()
        self.close()

    def close(self) -> None:
        """Let go of the file, unless it is in use: then it is kept."""
        if not self._lock.acquire(blocking=False):
            return  # perhaps by this thread, which collects garbage
        try:
            if self._descriptor is not None and not self._held:
                os.close(self._descriptor)
                self._descriptor = None
        finally:
            self._lock.release()

    @contextlib.contextmanager
    def taken(self, keys: Sequence[str]) -> Iterator[list[str]]:
        """Claim chunks for the length of a with block; give those that others have claimed."""
        ours: list[str] = []
        try:
            ours.extend(key for key in keys if self._take(key))
            yield [key for key in keys if key not in ours]
        finally:
            for key in ours:
                self._release(key)

    def wait(self, key: str) -> None:
        """Wait until nobody fetches a chunk, or whoever claimed it is not at it.

        Raises
        ------
        DeadlineError
            If the evaluation has no time left.
        """
        pause, longest = _POLL_SECONDS
        begun = time.monotonic()
        while (owner := self._owner(key)) is not None:
            state = _state(owner)
            patience = _MOST_SECONDS if state else _STRANGER_SECONDS
            if state in _STOPPED or time.monotonic() - begun > patience:
                return
            deadlines.check()
            time.sleep(pause)
            pause = min(2 * pause, longest)

    def disappointed(self) -> None:
        """Note that what was waited for is not there: so it may be with what comes next."""
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
        """Return which process claims a chunk, 0 if that cannot be told; None if none does."""
        with self._lock:
            if _TELLS_OWNERS:
                return self._told_owner(key)
            locked = self._locked(key)
            if locked:
                self._unlock(key)
            return 0 if locked is False else None

    # All that follows holds the lock.

    def _locked(self, key: str) -> bool | None:
        """Lock the place of a chunk; False: somebody else has it, None: that cannot be."""
        try:
            with between_forks():
                import fcntl
            descriptor = self._file()
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _place(key))
            except (BlockingIOError, PermissionError):
                return False
        except (ImportError, OSError):
            return None
        return True

    def _unlock(self, key: str) -> None:
        with contextlib.suppress(ImportError, OSError):
            with between_forks():
                import fcntl
            if self._descriptor is not None:
                fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, _place(key))

    def _told_owner(self, key: str) -> int | None:
        with between_forks():
            import fcntl
        wanted = _LOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, _place(key), 1, 0)
        try:
            found = fcntl.fcntl(self._file(), fcntl.F_GETLK, wanted)
        except OSError:
            return None
        kind, _, _, _, process = _LOCK.unpack(found)
        return None if kind == fcntl.F_UNLCK else max(process, 0)

    def _file(self) -> int:
        """Return the file, open: that which is there now, if nothing is claimed in another."""
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
    """Return the letter by which Linux tells what a process is at; empty if it does not."""
    if not process:
        return ""
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return text.rpartition(") ")[2][:1]
