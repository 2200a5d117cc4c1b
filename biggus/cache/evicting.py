"""Evicting: pins wait for the files of what the ledger no longer has.

An entry that is evicted is taken out of the ledger first, and its file removed afterwards.
Who pins it in between would see it, and lose it.  So whoever evicts has a file of the folder
locked from within the transaction until the last file is removed; and whoever pins, in
a transaction, so that nobody begins to evict, waits until nobody has it locked.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from typing import TYPE_CHECKING

from biggus.cache.ledger import (
    EVICTED_AT_ONCE,
    PINNED,
    STAYS,
    BusyError,
    LedgerError,
    hex_of,
)
from biggus.cache.writers import FLAGS, lock
from biggus.support.forks import between_forks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from biggus.cache.ledger import Ledger

NAME = "evicting"

_WAIT_SECONDS = 0.25
_POLL_SECONDS = 0.001


class Evicting:
    """What tells whether files are being removed that the ledger no longer has.

    Where there are no locks, nothing tells.

    Parameters
    ----------
    folder : Path
        The cache folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: set[int] = set()

    def forget(self) -> None:
        """Let go of the files, which are the parent's after a fork."""
        while self._open:
            os.close(self._open.pop())

    @contextlib.contextmanager
    def under_way(self) -> Iterator[bool]:
        """Evict for the length of a with block, unless it says that somebody is about to pin."""
        with self._locked(exclusively=False) as locked:
            yield locked

    @contextlib.contextmanager
    def held_off(self) -> Iterator[None]:
        """Have nobody evict for the length of a with block, which begins within a transaction.

        Raises
        ------
        BusyError
            If somebody still is after a while.
        """
        until = time.monotonic() + _WAIT_SECONDS
        while True:
            with self._locked(exclusively=True) as locked:
                if locked:
                    yield
                    return
            if time.monotonic() > until:
                raise BusyError(f"{self._folder}: somebody is removing files")
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
    """Return the keys of chunks that go next, as far as that can be told just now."""
    first = "SELECT key FROM entries WHERE kind=0 AND used<? ORDER BY used LIMIT ?"
    with contextlib.suppress(sqlite3.Error, LedgerError):
        rows = ledger.run(first, STAYS, 16 * EVICTED_AT_ONCE)
        if rows or ledger.run("SELECT 1 FROM entries WHERE kind=? LIMIT 1", PINNED):
            return [hex_of(key) for (key,) in rows]
    return (key for key, _ in ledger.kinds[0].keys())  # noqa: SIM118 - no mapping
