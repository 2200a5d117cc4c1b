"""Records: all that was found out about a group in a file, for whoever opens it again.

A record is of one state of the file, by which it is told whether it still holds.  In it are the
values of small coordinates too, of those along one axis and of single ones, all as they are
stored.  It is kept in this process, and in the cache, if there is one.
"""

from __future__ import annotations

import json
import logging
import math
from collections import OrderedDict
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus.api import array_of, located, server_for
from biggus.backends import Backend, backend_named
from biggus.backends.base import SourceRecord
from biggus.backends.files import file_validator
from biggus.caching import chosen_cache
from biggus.cf import KEPT_DTYPE, PACKING
from biggus.datasets.group import Group
from biggus.errors import BiggusError
from biggus.remembering import Memory
from biggus.sources import studying
from biggus.sources.description import decode_value, encode_dtype, encode_value

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from biggus.array import Array
    from biggus.backends import Location
    from biggus.backends.base import RecordedGroup
    from biggus.cache import Cache
    from biggus.datasets.group import Opening

_log = logging.getLogger("biggus.datasets")

SMALL = 2**16
"""Bytes: the values of coordinates of axes that are no larger are in a record."""

_MEANING = PACKING | {
    *("units", "calendar", "dtype", KEPT_DTYPE, "_Encoding", "_NoFill"),
    *("coordinates", "bounds", "climatology", "grid_mapping", "cell_measures"),
    *("ancillary_variables", "formula_terms"),
}
"""Attributes by which values are decoded, and others are found that belong to them."""

_TOGETHER = 8
"""So many files are looked at together."""

_MOST = 2**12
_all_told: dict[tuple[str, str, str], str] = {}
"""What is told of variables in records, by what their sources have in common."""

_texts: dict[Hashable, str] = {}
"""Attributes as text."""

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
    same, attributes
        As in `SourceRecord`.
    """

    full: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    meaning: list[Any]
    same: str
    attributes: dict[str, Any]


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
    cache : Cache or None
        Where their chunks go.
    """

    def __init__(
        self,
        location: Location,
        path: str,
        record: Mapping[str, Any],
        cache: Cache | None,
    ) -> None:
        self.location = location
        self.path = path
        self.told: Mapping[str, str] = record["variables"]
        self.said: Mapping[str, str] = record["said"]
        self.own: Mapping[str, list[Any]] = record["own"]
        self.coded: Mapping[str, Any] = record["values"]
        self.server: str = record["backend"]
        self._attributes: str = record["attributes"]
        self._cache = cache

    @property
    def variables(self) -> dict[str, Variable]:
        """What is in it, by name."""
        return {name: self.known(name) for name in self.told}

    def known(self, name: str) -> Variable:
        """Return what is known of a variable."""
        return variable_told(self.told[name], self.said[name])

    def attributes(self) -> dict[str, Any]:
        """Return what the group says of all that is in it."""
        return {name: decode_value(v) for name, v in json.loads(self._attributes).items()}

    def values(self, name: str) -> npt.NDArray[Any]:
        """Return the values of a small coordinate."""
        found: npt.NDArray[Any] = decode_value(self.coded[name])
        return found

    def array(self, name: str) -> Array:
        """Return the lazy array of a variable; nothing is opened."""
        known = self.known(name)
        record = SourceRecord(known.same, known.attributes, self.own[name])
        source = backend_named(self.server).recalled(self.location, known.full, record)
        return array_of(source, self._cache, decode=False)

    def group(self) -> Group:
        """Return the group as `groups_at` does, with the values of small coordinates."""
        known = self.variables
        variables = {name: self.array(name) for name in known}
        dims = {name: each.dims for name, each in known.items()}
        values = {name: self.values(name) for name in self.coded}
        told = {name: each.attributes for name, each in known.items()}
        return Group(self.location, self.path, variables, dims, self.attributes(), values, told)


@lru_cache(maxsize=2**12)
def variable_told(told: str, said: str) -> Variable:
    """Return what a record tells of a variable, and what that says of itself."""
    full, dims, shape, dtype, masked, same = json.loads(told)
    encoded = json.loads(said)
    meaning = [dtype, masked, {name: v for name, v in encoded.items() if name in _MEANING}]
    attributes = {name: decode_value(value) for name, value in encoded.items()}
    return Variable(full, tuple(dims), tuple(shape), meaning, same, attributes)


class _Place(NamedTuple):
    """Where a group is looked for, under which name its record is kept, and its file's state."""

    where: Location
    name: str
    state: bytes | None

    @classmethod
    def of(cls, location: Any, path: str, backend: str | None) -> _Place:
        where, _ = located(location, None)
        state = None if where.scheme else file_validator(str(where.path))
        return cls(where, json.dumps(["record", 3, where.public, path, backend]), state)


def record_at(location: Any, opening: Opening, group: str) -> GroupRecord | None:
    """Return what is known of a group in one location, as `records_at` does."""
    return next(records_at([location], opening, group))


def records_at(
    locations: Sequence[Any], opening: Opening, group: str
) -> Iterator[GroupRecord | None]:
    """Yield what is known of a group in each of several locations.

    None where the backend keeps no records of such a location, and if values are to be decoded.

    Raises
    ------
    OpenError
        If it cannot be opened; `GoneError` if it is not there.
    """
    none = studying.current() is not None or opening.options or opening.decode
    cache, path = chosen_cache(opening.cache, remote=False), group.strip("/")
    for begin in range(0, len(locations), _TOGETHER):
        some = locations[begin : begin + _TOGETHER]
        if none:
            yield from [None] * len(some)
            continue
        places = [_Place.of(location, path, opening.backend) for location in some]
        known = [_recall(place, cache) for place in places]
        lacking = [place for place, record in zip(places, known, strict=True) if record is None]
        made = iter(_made(lacking, path, opening, cache))
        for place, record in zip(places, known, strict=True):
            yield _understood(place, path, next(made) if record is None else record, cache)


