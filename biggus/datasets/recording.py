"""Recording: groups of files are recorded once, and known from their records afterwards.

A record holds for one state of its file.  It includes the stored values of small coordinates:
scalars, and those along an axis of their own name.  Records are kept in this process, and in
the cache if there is one.
"""

from __future__ import annotations

import json
import logging
import math
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus.api import array_of, located, server_for
from biggus.backends.files import file_validator
from biggus.caching import chosen_cache
from biggus.datasets.records import GroupRecord
from biggus.errors import BiggusError
from biggus.remembering import Memory
from biggus.sources import studying
from biggus.sources.description import encode_dtype, encode_value

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence

    from biggus.backends import Backend, Location
    from biggus.backends.base import RecordedGroup, SourceRecord
    from biggus.cache import Cache
    from biggus.datasets.group import Opening

_log = logging.getLogger("biggus.datasets")

SMALL = 2**16
"""The most bytes of a coordinate whose values are recorded."""

_FILES_AT_ONCE = 8
"""How many files are recorded together."""

_MOST = 2**12
"""The most entries of each of the tables below."""

_layouts: dict[tuple[str, str, str], str] = {}
"""Encoded layouts of variables, by the backend, the variable, and what its files share."""

_attribute_texts: dict[Hashable, str] = {}
"""Encoded attributes, by names and values."""

remembered: OrderedDict[str, dict[str, Any]] = OrderedDict()
"""The records that are kept in this process, by name; the last one used is last."""


class _Place(NamedTuple):
    """Where a group is looked for, the name of its record, and the state of its file."""

    where: Location
    name: str
    state: bytes | None

    @classmethod
    def of(cls, location: Any, path: str, backend: str | None) -> _Place:
        where, _ = located(location, None)
        state = None if where.scheme else file_validator(str(where.path))
        return cls(where, json.dumps(["record", 4, where.public, path, backend]), state)


def record_at(location: Any, opening: Opening, group: str) -> GroupRecord | None:
    """Return the record of a group in one location, as `records_at` does."""
    return next(records_at([location], opening, group))


def records_at(
    locations: Sequence[Any], opening: Opening, group: str
) -> Iterator[GroupRecord | None]:
    """Yield the record of a group in each location.

    It is None if the backend records no groups of such a location, if values are to be
    decoded, if the backend is given options, and while a study is recorded or replayed.

    Raises
    ------
    OpenError
        If a location cannot be opened; `GoneError` if there is nothing.
    """
    none = studying.current() is not None or opening.options or opening.decode
    cache, path = chosen_cache(opening.cache, remote=False), group.strip("/")
    for begin in range(0, len(locations), _FILES_AT_ONCE):
        some = locations[begin : begin + _FILES_AT_ONCE]
        if none:
            yield from [None] * len(some)
            continue
        places = [_Place.of(location, path, opening.backend) for location in some]
        known = [_recall(place, cache) for place in places]
        lacking = [place for place, record in zip(places, known, strict=True) if record is None]
        recorded = _recorded(lacking, path, opening, cache)
        for place, record in zip(places, known, strict=True):
            yield _group_record(place, path, recorded[place] if record is None else record, cache)


def _group_record(
    place: _Place, path: str, record: dict[str, Any] | None, cache: Cache | None
) -> GroupRecord | None:
    try:
        return None if record is None else GroupRecord(place.where, path, record, cache)
    except KeyError as error:
        # Another version of biggus may have written the record, with other keys.
        _log.warning("a record in the cache is not used: %r", error)
        return None


def _recall(place: _Place, cache: Cache | None) -> dict[str, Any] | None:
    """Return the record of a place, if it is kept and its file has not changed since."""
    if place.state is None:
        return None
    state = place.state.hex()
    for look_up in (remembered.get, None if cache is None else cache.recall):
        record = None if look_up is None else look_up(place.name)
        if record is not None and record.get("state") == state:
            _keep(place.name, record)
            return record
    return None


def _keep(name: str, record: dict[str, Any]) -> None:
    remembered[name] = record
    remembered.move_to_end(name)
    if len(remembered) > _MOST:
        remembered.popitem(last=False)


