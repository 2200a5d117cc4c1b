"""Notes of the coordinates of files, by which files are compared again without reading them.

A note holds for one state of a file.  Notes are kept in this process, and in the cache of the
array if there is one.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from biggus.sources import studying
from biggus.support.once import once

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.cache import Cache
    from biggus.sources.base import Source

_log = logging.getLogger("biggus.datasets")

_MOST = 2**13
"""The most variables that have notes in this process."""

_noted: dict[str, dict[str, Any]] = {}
"""The notes that are kept in this process: by variable, and by the name of the coordinate."""


class Note(NamedTuple):
    """What is known of a coordinate in one state of its file.

    Attributes
    ----------
    compared : bool
        Whether the coordinate is compared; False if the store has none of this name.
    dims : sequence of str
        The names of the axes.
    kind : str or None
        As `Coordinate.kind`.
    units : sequence of str
        Units and calendar.
    digest : str
        The digest of dtype, shape, values, units and calendar; empty before values are read.
    value : float or None
        The value of a scalar.
    alike : sequence of str
        The digests of some other coordinates with which it agrees.
    validator : str
        The validator of the state, in hexadecimal digits; empty if it is unknown.
    by_source : bool
        Whether it is the validator of the variable; else it is that of the coordinate.
    """

    compared: bool
    dims: Sequence[str] = ()
    kind: str | None = None
    units: Sequence[str] = ()
    digest: str = ""
    value: float | None = None
    alike: Sequence[str] = ()
    validator: str = ""
    by_source: bool = True


class Notes:
    """The notes of the coordinates of one variable.

    There are none while a study is recorded or replayed, for a study holds all that is read.

    Parameters
    ----------
    source : Source
        The variable.

    Attributes
    ----------
    kept : bool
        Whether notes are kept.
    state : bytes or None
        The state of the variable before its coordinates are looked for.
    """

    def __init__(self, source: Source) -> None:
        self.kept = source.token is not None and studying.current() is None
        self.state = source.state() if self.kept else None
        self._cache: Cache | None = getattr(source, "cache", None)
        # Decoded and stored values may have the same token.
        self._name = json.dumps(["coordinates", 1, source.token, source.conventions])
        self._changed = False

    @once
    def _notes(self) -> dict[str, Any]:
        if not self.kept:
            return {}
        notes = _noted.get(self._name)
        if notes is None and self._cache is not None:
            notes = self._cache.recall(self._name)
        return notes or {}

    def find(self, name: str) -> Note | None:
        """Return the note of a coordinate, which may be of another state of the file."""
        fields = self._notes.get(name)
        try:
            return None if fields is None else Note(**fields)
        except TypeError as error:
            # Another version of biggus may have written the note.
            _log.warning("a note in the cache is not used: %r", error)
            return None

    def keep(self, name: str, note: Note) -> None:
        """Keep the note of a coordinate in this process."""
        if self.kept:
            # Other threads may read the dict in use.
            self._notes = {**self._notes, name: note._asdict()}
            self._changed = True

    def save(self) -> None:
        """Store the notes, in the cache if there are new ones."""
        if self._name not in _noted or self._changed:
            if len(_noted) >= _MOST:
                _noted.clear()
            _noted[self._name] = self._notes
        if self._changed and self._cache is not None:
            self._cache.remember(self._name, self._notes)
        self._changed = False
