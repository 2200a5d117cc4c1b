"""The deadline of an evaluation, set by the option ``deadline``.

It is checked before each read and each task, and while waiting for another thread.  Requests
to servers time out at the deadline.  A single call into a library is not interrupted.
"""

from __future__ import annotations

import contextlib
import contextvars
import time
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from biggus import options
from biggus.errors import DeadlineError
from biggus.support.forks import in_children
from biggus.support.within import within


class _Deadline(NamedTuple):
    """The end of an evaluation on the monotonic clock, and the seconds it was given."""

    at: float
    seconds: float


_current: contextvars.ContextVar[_Deadline | None] = contextvars.ContextVar(
    "biggus_deadline", default=None
)
in_children(partial(_current.set, None))  # a forked worker computes tasks of other evaluations


@contextlib.contextmanager
def evaluation() -> Iterator[None]:
    """Apply the option ``deadline`` to a with block; an earlier deadline around it still holds."""
    seconds = options.current().deadline
    if seconds is None:
        yield
        return
    own, around = _Deadline(time.monotonic() + seconds, seconds), _current.get()
    with within(_current, own if around is None else min(around, own)):
        yield


def left() -> float | None:
    """Return the seconds until the deadline, at least 0; None without a deadline."""
    deadline = _current.get()
    return None if deadline is None else max(0.0, deadline.at - time.monotonic())


def check() -> None:
    """Raise an error if the deadline has passed.

    Raises
    ------
    DeadlineError
        If it has.
    """
    deadline = _current.get()
    if deadline is not None and time.monotonic() >= deadline.at:
        raise DeadlineError(deadline.seconds)
