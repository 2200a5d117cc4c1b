"""The layout of the ledger's database: its tables, and whether a file has these and no others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

FORMAT = 2
"""The format version of the folder."""

_APPLICATION = 0x62696767

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
_STATEMENTS = [statement.strip() for statement in _SCHEMA.split(";") if statement.strip()]


class Layout:
    """The layout of an open database.

    Parameters
    ----------
    run : callable
        Executes a statement and returns its rows.
    """

    def __init__(self, run: Callable[..., list[Any]]) -> None:
        self._run = run
        self._version: int | None = None

    def is_ours(self) -> bool:
        """Return whether there are our tables alone, and no write-ahead log that grows.

        Triggers of others could keep the ledger from counting.
        """
        if self._marks() != (_APPLICATION, FORMAT):
            return False
        ((version,),) = self._run("PRAGMA schema_version")
        ((journal,),) = self._run("PRAGMA journal_mode")
        if version != self._version:
            rows = self._run("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
            if sorted(sql for (sql,) in rows) != sorted(_STATEMENTS):
                return False
            self._version = version
        return bool(journal != "wal")

    def is_new(self) -> bool:
        """Return whether there is nothing in it."""
        return self._marks() == (0, 0) and not self._run("SELECT 1 FROM sqlite_master LIMIT 1")

    def _marks(self) -> tuple[int, int]:
        ((application,),) = self._run("PRAGMA application_id")
        ((form,),) = self._run("PRAGMA user_version")
        return application, form

    def create(self) -> None:
        """Create the tables, empty."""
        for statement in _STATEMENTS:
            self._run(statement)
        self._run(f"PRAGMA application_id={_APPLICATION}")
        self._run(f"PRAGMA user_version={FORMAT}")
