"""Records: all that was found out about a group in a file, for whoever opens it again.

A record is of one state of the file, by which it is told whether it still holds.  In it are the
values of small coordinates too, of those along one axis and of single ones.  It is kept in this
process, and in the cache, if there is one.
"""

from __future__ import annotations

import json
import logging
from collections import OrderedDict
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from biggus.api import array_of, located, server_for
from biggus.array import Array
from biggus.backends import Backend, backend_named
from biggus.backends.base import SourceRecord
from biggus.backends.files import file_validator
from biggus.caching import chosen_cache
from biggus.cf import KEPT_DTYPE, PACKING
from biggus.datasets.facts import Opened
from biggus.datasets.group import Group, groups_at
from biggus.graph import Elementwise, Leaf
from biggus.sources import studying
from biggus.sources.description import decode_value, encode_value
from biggus.sources.memory import MemorySource
from biggus.sources.wrappers import Wrapper

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from biggus.backends import Location
    from biggus.cache import Cache
    from biggus.datasets.group import Opening
    from biggus.sources.base import Source, Values

_log = logging.getLogger("biggus.datasets")

SMALL = 2**16
"""Bytes: the values of coordinates of axes that are no larger are in a record."""

_MEANING = PACKING | {
    *("units", "calendar", "dtype", KEPT_DTYPE, "_Encoding", "_NoFill"),
    *("coordinates", "bounds", "climatology", "grid_mapping", "cell_measures"),
    *("ancillary_variables", "formula_terms"),
}
"""Attributes by which values are decoded, and others are found that belong to them."""

_MOST = 2**12
remembered: OrderedDict[str, dict[str, Any]] = OrderedDict()
"""Records in this process, by what they are of; those that were used last are last."""


class Variable(NamedTuple):
    """What of a variable groups in many files are likely to have in common.

    Attributes
    ----------
    full : str
        Its name in the file, with its group.
    dims : tuple of str
        The names of its axes in the group.
    shape : tuple of int
        The lengths of its axes.
    meaning : list
        Its dtype, whether values can be missing, and those of its attributes that say what
        they mean.
    same : str
        As in `SourceRecord`.
    """

    full: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    meaning: list[Any]
    same: str


class GroupRecord:
    """What is known of a group of a file.

    Parameters
    ----------
    location : Location
        Where the file is.
    path : str
        The group's.
    record : dict
        Of what JSON has words for.
    opening : Opening
        How its variables are opened.
    cache : Cache or None
        Where their chunks go.
    """

    def __init__(
        self,
        location: Location,
        path: str,
        record: Mapping[str, Any],
        opening: Opening,
        cache: Cache | None,
    ) -> None:
        self.location = location
        self.path = path
        self.structure: str = record["structure"]
        self.own: Mapping[str, list[Any]] = record["own"]
        self.coded: Mapping[str, Any] = record["values"]
        self.server: str = record["backend"]
        self._attributes: str = record["attributes"]
        self._decode = opening.decode
        self._cache = cache

    @property
    def variables(self) -> dict[str, Variable]:
        """What is in it, by name."""
        return _structure(self.structure)

    def attributes(self) -> dict[str, Any]:
        """Return what the group says of all that is in it."""
        return dict(decode_value(json.loads(self._attributes)))

    def values(self, name: str) -> npt.NDArray[Any]:
        """Return the values of a small coordinate."""
        found: npt.NDArray[Any] = decode_value(self.coded[name])
        return found

    def array(self, name: str) -> Array:
        """Return the lazy array of a variable; nothing is opened."""
        known = self.variables[name]
        record = SourceRecord(known.same, self.own[name])
        source = backend_named(self.server).recalled(self.location, known.full, record)
        return array_of(source, self._cache, self._decode)

    def group(self) -> Group:
        """Return the group as `groups_at` does, with the values of small coordinates."""
        variables = {name: self.array(name) for name in self.variables}
        dims = {name: known.dims for name, known in self.variables.items()}
        values = {name: self.values(name) for name in self.coded}
        return Group(self.location, self.path, variables, dims, self.attributes(), values)


