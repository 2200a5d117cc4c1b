"""The index: room for what is written, what was used, and what goes for it.

Room is granted before anything is written, some chunks' worth at a time, so that what lies
on the disk is never more than what is recorded and what is granted.  What was stored
and used is noted in memory and brought into the `Ledger` with the next
grant.  Whoever finds the ledger in use goes on without it, for a while that
becomes longer: what would have to be stored is not, what was used is noted later.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

from biggus.cache.admission import Admission
from biggus.cache.files import UNFINISHED_SECONDS, Files, make_private
from biggus.cache.ledger import GONE, SHARDS, BusyError, DamagedError, Ledger, LedgerError
from biggus.cache.notes import MOST, Notes
from biggus.cache.room import CHUNKS, DESCRIPTIONS, Room, make_room, seen_most
from biggus.cache.sweep import Sweeper
from biggus.cache.trouble import INDEXING, trouble
from biggus.cache.writers import Writer
from biggus.errors import CacheError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

logger = logging.getLogger("biggus.cache")

T = TypeVar("T")

_LAG_SECONDS = 10.0
_WAIT_SECONDS = 0.1
_CLOSING_SECONDS = 0.25
_PATIENCE_SECONDS = 5.0
_PAUSES = 0.0025, 1.0
_SWEEP_SECONDS = 0.005
_SWEEP_SHARE = 20


class Index:
    """What the caches of a folder in this process know of it together.

    Parameters
    ----------
    folder : Path
        The cache folder.
    size_limit : int
        Bytes on disk that are never passed.
    admitting : bool
        Whether a chunk may pass by when something would go for it.

    Attributes
    ----------
    kinds : tuple of Files
        Where its chunks lie, and its descriptions.
    writable : bool
        Whether anything is stored here; else nothing is noted either.
    holders : set
        The caches that use it, each by something that stands for it.
    """

    def __init__(self, folder: Path, size_limit: int, *, admitting: bool = True) -> None:
        self.writable = True
        self.holders: set[object] = set()
        self.folder = folder
        self.kinds = Files(folder / "entries"), Files(folder / "descriptions")
        self.size_limit = size_limit
        self._admitting = admitting
        self._trouble = trouble(folder, INDEXING)
        self._ledger = Ledger(folder, self.kinds)
        self._reset()

    def forked(self) -> Any:
        """Begin anew in a child; return the parent's connection, which must not be closed.

        Closing it here would release the parent's locks.
        """
        connection = self._ledger.abandon()
        self._writer.forget()
        self._reset()
        return connection

    def _reset(self) -> None:
        self._writer = Writer(self.folder / "writers")
        for files in self.kinds:
            files.writer = self._writer.name
        self._sweeper = Sweeper(self._ledger, self.folder / "writers")
        self._lock = threading.Lock()
        self._busy = threading.Lock()
        self._notes = Notes(self.size_limit)
        # What was granted and is not recorded yet: free, or spent.
        self._free = self._spent = 0
        self._settled = time.monotonic()
        self._quiet_until = self._sweep_at = 0.0
        self._starved = False
        self._pause = _PAUSES[0]
        self._failing_since: float | None = None
        self._admission = Admission() if self._admitting else None
        self._looked = self._parting = False
        self._clock = 0

    # ---- what is noted ----

    def used(self, key: str, kind: int = CHUNKS) -> None:
        """Note that the entry of `key` was used now."""
        one = kind, key
        if self._notes.known(one) or not self.writable:
            return
        with self._lock:
            self._notes.use(one)
            due = self._due()
        if due:
            self._settle_now(0, wait=0.0)

    def reserve(self, key: str, size: int, kind: int = CHUNKS) -> int:
        """Return `size`, as the bytes on disk that may now be written; 0 if they may not."""
        size = self.kinds[kind].on_disk(size)
        if not self.writable or size > self.size_limit:
            return 0
        seen = self._returned(key) if kind == CHUNKS else None
        if self._spend(size):
            return size
        if seen is not None and not self._admits(seen):
            self._pass_by(key, size)
            return 0
        self._settle_now(size, _WAIT_SECONDS)
        return size if self._spend(size) else 0

    def _returned(self, key: str) -> int | None:
        with self._lock:
            return None if self._admission is None else self._admission.returned(key)

    def _admits(self, seen: int) -> bool:
        """Tell whether something is to go for what comes back."""
        assert self._admission is not None
        if self._admission.admits(seen):
            # What was used since the last look may make a difference.
            self._settle_now(0, _WAIT_SECONDS)
        return self._admission.admits(seen)

    def _pass_by(self, key: str, size: int) -> None:
        assert self._admission is not None
        with self._lock:
            self._notes.see((GONE, key), size)
            self._admission.note([(key, self._clock + len(self._notes))])
            due = self._due()
        if due:
            self._settle_now(0, wait=0.0)

    def _due(self) -> bool:
        return len(self._notes) >= MOST or time.monotonic() - self._settled > _LAG_SECONDS

    def _spend(self, size: int) -> bool:
        with self._lock:
            if self._free < size:
                return False
            self._free -= size
            self._spent += size
            return True

    def release(self, reserved: int) -> None:
        """Note that what was reserved is not written."""
        with self._lock:
            self._free += reserved
            self._spent -= reserved

    def stored(self, key: str, reserved: int, size: int, kind: int = CHUNKS) -> None:
        """Note that an entry was stored now, for which room was reserved."""
        one = kind, key
        with self._lock:
            before = self._notes.store(one, size)
            self._spent += size - reserved - before
            self._free += before

    # ---- the ledger ----

    def _settle_now(self, need: int, wait: float) -> None:
        """Settle, unless another thread does so for longer than `wait`, or it failed just now."""
        if time.monotonic() < self._quiet_until or not self._busy.acquire(timeout=wait):
            return
        try:
            # Another thread may have done so meanwhile.
            if not need or self._free < need:
                self._settle(need)
        finally:
            self._busy.release()

    def _settle(self, need: int) -> bool:
        """Bring what is noted into the ledger, and be granted room; tell whether that was done.

        Never raises for the sake of the index: what goes wrong is logged.
        """
        try:
            self._settle_with(need)
        except LedgerError as error:
            if isinstance(error, DamagedError):
                self._trouble.arose("the cache index in %s is made anew: %s", self.folder, error)
                self._ledger.remove()
            self._failed(error)
            return False
        self._pause, self._quiet_until, self._failing_since = _PAUSES[0], 0.0, None
        self._trouble.over()
        return True

    def _failed(self, error: LedgerError) -> None:
        now = time.monotonic()
        since = self._failing_since = self._failing_since or now
        self._pause = min(2 * self._pause, _PAUSES[1])
        self._quiet_until = now + self._pause
        if not isinstance(error, BusyError | DamagedError) or now - since > _PATIENCE_SECONDS:
            self._trouble.arose(
                "the cache index could not be updated, and nothing is stored: %s", error
            )
        with self._lock:
            self._notes.shorten()

    def _settle_with(self, need: int) -> None:
        with self._lock:
            noted = self._notes.first()
            recorded = sum(size or 0 for size in noted.values())
        ledger, name = self._ledger, self._writer.name
        _make(self.folder)
        try:
            self._writer.begin()
        except OSError as error:
            raise LedgerError(f"{self.folder}: {error.strerror or error}") from error
        with ledger.transaction():
            changes = [(kind, key, size) for (kind, key), size in noted.items()]
            clock = ledger.record(changes)
            self._sweep_if_due(need)
            with self._lock:
                held = self._free + self._spent - recorded
            if self._parting and self._admission is not None:
                ledger.see(self._admission.latest(seen_most(ledger)))
            known = self._sweeper.swept()
            room = make_room(ledger, name, self.size_limit, held, need, known=known)
            self._starved = room.scarce
            # As long as the files are there, so is what was granted for them.
            ledger.grant(name, held + max(room.granted, room.pending))
            seen = self._look_back(room) if self._admission else []
        for files, gone in zip(self.kinds, room.gone, strict=True):
            for key, _, _ in gone:
                files.remove(key)
        with self._lock:
            self._clock = clock
            if self._admission is not None:
                self._admission.note(seen)
                self._admission.note((key, used) for key, _, used in room.gone[CHUNKS])
            self._spent -= self._notes.told(noted)
            self._free += room.granted
            self._settled = time.monotonic()
        if any(room.gone):
            evicted = sum(map(len, room.gone))
            logger.info("evicted %d entries: the cache is at its size limit", evicted)

    def _look_back(self, room: Room) -> list[tuple[str, int]]:
        """Find out what goes next; return what is kept of keys that are not there, at first."""
        admission = self._admission
        assert admission is not None
        first = room.full and admission.oldest is None and not self._looked
        admission.oldest = self._ledger.oldest(CHUNKS) if room.full else None
        self._looked |= first
        return self._ledger.seen() if first else []

    def _sweep_if_due(self, need: int) -> None:
        """Sweep a little: at once if room is waited for, else for a small share of the time."""
        now = time.monotonic()
        if now >= self._sweep_at or (
            need and (self._starved or not self._sweeper.swept() or self._sweeper.awaited())
        ):
            self._sweeper.sweep(_SWEEP_SECONDS)
            end = time.monotonic()
            self._sweep_at = end + _SWEEP_SHARE * (end - now)

    def flush(self) -> None:
        """Bring what is noted into the ledger, and give back room that is not needed.

        Waits for nobody for long: what cannot be told is found by whoever sweeps the folder.
        """
        until = time.monotonic() + _CLOSING_SECONDS
        while not self._flush_once() and time.monotonic() < until:
            time.sleep(_PAUSES[0])

    def _flush_once(self) -> bool:
        if not self._busy.acquire(timeout=_CLOSING_SECONDS):
            return False
        try:
            with self._lock:
                if not self._notes and not self._free and not self._parting:
                    return True
                self._free = 0
            return self._settle(0) and not self._notes
        finally:
            self._busy.release()

    def end(self) -> None:
        """Flush, and be no writer any longer, unless something is still being written."""
        # Whether what is read comes back may be for the next process to see.
        self._parting = self._looked
        self.flush()
        self._parting = False
        if not self._busy.acquire(timeout=0):
            return
        try:
            if self._writer.begun and not self._spent:
                with contextlib.suppress(LedgerError), self._ledger.transaction():
                    self._ledger.retire(self._writer.name)
                self._writer.end()
            self._ledger.close()
        finally:
            self._busy.release()

    def totals(self) -> tuple[int, int]:
        """Return the number of chunks and the bytes on disk of all there is.

        Raises
        ------
        CacheError
            If the index cannot be read.
        """
        if not self.writable:
            return self._found()
        self.flush()
        return self._patiently(self._totals)

    def _found(self) -> tuple[int, int]:
        """Return what `totals` does, as the file system says."""
        found = [files.shard(f"{shard:02x}") for files in self.kinds for shard in range(SHARDS)]
        sizes = [[self.kinds[0].blocks(state) for _, state in shard] for shard in found]
        return sum(map(len, sizes[:SHARDS])), sum(map(sum, sizes))

    def _totals(self) -> tuple[int, int]:
        while not self._sweeper.swept():
            self._sweeper.sweep(_SWEEP_SECONDS)
        entries, size = self._ledger.counted(CHUNKS)
        _, described = self._ledger.counted(DESCRIPTIONS)
        return entries, size + described + self._ledger.index_bytes()

    def clear(self) -> None:
        """Remove all that is kept.

        Raises
        ------
        CacheError
            If it cannot be removed.
        """
        if not self.writable:
            raise CacheError(f"{self.folder} cannot be written")
        with self._lock:
            dropped = self._notes.clear()
            self._free += dropped
            self._spent -= dropped
        # Files first: they are what takes the space, and rows without them do no harm.
        for files in self.kinds:
            for key, _ in files.keys():  # noqa: SIM118 - not a mapping
                files.remove(key)
            files.tidy(age=UNFINISHED_SECONDS)
        self._patiently(self._ledger.clear)

    def _patiently(self, action: Callable[[], T]) -> T:
        """Do something in a transaction, for which whoever asked is ready to wait."""
        until = time.monotonic() + _PATIENCE_SECONDS
        with self._busy:
            while True:
                try:
                    _make(self.folder)
                    with self._ledger.transaction():
                        return action()
                except (BusyError, DamagedError) as error:
                    if time.monotonic() > until:
                        raise
                    if isinstance(error, DamagedError):
                        self._ledger.remove()
                time.sleep(_PAUSES[0])


def _make(folder: Path) -> None:
    try:
        make_private(folder)
    except OSError as error:
        raise LedgerError(f"{folder}: {error.strerror or error}") from error
