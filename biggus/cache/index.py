"""The index: how the caches of one folder in one process store entries and evict others.

An entry is stored at once if there is room.  If the ledger is locked for longer than a reader
should wait, a background thread stores it later.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from biggus.cache.account import PATIENCE_SECONDS, Account, make_cache_folder
from biggus.cache.deferred import DeferredEntry, DeferredStores
from biggus.cache.ledger import GONE, SHARDS, BusyError, DamagedError, LedgerError
from biggus.cache.pending import MOST
from biggus.cache.pins import pin, pinned, unpin
from biggus.cache.room import CHUNKS, DESCRIPTIONS
from biggus.cache.sweep import SWEEP_SECONDS
from biggus.errors import CacheError

T = TypeVar("T")

_LAG_SECONDS = 10.0
_WAIT_SECONDS = 0.02
_CLOSING_SECONDS = 0.25
_DRAINING_SECONDS = 2.0
_LATER_MOST = 64_000_000
"""The most bytes that wait to be stored; for a small cache half of its size limit."""
_RETRY_SECONDS = 0.0025
_AHEAD = 4
"""More room is made when only this fraction (1/4) of the last grant is left."""
_ROUNDS_LATER, _ROUNDS_AT_LAST = 8, 16
"""How many rounds of evictions run at once in the background, and at the end of a process."""


class Index(Account):
    """The state that all caches of a folder share in this process.

    Parameters
    ----------
    folder, size_limit, admitting, fsync
        As in `Account`.

    Attributes
    ----------
    writable : bool
        Whether entries are stored and uses recorded.
    holders : set
        One object for each cache that uses the index.
    """

    def __init__(
        self, folder: Path, size_limit: int, *, admitting: bool = True, fsync: bool = False
    ) -> None:
        self.writable = True
        self.holders: set[object] = set()
        super().__init__(folder, size_limit, admitting=admitting, fsync=fsync)

    def _reset(self) -> None:
        super()._reset()
        self._later = DeferredStores(self, min(_LATER_MOST, self.size_limit // 2), self.clearing)
        for kind, files in enumerate(self.kinds):
            files.waiting = partial(self._later.find, kind)

    def used(self, key: str, kind: int = CHUNKS) -> None:
        """Note that an entry was used now."""
        one = kind, key
        if self._notes.known(one) or not self.writable:
            return
        with self._lock:
            self._began()
            self._notes.use(one)
        self._settle_if_due()

    def _settle(self, need: int, rounds: int) -> bool:
        done = super()._settle(need, rounds)
        if done and self._has_more_to_evict():
            self._later.want(0)
        return done

    def _has_more_to_evict(self) -> bool:
        return bool(self.holders) and self._last is not None and self._last.more

    def store(
        self,
        kind: int,
        key: str,
        pieces: list[bytes | memoryview],
        clears: int,
        *,
        passing: bool = False,
    ) -> int:
        """Store an entry, now or later; return its bytes on disk, 0 if it is not stored.

        It is not stored if there is no room, if the folder has been cleared since the count was
        `clears`, or, with `passing`, if `Admission` declines it.
        """
        size = self.kinds[kind].on_disk(sum(map(len, pieces)))
        if not self.writable or size > self.size_limit:
            return 0
        seen = self._seen(key) if passing else None
        if not self._spend(size):
            if seen is not None and not self._admits(seen):
                self._pass_by(key, size)
                return 0
            # If entries wait for room already, this one joins them.
            if self._later.waits() or not self._granted(size):
                late = not self._is_hopeless() and self._later.put(kind, key, pieces, seen, clears)
                return size if late else 0
        self._look_ahead(size)
        return self._write(kind, key, pieces, size, clears)

    def _granted(self, size: int, rounds: int = 1) -> bool:
        return self._settle_now(size, _WAIT_SECONDS, rounds=rounds) and self._spend(size)

    def _is_hopeless(self) -> bool:
        """Return whether there would be no room even if everything were evicted."""
        return self._failing_since is None and self._last is not None and self._last.never

    def store_late(self, one: DeferredEntry) -> bool:
        """Store an entry that waits; return whether it is done with, stored or not."""
        size = self.kinds[one.kind].on_disk(len(one.data))
        if one.clears != self.clearing.times or one.place not in (None, self.clearing.place()):
            return True
        if not self._spend(size):
            if one.seen is not None and not self._admits(one.seen):
                self._pass_by(one.key, size)
                return True
            if not self._granted(size, _ROUNDS_LATER):
                return self._is_hopeless()
        self._write(one.kind, one.key, [one.data], size, one.clears)
        return True

    def _look_ahead(self, size: int) -> None:
        if self._runs_low(size):
            self._later.want(size)

    def _runs_low(self, size: int) -> bool:
        """Return whether room for entries of this size will soon run out in a full cache."""
        last = self._last
        return (
            last is not None
            and last.full
            and last.granted >= 2 * _AHEAD * size
            and last.granted > _AHEAD * self._free
        )

    def make_room_ahead(self, size: int) -> None:
        """Make room for more entries of a size if little is left, and evict what is due.

        Evicts some entries at a time, and asks to be called again for the rest.
        """
        if self.clearing.place() is None:
            return
        if self._runs_low(size) or self._due():
            self._settle_now(size, _WAIT_SECONDS, ahead=True, rounds=_ROUNDS_LATER)
        if self._has_more_to_evict() and not self._settle_now(
            0, _WAIT_SECONDS, rounds=_ROUNDS_LATER
        ):
            since = self._failing_since
            if since is None or time.monotonic() - since < PATIENCE_SECONDS:
                time.sleep(_RETRY_SECONDS)
                self._later.want(0)

    def _write(
        self, kind: int, key: str, pieces: Sequence[bytes | memoryview], reserved: int, clears: int
    ) -> int:
        size = 0
        try:
            size = self.kinds[kind].write(key, pieces, lambda: clears == self.clearing.times)
        except OSError as error:
            thing = ("a chunk", "a description")[kind]
            self._write_failures.log("%s could not be stored in %s: %s", thing, self.folder, error)
            return 0
        finally:
            if not size:
                self._release(reserved)
        if size:
            self._write_failures.over()
            with self._lock:
                before = self._notes.store((kind, key), size)
                self._spent += size - reserved - before
                self._free += before
        return size

    def _seen(self, key: str) -> int | None:
        """Return the time before which others must have been used for this chunk to evict them.

        None if it may evict any.
        """
        with self._lock:
            if self._admission is None:
                return None
            began = self._began()
            seen = self._admission.returned(key)
            return began if seen is None else seen

    def _admits(self, seen: int) -> bool:
        """Return whether an entry may be evicted for a chunk seen before."""
        assert self._admission is not None
        if self._admission.oldest is not None and self._admission.admits(seen):
            # Uses since the last settling may change the answer.
            self._settle_now(0, _WAIT_SECONDS)
        return self._admission.admits(seen)

    def _pass_by(self, key: str, size: int) -> None:
        assert self._admission is not None
        with self._lock:
            self._notes.see((GONE, key), size)
            began = self._began()
            used = self._clock + len(self._notes) if began is None else began
            self._admission.note([(key, used)])
        self._settle_if_due()

    def _settle_if_due(self) -> None:
        """Let the background thread record the notes in the ledger, if that is due."""
        if self._due():
            self._later.want(0)

    def _due(self) -> bool:
        now = time.monotonic()
        late = len(self._notes) >= MOST or now - self._settled > _LAG_SECONDS
        return late and now >= self._quiet_until

    def flush(self) -> None:
        """Record the notes in the ledger, and give back unused room.

        Does not wait long for the ledger: unrecorded files are found by the next sweep.
        """
        self._later.drain(_CLOSING_SECONDS)
        if self._failing_since is None:
            self._later.drain(_DRAINING_SECONDS)
        until = time.monotonic() + _CLOSING_SECONDS
        while not self._flush_once() and time.monotonic() < until:
            time.sleep(_RETRY_SECONDS)

    def close(self) -> None:
        """Flush, and drop entries that still wait to be stored."""
        self.flush()
        self._later.clear()
        self._later.drain(_DRAINING_SECONDS)

    def _flush_once(self) -> bool:
        if not self._busy.acquire(timeout=_CLOSING_SECONDS):
            return False
        try:
            if self.clearing.place() is None:
                return True  # the folder was removed, and is not created again for this
            with self._lock:
                if not self._notes and not self._free and not self._parting:
                    return True
                self._free = 0
            return self._settle(0, _ROUNDS_AT_LAST) and not self._notes
        finally:
            self._busy.release()

    def end(self) -> None:
        """Flush, and sign off as a writer unless something is still being written."""
        # Keep what `Admission` remembers for the next process.
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

    def pin(self, sizes: Mapping[str, int]) -> None:
        """Pin chunks, given by key with their largest size in bytes.

        Raises
        ------
        CacheError
            If they take too much, or the index cannot be written.
        """
        self._refuse_if_read_only()
        on_disk = {key: self.kinds[CHUNKS].on_disk(size) for key, size in sizes.items()}
        with contextlib.ExitStack() as held_off:

            def pin_once_none_goes() -> None:
                held_off.close()  # after a failed try
                held_off.enter_context(self._evicting.held_off())
                pin(self._ledger, on_disk, self.size_limit)

            self._patiently(pin_once_none_goes)

    def unpin(self, keys: Iterable[str]) -> None:
        """Unpin chunks by key.

        Raises
        ------
        CacheError
            If the index cannot be written.
        """
        self._refuse_if_read_only()
        self._patiently(lambda: unpin(self._ledger, keys))

    def _refuse_if_read_only(self) -> None:
        if not self.writable:
            raise CacheError(f"{self.folder} cannot be written")

    def totals(self) -> tuple[int, int, int]:
        """Return the number of chunks, all bytes on disk, and the bytes pinned.

        Raises
        ------
        CacheError
            If the index cannot be read.
        """
        if not self.writable:
            return self._found()
        self.flush()
        return self._patiently(self._totals)

    def _found(self) -> tuple[int, int, int]:
        """Return the totals of a read-only folder, from its files."""
        shards = [files.shard(f"{shard:02x}") for files in self.kinds for shard in range(SHARDS)]
        sizes = [[self.kinds[0].blocks(state) for _, state in shard] for shard in shards]
        return sum(map(len, sizes[:SHARDS])), sum(map(sum, sizes)), 0

    def _totals(self) -> tuple[int, int, int]:
        while not self._sweeper.swept():
            self._sweeper.sweep(SWEEP_SECONDS)
        entries, size = self._ledger.counted(CHUNKS)
        _, described = self._ledger.counted(DESCRIPTIONS)
        return entries, size + described + self._ledger.index_bytes(), pinned(self._ledger)

    def clear(self) -> None:
        """Remove everything in the folder.

        Raises
        ------
        CacheError
            If something cannot be removed.
        """
        self._refuse_if_read_only()
        self._begin_to_clear()
        with self._busy:
            self._later.clear()
            # Files first: they take the space, and rows without files do no harm.
            for files in self.kinds:
                files.remove_all()
            with self._lock:
                dropped = self._notes.clear()
                self._free += dropped
                self._spent -= dropped
            self._once_free(self._count_anew)

    def _begin_to_clear(self) -> None:
        make_cache_folder(self.folder)
        try:
            self.clearing.begin()
        except OSError:  # the disk may be full
            for files in self.kinds:
                files.remove_all()
            try:
                self.clearing.begin()
            except OSError as error:
                raise CacheError(f"{self.folder}: {error.strerror or error}") from error

    def _count_anew(self) -> None:
        """Rebuild the ledger from the files that other processes have stored meanwhile."""
        self._ledger.clear()
        self._sweeper.sweep(math.inf)

    def _patiently(self, action: Callable[[], T]) -> T:
        with self._busy:
            return self._once_free(action)

    def _once_free(self, action: Callable[[], T]) -> T:
        """Call `action` in a transaction, waiting for the ledger if need be."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                make_cache_folder(self.folder)
                with self._ledger.transaction():
                    return action()
            except (BusyError, DamagedError) as error:
                if time.monotonic() > until:
                    raise
                if isinstance(error, DamagedError):
                    self._ledger.remove()
            time.sleep(_RETRY_SECONDS)
