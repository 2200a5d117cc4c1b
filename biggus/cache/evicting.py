"""Evicting: the lock that keeps it apart from pinning, and the chunks that go first."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from biggus.cache.ledger import (
    EVICTED_AT_ONCE,
    PINNED,
    STAYS,
    BusyError,
    Ledger,
    LedgerError,
    hex_of,
)
from biggus.cache.writers import FLAGS
from biggus.support.file_locks import lock
from biggus.support.forks import between_forks

NAME = "evicting"

_WAIT_SECONDS = 0.25
_POLL_SECONDS = 0.001


class Evicting:
    """The lock of a cache folder on evicting; without file locks it has no effect.

    It keeps pinning and evicting apart.  An evicted entry is first taken out of the ledger, and
    its file is removed afterwards.  A pin set in between would find the file there, and lose it.
    So a process that evicts holds a shared file lock from within the transaction until the last
    file is removed.  A process that pins takes it exclusively within a transaction, in which no
    other process can begin to evict.

    Parameters
    ----------
    folder : Path
        The cache folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: set[int] = set()

    def forget(self) -> None:
        """Close the files, which belong to the parent after a fork."""
        while self._open:
            os.close(self._open.pop())

    def under_way(self) -> contextlib.AbstractContextManager[bool]:
        """Hold the lock to evict within a with block; yield False if another process is pinning."""
        return self._locked(exclusively=False)

    @contextlib.contextmanager
    def held_off(self) -> Iterator[None]:
        """Keep others from evicting within a with block, which begins within a transaction.

        Raises
        ------
        BusyError
            If another process does not finish evicting in time.
        """
        until = time.monotonic() + _WAIT_SECONDS
        while True:
            with self._locked(exclusively=True) as locked:
                if locked:
                    yield
                    return
            if time.monotonic() > until:
                raise BusyError(f"{self._folder}: another process is removing files")
            time.sleep(_POLL_SECONDS)

    @contextlib.contextmanager
    def _locked(self, *, exclusively: bool) -> Iterator[bool]:
        descriptor, locked = None, True
        with contextlib.suppress(OSError), between_forks():
            descriptor = os.open(self._folder / NAME, FLAGS | os.O_CREAT, 0o600)
            self._open.add(descriptor)
            try:
                lock(descriptor, exclusively=exclusively)
            except BlockingIOError:
                locked = False
        try:
            yield locked
        finally:
            if descriptor in self._open:
                self._open.discard(descriptor)
                os.close(descriptor)


def first_to_go(ledger: Ledger) -> Iterable[str]:
    """Return the keys of the chunks to evict next; any keys if the ledger cannot be read."""
    first = "SELECT key FROM entries WHERE kind=0 AND used<? ORDER BY used LIMIT ?"
    with contextlib.suppress(sqlite3.Error, LedgerError):
        rows = ledger.run(first, STAYS, 16 * EVICTED_AT_ONCE)
        if rows or ledger.run("SELECT 1 FROM entries WHERE kind=? LIMIT 1", PINNED):
            return [hex_of(key) for (key,) in rows]
    return (key for key, _ in ledger.kinds[0].keys())  # noqa: SIM118 - no mapping