def _recorded(
    places: Sequence[_Place], path: str, opening: Opening, cache: Cache | None
) -> dict[_Place, dict[str, Any] | None]:
    """Record the group in each of some files, and keep the records; None if there can be none."""
    recorded: dict[_Place, dict[str, Any] | None] = dict.fromkeys(places)
    served: dict[Backend, list[_Place]] = {}
    for place in places:
        if not place.where.scheme:
            server = server_for(place.where, opening.backend, opening.cache)
            served.setdefault(server, []).append(place)
    for server, some in served.items():
        options = {"decode": False} if server.decodes else {}
        groups = server.records([place.where for place in some], path, _is_small, **options)
        for place, group in zip(some, groups, strict=True):
            record = None if group is None else _record(server, place.where, path, group)
            if group is None or record is None:
                continue
            recorded[place] = record
            if cache is not None:
                memory = Memory(cache, place.where)
                for name, each in group.variables.items():
                    full = _full(path, name)
                    source = server.recalled(place.where, full, each)
                    detected = opening.backend is None
                    memory.keep(source, server, full, options, only=False, detected=detected)
            if place.state is not None and file_validator(str(place.where.path)) == place.state:
                with_state = {**record, "state": place.state.hex()}
                _keep(place.name, with_state)
                if cache is not None:
                    cache.remember(place.name, with_state)
    return recorded


def _record(
    server: Backend, where: Location, path: str, group: RecordedGroup
) -> dict[str, Any] | None:
    """Return the record of a group, of values that JSON can hold; None if it cannot hold them."""
    variables = group.variables
    try:
        return {
            "backend": server.name,
            "layouts": {
                name: _layout(server, where, _full(path, name), each)
                for name, each in variables.items()
            },
            "variable_attributes": {
                name: _attribute_text(each.attributes) for name, each in variables.items()
            },
            "attributes": _attribute_text(group.attributes),
            "own": {name: each.own for name, each in variables.items()},
            "coordinate_values": {name: encode_value(each) for name, each in group.values.items()},
        }
    except (BiggusError, TypeError):
        return None  # opening the file raises the error, if it is one


def _full(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def _layout(server: Backend, where: Location, full: str, record: SourceRecord) -> str:
    """Return the layout of a variable in JSON, as `variable_record` takes it."""
    key = server.name, full, record.same
    layout = _layouts.get(key)
    if layout is None:
        source = server.recalled(where, full, record)
        array = array_of(source, None, decode=False)
        dims = [str(dim).rpartition("/")[2] for dim in source.dims or ()]
        dtype = encode_dtype(array.dtype)
        layout = json.dumps([full, dims, array.shape, dtype, array.masked, record.same])
        if len(_layouts) >= _MOST:
            _layouts.clear()
        _layouts[key] = layout
    return layout


def _is_small(
    name: str, dims: tuple[str, ...], shape: tuple[int, ...], dtype: np.dtype[Any]
) -> bool:
    """Tell whether the values of a variable are recorded."""
    nbytes = math.prod(shape) * dtype.itemsize
    return dims in ((name,), ()) and nbytes <= SMALL and dtype.kind in "iufcbmM"


def _attribute_text(attributes: Mapping[str, Any]) -> str:
    """Return attributes in JSON.

    Raises
    ------
    TypeError
        If JSON cannot hold them.
    """
    key = tuple([(name, _hashable(value)) for name, value in attributes.items()])
    text = _attribute_texts.get(key)
    if text is None:
        text = json.dumps({name: encode_value(value) for name, value in attributes.items()})
        if len(_attribute_texts) >= _MOST:
            _attribute_texts.clear()
        _attribute_texts[key] = text
    return text


def _hashable(value: Any) -> Hashable:
    """Return a hashable stand-in for the value of an attribute: equal for equal values alone.

    Raises
    ------
    TypeError
        If JSON cannot hold the value.
    """
    if type(value) is str:
        return value
    if isinstance(value, (np.generic, np.ndarray)) and not value.dtype.hasobject:
        return type(value), value.dtype, value.shape, value.tobytes()
    return json.dumps(encode_value(value))
