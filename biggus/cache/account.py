"""The account of a process with the ledger: what it stored and used, and what it may write.

Room is granted before anything is written, for several chunks at a time, so that the files on
disk never take more than what is recorded plus what is granted.  Stores and uses are noted in
memory and recorded in the `Ledger` together with the next grant (this is called *settling*).
A process that finds the ledger locked carries on without it, and tries again after pauses of
growing length.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from itertools import islice
from pathlib import Path
from typing import Any

from biggus.cache.admission import Admission
from biggus.cache.clearing import Clearing
from biggus.cache.evicting import Evicting, first_to_go
from biggus.cache.failure_log import INDEXING, WRITING, failure_log
from biggus.cache.files import Files, make_private
from biggus.cache.ledger import (
    BusyError,
    DamagedError,
    FullError,
    Ledger,
    LedgerError,
)
from biggus.cache.pending import PendingRecords
from biggus.cache.removing import remove_all
from biggus.cache.room import CHUNKS, Room, make_room, seen_most
from biggus.cache.sweep import Sweeper
from biggus.cache.writers import FolderWriter
from biggus.support import watching

logger = logging.getLogger("biggus.cache")

_FOLDERS = "entries", "descriptions"
PATIENCE_SECONDS = 5.0
_PAUSES = 0.0025, 1.0
_NOTES_A_ROUND = 64
"""How many notes are recorded at once, for each round of evictions allowed."""
_WAY = 32
"""How many chunks are removed at once when the disk has no room for the ledger."""


class Account:
    """The account of this process with the ledger of a cache folder.

    Parameters
    ----------
    folder : Path
        The cache folder.
    size_limit : int
        The most bytes on disk.
    admitting : bool
        Whether a full cache may decline to store a chunk (see `Admission`).
    fsync : bool
        Whether stored entries must survive a crash of the machine.

    Attributes
    ----------
    kinds : tuple of Files
        The files of chunks, and those of descriptions.
    clearing : Clearing
        Counts how often the folder was cleared.
    """

    def __init__(
        self, folder: Path, size_limit: int, *, admitting: bool = True, fsync: bool = False
    ) -> None:
        self.folder = folder
        self.kinds = tuple(Files(folder / kind, fsync=fsync) for kind in _FOLDERS)
        self.size_limit = size_limit
        self._admitting = admitting
        self._index_failures = failure_log(folder, INDEXING)
        self._write_failures = failure_log(folder, WRITING)
        self._ledger = Ledger(folder, self.kinds)
        self.clearing = Clearing(folder)
        self._evicting = Evicting(folder)
        self._reset()

    def forked(self) -> Any:
        """Reset the account in a forked child; return the connection of the parent.

        It must not be closed here, for that would release the parent's locks.
        """
        connection = self._ledger.abandon()
        self._evicting.forget()
        self._writer.forget()
        self._reset()
        return connection

    def _reset(self) -> None:
        self._writer = FolderWriter(self.folder / "writers")
        for files in self.kinds:
            files.writer = self._writer.name
        self._sweeper = Sweeper(self._ledger, self.folder / "writers")
        self._lock = threading.Lock()
        self._busy = threading.Lock()
        self._notes = PendingRecords(self.size_limit)
        # The bytes that are granted and not recorded yet: still free, or spent on files.
        self._free = self._spent = 0
        self._last: Room | None = None
        self._settled = time.monotonic()
        self._quiet_until = 0.0
        self._pause = _PAUSES[0]
        self._failing_since: float | None = None
        self._admission = Admission() if self._admitting else None
        self._looked = self._parting = False
        self._clock = 0

    def _spend(self, size: int) -> bool:
        with self._lock:
            if self._free < size:
                return False
            self._free -= size
            self._spent += size
            return True

    def _release(self, reserved: int) -> None:
        """Give back bytes that were spent, as nothing was written for them."""
        with self._lock:
            self._free += reserved
            self._spent -= reserved

    def _settle_now(self, need: int, wait: float, *, ahead: bool = False, rounds: int = 1) -> bool:
        """Settle, unless another thread is doing so for longer than `wait`, or it just failed.

        Returns whether it succeeded or was not necessary.  With `ahead` more room is made even
        if there is enough for `need`.
        """
        if time.monotonic() < self._quiet_until or not self._busy.acquire(timeout=wait):
            return False
        try:
            # Another thread may have settled meanwhile.
            if need and self._free >= need and not ahead:
                return True
            return self._settle(need, rounds)
        finally:
            self._busy.release()

    def _settle(self, need: int, rounds: int) -> bool:
        """Record notes in the ledger and be granted room; return whether that succeeded.

        Errors of the ledger are logged and not raised.
        """
        try:
            self._settle_with(need, rounds)
        except LedgerError as error:
            if isinstance(error, DamagedError):
                self._index_failures.log("the cache index in %s is rebuilt: %s", self.folder, error)
                self._ledger.remove()
            if isinstance(error, FullError):
                self._make_way()
            self._failed(error)
            return False
        self._pause, self._quiet_until, self._failing_since = _PAUSES[0], 0.0, None
        self._index_failures.over()
        return True

    def _failed(self, error: LedgerError) -> None:
        now = time.monotonic()
        since = self._failing_since = self._failing_since or now
        self._pause = min(2 * self._pause, _PAUSES[1])
        self._quiet_until = now + self._pause
        if not isinstance(error, BusyError | DamagedError) or now - since > PATIENCE_SECONDS:
            # A full disk is one failure, whether the index or an entry cannot be written.
            full = isinstance(error, FullError)
            (self._write_failures if full else self._index_failures).log(
                "the cache index could not be updated, and nothing is stored: %s", error
            )
        with self._lock:
            self._notes.shorten()

    def _make_way(self) -> None:
        """Remove a few chunks without recording it: the disk has no room for the ledger."""
        files = self.kinds[CHUNKS]
        with self._evicting.under_way() as may:
            first = first_to_go(self._ledger) if may else []
            for key in islice(filter(files.exists, first), _WAY):
                files.remove(key)

    def _settle_with(self, need: int, rounds: int) -> None:
        with self._lock:
            noted = self._notes.first(rounds * _NOTES_A_ROUND)
            recorded = sum(size or 0 for size in noted.values())
        ledger, name = self._ledger, self._writer.name
        make_cache_folder(self.folder)
        try:
            self._writer.begin()
        except OSError as error:
            raise LedgerError(f"{self.folder}: {error.strerror or error}") from error
        with contextlib.ExitStack() as evicting:
            with ledger.transaction():
                ledger.check_size(self.size_limit)
                clock = ledger.record([(kind, key, size) for (kind, key), size in noted.items()])
                self._sweeper.sweep_if_due(
                    waited_for=bool(need), starved=self._last is not None and self._last.scarce
                )
                with self._lock:
                    unrecorded = self._free + self._spent - recorded
                if self._parting and self._admission is not None:
                    ledger.see(self._admission.latest(seen_most(ledger)))
                known = self._sweeper.swept()
                room = make_room(
                    ledger, name, self.size_limit, unrecorded, need, known=known, rounds=rounds
                )
                # The grant covers evicted files as long as they are still on disk.
                ledger.grant(name, unrecorded + max(room.granted, room.pending))
                seen = self._look_back(room) if self._admission else []
                if any(room.gone):
                    evicting.enter_context(self._evicting.under_way())
            for files, gone in zip(self.kinds, room.gone, strict=True):
                remove_all(files.remove, (key for key, _, _ in gone))
        with self._lock:
            self._last = room
            self._clock = clock
            if self._admission is not None:
                self._admission.note(seen)
                self._admission.note((key, used) for key, _, used in room.gone[CHUNKS])
            self._spent -= self._notes.recorded(noted)
            self._free += room.granted
            self._settled = time.monotonic()
        if any(room.gone):
            evicted = sum(map(len, room.gone))
            logger.info("evicted %d entries: the cache is at its size limit", evicted)

    def _began(self) -> int | None:
        """Return when this evaluation first used the cache, now if it does so for the first time.

        None outside of evaluations, and if every chunk is stored.  The caller holds the lock.
        """
        scan = watching.of_evaluation()
        if scan is None or self._admission is None:
            return None
        return self._admission.began(scan, self._clock + len(self._notes))

    def _look_back(self, room: Room) -> list[tuple[str, int]]:
        """Update the time of the next entry to evict; return remembered misses the first time."""
        admission = self._admission
        assert admission is not None
        first = room.full and not self._looked
        admission.oldest = self._ledger.oldest(CHUNKS) if room.full else None
        self._looked |= first
        return self._ledger.seen() if first else []


def make_cache_folder(folder: Path) -> None:
    """Create the folder of a cache unless it exists.

    Raises
    ------
    LedgerError
        If it cannot be created.
    """
    try:
        make_private(folder)
    except OSError as error:
        raise LedgerError(f"{folder}: {error.strerror or error}") from error
