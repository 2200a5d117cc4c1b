"""Records of netCDF variables, from which sources are made without opening their files.

A record holds the properties of a variable, and the offset of its values if they are contiguous.
It is of one state of a file; the caller checks that the file is still in that state.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from biggus.backends.base import Choice, RecordedGroup, SourceRecord
from biggus.backends.hdf5.contiguous import ContiguousStorage
from biggus.backends.native import hdf5_lock
from biggus.backends.netcdf.alike import Example, become_example, record_alike
from biggus.backends.netcdf.dimensions import asked_once
from biggus.backends.netcdf.extents import End
from biggus.backends.netcdf.files import dataset_at, datasets, opened_at, variable_in
from biggus.backends.netcdf.glance import glance_at, may_be_seen
from biggus.backends.netcdf.packed import PackedFacts, attributes_of, facts_of, read_packed
from biggus.backends.netcdf.refused import check_text
from biggus.backends.netcdf.source import NetCDFSource
from biggus.backends.netcdf.stored import StoredVariable
from biggus.backends.pieces import opening_named
from biggus.backends.settling import look_again
from biggus.errors import BiggusError
from biggus.indexing.grid import whole
from biggus.sources.compression import Compression
from biggus.sources.description import decode_dtype, encode_dtype

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from biggus.backends.signature import FileSignature
    from biggus.sources.base import Values

T = TypeVar("T")

_MOST_TEXTS = 2**10
_texts: dict[Hashable, str] = {}
"""The common part of records as text, by the properties of variables."""


class _Same(NamedTuple):
    """The common part of the records of variables of many files."""

    facts: PackedFacts
    decode: bool
    name: str | None
    """The dataset of the variable, if its values are contiguous."""


class _NetCDFRecord(NamedTuple):
    """What netCDF-C finds of a group.

    For each variable its properties, and whether values are wanted; and those values that h5py
    cannot read.
    """

    signature: FileSignature
    prefix: str
    attributes: dict[str, Any]
    variables: dict[str, tuple[PackedFacts, bool]]
    values: dict[str, Values]


def records_of(
    paths: Sequence[str], group: str, wanted: Choice, decode: bool
) -> list[RecordedGroup | None]:
    """Return the record of a group in each of several files.

    None if the group is empty, the file cannot be opened, or JSON cannot hold the record.

    First one library reads all files, then the other: in turns they would take a quarter longer,
    for each fills much of the processor's caches.  Neither reads files like others that are known.
    """
    request = group, wanted, decode
    with hdf5_lock:
        alike = {path: record_alike(path, request) for path in paths}
        partial_records = {
            path: _tried(_read_by_netcdf_c, path, *request)
            for path, record in alike.items()
            if record is None
        }
        read = {
            path: None if each is None else _tried(_completed, path, each, request)
            for path, each in partial_records.items()
        }
    return [read.get(path, alike[path]) for path in paths]


def _tried(look: Callable[..., T | None], path: str, *arguments: Any) -> T | None:
    """Return the result of reading a file; None if it fails."""
    try:
        with opening_named(path):
            return look(path, *arguments)
    except BiggusError:
        return None


def _read_by_netcdf_c(path: str, group: str, wanted: Choice, decode: bool) -> _NetCDFRecord | None:
    """Return what netCDF-C finds of a group; None if it is empty."""
    with asked_once(), datasets.visit(path):
        opened = opened_at(path)
        item: Any = opened.dataset
        for part in filter(None, group.split("/")):
            item = item.groups.get(part)
            if item is None:
                return None
        prefix = f"{group}/" if group else ""
        variables, values = {}, {}
        for name, variable in item.variables.items():
            facts = facts_of(variable, strings=decode)
            check_text(path, prefix + name, variable)
            small = wanted(name, facts.dims, facts.shape, facts.dtype)
            variables[name] = facts, small
            if small and not may_be_seen(facts):
                values[name] = read_packed(variable, whole(facts.shape), facts, end=None)
        partial = _NetCDFRecord(opened.signature, prefix, attributes_of(item), variables, values)
    return partial if variables else None


def _completed(
    path: str, partial: _NetCDFRecord, request: tuple[str, Choice, bool]
) -> RecordedGroup | None:
    """Complete a record by h5py, or by netCDF-C; None if JSON cannot hold it."""
    variables, values = {}, partial.values
    *_, decode = request
    with glance_at(path) as glance, datasets.visit(path):
        for name, (facts, small) in partial.variables.items():
            full = partial.prefix + name
            seen = glance.see(full, facts, small)
            if seen.values is not None:
                values[name] = seen.values
            elif small and name not in values:
                variable = variable_in(dataset_at(path), path, full)
                values[name] = read_packed(variable, whole(facts.shape), facts, end=None)
            placed = facts.shape and not small
            record = _record(full, facts, decode, seen.offset if placed else None)
            if record is None:
                return None
            variables[name] = record
    look_again([(path, partial.signature)])
    record_of_group = RecordedGroup(partial.attributes, variables, values)
    known = {name: (partial.prefix + name, facts) for name, (facts, _) in partial.variables.items()}
    become_example(Example(path, partial.signature, record_of_group, known), request)
    return record_of_group


def _record(full: str, facts: PackedFacts, decode: bool, offset: int | None) -> SourceRecord | None:
    name, own = (None, []) if offset is None else (full, [offset])
    try:
        key = (*[each for each in facts if each is not facts.attributes], decode, name)
        same = _texts.get(key)
        if same is None:
            same = _text_of(facts, decode, name)
            if len(_texts) >= _MOST_TEXTS:
                _texts.clear()
            _texts[key] = same
    except TypeError:
        return None
    return SourceRecord(same, facts.attributes, own)


def _text_of(facts: PackedFacts, decode: bool, name: str | None) -> str:
    """Return the common part of records as JSON.

    Raises
    ------
    TypeError
        If JSON cannot hold it.
    """
    strings = facts.stored_dtype is str
    fields = {
        **facts._asdict(),
        "dtype": encode_dtype(facts.dtype),
        "attributes": None,  # a separate part of the record
        "stored_dtype": None if strings else encode_dtype(np.dtype(facts.stored_dtype)),
        "decode": decode,
        "name": name,
    }
    return json.dumps(fields)


def recalled(path: str, variable: str, record: SourceRecord) -> NetCDFSource:
    """Return the source of a record; the path must have no symbolic links.

    Raises
    ------
    LookupError, TypeError or ValueError
        If the record is invalid.
    GoneError
        If there is no such file.
    """
    same = _understood(record.same)
    facts = same.facts._replace(attributes=record.attributes)
    source = NetCDFSource.known(path, variable, same.decode, facts)
    if same.name is not None:
        [offset] = record.own
        storage = ContiguousStorage(facts.shape, facts.dtype, int(offset))
        end = End(facts.shape, None)
        source.store_is(StoredVariable(source.path, same.name, source.signature, end, storage))
    return source


@lru_cache(maxsize=1024)
def _understood(text: str) -> _Same:
    fields = json.loads(text)
    decode, name = fields.pop("decode"), fields.pop("name")
    stored = fields["stored_dtype"]
    fields["stored_dtype"] = str if stored is None else decode_dtype(stored)
    fields["dtype"] = decode_dtype(fields["dtype"])
    for key in ("shape", "dims", "chunks", "stored_shape", "unlimited", "may_end"):
        fields[key] = None if fields[key] is None else tuple(fields[key])
    compression: Any = fields["compression"]
    fields["compression"] = None if compression is None else Compression(*compression)
    return _Same(PackedFacts(**fields), decode, name)
