"""The index: which entry was used when, how large all are, and which go first.

It is a diskcache with one row an entry and no values: the entries lie in
`Files`, where they are found without it.  What is used and stored is noted in
memory and brought into the index many at a time, so that a hit costs no
transaction, and no database connection stays open between.  The index may
therefore lag behind the files, and may be lost with a process: an entry
without a row is still a hit and gets its row then, or when its part of the
folder is swept; a row without an entry is a miss and goes when its turn comes.

Nothing is ever pickled into or out of the database, whatever stands in it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import sqlite3
import sys
import threading
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biggus.cache.rows import Size, disk_class
from biggus.cache.trouble import INDEXING, trouble
from biggus.errors import CacheError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from biggus.cache.files import Files

logger = logging.getLogger("biggus.cache")

_MARK = "evict"
_STORED_MOST = 64
_USED_MOST = 4096
_SHARE = 20
_LAG_SECONDS = 10.0
_RECENT_SECONDS = 600.0
_BUSY_SECONDS = 10.0
# Of its own: the sequence of the global one belongs to the user, who may have seeded it.
_random = random.SystemRandom()


class Index:
    """The index of the entries in a cache folder.

    Parameters
    ----------
    folder : Path
        The cache folder.
    files : Files
        The entries in it.
    size_limit : int
        Bytes on disk above which the least recently used entries go.
    """

    def __init__(self, folder: Path, files: Files, size_limit: int) -> None:
        self.folder = folder
        self.files = files
        self.size_limit = size_limit
        self._trouble = trouble(folder, INDEXING)
        self._reset()
        _indexes.add(self)

    def _reset(self) -> None:
        # After a fork, the parent's connection and its locks are not ours.
        self._lock = threading.Lock()
        self._busy = threading.Lock()
        self._noted: dict[str, bool] = {}
        self._stored = self._stored_bytes = 0
        self._flushed = time.monotonic()
        self._database: Any = None
        self._damaged = False
        self._forget()

    def _forget(self) -> None:
        """Have all uses noted again."""
        self._recent: set[str] = set()
        self._recent_since = time.monotonic()
        self._recent_bytes = 0

    def used(self, key: str) -> None:
        """Note that the entry of `key` was used now."""
        if key in self._recent:
            return
        with self._lock:
            noted = self._noted
            noted[key] = noted.pop(key, False)
            full = len(noted) >= _USED_MOST
        if full:
            self.flush(wait=False)

    def stored(self, key: str, size: int) -> None:
        """Note that an entry of `size` bytes was stored now; let others go for it."""
        with self._lock:
            self._noted.pop(key, None)
            self._noted[key] = True
            self._stored += 1
            self._stored_bytes += size
            full = (
                self._stored >= _STORED_MOST
                or self._stored_bytes * _SHARE >= self.size_limit
                or time.monotonic() - self._flushed > _LAG_SECONDS
            )
        if full:
            self.flush(wait=False)

    def flush(self, wait: bool = True) -> None:
        """Bring what is noted into the index, and evict what is too much.

        Never raises for the sake of the index: what goes wrong is logged.

        Parameters
        ----------
        wait : bool
            Whether to wait if another thread does so; else it is left to
            the next time.
        """
        if self._noted and self._busy.acquire(timeout=_BUSY_SECONDS if wait else 0):
            try:
                self._flush()
            finally:
                self._busy.release()

    def _flush(self) -> None:
        with self._lock:
            noted, self._noted = self._noted, {}
            self._recent_bytes += self._stored_bytes
            self._stored = self._stored_bytes = 0
            self._flushed = time.monotonic()
            if (
                self._recent_bytes * _SHARE >= self.size_limit
                or self._flushed - self._recent_since > _RECENT_SECONDS
            ):
                self._forget()
        try:
            with self._open() as database:
                with database.transact():
                    for key, stored in noted.items():
                        self._record(database, key, stored)
                self._evict(database)
            # What is used again and again is among the last anyhow, until
            # much was stored or some time has passed.
            self._recent.update(noted)
            self._trouble.over()
        except CacheError as error:
            self._trouble.arose("the cache index could not be updated: %s", error)
            with self._lock:
                if len(noted) < 16 * _USED_MOST:
                    self._noted = {**noted, **self._noted}

    def _record(self, database: Any, key: str, stored: bool) -> None:
        """Bring one entry into the index as used last; `stored` says that its size is new."""
        if not stored:
            try:
                if database.get(key, read=True) is not None:
                    return  # diskcache has set the time of its use
            except CacheError:
                database.delete(key)
        try:
            size = Path(self.files.path(key)).stat().st_size
        except OSError:
            database.delete(key)
            return
        database.set(key, Size(size))
        database.disk.kept = None
        if key not in database:
            # It had to go at once, there being no room for it.
            self.files.remove(key)

    def _evict(self, database: Any) -> None:
        # diskcache lets one entry go for each that is set, while it is above
        # its limit.  A mark of no size stands in for the rest that must go.
        before = len(database)
        for _ in range(before):
            if database.volume() <= self.size_limit:
                break
            database.set(_MARK, None)
        gone = before - len(database)
        if gone > 0:
            logger.info("evicted %d entries: the cache is at its size limit", gone)

    @contextlib.contextmanager
    def _open(self) -> Iterator[Any]:
        """Give the database, connected for the length of the block."""
        import diskcache

        try:
            if self._database is None:
                self._connect()
            yield self._database
        except (sqlite3.Error, diskcache.Timeout, OSError, CacheError) as error:
            self._damaged = _is_damage(error)
            reason = str(error) or type(error).__name__
            raise CacheError(f"{self.folder}: {reason}") from error
        finally:
            if self._database is not None:
                self._database.close()
            if self._damaged:
                self._database = None

    def _connect(self) -> None:
        if not self._damaged:
            try:
                self._database = self._make()
                shard = f"{_random.randrange(256):02x}"
                self._sweep(self._database, self.files.shard(shard))
            except (sqlite3.DatabaseError, TypeError, ValueError, KeyError) as error:
                if isinstance(error, sqlite3.Error) and not _is_damage(error):
                    raise
                if self._database is not None:
                    self._database.close()
            else:
                return
        self._trouble.arose("the cache index in %s is damaged, and made anew", self.folder)
        for suffix in ("", "-wal", "-shm"):
            (self.folder / f"cache.db{suffix}").unlink(missing_ok=True)
        self._damaged = False
        self._database = self._make()
        self._sweep(self._database, self.files.keys())

    def _make(self) -> Any:
        import diskcache

        database = diskcache.Cache.__new__(diskcache.Cache)
        try:
            database.__init__(
                str(self.folder),
                timeout=_BUSY_SECONDS,
                disk=disk_class(),
                eviction_policy="least-recently-used",
                size_limit=self.size_limit,
                cull_limit=1,
                statistics=0,
                tag_index=0,
            )
        except BaseException:
            # In two steps, because what fails to be made has connected already.
            database.close()
            raise
        return database

    def _sweep(self, database: Any, found: Iterable[tuple[str, os.stat_result]]) -> None:
        """Give rows to entries that have none: their writers were killed."""
        self.files.tidy()
        lost = [(state.st_mtime, key) for key, state in found if key not in database]
        if lost:
            with database.transact():
                for _, key in sorted(lost):
                    self._record(database, key, stored=True)

    def totals(self) -> tuple[int, int]:
        """Return the number of entries and the bytes on disk.

        Raises
        ------
        CacheError
            If the index cannot be read.
        """
        self.flush()
        with self._busy, self._open() as database:
            return len(database) - (_MARK in database), database.volume()

    def clear(self) -> None:
        """Remove all entries.

        Raises
        ------
        CacheError
            If the index cannot be written.
        """
        with self._busy:
            with self._lock:
                self._noted = {}
                self._stored = self._stored_bytes = 0
                self._forget()
            # Files first: they are what takes the space, and rows without them
            # do no harm.
            for key, _ in self.files.keys():  # noqa: SIM118 - not a mapping
                self.files.remove(key)
            self.files.tidy()
            with self._open() as database:
                database.clear()


def _is_damage(error: BaseException) -> bool:
    # SQLite has classes for all other troubles, such as a full disk.
    return type(error) is sqlite3.DatabaseError


_indexes: weakref.WeakSet[Index] = weakref.WeakSet()
_abandoned: list[Any] = []


def _after_fork() -> None:
    for index in _indexes:
        # Kept, not closed: closing it here would release the parent's locks.
        _abandoned.append(index._database)  # noqa: SLF001
        index._reset()  # noqa: SLF001
        util = sys.modules.get("multiprocessing.util")
        if util is not None:
            # A worker of multiprocessing leaves without running exit handlers,
            # and has its own, which it clears once more before it starts.
            util.register_after_fork(index, _flush_at_exit)


def _flush_at_exit(index: Index) -> None:
    from multiprocessing.util import Finalize

    Finalize(index, index.flush, exitpriority=1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
