"""Deadlines of evaluations: when one is to be over, where the option ``deadline`` says so.

Looked at before each read and each task, and while others are waited for; requests to
servers end with it.  What a library does by itself, in one call, is not cut short.
"""

from __future__ import annotations

import contextlib
import contextvars
import time
from typing import TYPE_CHECKING, NamedTuple

from biggus import options
from biggus.errors import DeadlineError
from biggus.support.within import within

if TYPE_CHECKING:
    from collections.abc import Iterator


class _End(NamedTuple):
    """When an evaluation is to be over, by the clock that only goes forward."""

    seconds: float
    at: float


_current: contextvars.ContextVar[_End | None] = contextvars.ContextVar(
    "biggus_evaluation_ends", default=None
)


@contextlib.contextmanager
def evaluation() -> Iterator[None]:
    """Hold what is done in a with block to the option, and to a deadline around it."""
    seconds = options.current().deadline
    around = _current.get()
    if seconds is None:
        yield
        return
    end = _End(seconds, time.monotonic() + seconds)
    first = end if around is None else min(around, end, key=lambda one: one.at)
    with within(_current, first):
        yield


def left() -> float | None:
    """Return the seconds that this evaluation has left, 0 if none; None if nothing ends it."""
    end = _current.get()
    return None if end is None else max(0.0, end.at - time.monotonic())


def check() -> None:
    """Go on only if there is time left.

    Raises
    ------
    DeadlineError
        If there is none.
    """
    end = _current.get()
    if end is not None and time.monotonic() >= end.at:
        raise DeadlineError(end.seconds)
