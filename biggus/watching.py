"""Watching: all reads of one evaluation see one state of each file.

An evaluation reads a file in many boxes, and may find some of them in a cache.  Each
look at a file is noted here, with what the system says of it (its state), by all threads that
work on the evaluation; a look that differs from the first one is an error.  The
files of a store of many, which are read once each, are looked at once more at the end.
"""

from __future__ import annotations

import contextlib
import contextvars
from typing import TYPE_CHECKING

from biggus.errors import SourceChangedError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator


class Watch:
    """In which state each file was when it was first looked at."""

    def __init__(self) -> None:
        self.seen: dict[str, Hashable] = {}

    def agrees(self, path: str, state: Hashable) -> bool:
        """Note the state of a file; tell whether it is the one in which it was seen first."""
        return self.seen.setdefault(path, state) == state


_current: contextvars.ContextVar[Watch | None] = contextvars.ContextVar(
    "biggus_watch", default=None
)


@contextlib.contextmanager
def evaluation() -> Iterator[None]:
    """Watch what is read in a with block, as part of the evaluation around it if there is one."""
    if _current.get() is not None:
        yield
        return
    mark = _current.set(Watch())
    try:
        yield
    finally:
        _current.reset(mark)


def within_another() -> bool:
    """Tell whether what is evaluated here is a part of another evaluation."""
    return _current.get() is not None


def agrees(path: str, state: Hashable) -> bool:
    """Note the state of a file, of which values are about to be taken.

    Returns
    -------
    bool
        Whether it is the one in which this evaluation has seen it first.
    """
    watch = _current.get()
    return watch is None or watch.agrees(path, state)


def see(path: str, state: Hashable) -> None:
    """Do the same.

    Raises
    ------
    SourceChangedError
        If it is another.
    """
    if not agrees(path, state):
        raise changed(path)


def changed(path: str) -> SourceChangedError:
    """Return the error of who finds that a file has changed while values were taken of it."""
    return SourceChangedError(
        path,
        None,
        f"the file {path} changed during the read; read it again, or have it read again with "
        "set_options(retry_changed=3)",
    )
