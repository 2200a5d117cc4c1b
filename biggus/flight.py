"""Single flight: what several threads want at once is made by one of them."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")


class _Flight:
    """One making of one thing, for those who wait for it."""

    __slots__ = ("done", "error", "leader", "made", "result", "shared")

    def __init__(self) -> None:
        self.done = threading.Event()
        self.leader = threading.get_ident()
        self.made = False
        self.shared = False
        self.result: Any = None
        self.error: Exception | None = None


class SingleFlight(Generic[T]):
    """Calls that are under way, by key.

    No lock is held while a call runs.  If it fails, all who wait get its
    error; if its thread is interrupted, one of those who wait takes over.

    Examples
    --------
    >>> SingleFlight().do("key", lambda: 42)
    (42, False)
    """

    def __init__(self) -> None:
        self._reset()
        if hasattr(os, "register_at_fork"):
            # The threads that lead in the parent are not there in the child.
            os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[Hashable, _Flight] = {}

    def do(self, key: Hashable, make: Callable[[], T]) -> tuple[T, bool]:
        """Return what `make` returns, and whether other calls were given the same object."""
        mine = _Flight()
        try:
            while True:
                with self._lock:
                    flight = self._flights.setdefault(key, mine)
                    led_here = flight.leader == mine.leader
                    if not led_here:
                        flight.shared = True
                if led_here:
                    # Ours; or that of a source which reads itself through its own cache.
                    break
                flight.done.wait()
                if flight.error is not None:
                    raise flight.error
                if flight.made:
                    return flight.result, True
            try:
                mine.result = make()
                mine.made = True
            except Exception as error:
                mine.error = error
                raise
        finally:
            # Whatever happened, nobody may wait for it any longer.
            with self._lock:
                if self._flights.get(key) is mine:
                    del self._flights[key]
            mine.done.set()
        return mine.result, mine.shared
