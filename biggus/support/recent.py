"""A small cache in memory, of limited size in bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class RecentValues(Generic[Value]):
    """A least-recently-used cache of limited size.

    Parameters
    ----------
    most : int
        The most bytes of all values; a larger value is not kept.

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
        self.reset()

    def reset(self) -> None:
        """Drop all values and make a new lock: a thread of the parent may hold that in a child."""
        self._values: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def find(self, key: Hashable) -> Value | None:
        """Return the value of a key, if it is kept."""
        with self._lock:
            entry = self._values.get(key)
            if entry is None:
                return None
            self._values.move_to_end(key)
            return entry[0]

    def keep(self, key: Hashable, value: Value, nbytes: int) -> None:
        """Keep a value under a key."""
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
        """Drop the value of a key."""
        with self._lock:
            self._drop(key)

    def _drop(self, key: Hashable) -> None:
        entry = self._values.pop(key, None)
        if entry is not None:
            self._bytes -= entry[1]
