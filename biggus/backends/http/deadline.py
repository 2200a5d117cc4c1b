"""The deadline of a request, with all its retries."""

from __future__ import annotations

import contextlib
import contextvars
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from numbers import Real
from typing import Any, NamedTuple

from biggus.errors import OpenError
from biggus.support import deadlines
from biggus.support.within import within

SLOWEST = 64 * 2**10
"""Bytes per second; a faster body is never cut off."""


class Timeout(NamedTuple):
    """Time-outs in seconds."""

    connect: float = 10.0
    """The wait for a connection."""

    read: float = 30.0
    """The wait for each piece of a response."""

    total: float = 60.0
    """The time of a whole request, with redirects, retries and the waits between them; each
    64 KiB of a body that arrive add a second."""


DEFAULT_TIMEOUT = Timeout()


def timeout_option(location: str, value: Any) -> Timeout:
    """Return the time-outs of an option ``timeout=``.

    Parameters
    ----------
    location : str
        The location that is opened, without credentials, for errors.
    value : float or sequence of float
        Seconds: (connect, read), (connect, read, total), or one number for connect and read.

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
            "`timeout=` is seconds, more than 0, or (connect, read), or (connect, read, total), "
            f"not {value!r}",
        )
    connect, read, *total = map(float, parts)
    return Timeout(connect, read, *(total or [max(DEFAULT_TIMEOUT.total, read)]))


class Deadline:
    """The deadline of one request.

    Parameters
    ----------
    seconds : Timeout
        The time-outs; the time of the request starts now.
    """

    def __init__(self, seconds: Timeout) -> None:
        self.seconds = seconds
        self._ends = time.monotonic() + seconds.total

    @property
    def left(self) -> float:
        """The seconds until this deadline or that of the evaluation, at least 0."""
        own, whole = max(0.0, self._ends - time.monotonic()), deadlines.left()
        return own if whole is None else min(own, whole)

    @property
    def over(self) -> bool:
        """Whether this deadline has passed, regardless of that of the evaluation."""
        return time.monotonic() >= self._ends

    def later(self, seconds: float) -> None:
        """Postpone the deadline."""
        self._ends += seconds

    @contextlib.contextmanager
    def put_off(self) -> Iterator[None]:
        """Postpone the deadline by the time that a with block takes."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.later(time.monotonic() - started)

    @property
    def problem(self) -> str:
        """The error message once it has passed."""
        return (
            f"not complete within {self.seconds.total:g} s; "
            "`timeout=(connect, read, total)` gives it longer"
        )

    @property
    def timeout(self) -> tuple[float, float]:
        """The seconds to wait for a connection, and for the next piece of a response.

        Raises
        ------
        TimeoutError
            If the deadline has passed.
        """
        seconds_left = self.left
        if not seconds_left:
            raise TimeoutError(self.problem)
        return min(self.seconds.connect, seconds_left), min(self.seconds.read, seconds_left)

    def holding(self) -> AbstractContextManager[None]:
        """Apply the deadline to the connections that this thread uses within a with block."""
        return within(_held, self)


def held() -> Deadline | None:
    """Return the deadline that applies to this thread."""
    return _held.get()


_held: contextvars.ContextVar[Deadline | None] = contextvars.ContextVar(
    "biggus_deadline", default=None
)
