"""The interface that the backend of a format implements."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias

from biggus.backends.identity import without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np

    from biggus.backends.location import Location
    from biggus.sources.base import Source, Values
    from biggus.sources.encoding import Encoding


Choice: TypeAlias = "Callable[[str, tuple[str, ...], tuple[int, ...], np.dtype[Any]], bool]"
"""Chooses variables: given the name, dims, shape and dtype of one, returns whether to take it."""


class Resolution(NamedTuple):
    """One resolution of an image that is stored at several.

    Attributes
    ----------
    path : str
        The path of its array, or group of variables, relative to the group of the image.
    scale : tuple of float or None
        For each axis the size of an element, in units that all resolutions share, if known.
    """

    path: str
    scale: tuple[float, ...] | None


class SourceRecord(NamedTuple):
    """The metadata of a source, enough to make it again without opening its file.

    Attributes
    ----------
    same : str
        The metadata that the variables of many files are likely to share.
    attributes : dict
        The attributes of the variable.  Before decoding, nothing else depends on them.
    own : list
        The metadata of this variable alone, such as the offsets of its values; JSON values.
    """

    same: str
    attributes: dict[str, Any]
    own: list[Any]


class RecordedGroup(NamedTuple):
    """The metadata of a group in one state of its file.

    Attributes
    ----------
    attributes : dict
        The attributes of the group.
    variables : dict of str to SourceRecord
        The records of its variables, by name.
    values : dict of str to Values
        The stored values of the variables that were wanted, by name.
    """

    attributes: dict[str, Any]
    variables: dict[str, SourceRecord]
    values: dict[str, Values]


class Backend(ABC):
    """Base class of backends; a process has one instance of each.

    The module that defines a backend is imported when any location is opened, so it must not
    import the library of the format when it is loaded.
    """

    name: ClassVar[str]
    """The name for ``open(..., backend=name)``, which is also that of the entry point."""

    modules: ClassVar[tuple[str, ...]] = ()
    """The root modules of the objects that `adopt` takes, such as ``("h5py",)``."""

    decodes: ClassVar[bool] = False
    """Whether `open` takes the option ``decode``, as decoding changes shape or dtype."""

    UNCLAIMED: ClassVar[int] = 0
    BY_SUFFIX: ClassVar[int] = 1
    BY_CONTENT: ClassVar[int] = 2
    BY_MARK: ClassVar[int] = 3
    """How sure a claim is.  A mark is content that names this very format, while other content
    may be that of another format too."""

    @abstractmethod
    def claims(self, location: Location) -> int:
        """Return how sure it is that `location` is of this format.

        Must be cheap, and must not raise for a location of another format.
        """

    @abstractmethod
    def variables(self, location: Location, **options: Any) -> tuple[str, ...]:
        """Return the names of the variables in `location`, in its own order.

        Raises
        ------
        OpenError
            If the location cannot be opened; `GoneError` if it does not exist.
        """

    @abstractmethod
    def open(self, location: Location, variable: str, **options: Any) -> Source:
        """Return the source of one variable.

        Raises
        ------
        OpenError
            If the location cannot be opened; `GoneError` if it does not exist.
        VariableError
            If it has no such variable.
        TypeError
            If the backend has no such option.
        """

    def option_names(self) -> tuple[str, ...]:
        """Return the names of the options of `open`; by default those in its signature."""
        # The first two parameters are location and variable.
        own = list(inspect.signature(self.open).parameters.values())[2:]
        return tuple([each.name for each in own if each.kind is not each.VAR_KEYWORD])

    def resolutions(self, location: Location, group: str, **options: Any) -> tuple[Resolution, ...]:
        """Return the resolutions of the image in a group; none by default.

        Raises
        ------
        OpenError
            If the location cannot be opened; `GoneError` if it does not exist.
        """
        return ()

    def attributes(self, location: Location, group: str, **options: Any) -> Mapping[str, Any]:
        """Return the attributes of a group, ``""`` for the root; empty if it does not exist.

        Raises
        ------
        OpenError
            If the location cannot be opened; `GoneError` if it does not exist.
        """
        return {}

    def identity(self, location: Location, variable: str | None, **options: Any) -> Any:
        """Return the identity of the values that `open` gives; opens nothing.

        Calls of `open` with equal identities give the same values; the cache remembers opened
        variables under it.  By default it consists of all arguments except credentials.  A
        backend may leave out options that change no values, and normalise others.

        Parameters
        ----------
        location, **options
            As for `open`.
        variable : str or None
            As for `open`; None if it is not given, as there may be only one.

        Returns
        -------
        object
            Consists of strings, numbers, lists and mappings; contains no secrets.
        """
        return [location.public, variable, without_secrets(options)]

    def records(
        self,
        locations: Sequence[Location],
        group: str,
        wanted: Choice,
        **options: Any,
    ) -> list[RecordedGroup | None]:
        """Return the records of all variables of a group, for each of several locations.

        None stands for a location without records, as by default.  Such a location is opened
        instead, which raises an error if something is wrong with it.

        Parameters
        ----------
        locations : sequence of Location
            A few locations that are read together.
        group : str
            The path of the group, ``""`` for the root.
        wanted : callable
            Chooses the variables, of few values, whose values are returned too; called with the
            dtype of stored values.
        **options
            As for `open`.
        """
        return [None] * len(locations)

    def recalled(self, location: Location, variable: str, record: SourceRecord) -> Source:
        """Return the source of a record; opens nothing.

        Raises
        ------
        LookupError, TypeError or ValueError
            If the record cannot be understood.
        GoneError
            If the location does not exist.
        """
        raise LookupError(f"the {self.name} backend keeps no records")

    def encoding(self, fields: Mapping[str, Any]) -> Encoding:
        """Return an encoding of the backend's sources from its `Encoding.fields`.

        Raises
        ------
        LookupError, TypeError or ValueError
            If the fields cannot be understood.
        """
        raise LookupError(f"the {self.name} backend has no encodings")

    def visit(self, location: Location, **options: Any) -> AbstractContextManager[object]:
        """Return a context in which `location` is opened once for all calls of other methods.

        By default each call opens it.  Entering the context opens nothing, and does not fail.
        """
        return nullcontext()

    def adopt(self, obj: Any) -> Source | None:
        """Return a source for an object of the library; None for other objects."""
        return None
