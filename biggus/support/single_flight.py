"""Single flight: when several threads want the same result at once, one of them computes it."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Container, Hashable, Sequence
from typing import Any, Generic, TypeVar

from biggus.errors import DeadlineError
from biggus.support import deadlines
from biggus.support.forks import in_children

T = TypeVar("T")

_LOOK_SECONDS = 1.0
"""How often a waiting thread checks whether the call that it waits for was abandoned."""


class Reader:
    """The evaluation on whose behalf calls run; abandoning it abandons the readers inside it."""

    def __init__(self) -> None:
        self._within = _reader.get()
        self._abandoned = False

    @property
    def abandoned(self) -> bool:
        """Whether the results of its calls are not needed any longer."""
        return self._abandoned or (self._within is not None and self._within.abandoned)

    def abandon(self) -> None:
        """Mark the results of its calls as not wanted any longer."""
        self._abandoned = True

    def context(self) -> contextvars.Context:
        """Return a copy of the caller's context in which calls run on behalf of this reader."""
        context = contextvars.copy_context()
        context.run(_reader.set, self)
        return context


_reader: contextvars.ContextVar[Reader | None] = contextvars.ContextVar("reader", default=None)


class _Flight:
    """One running call, and the result or error that its waiters get."""

    __slots__ = ("_flying", "error", "landed", "leader", "made", "reader", "result", "shared")

    def __init__(self) -> None:
        # No event: one that is set by a thread that is interrupted may stay locked for ever.
        self._flying = threading.Lock()
        self._flying.acquire()
        self.landed = False
        self.leader = threading.get_ident()
        self.made = False
        self.shared = False
        self.result: Any = None
        self.error: Exception | None = None
        self.reader = _reader.get()

    @property
    def abandoned(self) -> bool:
        return self.reader is not None and self.reader.abandoned

    def land(self) -> None:
        """Wake the waiters."""
        if not self.landed:
            self.landed = True
            self._flying.release()

    def wait(self, seconds: float) -> bool:
        """Wait for so long at most; return whether it has landed."""
        if self._flying.acquire(timeout=seconds):
            self._flying.release()  # for the next waiter
        return self.landed


def _wait_seconds() -> float:
    seconds = deadlines.left()
    return _LOOK_SECONDS if seconds is None else min(seconds, _LOOK_SECONDS)


class SingleFlight(Generic[T]):
    """Running calls by key, so that each key is computed once for all who want it at a time.

    No lock is held while a call runs.  If it fails, all its waiters get the error.  One of
    the waiters runs the call again if its thread was interrupted, its `Reader` was abandoned,
    its deadline passed, or it computed several keys at once, of which any may have failed.

    Examples
    --------
    >>> SingleFlight().do("key", lambda: 42)
    (42, False)
    """

    def __init__(self) -> None:
        self._reset()
        # The threads that lead in the parent are not there in the child.
        in_children(self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[Hashable, _Flight] = {}

    def do(self, key: Hashable, make: Callable[[], T]) -> tuple[T, bool]:
        """Return the result of `make`, and whether other callers got the same object."""
        own = _Flight()
        try:
            with self._lock:
                nobody = self._flights.setdefault(key, own) is own
            if nobody:  # the most frequent case
                self._make([key], [own], [0], lambda _: [make()])
                return own.result, own.shared
            return self.do_many([key], lambda _: [make()])[0]
        finally:
            if not own.landed:  # interrupted before anything was made
                self._landed([key], [own])

    def do_many(
        self, keys: Sequence[Hashable], make: Callable[[list[int]], list[T]]
    ) -> list[tuple[T, bool]]:
        """Return the results of several different keys, as `do` does for one.

        Parameters
        ----------
        keys : sequence
            The keys.
        make : callable
            Called with the places in `keys` of those that no other thread is computing;
            returns their results.
        """
        own = [_Flight() for _ in keys]
        results: dict[int, tuple[T, bool]] = {}
        try:
            while len(results) < len(keys):
                led, others = self._boarded(keys, own, results)
                # Our own first: the threads that we wait for may be waiting for these.
                if led:
                    self._make(keys, own, led, make)
                    results.update((place, (own[place].result, own[place].shared)) for place in led)
                for place, flight in others.items():
                    while not flight.wait(_wait_seconds()) and not flight.abandoned:
                        deadlines.check()
                    if flight.error is not None:
                        raise flight.error
                    if flight.made:
                        results[place] = flight.result, True
        finally:
            self._landed(keys, own)
        return [results[place] for place in range(len(keys))]

    def _boarded(
        self, keys: Sequence[Hashable], own: list[_Flight], results: Container[int]
    ) -> tuple[list[int], dict[int, _Flight]]:
        """Return the places of the keys to compute here, and other threads' flights by place."""
        led, others = [], {}
        with self._lock:
            for place, (key, mine) in enumerate(zip(keys, own, strict=True)):
                if place in results:
                    continue
                flight = self._flights.setdefault(key, mine)
                if flight.abandoned and not flight.landed:
                    # An abandoned call may take long, or fail because it was abandoned.
                    flight = self._flights[key] = mine
                if flight.leader == mine.leader:
                    # Our own flight, or one of this thread: a source that reads itself
                    # through its own cache.
                    led.append(place)
                else:
                    flight.shared = True
                    others[place] = flight
        return led, others

    def _make(
        self,
        keys: Sequence[Hashable],
        own: list[_Flight],
        led: list[int],
        make: Callable[[list[int]], list[T]],
    ) -> None:
        try:
            for place, result in zip(led, make(led), strict=True):
                own[place].result, own[place].made = result, True
        except Exception as error:
            alone = len(led) == 1 and not own[led[0]].abandoned
            if alone and not isinstance(error, DeadlineError):
                # With several keys another one may be at fault: each waiter tries its own again.
                own[led[0]].error = error
            raise
        finally:
            self._landed([keys[place] for place in led], [own[place] for place in led])

    def _landed(self, keys: Sequence[Hashable], own: Sequence[_Flight]) -> None:
        """Take flights off the register, and wake their waiters."""
        with self._lock:
            for key, flight in zip(keys, own, strict=True):
                if self._flights.get(key) is flight:
                    del self._flights[key]
        for flight in own:
            flight.land()
