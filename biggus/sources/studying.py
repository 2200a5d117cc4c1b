"""The study that is in force: what is asked of locations and sources passes through it.

A study is in force in the whole process: what another thread reads meanwhile belongs to
it as well, so that nothing is left out of it unnoticed.
"""

from __future__ import annotations

import contextlib
import contextvars
import threading
import weakref
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, TypeVar

from biggus.errors import StudyError
from biggus.support.within import within

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from biggus.sources.base import Source

_Answer = TypeVar("_Answer")


class Study(ABC):
    """What stands between arrays and where their values come from."""

    cache: Any = None
    """What takes the place of every cache; None: caches are used as ever."""

    @abstractmethod
    def source(self, source: Source) -> Source:
        """Return what is to be read in the place of `source`."""

    def call(
        self, what: str, where: Any, said: Sequence[Any], make: Callable[[], _Answer]
    ) -> _Answer:
        """Return the answer to a question about a location.

        Parameters
        ----------
        what : str
            The question, such as ``"open"``.
        where : Location
            What it is about.
        said : sequence
            What else was said.
        make : callable
            Gives the answer: a source, or what a description can hold.
        """
        return make()


OPEN = "open"
"""The question that a source answers."""

_openings: weakref.WeakKeyDictionary[Any, tuple[Any, Sequence[Any]]] = weakref.WeakKeyDictionary()
_in_force: Study | None = None
_changing = threading.Lock()
_instead: contextvars.ContextVar[Study | None] = contextvars.ContextVar(
    "biggus_study", default=None
)


def current() -> Study | None:
    """Return the study that is in force, if there is one."""
    return _instead.get() or _in_force


def begin(study: Study) -> None:
    """Put a study in force.

    Raises
    ------
    StudyError
        If another is.
    """
    global _in_force  # noqa: PLW0603 - a process has one study
    with _changing:
        if _in_force is not None:
            raise StudyError("a study is being recorded or replayed already: end that first")
        _in_force = study


def end(study: Study) -> None:
    """Have a study no longer in force."""
    global _in_force  # noqa: PLW0603 - likewise
    with _changing:
        if _in_force is study:
            _in_force = None


def instead(study: Study) -> AbstractContextManager[None]:
    """Put a study in the place of that in force, in this context alone."""
    return within(_instead, study)


def to_read(source: Source) -> Source:
    """Return what is to be read where `source` is meant."""
    study = _instead.get() or _in_force
    return source if study is None else study.source(source)


def call(what: str, where: Any, said: Sequence[Any], make: Callable[[], _Answer]) -> _Answer:
    """Return what `make` gives, or what the study in force answers; see `Study.call`."""
    study = current()
    if study is not None:
        return study.call(what, where, said, make)
    answer = make()
    if what == OPEN:
        with contextlib.suppress(TypeError):  # anybody's source
            _openings[answer] = (where, said)
    return answer


def opening_of(source: Source) -> tuple[Any, Sequence[Any]] | None:
    """Return how a source was opened before a study began: where, and what was said."""
    return _openings.get(source)
