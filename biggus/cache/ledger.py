"""The ledger: an SQLite database of a folder's entries, their last uses, and grants to writers.

No reader waits for it.  A process that is stopped within a transaction locks all others out;
they notice at once, and carry on without the ledger.  It may be lost: it is then rebuilt from
the files in the folder.

Its contents are trusted only as numbers and as keys of 20 bytes.
"""

from __future__ import annotations

import contextlib
import sqlite3
import stat
from typing import TYPE_CHECKING, Any

from biggus.cache.layout import Layout
from biggus.errors import CacheError
from biggus.support.forks import between_forks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from biggus.cache.files import Files

NAME = "index.db"

BUSY_SECONDS = 0.02
EVICTED_AT_ONCE = 256
KINDS = 2
GONE = 2
"""The kind of rows for keys that are not in the cache, with their last use (see `Admission`)."""
PINNED = 3
"""The kind of rows for keys of pinned chunks, with the bytes that they may take."""
STAYS = 2**62
"""The last use of a pinned entry: later than all others, so that it is not evicted."""
SHARDS = 256
SWEEP = KINDS * SHARDS
"""The number of steps of a complete sweep of the folder."""

_PAGE_BYTES = 1024
_JOURNAL_BYTES = 1_000_000
_LEAST_BYTES = 64 * 1024
"""The database of a cache may always be so large, however small the limit is."""
_RESULT = 0xFF
_DAMAGE = {
    sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_FORMAT,
}  # fmt: skip
_MOST_COUNTED = 2**61
_NONSENSE = ValueError, TypeError, OverflowError, IndexError
"""The errors from values that no intact ledger holds."""


class LedgerError(CacheError):
    """The ledger cannot be used now."""


class BusyError(LedgerError):
    """Another process or thread is using the ledger."""


class FullError(LedgerError):
    """The disk has no room for the ledger."""


class DamagedError(LedgerError):
    """The file is damaged, or is not a ledger."""


