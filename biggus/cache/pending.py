"""Notes of stores and uses that are not recorded in the ledger yet.

A use is not noted again soon after: until a twentieth of the size limit has been stored or
declined, that would hardly change which entries are evicted next.
"""

from __future__ import annotations

import time
from itertools import islice
from typing import TypeAlias

MOST = 512
"""How many notes wait at most before the background thread records them."""

_RECENT_SECONDS = 600.0
_RECENT_SHARE = 20

One: TypeAlias = tuple[int, str]
"""The kind and key of an entry."""


class PendingRecords:
    """The notes of a process; the caller holds a lock.

    Parameters
    ----------
    size_limit : int
        The size limit of the cache.
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
        """Return whether a use need not be noted; may be called without the lock."""
        return one in self._recent

    def use(self, one: One) -> None:
        """Note that an entry was used now."""
        self._noted[one] = self._noted.pop(one, None)
        self._recent.add(one)

    def store(self, one: One, size: int) -> int:
        """Note that an entry was stored now; return the bytes noted for the one it replaces."""
        before = self._noted.pop(one, None) or 0
        self._noted[one] = size
        self._recent.add(one)
        return before

    def see(self, one: One, size: int) -> None:
        """Note that a chunk of `size` bytes was fetched now and not stored."""
        self._noted[one] = None
        self._move(size)

    def first(self, most: int) -> dict[One, int | None]:
        """Return the first `most` notes: the bytes of stored entries, None for used ones."""
        return dict(islice(self._noted.items(), most))

    def recorded(self, noted: dict[One, int | None]) -> int:
        """Drop notes that the ledger has recorded; return the bytes that it recorded as stored."""
        stored = 0
        for one, size in noted.items():
            # Entries that were stored again meanwhile stay noted.
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
        """Forget the oldest uses if too many could not be recorded."""
        for one in list(self._noted)[: -8 * MOST]:
            if self._noted[one] is None:
                del self._noted[one]

    def clear(self) -> int:
        """Forget everything; return the bytes that were noted as stored."""
        stored = sum(size or 0 for size in self._noted.values())
        self._noted = {}
        self._forget()
        return stored
