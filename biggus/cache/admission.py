"""Admission: whether a full cache stores a chunk, for which another one would be evicted.

Entries are evicted in the order of their last use.  That fails for repeated scans over more
than the cache holds: each chunk would be evicted just before it is read again.  So an
evaluation does not evict chunks that it has used itself.  And the last use of chunks that are
not in the cache is remembered: as long as such chunks come back in the order of their last
uses, one of them replaces another only if that one was used longer ago.  All chunks that one
evaluation did not store have the time when it began, as their order differs each time.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Any

SEEN_MOST = 1 << 17
"""How many keys are remembered in memory."""

_APART = 8
"""Returns are compared with the one this many before, for threads read side by side."""
_IN_ORDER = 0.8
_WEIGHT = 1 / 16


class Admission:
    """Remembers the last use of chunks that are not in the cache, to decide which to store.

    Times are values of a counter that advances with each use.

    Parameters
    ----------
    most : int
        How many keys are remembered.

    Attributes
    ----------
    oldest : int or None
        The last use of the entry that is evicted next; None if there is room without evicting.

    Examples
    --------
    >>> admission = Admission()
    >>> admission.note([("one", 2), ("two", 3)])
    >>> admission.returned("new")
    >>> admission.returned("one")  # a single return is neither in order nor out of order
    >>> admission.returned("two")
    3
    >>> admission.oldest = 7
    >>> admission.admits(3)
    False
    """

    def __init__(self, most: int = SEEN_MOST) -> None:
        self.oldest: int | None = None
        self._most = most
        self._seen: OrderedDict[str, int] = OrderedDict()
        self._returns: deque[int] = deque(maxlen=_APART)
        self._scans: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
        # The moving average of the share of returns that were in order.
        self._ordered = _IN_ORDER

    def note(self, keys: Iterable[tuple[str, int]]) -> None:
        """Remember the last use of chunks that are not in the cache."""
        for key, time in keys:
            self._seen[key] = max(time, self._seen.pop(key, time))
        while len(self._seen) > self._most:
            self._seen.popitem(last=False)

    def returned(self, key: str) -> int | None:
        """Return the last use of a chunk that is fetched now, if chunks come back in order."""
        seen = self._seen.pop(key, None)
        if seen is None:
            return None
        known = bool(self._returns)
        if known:
            self._ordered += _WEIGHT * ((seen >= self._returns[0]) - self._ordered)
        self._returns.append(seen)
        return seen if known and self._ordered >= _IN_ORDER else None

    def began(self, scan: Any, now: int) -> int:
        """Return when an evaluation was first seen, `now` if it is new."""
        return self._scans.setdefault(scan, now)

    def admits(self, seen: int) -> bool:
        """Return whether an entry may be evicted for a chunk last used at the time `seen`."""
        return self.oldest is None or seen > self.oldest

    def latest(self, count: int) -> list[tuple[str, int]]:
        """Return the last `count` keys that are remembered, with their times."""
        return list(self._seen.items())[-count:] if count > 0 else []