class Ledger:
    """The database of a cache folder.  One thread uses it at a time.

    Parameters
    ----------
    folder : Path
        The cache folder.
    kinds : sequence of Files
        The files of chunks, and those of descriptions.
    """

    def __init__(self, folder: Path, kinds: Sequence[Files]) -> None:
        self.folder = folder
        self.kinds = kinds
        self.path = folder / NAME
        self._connection: sqlite3.Connection | None = None
        self._place: tuple[int, int] | None = None
        self._layout: Layout | None = None
        self.pins = False

    def run(self, statement: str, *values: Any) -> list[Any]:
        """Execute a statement; return its rows."""
        if self._connection is None:
            raise LedgerError(f"{self.folder}: the index is not open")
        return self._connection.execute(statement, values).fetchall()

    def run_many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """Execute a statement for each of several rows."""
        assert self._connection is not None
        self._connection.executemany(statement, rows)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Run a with block as a transaction.

        Raises
        ------
        BusyError
            If another process or thread is using the ledger.
        LedgerError
            If it cannot be used for another reason.
        """
        with between_forks():
            try:
                self._connect()
                self.run("BEGIN IMMEDIATE")
                if not self._sound():
                    self._fill()
                self.pins = bool(self.run("SELECT 1 FROM entries WHERE kind=? LIMIT 1", PINNED))
                yield
                self.run("COMMIT")
            except (sqlite3.Error, OSError, LedgerError, *_NONSENSE) as error:
                self._roll_back()
                raise self._ledger_error(error) from error
            except BaseException:
                self._roll_back()
                raise

    def _roll_back(self) -> None:
        if self._connection is not None and self._connection.in_transaction:
            try:
                self.run("ROLLBACK")
            except sqlite3.Error:
                self.close()

    def _ledger_error(self, error: Exception) -> LedgerError:
        text = f"{self.folder}: {error or type(error).__name__}"
        if isinstance(error, LedgerError):
            return error
        if isinstance(error, _NONSENSE):
            return DamagedError(text)
        code = getattr(error, "sqlite_errorcode", 0) & _RESULT
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return BusyError(f"{self.folder}: another process is using the index of the cache")
        if code in _DAMAGE:
            return DamagedError(text)
        if code == sqlite3.SQLITE_FULL:
            return FullError(text)
        self.close()
        return LedgerError(text)

    def _connect(self) -> None:
        """Connect to the file, again if it was replaced since."""
        place = _place(self.path)
        if self._connection is not None and place == self._place:
            return
        self.close()
        self._layout = Layout(self.run)
        self._connection = sqlite3.connect(
            self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        if place is None:
            self.path.chmod(0o600)
        # It survives the end of a process, and need not survive a crash of the machine.
        self.run("PRAGMA synchronous=OFF")
        self.run("PRAGMA temp_store=MEMORY")
        self.run(f"PRAGMA page_size={_PAGE_BYTES}")
        self.run("PRAGMA auto_vacuum=INCREMENTAL")
        self.run("PRAGMA journal_mode=TRUNCATE")
        self._place = _place(self.path)

    def _sound(self) -> bool:
        """Return whether the tables exist; they do not in a new file."""
        assert self._layout is not None
        if self._layout.is_ours():
            return True
        if not self._layout.is_new():
            raise DamagedError(f"{self.folder}: the index is of another layout")
        self._layout.create()
        return False

    def _fill(self) -> None:
        # An empty folder need not be swept.
        empty = not any(files.folder.exists() for files in self.kinds)
        self.run("INSERT INTO state VALUES (0, ?)", SWEEP if empty else 0)

    def remove(self) -> None:
        """Remove the database, which is created again on next use."""
        self.close()
        # The journal first: it would be played back into the new database.
        for suffix in ("-journal", "-wal", "-shm", ""):
            with contextlib.suppress(OSError):
                self.path.with_name(NAME + suffix).unlink(missing_ok=True)

    def close(self) -> None:
        """Close the connection."""
        with between_forks():
            connection = self.abandon()
            if connection is not None:
                with contextlib.suppress(sqlite3.Error):
                    connection.close()

    def abandon(self) -> sqlite3.Connection | None:
        """Forget the connection, which belongs to the parent after a fork, and return it."""
        connection, self._connection, self._place = self._connection, None, None
        return connection

    # ---- within a transaction ----

    def index_bytes(self) -> int:
        """Return the most bytes that the database and its journal take on disk."""
        ((pages,),) = self.run("PRAGMA page_count")
        size = self.kinds[0].on_disk(pages * _PAGE_BYTES)
        return size + min(size, _JOURNAL_BYTES)

    def check_size(self, size_limit: int) -> None:
        """Make sure that the database is not larger than the whole folder may be.

        Raises
        ------
        DamagedError
            If it is: most of its rows are of entries that are not there.
        """
        ((pages,),) = self.run("PRAGMA page_count")
        if pages * _PAGE_BYTES > max(size_limit, _LEAST_BYTES):
            raise DamagedError(f"{self.folder}: the index is larger than the cache may be")

    def counted(self, kind: int) -> tuple[int, int]:
        """Return the number of entries of a kind, and their bytes on disk."""
        sums = "SELECT COALESCE(SUM(entries), 0), COALESCE(SUM(bytes), 0) FROM shards WHERE kind=?"
        ((entries, size),) = self.run(sums, kind)
        if not isinstance(entries, int) or not isinstance(size, int) or min(entries, size) < 0:
            raise DamagedError(f"{self.folder}: the index counts {entries} entries, {size} bytes")
        return entries, size

    def counter(self, name: str) -> int:
        """Return a counter: the ``clock`` of uses, or how many steps were ``swept``."""
        ((count,),) = self.run(f"SELECT {name} FROM state")  # noqa: S608 - of these two
        if not isinstance(count, int) or not 0 <= count < _MOST_COUNTED:
            raise DamagedError(f"{self.folder}: the index counts a {name} of {count!r}")
        return count

    def record(self, noted: Sequence[tuple[int, str, int | None]]) -> int:
        """Record stores and uses, given in this order as kind, key and bytes; None for a use.

        Returns the time, a counter, of the last one.
        """
        clock = self.counter("clock")
        for kind, key, stored in noted:
            clock += 1
            if kind == GONE:
                continue
            name = bytes.fromhex(key)
            rows = self.run("SELECT bytes FROM entries WHERE kind=? AND key=?", kind, name)
            before = rows[0][0] if rows else None
            size = before if stored is None else stored
            if size is None:
                # Its writer was killed before it recorded the store.
                size = self.kinds[kind].size(key)
            if size is not None:
                self.put(kind, name, size, clock, before)
        self.run("UPDATE state SET clock=?", clock)
        return clock

    def put(self, kind: int, key: bytes, size: int, used: int, before: int | None) -> None:
        """Set the row of an entry; `before` is its size in the old row, None if there was none."""
        if kind == 0 and self.is_pinned(key):
            used = STAYS
        self.run("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)", kind, key, size, used)
        if size != before:
            self._count(kind, key[0], int(before is None), size - (before or 0))

    def take(self, kind: int, rows: Sequence[tuple[bytes, int]]) -> None:
        """Delete the rows of entries, given by key with their bytes."""
        # In the order of the table, many in one statement.
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
        """Delete the rows of the least recently used entries of a kind, of `amount` bytes.

        At most `EVICTED_AT_ONCE` rows for each round.  Returns the key, bytes and last use of
        each.  Their files still exist, and count until they are removed.
        """
        if amount <= 0:
            return []
        # In one row, for sqlite3 lets other threads run between rows.
        oldest = (
            "SELECT GROUP_CONCAT(used || ' ' || bytes || ' ' || HEX(key)) FROM "
            "(SELECT * FROM entries WHERE kind=? AND used<? ORDER BY used LIMIT ?)"
        )
        ((text,),) = self.run(oldest, kind, STAYS, rounds * EVICTED_AT_ONCE)
        rows = [row.split(" ") for row in text.split(",")] if text else []
        evicted: list[tuple[bytes, int, int]] = []
        freed = 0
        for used, size, key in sorted((int(u), int(b), bytes.fromhex(k)) for u, b, k in rows):
            if freed >= amount:
                break
            evicted.append((key, size, used))
            freed += size
        self.take(kind, [(key, size) for key, size, _ in evicted])
        return [(hex_of(key), size, used) for key, size, used in evicted]

    def oldest(self, kind: int) -> int | None:
        """Return the last use of the entry of a kind that is evicted next, if there is one."""
        ((used,),) = self.run("SELECT MIN(used) FROM entries WHERE kind=?", kind)
        return None if used is None else int(used)

    def seen(self) -> list[tuple[str, int]]:
        """Return keys that are not in the cache and their last uses, in the order of these."""
        rows = self.run("SELECT key, used FROM entries WHERE kind=? ORDER BY used", GONE)
        return [(hex_of(key), int(used)) for key, used in rows]

    def see(self, keys: Sequence[tuple[str, int]]) -> None:
        """Replace the keys that are not in the cache, and their last uses."""
        self.run("DELETE FROM entries WHERE kind=?", GONE)
        self.run_many(
            "INSERT INTO entries VALUES (?, ?, 0, ?)",
            [(GONE, bytes.fromhex(key), used) for key, used in keys],
        )

    def is_pinned(self, key: bytes) -> bool:
        """Return whether a chunk is pinned."""
        return self.pins and bool(
            self.run("SELECT 1 FROM entries WHERE kind=? AND key=?", PINNED, key)
        )

    def granted(self, name: str) -> int:
        """Return the bytes that all writers except `name` may still write."""
        others = "SELECT COALESCE(SUM(granted), 0) FROM writers WHERE name<>?"
        ((size,),) = self.run(others, name)
        return int(size)

    def grant(self, name: str, size: int) -> None:
        """Set how many bytes a writer may write beyond those recorded."""
        self.run("INSERT OR REPLACE INTO writers VALUES (?, ?, NULL)", name, size)

    def retire(self, name: str) -> None:
        """Remove a writer."""
        self.run("DELETE FROM writers WHERE name=?", name)

    def clear(self) -> None:
        """Delete all entries."""
        self.run("DELETE FROM entries")
        self.run("DELETE FROM shards")

    def shrink(self) -> None:
        """Free unused pages of the file, some at a time."""
        ((free,),) = self.run("PRAGMA freelist_count")
        ((pages,),) = self.run("PRAGMA page_count")
        if free > pages // 2:
            self.run("PRAGMA incremental_vacuum(256)")


def hex_of(key: Any) -> str:
    """Return a key as hexadecimal digits.

    Raises
    ------
    DamagedError
        If it is not a key.
    """
    if not isinstance(key, bytes) or len(key) != 20:
        raise DamagedError(f"the index holds an invalid key: {key!r}")
    return key.hex()


def _place(path: Path) -> tuple[int, int] | None:
    """Return the device and inode of a file; None if it does not exist."""
    try:
        state = path.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(state.st_mode) and not stat.S_ISDIR(state.st_mode):
        path.unlink()  # opening a pipe would wait for ever
        return None
    return state.st_dev, state.st_ino
