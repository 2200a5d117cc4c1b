"""The active study, which records or replays what is opened and read.

A study is active in the whole process: reads of other threads belong to it as well, so that
nothing is left out unnoticed.
"""

from __future__ import annotations

import contextlib
import contextvars
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from biggus.errors import StudyError
from biggus.sources.base import Source
from biggus.support.forks import new_lock
from biggus.support.within import within

_Answer = TypeVar("_Answer")


class Study(ABC):
    """Intercepts opening and reading; the base class of recordings, replays and their like."""

    cache: Any = None
    """A cache used in place of every other; None leaves caches as they are."""

    @abstractmethod
    def source(self, source: Source) -> Source:
        """Return the source to read in place of `source`."""

    def call(
        self, kind: str, where: Any, arguments: Sequence[Any], make: Callable[[], _Answer]
    ) -> _Answer:
        """Return the result of a call about a location.

        Parameters
        ----------
        kind : str
            The name of the call, such as ``"open"``.
        where : Location
            The location.
        arguments : sequence
            The other arguments.
        make : callable
            Makes the call; returns a source, or a value that a description can hold.
        """
        return make()


OPEN = "open"
"""The call that returns a source."""

_openings: weakref.WeakKeyDictionary[Any, tuple[Any, Sequence[Any]]] = weakref.WeakKeyDictionary()
_in_force: Study | None = None
_changing = new_lock()
_instead: contextvars.ContextVar[Study | None] = contextvars.ContextVar(
    "biggus_study", default=None
)


def current() -> Study | None:
    """Return the active study, if there is one."""
    return _instead.get() or _in_force


def begin(study: Study) -> None:
    """Activate a study.

    Raises
    ------
    StudyError
        If another one is active.
    """
    global _in_force  # noqa: PLW0603 - a process has one study
    with _changing:
        if _in_force is not None:
            raise StudyError("a study is being recorded or replayed already: end that first")
        _in_force = study


def end(study: Study) -> None:
    """Deactivate a study."""
    global _in_force  # noqa: PLW0603 - likewise
    with _changing:
        if _in_force is study:
            _in_force = None


def instead(study: Study) -> AbstractContextManager[None]:
    """Use another study in place of the active one within a with block, in this context alone."""
    return within(_instead, study)


def to_read(source: Source) -> Source:
    """Return the source that the active study reads in place of `source`."""
    study = _instead.get() or _in_force  # as `current`, for speed
    return source if study is None else study.source(source)


def call(kind: str, where: Any, arguments: Sequence[Any], make: Callable[[], _Answer]) -> _Answer:
    """Return the result of `make`, or that of the active study; see `Study.call`."""
    study = current()
    if study is not None:
        return study.call(kind, where, arguments, make)
    answer = make()
    if kind == OPEN:
        with contextlib.suppress(TypeError):  # a user's source may have no weak references
            _openings[answer] = (where, arguments)
    return answer


def opening_of(source: Source) -> tuple[Any, Sequence[Any]] | None:
    """Return the location and arguments with which a source was opened without a study."""
    return _openings.get(source)
