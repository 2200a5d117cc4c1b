"""The errors that biggus raises: each names what failed and what to do.

Every error of biggus's own derives from :class:`BiggusError`.  Keys and
operations that NumPy refuses raise what NumPy raises (``IndexError``,
``TypeError``, ``ValueError``); these classes are for what NumPy does not know:
locations, sources, caches and budgets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from biggus.support.similar import did_you_mean


class BiggusError(Exception):
    """Base class of the errors that biggus raises."""

    _made_of: ClassVar[tuple[str, ...]] = ()
    """The attributes that are the arguments of the constructor, for pickling."""

    def __reduce__(self) -> Any:
        if not self._made_of:
            return super().__reduce__()
        return type(self), tuple([getattr(self, name) for name in self._made_of])

    def __str__(self) -> str:
        # OSError and KeyError, bases of some subclasses, would format the message differently.
        return str(self.args[0]) if len(self.args) == 1 else super().__str__()


class OptionError(BiggusError, ValueError):
    """An option has a name or a value that biggus does not know."""


class BackendOptionError(BiggusError, TypeError):
    """A backend does not take an option that was given to ``open``.

    Parameters
    ----------
    problem : str
        What is wrong with the option.
    option : str, optional
        The name of the option.
    hint : str
        A suggestion, which is appended to the message.
    """

    def __init__(self, problem: str, option: str | None = None, hint: str = "") -> None:
        super().__init__(f"{problem}{hint}")
        self.option = option
        self.hint = hint


class OpenError(BiggusError, OSError):
    """A location cannot be opened: missing, unreadable, or of no known format.

    Parameters
    ----------
    location : str
        The location, without credentials.
    problem : str
        What is wrong, and what to do about it.
    """

    _made_of: ClassVar[tuple[str, ...]] = ("location", "problem")

    def __init__(self, location: str, problem: str) -> None:
        super().__init__(f"cannot open {location}: {problem}")
        self.location = location
        self.problem = problem


class GoneError(OpenError):
    """A location does not exist, or cannot be reached; it may have existed before."""


class VariableError(OpenError, KeyError):
    """A location has no such variable, or has several and none was named.

    Parameters
    ----------
    location : str
        The location, without credentials.
    problem : str
        What is wrong.
    available : sequence of str
        The names of the variables in the location.
    wanted : str, optional
        The name that was asked for; similar names are suggested.
    """

    _made_of = ("location", "_problem", "available", "wanted")

    def __init__(
        self,
        location: str,
        problem: str,
        available: Sequence[str] = (),
        wanted: str | None = None,
    ) -> None:
        self.available = tuple(available)
        self.wanted = wanted
        hint = "" if wanted is None else did_you_mean(wanted, self.available)
        listing = f"; it has: {_abbreviated(self.available)}" if self.available else ""
        super().__init__(location, problem + hint + listing)
        self._problem = problem

    def suggesting(self, wanted: str) -> VariableError:
        """Return this error with a suggestion of names that are similar to `wanted`."""
        return type(self)(self.location, self._problem, self.available, wanted)


class SourceError(BiggusError, OSError):
    """A read failed, or returned values of another shape or dtype than promised.

    Parameters
    ----------
    source : str
        The name of the source, without credentials.
    box : tuple of slice or None
        The selection that was being read, if known.
    cause : object
        The reason: an exception or a sentence.
    """

    def __init__(self, source: str, box: tuple[slice, ...] | None, cause: object) -> None:
        where = "" if box is None else f" {format_box(box)}"
        # Messages of libraries may have several lines.
        reason = " ".join(str(cause).split()) or type(cause).__name__
        if isinstance(cause, KeyError):
            reason = f"KeyError: {reason}"
        super().__init__(f"cannot read {source}{where}: {reason}")
        self.source = source
        self.box = box
        self.cause = cause

    def __reduce__(self) -> Any:
        return type(self), (self.source, self.box, str(self.cause))


class SourceChangedError(SourceError):
    """A file changed while it was being read, so the values read may be of two states.

    The values are discarded, and not cached.  With the option ``retry_changed`` the
    evaluation starts again.
    """

    def read_as(self, source: str, box: tuple[slice, ...] | None) -> SourceChangedError:
        """Return this error with source and box added, if it names a file only."""
        return self if self.box is not None else type(self)(source, box, self.cause)


class MismatchError(BiggusError, ValueError):
    """Arrays cannot be joined, because units, calendars, packing or the order of axes differ.

    Parameters
    ----------
    first, other : str
        The names of the arrays, without credentials.
    difference : str
        How they differ.
    """

    _made_of = ("first", "other", "difference")

    def __init__(self, first: str, other: str, difference: str) -> None:
        super().__init__(
            f"the numbers of {first} and of {other} do not mean the same: {difference}; "
            "`mismatch='ignore'` joins them as they are"
        )
        self.first = first
        self.other = other
        self.difference = difference


class OutputError(BiggusError, OSError):
    """A result cannot be written to its target."""


class OutputExistsError(OutputError):
    """The target of a result exists already, and is not to be overwritten.

    Parameters
    ----------
    path : str
        The path of the target.
    """

    _made_of = ("path",)

    def __init__(self, path: str) -> None:
        super().__init__(f"cannot write {path}: it is there already; `overwrite=True` replaces it")
        self.path = path


class OfflineError(SourceError):
    """Values are not in the cache, and their source is gone, or biggus is offline."""


class CacheError(BiggusError):
    """A cache cannot be used: the source has no token, or the folder or disk space is missing."""


class StudyError(BiggusError):
    """A study cannot be recorded or replayed: something is not in it, or has changed since."""


class PolicyError(BiggusError, PermissionError):
    """A request is against the usage policy of the server."""


class MissingDependencyError(BiggusError, ImportError):
    """A required package is not installed, or cannot be imported.

    Parameters
    ----------
    package : str
        The name under which the package is imported.
    extra : str
        The extra of biggus that installs it.
    purpose : str
        What the package is needed for.
    failure : str, optional
        Why the import fails, if the package is installed.
    """

    _made_of = ("package", "extra", "purpose", "failure")

    def __init__(self, package: str, extra: str, purpose: str, failure: str | None = None) -> None:
        needs = f"{purpose} needs the package {package}"
        super().__init__(
            f"{needs}: pip install 'biggus[{extra}]'"
            if failure is None
            else f"{needs}, which is installed and cannot be imported: {failure}"
        )
        self.package = package
        self.extra = extra
        self.purpose = purpose
        self.failure = failure


class MaskedValueError(BiggusError, ValueError):
    """A value is missing, and the dtype of the ndarray has no value that says so.

    Parameters
    ----------
    problem : str
        What is wrong.
    remedy : str
        What to do in Python; it is appended to the message.
    """

    _made_of = ("problem", "remedy")

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(f"{problem}; {remedy}" if remedy else problem)
        self.problem = problem
        self.remedy = remedy


class MemoryBudgetError(BiggusError, MemoryError):
    """An operation needs more memory than the ``memory`` option allows."""


class DeadlineError(BiggusError, TimeoutError):
    """An evaluation took longer than the ``deadline`` option allows.

    Parameters
    ----------
    seconds : float
        The time allowed.
    """

    _made_of = ("seconds",)

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"not done within {seconds:g} s, as `biggus.set_options(deadline=...)` asks"
        )
        self.seconds = seconds


class ReadLimitError(BiggusError, ValueError):
    """An evaluation would read more bytes than `max_bytes` allows."""


def format_box(box: tuple[slice, ...]) -> str:
    """Format a box as an index expression.

    Examples
    --------
    >>> format_box((slice(0, 10, 1), slice(4, 20, 2)))
    '[0:10, 4:20:2]'
    """
    parts = []
    for s in box:
        step = "" if s.step in (None, 1) else f":{s.step}"
        parts.append(f"{s.start}:{s.stop}{step}")
    return f"[{', '.join(parts)}]"


def _abbreviated(names: Sequence[str]) -> str:
    shown = ", ".join(names[:20])
    return shown if len(names) <= 20 else f"{shown}, ... ({len(names)} in all)"
