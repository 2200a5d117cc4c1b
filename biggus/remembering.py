"""What a cache remembers of a location: enough to stand in for it when it is gone.

A variable is remembered by its backend, and by what that says decides on its values. Beside
it there are two notes, for what need not be said: the backend that was found for the
location, and the only variable in it.
"""

from __future__ import annotations

import contextlib
import json
import logging
from typing import TYPE_CHECKING, Any

from biggus.backends import backend_for
from biggus.errors import BiggusError
from biggus.sources.description import DescribedSource, decode_value, describe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from biggus.backends import Backend, Location
    from biggus.cache.cache import Cache
    from biggus.sources.base import Source

_log = logging.getLogger("biggus.api")


_ONLY = "the only variable"


class Memory:
    """What a cache remembers of one location.

    Parameters
    ----------
    cache : Cache or None
        The cache; without one nothing is remembered.
    location : Location
        The location.
    """

    def __init__(self, cache: Cache | None, location: Location) -> None:
        self.cache = cache
        self.location = location

    def backend(self) -> str | None:
        """Return the name of the backend that was found for the location, when it was there."""
        note = self._recall(self._place)
        return None if note is None else note.get("backend")

    def recall(
        self, backend: Backend, variable: str | None, options: Mapping[str, Any]
    ) -> Source | None:
        """Return what stands in for a variable, if it is remembered; for the only one if None."""
        if self.cache is None:
            return None
        if variable is None:
            note = self._recall(self._name(backend, None, options, _ONLY))
            variable = None if note is None else note.get("variable")
            if variable is None:
                return None
        description = self._recall(self._name(backend, variable, options))
        if description is None:
            return None
        try:
            told = decode_value(description.get("encoding"))
            encoding = None if told is None else backend.encoding(told)
            return DescribedSource(description, encoding)
        except (LookupError, TypeError, ValueError) as error:
            # Another version of biggus may have meant something else by it.
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
        found: bool,
    ) -> None:
        """Remember a source, of the `only` variable perhaps, of a `backend` found or named."""
        if self.cache is None or source.token is None:
            return
        where = self.location
        name = self._name(backend, variable, options)
        encoding = None if source.encoding is None else source.encoding.told
        place = {"location": where.public, "variable": variable, "backend": backend.name}
        told = describe(source, **place, encoding=encoding)
        self._remember(name, told)
        if only:
            self._remember(self._name(backend, None, options, _ONLY), {"variable": variable})
        if not where.scheme:
            # What is gone cannot be looked at any more; a URL is known by what it looks like.
            with contextlib.suppress(BiggusError):
                name = backend.name if found else backend_for(where).name
                self._remember(self._place, {"backend": name})

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

    def _remember(self, name: str, what: dict[str, Any]) -> None:
        if self.cache is not None:
            self.cache.remember(name, what)