@lru_cache(maxsize=256)
def _structure(text: str) -> dict[str, Variable]:
    return {
        name: Variable(full, tuple(dims), tuple(shape), meaning, same)
        for name, (full, dims, shape, meaning, same) in json.loads(text).items()
    }


def record_at(location: Any, opening: Opening, group: str) -> GroupRecord | None:
    """Return what is known of a group; None if the backend keeps no records of such a location.

    Raises
    ------
    OpenError
        If it cannot be opened; `GoneError` if it is not there.
    """
    where, _ = located(location, None)
    if where.scheme or studying.current() is not None or opening.options:
        return None
    state = file_validator(str(where.path))
    cache = chosen_cache(opening.cache, remote=False)
    path = group.strip("/")
    said = ["record", 1, where.public, path, opening.backend, opening.decode]
    name = json.dumps(said)
    record = None if state is None else _recall(name, state.hex(), cache)
    if record is None:
        record = _made(where, path, opening)
        if record is None:
            return None
        if state is not None and file_validator(str(where.path)) == state:
            _keep(name, {**record, "state": state.hex()}, cache)
    try:
        return GroupRecord(where, path, record, opening, cache)
    except KeyError as error:
        # Another version of biggus may have meant something else by it.
        _log.warning("a record in the cache is not used: %r", error)
        return None


def _recall(name: str, state: str, cache: Cache | None) -> dict[str, Any] | None:
    record = remembered.get(name)
    if record is not None and record["state"] == state:
        remembered.move_to_end(name)
        return record
    record = None if cache is None else cache.recall(name)
    if record is None or record.get("state") != state:
        return None
    _note(name, record)
    return record


def _keep(name: str, record: dict[str, Any], cache: Cache | None) -> None:
    _note(name, record)
    if cache is not None:
        cache.remember(name, record)


def _note(name: str, record: dict[str, Any]) -> None:
    remembered[name] = record
    remembered.move_to_end(name)
    while len(remembered) > _MOST:
        remembered.popitem(last=False)


def _made(where: Location, path: str, opening: Opening) -> dict[str, Any] | None:
    """Return a record of what is in a file; None if there can be none."""
    server = server_for(where, opening.backend)
    if type(server).record is Backend.record:
        return None
    with server.visit(where):
        [group] = groups_at(where, opening, path).values()
        structure, own, values = {}, {}, {}
        for name, array in group.variables.items():
            read = group.dims[name] in ((name,), ()) and array.nbytes <= SMALL
            read = read and array.dtype.kind in "iufcbmM"
            opened = Opened.of(array)
            made = server.record(_innermost(opened.source), read)
            if made is None:
                return None
            record, found = made
            full = f"{path}/{name}" if path else name
            meaning = [array.dtype.str, array.masked, _meaning(array.attrs)]
            structure[name] = full, group.dims[name], array.shape, meaning, record.same
            own[name] = record.own
            if found is not None:
                values[name] = encode_value(_decoded(opened, found))
    try:
        attributes = json.dumps(encode_value(group.attributes))
    except TypeError:
        return None
    return {
        "backend": server.name,
        "structure": json.dumps(structure),
        "attributes": attributes,
        "own": own,
        "values": values,
    }


def _meaning(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: encode_value(value) for name, value in attributes.items() if name in _MEANING}


def _innermost(source: Source) -> Source:
    while isinstance(source, Wrapper):
        source = source.source
    return source


def _decoded(opened: Opened, values: Values) -> npt.NDArray[Any]:
    """Return all values of a variable as it gives them, from those that its source has."""
    leaf = Leaf(MemorySource(values), values.shape, values.dtype)
    node = leaf if opened.decoder is None else Elementwise(opened.decoder, leaf)
    return Array.from_node(node).ndarray()
