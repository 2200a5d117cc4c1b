"""Deadlines: when a request is to be over, with all that is tried again."""

from __future__ import annotations

import contextlib
import contextvars
import time
from numbers import Real
from typing import TYPE_CHECKING, Any, NamedTuple

from biggus.errors import OpenError
from biggus.support import deadlines
from biggus.support.within import within

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

SLOWEST = 64 * 2**10
"""Bytes a second: a body that comes faster is never cut off."""


class Timeout(NamedTuple):
    """Seconds that are waited."""

    connect: float = 10.0
    """For a connection."""

    read: float = 30.0
    """For each piece of an answer."""

    total: float = 60.0
    """For a request in all, redirects, attempts and the waits between them included; and a
    second more for every 64 KiB of a body that have come."""


DEFAULT_TIMEOUT = Timeout()


def timeout_option(location: str, value: Any) -> Timeout:
    """Return what an option ``timeout=`` says.

    Parameters
    ----------
    location : str
        What is being opened, without credentials: the error names it.
    value : float or sequence of float
        Seconds: for a connection and for each piece of an answer, or one for both; and, third,
        in all.

    Raises
    ------
    OpenError
        If it is none of these.

    Examples
    --------
    >>> timeout_option("here", (5, 90)), timeout_option("here", 10).total
    (Timeout(connect=5.0, read=90.0, total=90.0), 60.0)
    """
    parts = value if isinstance(value, (tuple, list)) else (value, value)
    numbers = (isinstance(part, Real) and not isinstance(part, bool) for part in parts)
    if len(parts) not in {2, 3} or not all(numbers) or not all(0 < n < 1e6 for n in parts):
        raise OpenError(
            location,
            "timeout= is seconds, more than 0, or (connect, read), or (connect, read, total), "
            f"not {value!r}",
        )
    connect, read, *total = map(float, parts)
    return Timeout(connect, read, *(total or [max(DEFAULT_TIMEOUT.total, read)]))


class Deadline:
    """When one request is to be over.

    Parameters
    ----------
    seconds : Timeout
        How long it may take; the clock starts now.
    """

    def __init__(self, seconds: Timeout) -> None:
        self.seconds = seconds
        self._ends = time.monotonic() + seconds.total

    @property
    def left(self) -> float:
        """The seconds that are left, to this and to the evaluation; 0 if none."""
        own, whole = max(0.0, self._ends - time.monotonic()), deadlines.left()
        return own if whole is None else min(own, whole)

    @property
    def over(self) -> bool:
        """Whether this has no time left, whatever the evaluation has."""
        return time.monotonic() >= self._ends

    def later(self, seconds: float) -> None:
        """Put it off."""
        self._ends += seconds

    @contextlib.contextmanager
    def put_off(self) -> Iterator[None]:
        """Put it off by the time that the block takes."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.later(time.monotonic() - started)

    def wait(self, seconds: float) -> float:
        """Return how long to wait at most, where `seconds` would be right.

        Raises
        ------
        TimeoutError
            If it is over.
        """
        left = self.left
        if not left:
            raise TimeoutError(self.problem)
        return min(seconds, left)

    @property
    def problem(self) -> str:
        """What is wrong when it is over."""
        return (
            f"not complete within {self.seconds.total:g} s; "
            "timeout=(connect, read, total) gives it longer"
        )

    @property
    def timeout(self) -> tuple[float, float]:
        """The seconds to wait for a connection, and for each piece of an answer."""
        return self.wait(self.seconds.connect), self.wait(self.seconds.read)

    def holding(self) -> AbstractContextManager[None]:
        """Hold what this thread reads in the block from connections of ours to it."""
        return within(_held, self)


def held() -> Deadline | None:
    """Return the deadline that this thread is held to."""
    return _held.get()


_held: contextvars.ContextVar[Deadline | None] = contextvars.ContextVar(
    "biggus_deadline", default=None
)
