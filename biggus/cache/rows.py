"""Rows: how diskcache keeps what the index tells it, and nothing else.

diskcache by itself pickles keys and values that are no plain strings, numbers
or bytes, and unpickles whatever its database says is a pickle, whoever put it
there.  Here a key is a string, a value is the size of a file, and anything else
is refused in both directions.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from biggus.errors import CacheError

FOLDER = "entries"
"""The folder, in the cache folder, of the files that rows stand for."""

# What diskcache writes into the column `mode`.
_IN_ROW, _IN_FILE = 1, 2

_FILE = re.compile(FOLDER + r"/[0-9a-f]{2}/[0-9a-f]{38}")


class Size(NamedTuple):
    """What stands for a value: the size of its file."""

    size: int


class RowsOnly:
    """What is mixed into ``diskcache.Disk``."""

    _directory: str

    kept: str | None = None
    """The file whose row is being written, by the one thread that does so."""

    def put(self, key: Any) -> tuple[str, bool]:
        """Return a key as it stands in the database."""
        if not isinstance(key, str):
            raise CacheError(f"a cache key is a string, not a {type(key).__name__}")
        return key, True

    def get(self, key: Any, raw: bool) -> str:
        """Return a key that stands in the database."""
        if not raw or not isinstance(key, str):
            raise CacheError("the cache index holds a key that biggus did not write")
        return key

    def store(self, value: Any, read: bool, key: str = "") -> tuple[Any, ...]:  # noqa: ARG002
        """Return size, mode, file name and value as they stand in the database."""
        if isinstance(value, Size):
            # Where a row is renewed, diskcache removes the file that it
            # named before: the same, and new already.
            self.kept = f"{FOLDER}/{key[:2]}/{key[2:]}"
            return value.size, _IN_FILE, self.kept, None
        if value is None:
            return 0, _IN_ROW, None, None
        raise CacheError(f"a {type(value).__name__} cannot be kept in the cache index")

    def fetch(self, mode: int, filename: Any, value: Any, read: bool) -> Any:  # noqa: ARG002
        """Return the name of the file of a row, or its value."""
        if mode not in (_IN_ROW, _IN_FILE):
            raise CacheError("the cache index holds a value that biggus did not write")
        return value if mode == _IN_ROW else filename

    def remove(self, file_path: Any) -> None:
        """Remove the file of a row that goes."""
        # A row may say anything: only what can be an entry is removed.
        if file_path != self.kept and _FILE.fullmatch(str(file_path)):
            path = Path(self._directory, file_path)
            try:
                path.unlink(missing_ok=True)
            except OSError:
                return


@lru_cache(maxsize=1)
def disk_class() -> type:
    """Return the class to give to diskcache, which is imported only now."""
    import diskcache

    return type("RowsOnlyDisk", (RowsOnly, diskcache.Disk), {})
