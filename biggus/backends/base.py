"""The contract between biggus and a format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias

from biggus.backends.identity import said

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    import numpy as np

    from biggus.backends.location import Location
    from biggus.sources.base import Source, Values
    from biggus.sources.encoding import Encoding


Choice: TypeAlias = "Callable[[str, tuple[str, ...], tuple[int, ...], np.dtype[Any]], bool]"
"""What chooses variables, by the name, the dims, the shape and the dtype of each."""


class Resolution(NamedTuple):
    """One resolution of an image that is stored at several.

    Attributes
    ----------
    path : str
        Where it lies: an array, or a group of variables, by its path from what was asked about.
    scale : tuple of float or None
        For each axis the size of an element, in units that all resolutions share, if that
        is said.
    """

    path: str
    scale: tuple[float, ...] | None


class SourceRecord(NamedTuple):
    """What is known of a source, enough to make it again and open nothing.

    Attributes
    ----------
    same : str
        What those of many locations are likely to have in common.
    attributes : dict
        What it says of itself; before values are decoded nothing else depends on it.
    own : list
        What only this one has, such as where its values lie: of what JSON has words for.
    """

    same: str
    attributes: dict[str, Any]
    own: list[Any]


class RecordedGroup(NamedTuple):
    """What was found out about a group in one state of its file.

    Attributes
    ----------
    attributes : dict
        What it says of all that is in it.
    variables : dict of str to SourceRecord
        Of each variable in it, by name.
    values : dict of str to Values
        As they are stored, of those variables that were wanted.
    """

    attributes: dict[str, Any]
    variables: dict[str, SourceRecord]
    values: dict[str, Values]


class Backend(ABC):
    """What a format's plug-in implements; one instance serves a process.

    The module that defines a backend is imported when any location is opened,
    so it must not import the format's library at its top.
    """

    name: ClassVar[str]
    """What ``open(..., backend=name)`` and the entry point call it."""

    modules: ClassVar[tuple[str, ...]] = ()
    """Root modules of the foreign objects that `adopt` takes, such as ``("h5py",)``."""

    decodes: ClassVar[bool] = False
    """Whether `open` takes the option ``decode``, since it changes shape or dtype here."""

    UNCLAIMED: ClassVar[int] = 0
    BY_SUFFIX: ClassVar[int] = 1
    BY_CONTENT: ClassVar[int] = 2
    BY_MARK: ClassVar[int] = 3
    """How sure a claim is; a mark is content that names this very format,
    where the content alone could be another's too."""

    @abstractmethod
    def claims(self, location: Location) -> int:
        """Tell how sure it is that `location` is of this format.

        Must be cheap, and must not raise for a location of another format.
        """

    @abstractmethod
    def variables(self, location: Location, **options: Any) -> tuple[str, ...]:
        """List the names of the variables in `location`, in its own order.

        Raises
        ------
        OpenError
            If it cannot be opened; `GoneError` if it is not there at all.
        """

    @abstractmethod
    def open(self, location: Location, variable: str, **options: Any) -> Source:
        """Return the source of one variable.

        Raises
        ------
        OpenError
            If it cannot be opened; `GoneError` if it is not there at all.
        VariableError
            If it has no such variable.
        TypeError
            If an option is not one of the backend's.
        """

    def resolutions(self, location: Location, group: str, **options: Any) -> tuple[Resolution, ...]:
        """List the resolutions of the image that a group holds; none, if it says of none.

        Raises
        ------
        OpenError
            If it cannot be opened; `GoneError` if it is not there at all.
        """
        return ()

    def attributes(self, location: Location, group: str, **options: Any) -> Mapping[str, Any]:
        """Return what a group says of all that is in it, the root if that is ``""``.

        Empty where there are no such attributes, or is no such group.

        Raises
        ------
        OpenError
            If it cannot be opened; `GoneError` if it is not there at all.
        """
        return {}

    def identity(self, location: Location, variable: str | None, **options: Any) -> Any:
        """Return what decides on the values that `open` gives; nothing is opened for it.

        Calls of `open` with one identity give the same values, so the cache remembers by it
        what was opened.  By default all arguments count, but for options that are credentials
        by their names; a backend that knows better leaves out what changes no value, and
        gives the rest in normal form.

        Parameters
        ----------
        location : Location
            As of `open`.
        variable : str or None
            None where it is not said, as there may be only one.
        **options
            As of `open`.

        Returns
        -------
        object
            Of strings, numbers, lists and mappings, without secrets.
        """
        return [location.public, variable, said(options)]

    def records(
        self,
        locations: Sequence[Location],
        group: str,
        wanted: Choice,
        **options: Any,
    ) -> list[RecordedGroup | None]:
        """Return what `recalled` takes, of all variables of a group in each of some locations.

        None, as of most, of those that have to be opened to be known; to open them tells what
        is the matter, if something is.

        Parameters
        ----------
        locations : sequence of Location
            A few, that are looked at together.
        group : str
            Its path, the root if that is ``""``.
        wanted : callable
            Tells of a variable, whose dtype is that of its values as they are stored, whether
            these are wanted too.  They are few then.
        **options
            As of `open`.
        """
        return [None] * len(locations)

    def recalled(self, location: Location, variable: str, record: SourceRecord) -> Source:
        """Return the source of which this is the record; nothing is opened.

        Raises
        ------
        LookupError, TypeError or ValueError
            If it is none that is understood.
        GoneError
            If it is not there.
        """
        raise LookupError(f"the {self.name} backend keeps no records")

    def encoding(self, told: Mapping[str, Any]) -> Encoding:
        """Return the encoding of one of its sources of what that told.

        Raises
        ------
        LookupError, TypeError or ValueError
            If it is none that is understood.
        """
        raise LookupError(f"the {self.name} backend has no encodings")

    def visit(self, location: Location, **options: Any) -> AbstractContextManager[object]:
        """Return a context in which what is at `location` is opened once, whatever is asked of it.

        By default each call of the other methods opens it.  Nothing is opened here, so
        that nothing fails.
        """
        return nullcontext()

    def adopt(self, obj: Any) -> Source | None:
        """Return a source for an object of the library, or None if it is none of ours."""
        return None
