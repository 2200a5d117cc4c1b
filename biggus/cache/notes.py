"""Notes: what was stored and used, and is not in the ledger yet.

A use that was noted a short while ago is not noted again: until a twentieth of the
cache has been stored, or passed by, it changes little in what goes next.
"""

from __future__ import annotations

import time
from itertools import islice
from typing import TypeAlias

MOST = 512
"""Notes that wait at most for a thread that brings them into the ledger."""

_RECENT_SECONDS = 600.0
_RECENT_SHARE = 20

One: TypeAlias = tuple[int, str]
"""What there are notes of: a kind and a key."""


class Notes:
    """The notes of a process.  Whoever uses them holds a lock.

    Parameters
    ----------
    size_limit : int
        Of the cache.
    """

    def __init__(self, size_limit: int) -> None:
        self._share = size_limit // _RECENT_SHARE
        self._noted: dict[One, int | None] = {}
        self._forget()

    def __len__(self) -> int:
        return len(self._noted)

    def _forget(self) -> None:
        self._recent: set[One] = set()
        self._since = time.monotonic()
        self._moved = 0

    def known(self, one: One) -> bool:
        """Tell whether a use need not be noted; may be asked without the lock."""
        return one in self._recent

    def use(self, one: One) -> None:
        """Note that something was used now."""
        self._noted[one] = self._noted.pop(one, None)
        self._recent.add(one)

    def store(self, one: One, size: int) -> int:
        """Note that an entry was stored now; return the bytes that are noted of one before it."""
        before = self._noted.pop(one, None) or 0
        self._noted[one] = size
        self._recent.add(one)
        return before

    def see(self, one: One, size: int) -> None:
        """Note that so many bytes were fetched now, and passed by."""
        self._noted[one] = None
        self._move(size)

    def first(self, most: int) -> dict[One, int | None]:
        """Return the bytes of each that was stored, None of each that was only used: some."""
        return dict(islice(self._noted.items(), most))

    def told(self, noted: dict[One, int | None]) -> int:
        """Drop what the ledger was told; return the bytes that were stored and are in it now."""
        stored = 0
        for one, size in noted.items():
            # What was stored once more meanwhile is noted still.
            if self._noted.get(one, 0) == size:
                del self._noted[one]
                stored += size or 0
        self._move(stored)
        return stored

    def _move(self, size: int) -> None:
        self._moved += size
        if self._moved >= self._share or time.monotonic() - self._since > _RECENT_SECONDS:
            self._forget()

    def shorten(self) -> None:
        """Forget uses that nobody could be told of, at last."""
        for one in list(self._noted)[: -8 * MOST]:
            if self._noted[one] is None:
                del self._noted[one]

    def clear(self) -> int:
        """Forget everything; return the bytes that were noted as stored."""
        stored = sum(size or 0 for size in self._noted.values())
        self._noted = {}
        self._forget()
        return stored