def _understood(
    place: _Place, path: str, record: dict[str, Any] | None, cache: Cache | None
) -> GroupRecord | None:
    try:
        return None if record is None else GroupRecord(place.where, path, record, cache)
    except KeyError as error:
        # Another version of biggus may have meant something else by it.
        _log.warning("a record in the cache is not used: %r", error)
        return None


def _recall(place: _Place, cache: Cache | None) -> dict[str, Any] | None:
    if place.state is None:
        return None
    name, state = place.name, place.state.hex()
    record = remembered.get(name)
    if record is not None and record["state"] == state:
        remembered.move_to_end(name)
        return record
    record = None if cache is None else cache.recall(name)
    if record is None or record.get("state") != state:
        return None
    _note(name, record)
    return record


def _note(name: str, record: dict[str, Any]) -> None:
    remembered[name] = record
    remembered.move_to_end(name)
    while len(remembered) > _MOST:
        remembered.popitem(last=False)


def _made(
    places: Sequence[_Place], path: str, opening: Opening, cache: Cache | None
) -> list[dict[str, Any] | None]:
    """Return a record of what is in each of some files, and keep it; None if there can be none."""
    made: dict[_Place, dict[str, Any] | None] = dict.fromkeys(places)
    served: dict[Backend, list[_Place]] = {}
    for place in places:
        if not place.where.scheme:
            served.setdefault(server_for(place.where, opening.backend), []).append(place)
    for server, some in served.items():
        options = {"decode": False} if server.decodes else {}
        found = server.records([place.where for place in some], path, _is_small, **options)
        for place, each in zip(some, found, strict=True):
            record = None if each is None else _record(server, place.where, path, each)
            if each is None or record is None:
                continue
            made[place] = record
            if cache is not None:
                memory = Memory(cache, place.where)
                _remember(memory, server, path, each, opening.backend is None, options)
            if place.state is not None and file_validator(str(place.where.path)) == place.state:
                kept = {**record, "state": place.state.hex()}
                _note(place.name, kept)
                if cache is not None:
                    cache.remember(place.name, kept)
    return [made[place] for place in places]


def _record(
    server: Backend, where: Location, path: str, found: RecordedGroup
) -> dict[str, Any] | None:
    """Return what was found out in words of JSON; None if it has none."""
    variables = found.variables
    try:
        return {
            "backend": server.name,
            "variables": {
                name: _told(server, where, _full(path, name), each)
                for name, each in variables.items()
            },
            "said": {name: _text_of(each.attributes) for name, each in variables.items()},
            "attributes": _text_of(found.attributes),
            "own": {name: each.own for name, each in variables.items()},
            "values": {name: encode_value(each) for name, each in found.values.items()},
        }
    except (BiggusError, TypeError):
        return None  # to open it tells what is the matter


def _full(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def _remember(
    memory: Memory,
    server: Backend,
    path: str,
    found: RecordedGroup,
    is_found: bool,
    options: dict[str, Any],
) -> None:
    """Remember each variable, to stand in for it."""
    for name, record in found.variables.items():
        full = _full(path, name)
        source = server.recalled(memory.location, full, record)
        memory.keep(source, server, full, options, only=False, found=is_found)


def _told(server: Backend, where: Location, full: str, record: SourceRecord) -> str:
    """Return what `variable_told` takes."""
    key = server.name, full, record.same
    told = _all_told.get(key)
    if told is None:
        source = server.recalled(where, full, record)
        array = array_of(source, None, decode=False)
        dims = [dim.rpartition("/")[2] for dim in source.dims or ()]
        dtype = encode_dtype(array.dtype)
        told = json.dumps([full, dims, array.shape, dtype, array.masked, record.same])
        if len(_all_told) >= _MOST:
            _all_told.clear()
        _all_told[key] = told
    return told


def _is_small(
    name: str, dims: tuple[str, ...], shape: tuple[int, ...], dtype: np.dtype[Any]
) -> bool:
    """Tell whether the values of a variable are in a record."""
    nbytes = math.prod(shape) * dtype.itemsize
    return dims in ((name,), ()) and nbytes <= SMALL and dtype.kind in "iufcbmM"


def _text_of(attributes: Mapping[str, Any]) -> str:
    """Return attributes as text.

    Raises
    ------
    TypeError
        If JSON has no words for them.
    """
    key = tuple([(name, _word_of(value)) for name, value in attributes.items()])
    text = _texts.get(key)
    if text is None:
        text = json.dumps({name: encode_value(value) for name, value in attributes.items()})
        if len(_texts) >= _MOST:
            _texts.clear()
        _texts[key] = text
    return text


def _word_of(value: Any) -> Hashable:
    """Return what tells an attribute's value from others, and is quickly made.

    Raises
    ------
    TypeError
        If JSON has no words for it either.
    """
    if type(value) is str:
        return value
    if isinstance(value, (np.generic, np.ndarray)) and not value.dtype.hasobject:
        return type(value), value.dtype, value.shape, value.tobytes()
    return json.dumps(encode_value(value))
