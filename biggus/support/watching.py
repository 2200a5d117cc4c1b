"""Watching: all reads of one evaluation see one state of each file.

An evaluation reads a file in many boxes, and may find some of them in a cache.  Each
look at a file is noted here, with what the system says of it (its state), by all threads that
work on the evaluation; a look that differs from the first one is an error.  The
files of a store of many, which are read once each, are looked at once more at the end.
"""

from __future__ import annotations

import contextvars
import logging
import time
from collections.abc import Callable, Hashable
from typing import TypeAlias, TypeVar

from biggus import options
from biggus.errors import SourceChangedError
from biggus.support.forks import between_forks, in_children

T = TypeVar("T")

Look: TypeAlias = Callable[[str], Hashable]
"""Gives the state of a file as it is now."""

Seen: TypeAlias = dict[Look | None, dict[str, Hashable]]
"""In which state each file was, by what looks at it once more at the end; None: nothing need."""

_log = logging.getLogger("biggus.engine")


class Watch:
    """In which state each file was when an evaluation first looked at it."""

    def __init__(self) -> None:
        self.seen: Seen = {None: {}}
        self._elsewhere: dict[str, Watch] = {}

    def agrees(self, path: str, state: Hashable, look: Look | None = None) -> bool:
        """Note the state of a file; tell whether it is the one in which it was seen first."""
        files = self.seen.get(look)
        if files is None:
            files = self.seen.setdefault(look, {})
        return files.setdefault(path, state) == state

    def join(self, seen: Seen) -> None:
        """Note what another has seen, of whose values some go into this evaluation.

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
        """Do the same with what was seen on some machine: each has its own view of files."""
        here = machine == this_machine()
        (self if here else self._elsewhere.setdefault(machine, Watch())).join(seen)

    def end(self) -> None:
        """Look once more at what must be, and be done with it.

        Raises
        ------
        SourceChangedError
            If a file is not as it was.
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


_began: dict[int, float] = {}
"""When each evaluation that is under way in this process began, by the monotonic clock."""

in_children(_began.clear)  # those of other threads do not go on there


_outermost: contextvars.ContextVar[Watch | None] = contextvars.ContextVar(
    "biggus_evaluation", default=None
)


def under_way_since() -> float | None:
    """Return when the oldest evaluation that is under way began; None: there is none."""
    return min(list(_began.values()), default=None)


def of_evaluation() -> Watch | None:
    """Return what watches all of this evaluation, which stands for it; None outside of one."""
    return _outermost.get()


class evaluation:  # noqa: N801 - used as a context manager
    """Watch what is read in a with block, as part of the evaluation around it if there is one."""

    def __enter__(self) -> Watch:
        known = _current.get()
        self._mark = None
        if known is None:
            known = Watch()
            self._mark = _current.set(known)
            self._mark_outermost = _outermost.set(known)
            _began[id(known)] = time.monotonic()
        self._watch = known
        return known

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._mark is not None:
            _current.reset(self._mark)
            _outermost.reset(self._mark_outermost)
            _began.pop(id(self._watch), None)
            if kind is None:
                self._watch.end()


class apart:  # noqa: N801 - used as a context manager
    """Watch what is read in a with block by itself, for others to join."""

    def __enter__(self) -> Watch:
        watch = Watch()
        self._mark = _current.set(watch)
        return watch

    def __exit__(self, *_: object) -> None:
        _current.reset(self._mark)


def join(watch: Watch) -> None:
    """Take what was watched apart into this evaluation; without one, look once more.

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
    """Return what an evaluation gives, begun again as often as the options say.

    Raises
    ------
    SourceChangedError
        If a source has changed each time.  What is a part of another evaluation is not
        begun again by itself.
    """
    left = options.current().retry_changed if _current.get() is None else 0
    while True:
        try:
            with evaluation():
                return evaluate()
        except SourceChangedError as error:
            if not left:
                raise
            left -= 1
            _log.info("beginning again: %s", error)


def agrees(path: str, state: Hashable, look: Look | None = None) -> bool:
    """Note the state of a file, of which values are about to be taken.

    Parameters
    ----------
    path : str
        The file.
    state : hashable
        How it is.
    look : callable, optional
        Gives the state of a file at the end of the evaluation, when it is to be the same:
        for files that are not looked at after each read.

    Returns
    -------
    bool
        Whether it is the one in which this evaluation has seen it first.
    """
    watch = _current.get()
    return watch is None or watch.agrees(path, state, look)


def see(path: str, state: Hashable, look: Look | None = None) -> None:
    """Do the same.

    Raises
    ------
    SourceChangedError
        If it is another.
    """
    watch = _current.get()
    if watch is not None and not watch.agrees(path, state, look):
        raise changed(path)


def changed(path: str) -> SourceChangedError:
    """Return the error of who finds that a file has changed while values were taken of it."""
    return SourceChangedError(
        path,
        None,
        f"the file {path} changed during the read; read it again, or have it read again with "
        "set_options(retry_changed=3)",
    )


def this_machine() -> str:
    """Return the name of the machine."""
    with between_forks():
        import platform

    return platform.node()
