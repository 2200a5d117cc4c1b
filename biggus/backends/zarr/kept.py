"""What is kept of remote objects in memory for the reads that follow; few bytes of it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

from biggus.support.forks import in_children

if TYPE_CHECKING:
    from collections.abc import Hashable

Value = TypeVar("Value")


class RecentValues(Generic[Value]):
    """Values by key, the least recently used of which give way.

    Parameters
    ----------
    most : int
        How many bytes they may have together; what is longer by itself is not kept.

    Examples
    --------
    >>> kept = RecentValues(10)
    >>> kept.keep("a", "value", 6)
    >>> kept.keep("b", "other", 6)
    >>> kept.find("a"), kept.find("b")
    (None, 'other')
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._reset()
        # A thread of the parent may have had the lock.
        in_children(self._reset)

    def _reset(self) -> None:
        self._values: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def find(self, key: Hashable) -> Value | None:
        """Return what is kept under a key."""
        with self._lock:
            found = self._values.get(key)
            if found is None:
                return None
            self._values.move_to_end(key)
            return found[0]

    def keep(self, key: Hashable, value: Value, nbytes: int) -> None:
        """Keep a value in place of what was kept under its key."""
        with self._lock:
            self._drop(key)
            if nbytes > self.most:
                return
            self._values[key] = value, nbytes
            self._bytes += nbytes
            while self._bytes > self.most:
                _, (_, dropped) = self._values.popitem(last=False)
                self._bytes -= dropped

    def forget(self, key: Hashable) -> None:
        """Drop what is kept under a key."""
        with self._lock:
            self._drop(key)

    def _drop(self, key: Hashable) -> None:
        found = self._values.pop(key, None)
        if found is not None:
            self._bytes -= found[1]
