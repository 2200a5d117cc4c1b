"""The ledger: what lies in a cache folder, what was used when, and who may write how much more.

It is an SQLite database of which nothing is waited for.  A process that is stopped in the
middle of a transaction keeps all others out of it; they find that out at once, and
go on without it.  It may be lost: what is in the folder is then counted anew.

Nothing that stands in it is believed further than as numbers and keys of 20 bytes.
"""

from __future__ import annotations

import contextlib
import sqlite3
import stat
from typing import TYPE_CHECKING, Any

from biggus.errors import CacheError
from biggus.support.forks import between_forks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from biggus.cache.files import Files

NAME = "index.db"
FORMAT = 2
"""The format version of the folder: 1 had an index of diskcache's."""

BUSY_SECONDS = 0.02
EVICTED_AT_ONCE = 256
KINDS = 2
GONE = 2
"""As a kind: no entries, but when keys that are not there were last seen."""
PINNED = 3
"""As a kind: no entries, but keys of chunks that stay, with the bytes that they may take."""
STAYS = 2**62
"""When a pinned entry was used: later than all others, and it does not go."""
SHARDS = 256
SWEEP = KINDS * SHARDS
"""Steps in which all of a folder is swept."""

_APPLICATION = 0x62696767
_PAGE_BYTES = 1024
_JOURNAL_BYTES = 1_000_000
_RESULT = 0xFF
_DAMAGE = {
    sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_FORMAT,
}  # fmt: skip

_SCHEMA = """
CREATE TABLE entries (
    kind INTEGER NOT NULL, key BLOB NOT NULL, bytes INTEGER NOT NULL, used INTEGER NOT NULL,
    PRIMARY KEY (kind, key)
) WITHOUT ROWID;
CREATE INDEX by_use ON entries (kind, used);
CREATE TABLE shards (
    kind INTEGER NOT NULL, shard INTEGER NOT NULL,
    entries INTEGER NOT NULL, bytes INTEGER NOT NULL,
    PRIMARY KEY (kind, shard)
) WITHOUT ROWID;
CREATE TABLE writers (name TEXT PRIMARY KEY, granted INTEGER NOT NULL, doomed INTEGER);
CREATE TABLE state (clock INTEGER NOT NULL, swept INTEGER NOT NULL);
"""


class LedgerError(CacheError):
    """The ledger cannot be used now."""


class BusyError(LedgerError):
    """Somebody else is at it."""


class FullError(LedgerError):
    """There is no room for it on the disk."""


class DamagedError(LedgerError):
    """It is no ledger, or a damaged one."""


