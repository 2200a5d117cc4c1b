"""Watching files, so that all reads of one evaluation see the same state of each file.

An evaluation reads a file in many boxes, and may find some of them in a cache.  Every thread
of the evaluation notes here the state of each file that it reads, such as its size and times.
A state that differs from the first one is an error.  In a store of many files each is read
once; such files are checked once more at the end of the evaluation.
"""

from __future__ import annotations

import contextvars
import logging
import platform
import time
from collections.abc import Callable, Hashable
from functools import partial
from typing import TypeAlias, TypeVar

from biggus import options
from biggus.errors import SourceChangedError
from biggus.support.forks import in_children

T = TypeVar("T")

Look: TypeAlias = Callable[[str], Hashable]
"""Returns the present state of a file, given its path."""

Seen: TypeAlias = dict[Look | None, dict[str, Hashable]]
"""The state of each file by path, grouped by the function that checks it once more at the end
of the evaluation; None for files that need no such check."""

_log = logging.getLogger("biggus.engine")


class Watch:
    """The state of each file when an evaluation first saw it."""

    def __init__(self) -> None:
        self.seen: Seen = {None: {}}
        self._elsewhere: dict[str, Watch] = {}

    def agrees(self, path: str, state: Hashable, look: Look | None = None) -> bool:
        """Note the state of a file; return whether it is the same as when first seen."""
        files = self.seen.get(look)
        if files is None:
            files = self.seen.setdefault(look, {})
        return files.setdefault(path, state) == state

    def join(self, seen: Seen) -> None:
        """Note the states that another watch saw, whose values are used in this evaluation.

        Raises
        ------
        SourceChangedError
            If a file was in another state.
        """
        for look, files in seen.items():
            for path, state in files.items():
                if not self.agrees(path, state, look):
                    raise changed(path)

    def join_of(self, machine: str, seen: Seen) -> None:
        """Note the states that were seen on another machine, which has its own view of files."""
        here = machine == this_machine()
        (self if here else self._elsewhere.setdefault(machine, Watch())).join(seen)

    def end(self) -> None:
        """Check the files that need it once more, and forget them.

        Raises
        ------
        SourceChangedError
            If a file has changed.
        """
        for look, files in self.seen.items():
            if look is not None:
                for path, state in list(files.items()):
                    if look(path) != state:
                        raise changed(path)
        self.seen = {None: self.seen[None]}


_current: contextvars.ContextVar[Watch | None] = contextvars.ContextVar(
    "biggus_watch", default=None
)


_began: dict[Watch, float] = {}
"""When each running evaluation of this process began, on the monotonic clock."""

in_children(_began.clear)  # evaluations of the parent's threads do not continue there


_outermost: contextvars.ContextVar[Watch | None] = contextvars.ContextVar(
    "biggus_evaluation", default=None
)

# A worker that is forked during an evaluation computes tasks of later ones, too.
in_children(partial(_current.set, None))
in_children(partial(_outermost.set, None))


def under_way_since() -> float | None:
    """Return when the oldest running evaluation began; None if none is running."""
    return min(list(_began.values()), default=None)


def current() -> Watch:
    """Return the innermost watch; the caller is in an evaluation."""
    watch = _current.get()
    assert watch is not None
    return watch


def of_evaluation() -> Watch | None:
    """Return the watch of the whole evaluation, which identifies it; None outside of one."""
    return _outermost.get()


def evaluated(evaluate: Callable[[], T]) -> T:
    """Return the result of an evaluation whose reads are watched.

    Within another evaluation it is a part of that.  The call runs in a copy of the context, so
    that an interrupt at any moment leaves no watch behind in the context of the caller: later
    evaluations would take themselves for parts of the one that was interrupted.

    Raises
    ------
    SourceChangedError
        If a file has changed.
    """
    if _current.get() is not None:
        return evaluate()
    watch, context = Watch(), contextvars.copy_context()
    context.run(_current.set, watch)
    context.run(_outermost.set, watch)
    try:
        _began[watch] = time.monotonic()
        result = context.run(evaluate)
    finally:
        _began.pop(watch, None)  # in one step: an interrupt comes before it or after it
    watch.end()
    return result


def watched(read: Callable[[], T]) -> tuple[T, Watch]:
    """Return the result of reads that are watched separately, and their watch; see `join`."""
    watch, context = Watch(), contextvars.copy_context()
    context.run(_current.set, watch)
    return context.run(read), watch


def join(watch: Watch) -> None:
    """Add what was `watched` separately to this evaluation; outside of one, check the files now.

    Raises
    ------
    SourceChangedError
        If a file was in another state.
    """
    known = _current.get()
    if known is None:
        watch.end()
    else:
        known.join(watch.seen)


def begun_again(evaluate: Callable[[], T]) -> T:
    """Return the result of an evaluation, retried if a file changes, see ``retry_changed``.

    Raises
    ------
    SourceChangedError
        If a file changed each time.  A part of another evaluation is not retried by itself.
    """
    retries = options.current().retry_changed if _current.get() is None else 0
    while True:
        try:
            return evaluated(evaluate)
        except SourceChangedError as error:
            if not retries:
                raise
            retries -= 1
            _log.info("evaluating again: %s", error)


def agrees(path: str, state: Hashable, look: Look | None = None) -> bool:
    """Note the state of a file that is about to be read.

    Parameters
    ----------
    path : str
        The file.
    state : hashable
        Its present state.
    look : callable, optional
        Returns the state of a file, which must be the same at the end of the evaluation: for
        files that are not checked after each read.

    Returns
    -------
    bool
        Whether the state is the one that this evaluation saw first.
    """
    watch = _current.get()
    return watch is None or watch.agrees(path, state, look)


def see(path: str, state: Hashable, look: Look | None = None) -> None:
    """Note the state of a file that is about to be read, as `agrees` does.

    Raises
    ------
    SourceChangedError
        If this evaluation saw another state first.
    """
    if not agrees(path, state, look):
        raise changed(path)


def changed(path: str) -> SourceChangedError:
    """Return the error for a file that changed while it was read."""
    return SourceChangedError(
        path,
        None,
        f"the file {path} changed during the read; read it again, or have it read again with "
        "`biggus.set_options(retry_changed=3)`",
    )


def this_machine() -> str:
    """Return the name of the machine."""
    return platform.node()
