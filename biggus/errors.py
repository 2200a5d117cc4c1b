"""The errors that biggus raises: each names what failed and what to do.

Every error of biggus's own derives from :class:`BiggusError`.  Keys and
operations that NumPy refuses raise what NumPy raises (``IndexError``,
``TypeError``, ``ValueError``); these classes are for what NumPy does not know:
locations, sources, caches and budgets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from biggus.support.forks import between_forks

if TYPE_CHECKING:
    from collections.abc import Sequence


class BiggusError(Exception):
    """Base class of the errors that biggus raises."""

    _made_of: ClassVar[tuple[str, ...]] = ()
    """The attributes that its kind is made of, to be made again in another process."""

    def __reduce__(self) -> Any:
        if not self._made_of:
            return super().__reduce__()
        return type(self), tuple([getattr(self, name) for name in self._made_of])

    def __str__(self) -> str:
        # Of what comes of an OSError or a KeyError too, nothing but what was said.
        return str(self.args[0]) if len(self.args) == 1 else super().__str__()


class OptionError(BiggusError, ValueError):
    """An option has a name or a value that biggus does not know."""


class BackendOptionError(BiggusError, TypeError):
    """A backend does not take an option that was given to ``open``.

    Parameters
    ----------
    problem : str
        What is wrong with it.
    option : str, optional
        Its name.
    hint : str
        What was meant, perhaps.
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
        What was to be opened, without credentials.
    problem : str
        What is wrong with it, and what to do about it.
    """

    _made_of: ClassVar[tuple[str, ...]] = ("location", "problem")

    def __init__(self, location: str, problem: str) -> None:
        super().__init__(f"cannot open {location}: {problem}")
        self.location = location
        self.problem = problem


class GoneError(OpenError):
    """A location that may have been there before is missing or out of reach."""


class VariableError(OpenError, KeyError):
    """A location holds no such variable, or several and none was named.

    Parameters
    ----------
    location : str
        What was opened.
    problem : str
        What is wrong.
    available : sequence of str
        The variables that are there.
    wanted : str, optional
        The name that is not among them, for which near ones are suggested.
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
        near = [] if wanted is None else _near(wanted, self.available)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        listing = f"; it has: {_abbreviated(self.available)}" if self.available else ""
        super().__init__(location, problem + hint + listing)
        self._problem = problem

    def suggesting(self, wanted: str) -> VariableError:
        """Return this error with the names that are near to `wanted`."""
        return type(self)(self.location, self._problem, self.available, wanted)


class SourceError(BiggusError, OSError):
    """A read failed, or gave something other than what was promised.

    Parameters
    ----------
    source : str
        The name of the source, without credentials.
    box : tuple of slice or None
        What was being read.
    cause : object
        Why it failed: an exception or a sentence.
    """

    def __init__(self, source: str, box: tuple[slice, ...] | None, cause: object) -> None:
        where = "" if box is None else f" {format_box(box)}"
        # On one line, whoever said it.
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
    """What was read changed meanwhile, so that values of two states may be among those read.

    Nothing of it is given, or kept in a cache.  With the option ``retry_changed`` the
    evaluation is begun again.
    """

    def read_as(self, source: str, box: tuple[slice, ...] | None) -> SourceChangedError:
        """Return this error with what was being read, where it speaks of a file alone."""
        return self if self.box is not None else type(self)(source, box, self.cause)


class MismatchError(BiggusError, ValueError):
    """Numbers that are to be joined do not mean the same.

    Parameters
    ----------
    first, other : str
        What they are of, without credentials.
    difference : str
        In what they differ.
    """

    _made_of = ("first", "other", "difference")

    def __init__(self, first: str, other: str, difference: str) -> None:
        super().__init__(
            f"the numbers of {first} and of {other} do not mean the same: {difference}; "
            "mismatch='ignore' joins them as they are"
        )
        self.first = first
        self.other = other
        self.difference = difference


class OutputError(BiggusError, OSError):
    """A result cannot be written where it should go."""


class OutputExistsError(OutputError):
    """Something is there already where a result should go, and it was not said to be replaced.

    Parameters
    ----------
    path : str
        Where.
    remedy : str
        What has it replaced.
    """

    _made_of = ("path", "remedy")

    def __init__(self, path: str, remedy: str = "overwrite=True") -> None:
        super().__init__(f"cannot write {path}: it is there already; {remedy} replaces it")
        self.path = path
        self.remedy = remedy


class OfflineError(SourceError):
    """Something is not in the cache, and its source is gone or not to be asked."""


class CacheError(BiggusError):
    """A cache cannot be used as asked: no token, no folder, no space."""


class StudyError(BiggusError):
    """A study cannot be recorded or replayed as asked: something is not in it, or not as it was."""


class PolicyError(BiggusError, PermissionError):
    """What is asked for is against the policy of who would have to serve it."""


class MissingDependencyError(BiggusError, ImportError):
    """A package that is needed for this is not installed, or its import fails.

    Parameters
    ----------
    package : str
        The package, as it is imported.
    extra : str
        The extra of biggus that brings it.
    purpose : str
        What it is needed for.
    failure : str, optional
        Why its import fails, if it is installed.
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
    """A plain ndarray was asked for, and a masked value has no place in its dtype."""


class MemoryBudgetError(BiggusError, MemoryError):
    """Something would take more memory than the ``memory`` option allows.

    Parameters
    ----------
    problem : str
        What would take how much; with ``{remedy}`` where it says how to allow more.
    remedy : str
        What allows more.
    """

    _made_of = ("problem", "remedy")

    def __init__(self, problem: str, remedy: str = "biggus.set_options(memory=...)") -> None:
        super().__init__(problem.replace("{remedy}", remedy))
        self.problem = problem
        self.remedy = remedy


class DeadlineError(BiggusError, TimeoutError):
    """An evaluation was not done in the time that the ``deadline`` option gives it.

    Parameters
    ----------
    seconds : float
        That time.
    """

    _made_of = ("seconds",)

    def __init__(self, seconds: float) -> None:
        super().__init__(f"not done within {seconds:g} s, as set_options(deadline=...) asks")
        self.seconds = seconds


class ReadLimitError(BiggusError, ValueError):
    """To compute something, more would have to be read than was allowed."""


def format_box(box: tuple[slice, ...]) -> str:
    """Format a box the way it is written in a key.

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


def _near(wanted: str, available: Sequence[str]) -> list[str]:
    """Return the names that may have been meant: but for the case, the group, a few letters."""
    with between_forks():
        import difflib
    plain = wanted.strip("/").lower()
    found = [name for name in available if plain in (name.lower(), name.lower().rpartition("/")[2])]
    if not found:
        spelled: dict[str, list[str]] = {}
        for name in available:
            spelled.setdefault(name.lower(), []).append(name)
        for match in difflib.get_close_matches(plain, spelled, n=2):
            found += spelled[match]
    return found[:2]


def _abbreviated(names: Sequence[str]) -> str:
    shown = ", ".join(names[:20])
    return shown if len(names) <= 20 else f"{shown}, ... ({len(names)} in all)"