class Ledger:
    """The database of a cache folder.  One thread uses it at a time.

    Parameters
    ----------
    folder : Path
        The cache folder.
    kinds : sequence of Files
        Where its chunks lie, and its descriptions.
    """

    def __init__(self, folder: Path, kinds: Sequence[Files]) -> None:
        self.folder = folder
        self.kinds = kinds
        self.path = folder / NAME
        self._connection: sqlite3.Connection | None = None
        self._place: tuple[int, int] | None = None
        self.pins = False

    def run(self, statement: str, *values: Any) -> list[Any]:
        """Execute a statement; return its rows."""
        if self._connection is None:
            raise LedgerError(f"{self.folder}: the index is not open")
        return self._connection.execute(statement, values).fetchall()

    def run_many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """Execute a statement for each of some rows."""
        assert self._connection is not None
        self._connection.executemany(statement, rows)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Have what is done in the block happen as a whole, or not at all.

        Raises
        ------
        BusyError
            If somebody else is at it.
        LedgerError
            If it cannot be used for another reason.
        """
        with between_forks():
            try:
                self._connect()
                self.run("BEGIN IMMEDIATE")
                if not self._sound():
                    self._create()
                self.pins = bool(self.run("SELECT 1 FROM entries WHERE kind=? LIMIT 1", PINNED))
                yield
                self.run("COMMIT")
            except (sqlite3.Error, OSError, LedgerError, ValueError, TypeError) as error:
                self._roll_back()
                raise self._said(error) from error
            except BaseException:
                self._roll_back()
                raise

    def _roll_back(self) -> None:
        if self._connection is not None and self._connection.in_transaction:
            try:
                self.run("ROLLBACK")
            except sqlite3.Error:
                self.close()

    def _said(self, error: Exception) -> LedgerError:
        text = f"{self.folder}: {error or type(error).__name__}"
        if isinstance(error, LedgerError):
            return error
        if isinstance(error, ValueError | TypeError):
            return DamagedError(text)
        code = getattr(error, "sqlite_errorcode", 0) & _RESULT
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return BusyError(text)
        if code in _DAMAGE:
            return DamagedError(text)
        if code == sqlite3.SQLITE_FULL:
            return FullError(text)
        self.close()
        return LedgerError(text)

    def _connect(self) -> None:
        """Be connected to the file that is there now: it may be another than it was."""
        place = _place(self.path)
        if self._connection is not None and place == self._place:
            return
        self.close()
        self._connection = sqlite3.connect(
            self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        if place is None:
            self.path.chmod(0o600)
        # It outlives the death of a process, and need not outlive that of the machine.
        self.run("PRAGMA synchronous=OFF")
        self.run("PRAGMA temp_store=MEMORY")
        self.run(f"PRAGMA page_size={_PAGE_BYTES}")
        self.run("PRAGMA auto_vacuum=INCREMENTAL")
        self.run("PRAGMA journal_mode=TRUNCATE")
        self._place = _place(self.path)

    def _sound(self) -> bool:
        """Tell whether it is made; it is not when it is new."""
        ((application,),) = self.run("PRAGMA application_id")
        ((form,),) = self.run("PRAGMA user_version")
        if (application, form) == (_APPLICATION, FORMAT):
            return True
        if (application, form) != (0, 0) or self.run("SELECT 1 FROM sqlite_master LIMIT 1"):
            raise DamagedError(f"{self.folder}: the index is of another layout")
        return False

    def _create(self) -> None:
        for statement in _SCHEMA.split(";\n"):
            self.run(statement)
        # What is in no folder need not be swept.
        empty = not any(files.folder.exists() for files in self.kinds)
        for path in self.folder.glob("cache.db*"):  # the index of format 1
            with contextlib.suppress(OSError):
                path.unlink()
        self.run("INSERT INTO state VALUES (0, ?)", SWEEP if empty else 0)
        self.run(f"PRAGMA application_id={_APPLICATION}")
        self.run(f"PRAGMA user_version={FORMAT}")

    def remove(self) -> None:
        """Remove the database, to be made anew."""
        self.close()
        # The journal first: it would be played back into what is new.
        for suffix in ("-journal", "-wal", "-shm", ""):
            with contextlib.suppress(OSError):
                self.path.with_name(NAME + suffix).unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the connection."""
        with between_forks():
            connection = self.abandon()
            if connection is not None:
                with contextlib.suppress(sqlite3.Error):
                    connection.close()

    def abandon(self) -> sqlite3.Connection | None:
        """Forget the connection, which is the parent's after a fork, and return it."""
        connection, self._connection, self._place = self._connection, None, None
        return connection

    # ---- within a transaction ----

    def index_bytes(self) -> int:
        """Return what the database takes on the disk, at most."""
        ((pages,),) = self.run("PRAGMA page_count")
        size = self.kinds[0].on_disk(pages * _PAGE_BYTES)
        return size + min(size, _JOURNAL_BYTES)

    def counted(self, kind: int) -> tuple[int, int]:
        """Return how many entries there are of a kind, and their bytes on disk."""
        sums = "SELECT COALESCE(SUM(entries), 0), COALESCE(SUM(bytes), 0) FROM shards WHERE kind=?"
        ((entries, size),) = self.run(sums, kind)
        if not isinstance(entries, int) or not isinstance(size, int) or min(entries, size) < 0:
            raise DamagedError(f"{self.folder}: the index counts {entries} entries, {size} bytes")
        return entries, size

    def record(self, noted: Sequence[tuple[int, str, int | None]]) -> int:
        """Bring in what was stored and used, of each kind, key and bytes, in this order.

        The bytes of what was only used are None.  Returns the counter that says when that was.
        """
        ((clock,),) = self.run("SELECT clock FROM state")
        for kind, key, stored in noted:
            clock += 1
            if kind == GONE:
                continue
            name = bytes.fromhex(key)
            found = self.run("SELECT bytes FROM entries WHERE kind=? AND key=?", kind, name)
            before = found[0][0] if found else None
            size = before if stored is None else stored
            if size is None:
                # Used, and unknown: whoever stored it was killed before it said so.
                size = self.kinds[kind].size(key)
            if size is not None:
                self.put(kind, name, size, clock, before)
        self.run("UPDATE state SET clock=?", clock)
        return int(clock)

    def put(self, kind: int, key: bytes, size: int, used: int, before: int | None) -> None:
        """Set the row of an entry, of which `before` bytes were counted, or none."""
        if kind == 0 and self.is_pinned(key):
            used = STAYS
        self.run("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)", kind, key, size, used)
        if size != before:
            self._count(kind, key[0], int(before is None), size - (before or 0))

    def take(self, kind: int, rows: Sequence[tuple[bytes, int]]) -> None:
        """Take out the rows of some entries, given with their bytes."""
        # In the order in which they lie there, many in a statement.
        keys = sorted(key for key, _ in rows)
        for first in range(0, len(keys), EVICTED_AT_ONCE):
            some = keys[first : first + EVICTED_AT_ONCE]
            these = f"kind=? AND key IN ({','.join('?' * len(some))})"
            self.run(f"DELETE FROM entries WHERE {these}", kind, *some)  # noqa: S608 - of marks
        shards: dict[int, list[int]] = {}
        for key, size in rows:
            shards.setdefault(key[0], []).append(size)
        for shard, sizes in shards.items():
            self._count(kind, shard, -len(sizes), -sum(sizes))

    def _count(self, kind: int, shard: int, entries: int, size: int) -> None:
        self.run(
            "INSERT INTO shards VALUES (?, ?, MAX(?, 0), MAX(?, 0)) "
            "ON CONFLICT (kind, shard) DO UPDATE "
            "SET entries = MAX(entries + ?, 0), bytes = MAX(bytes + ?, 0)",
            *(kind, shard, entries, size, entries, size),
        )

    def evict(self, kind: int, amount: int, rounds: int = 1) -> list[tuple[str, int, int]]:
        """Take out those of a kind that were used least recently: of `amount` bytes, if it can.

        Returns the key of each, its bytes, and when it was used; of `EVICTED_AT_ONCE` a round
        at most.  Their files are still there, and to be counted until they are removed.
        """
        if amount <= 0:
            return []
        # In one row: between rows other threads are let go first, each time.
        oldest = (
            "SELECT GROUP_CONCAT(used || ' ' || bytes || ' ' || HEX(key)) FROM "
            "(SELECT * FROM entries WHERE kind=? AND used<? ORDER BY used LIMIT ?)"
        )
        ((found,),) = self.run(oldest, kind, STAYS, rounds * EVICTED_AT_ONCE)
        rows = [row.split(" ") for row in found.split(",")] if found else []
        gone: list[tuple[bytes, int, int]] = []
        freed = 0
        for used, size, key in sorted((int(u), int(b), bytes.fromhex(k)) for u, b, k in rows):
            if freed >= amount:
                break
            gone.append((key, size, used))
            freed += size
        self.take(kind, [(key, size) for key, size, _ in gone])
        return [(hex_of(key), size, used) for key, size, used in gone]

    def oldest(self, kind: int) -> int | None:
        """Return when the entry of a kind that goes next was used, if there is one."""
        ((used,),) = self.run("SELECT MIN(used) FROM entries WHERE kind=?", kind)
        return None if used is None else int(used)

    def seen(self) -> list[tuple[str, int]]:
        """Return when keys that are not there were last seen, in this order."""
        rows = self.run("SELECT key, used FROM entries WHERE kind=? ORDER BY used", GONE)
        return [(hex_of(key), int(used)) for key, used in rows]

    def see(self, keys: Sequence[tuple[str, int]]) -> None:
        """Have these be the keys that are not there, and when they were last seen."""
        self.run("DELETE FROM entries WHERE kind=?", GONE)
        self.run_many(
            "INSERT INTO entries VALUES (?, ?, 0, ?)",
            [(GONE, bytes.fromhex(key), used) for key, used in keys],
        )

    def is_pinned(self, key: bytes) -> bool:
        """Tell whether a chunk stays, if it is there."""
        return self.pins and bool(
            self.run("SELECT 1 FROM entries WHERE kind=? AND key=?", PINNED, key)
        )

    def granted(self, name: str) -> int:
        """Return the bytes that all writers but one may still write."""
        others = "SELECT COALESCE(SUM(granted), 0) FROM writers WHERE name<>?"
        ((size,),) = self.run(others, name)
        return int(size)

    def grant(self, name: str, size: int) -> None:
        """Note how much a writer may write, counted from what is recorded."""
        self.run("INSERT OR REPLACE INTO writers VALUES (?, ?, NULL)", name, size)

    def retire(self, name: str) -> None:
        """Take a writer out."""
        self.run("DELETE FROM writers WHERE name=?", name)

    def clear(self) -> None:
        """Take out all entries."""
        self.run("DELETE FROM entries")
        self.run("DELETE FROM shards")

    def shrink(self) -> None:
        """Give back pages that are not used, some at a time."""
        ((free,),) = self.run("PRAGMA freelist_count")
        ((pages,),) = self.run("PRAGMA page_count")
        if free > pages // 2:
            self.run("PRAGMA incremental_vacuum(256)")


def hex_of(key: Any) -> str:
    """Return a key as it names a file.

    Raises
    ------
    DamagedError
        If it is none.
    """
    if not isinstance(key, bytes) or len(key) != 20:
        raise DamagedError(f"the index holds a key that is none: {key!r}")
    return key.hex()


def _place(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another that has its name; None if there is none."""
    try:
        state = path.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(state.st_mode) and not stat.S_ISDIR(state.st_mode):
        path.unlink()  # a pipe would be waited for
        return None
    return state.st_dev, state.st_ino
