"""Admission: what is stored in a cache that is full, where something would have to go for it.

Entries go in the order of their use, least recent first.  That serves all but scans: of
what is read in turn, again and again, and is larger than the cache, each chunk would go just
before it is wanted.  So what an evaluation has used is not pushed out by more of the same
evaluation.  And it is remembered when chunks that are not there were last seen: as long as
they come back in that order, one of them takes the place of another only if that has not been
used for longer.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

SEEN_MOST = 1 << 17
"""Keys that are remembered in memory."""

_APART = 8
"""Threads read side by side: order is that of returns so far apart."""
_IN_ORDER = 0.8
_WEIGHT = 1 / 16


class Admission:
    """What is remembered of chunks that are not there, and what follows for those that are read.

    Times are those of one counter that goes on with each use.

    Parameters
    ----------
    most : int
        How many keys are remembered.

    Attributes
    ----------
    oldest : int or None
        When the entry that goes next was used; None: there is room without that.

    Examples
    --------
    >>> admission = Admission()
    >>> admission.note([("one", 2), ("two", 3)])
    >>> admission.returned("new")
    >>> admission.returned("one")  # of one alone it is not known whether it is in order
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
        # Of the returns, how many were in order, of late: all, until one was not.
        self._ordered = _IN_ORDER

    def note(self, keys: Iterable[tuple[str, int]]) -> None:
        """Remember when chunks that are not there were seen."""
        for key, time in keys:
            self._seen[key] = max(time, self._seen.pop(key, time))
        while len(self._seen) > self._most:
            self._seen.popitem(last=False)

    def returned(self, key: str) -> int | None:
        """Return when a chunk that was fetched now was seen before, if it comes back in order."""
        seen = self._seen.pop(key, None)
        if seen is None:
            return None
        known = bool(self._returns)
        if known:
            self._ordered += _WEIGHT * ((seen > self._returns[0]) - self._ordered)
        self._returns.append(seen)
        return seen if known and self._ordered >= _IN_ORDER else None

    def began(self, scan: Any, now: int) -> int:
        """Return when a scan was first heard of, which may be now."""
        return self._scans.setdefault(scan, now)

    def admits(self, seen: int) -> bool:
        """Tell whether something is to go for what was seen, or began to be read, at a time."""
        return self.oldest is None or seen > self.oldest

    def latest(self, count: int) -> list[tuple[str, int]]:
        """Return what is remembered of as many keys, the last ones."""
        return list(self._seen.items())[-count:] if count > 0 else []
