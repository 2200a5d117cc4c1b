"""Records of groups of files, from which lazy arrays are made without opening the files."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from biggus.api import array_of
from biggus.backends import Location, backend_named
from biggus.backends.base import SourceRecord
from biggus.cf import KEPT_DTYPE, PACKING
from biggus.datasets.group import Group
from biggus.labels.attributes import REFERRING
from biggus.sources.description import decode_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from biggus.array import Array
    from biggus.cache import Cache

_MEANING = PACKING | REFERRING | {"units", "calendar", "dtype", KEPT_DTYPE, "_Encoding", "_NoFill"}
"""The attributes that say how values are decoded, and which other variables belong to them."""


class VariableRecord(NamedTuple):
    """A variable of a group, without what differs from file to file.

    Attributes
    ----------
    full : str
        The name in the file, with the path of the group.
    dims : tuple of str
        The names of the axes.
    shape : tuple of int
        The lengths of the axes.
    meaning : list
        The encoded dtype, whether values can be missing, and the encoded attributes that
        `_MEANING` names.  Variables of two files can be joined if these are equal.
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
    """A group of a file, as a record describes it.

    Parameters
    ----------
    location : Location
        Where the file is.
    path : str
        The path of the group.
    record : mapping
        The record, as `recording` makes it: values that JSON can hold.
    cache : Cache or None
        Where chunks of the arrays are cached.

    Attributes
    ----------
    layouts : mapping of str to str
        The layout of each variable, encoded as JSON: the first argument of `variable_record`.
    attribute_texts : mapping of str to str
        The attributes of each variable, encoded as JSON: the second argument.
    encoded_values : mapping of str to object
        The values of small coordinates, as `encode_value` encodes them.
    """

    def __init__(
        self, location: Location, path: str, record: Mapping[str, Any], cache: Cache | None
    ) -> None:
        self.location = location
        self.path = path
        self.layouts: Mapping[str, str] = record["layouts"]
        self.attribute_texts: Mapping[str, str] = record["variable_attributes"]
        self.encoded_values: Mapping[str, Any] = record["coordinate_values"]
        self._own: Mapping[str, list[Any]] = record["own"]
        self._backend: str = record["backend"]
        self._attributes: str = record["attributes"]
        self._cache = cache

    def variable(self, name: str) -> VariableRecord:
        """Return the record of a variable."""
        return variable_record(self.layouts[name], self.attribute_texts[name])

    def variables(self) -> dict[str, VariableRecord]:
        """Return the records of all variables, by name."""
        return {name: self.variable(name) for name in self.layouts}

    def attributes(self) -> dict[str, Any]:
        """Return the attributes of the group."""
        return _decoded(json.loads(self._attributes))

    def values(self, name: str) -> npt.NDArray[Any]:
        """Return the values of a small coordinate, as they are stored."""
        values: npt.NDArray[Any] = decode_value(self.encoded_values[name])
        return values

    def array(self, name: str) -> Array:
        """Return the lazy array of a variable; the file is not opened."""
        known = self.variable(name)
        record = SourceRecord(known.same, known.attributes, self._own[name])
        source = backend_named(self._backend).recalled(self.location, known.full, record)
        return array_of(source, self._cache, decode=False)

    def group(self) -> Group:
        """Return the group as `groups_at` does, with the values of small coordinates."""
        known = self.variables()
        return Group(
            self.location,
            self.path,
            variables={name: self.array(name) for name in known},
            dims={name: each.dims for name, each in known.items()},
            attributes=self.attributes(),
            values={name: self.values(name) for name in self.encoded_values},
            variable_attributes={name: each.attributes for name, each in known.items()},
        )


@lru_cache(maxsize=2**12)
def variable_record(layout: str, attributes: str) -> VariableRecord:
    """Return the record of a variable from its layout and its attributes, both in JSON."""
    full, dims, shape, dtype, masked, same = json.loads(layout)
    encoded = json.loads(attributes)
    meaning = [dtype, masked, {name: v for name, v in encoded.items() if name in _MEANING}]
    return VariableRecord(full, tuple(dims), tuple(shape), meaning, same, _decoded(encoded))


def _decoded(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: decode_value(value) for name, value in attributes.items()}
