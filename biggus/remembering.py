"""Descriptions of opened variables in a cache, which stand in for a location that is gone.

A variable is remembered under its backend and the backend's `identity` of it.  Two notes
beside it stand for arguments that may be omitted: the backend that was found for the
location, and the name of its only variable.  The names of all variables and the attributes
of groups are remembered where somebody asked for them, so that datasets open as well.
"""

from __future__ import annotations

import contextlib
import json
import logging
from typing import TYPE_CHECKING, Any, TypeVar

from biggus import options as option_values
from biggus.backends import Backend, Location, backend_for
from biggus.errors import BiggusError, GoneError
from biggus.sources.description import DescribedSource, decode_value, describe, encode_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from biggus.cache.cache import Cache
    from biggus.sources.base import Source

_log = logging.getLogger("biggus.api")


_ONLY = "the only variable"

_Answer = TypeVar("_Answer")


class Memory:
    """The descriptions that a cache holds of one location.

    Parameters
    ----------
    cache : Cache or None
        The cache; None remembers nothing.
    location : Location
        The location.
    """

    def __init__(self, cache: Cache | None, location: Location) -> None:
        self.cache = cache
        self.location = location

    def backend(self) -> str | None:
        """Return the name of the backend that was found for the location, if remembered."""
        return (self._recall(self._place) or {}).get("backend")

    def recall(
        self, backend: Backend, variable: str | None, options: Mapping[str, Any]
    ) -> Source | None:
        """Return a `DescribedSource` of a variable, of the only one if None, if remembered."""
        if self.cache is None:
            return None
        if variable is None:
            note = self._recall(self._name(backend, None, options, _ONLY))
            variable = (note or {}).get("variable")
            if variable is None:
                return None
        description = self._recall(self._name(backend, variable, options))
        if description is None:
            return None
        try:
            encoding_fields = decode_value(description.get("encoding"))
            encoding = None if encoding_fields is None else backend.encoding(encoding_fields)
            return DescribedSource(description, encoding)
        except (LookupError, TypeError, ValueError) as error:
            # It may be from another version of biggus.
            _log.warning("a description in the cache is not used: %r", error)
            return None

    def keep(
        self,
        source: Source,
        backend: Backend,
        variable: str,
        options: Mapping[str, Any],
        *,
        only: bool,
        detected: bool,
    ) -> None:
        """Remember the source of a variable.

        Parameters
        ----------
        source, backend, variable, options
            The source, and the arguments with which it was opened.
        only : bool
            Whether the variable is the only one of the location.
        detected : bool
            Whether the backend was found for the location, and not named by the caller.
        """
        if self.cache is None or source.token is None:
            return
        where = self.location
        name = self._name(backend, variable, options)
        encoding = None if source.encoding is None else source.encoding.fields
        place = {"location": where.public, "variable": variable, "backend": backend.name}
        description = describe(source, **place, encoding=encoding)
        self._remember(name, description)
        if only:
            self._remember(self._name(backend, None, options, _ONLY), {"variable": variable})
        if not where.scheme:
            # The backend of a URL follows from its text; that of a path from the file itself,
            # which may be gone later.
            with contextlib.suppress(BiggusError):
                name = backend.name if detected else backend_for(where).name
                self._remember(self._place, {"backend": name})

    def answer(
        self,
        backend: Backend,
        options: Mapping[str, Any],
        question: Sequence[str],
        ask: Callable[[], _Answer],
    ) -> _Answer:
        """Return what a backend says of the location; if that is gone, what is remembered.

        Parameters
        ----------
        backend, options
            The backend and its options.
        question : sequence of str
            The name of the answer in the cache, such as ``["variables"]``.
        ask : callable
            Asks the backend; returns a value that a description can hold.

        Raises
        ------
        GoneError
            If the location is gone and the cache does not remember the answer.
        """
        if self.cache is None:
            return ask()
        name = self._name(backend, None, options, *question)
        offline = bool(self.location.scheme) and option_values.current().offline
        held = self._recall(name) if offline else None
        if held is None:
            try:
                found = ask()
            except GoneError as error:
                held = self._recall(name)
                if held is None:
                    raise
                _log.warning("%s: standing in with what the cache holds", error)
        if held is not None:
            known: _Answer = decode_value(held["answer"])
            return known
        with contextlib.suppress(TypeError):  # an attribute that JSON cannot hold
            self._remember(name, {"answer": encode_value(found)})
        return found

    @property
    def _place(self) -> str:
        return json.dumps(self.location.public)

    def _name(
        self, backend: Backend, variable: str | None, options: Mapping[str, Any], *notes: str
    ) -> str:
        identity = backend.identity(self.location, variable, **options)
        return json.dumps([backend.name, identity, *notes], sort_keys=True)

    def _recall(self, name: str) -> dict[str, Any] | None:
        return None if self.cache is None else self.cache.recall(name)

    def _remember(self, name: str, description: dict[str, Any]) -> None:
        if self.cache is not None:
            self.cache.remember(name, description)
