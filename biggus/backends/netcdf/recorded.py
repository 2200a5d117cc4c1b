"""Records of netCDF variables: from what was found out once, a source is made and nothing opened.

A record says what a variable says of itself, and where its values lie, if they lie in one piece.
It is of one state of a file; whoever keeps it sees to that the file is still in that state.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus.backends.base import SourceRecord
from biggus.backends.hdf5.contiguous import ContiguousStorage
from biggus.backends.netcdf.extents import End
from biggus.backends.netcdf.packed import PackedFacts
from biggus.backends.netcdf.source import NetCDFSource
from biggus.backends.netcdf.stored import StoredVariable
from biggus.sources.compression import Compression
from biggus.sources.description import decode_dtype, decode_value, encode_dtype, encode_value

if TYPE_CHECKING:
    from biggus.sources.base import Values


class _Same(NamedTuple):
    """What variables of many files have in common."""

    facts: PackedFacts
    decode: bool
    name: str | None
    """Of the dataset that is behind the variable, if its values lie in one piece."""


def record_of(source: NetCDFSource, read: bool) -> tuple[SourceRecord, Values | None] | None:
    """Return what `recalled` takes; None if JSON has no words for it.

    Parameters
    ----------
    source : NetCDFSource
        Of a file that has not changed since it was opened.
    read : bool
        Whether the values are wanted too.  They are few then, and the library reads them.
    """
    facts = source.facts
    stored = None if read else source.stored
    alone = stored is not None and stored.in_one_piece
    strings = facts.stored_dtype is str
    try:
        told = {
            **facts._asdict(),
            "dtype": encode_dtype(facts.dtype),
            "attributes": encode_value(facts.attributes),
            "stored_dtype": None if strings else encode_dtype(np.dtype(facts.stored_dtype)),
            "decode": source.decode,
            "name": stored.name if alone and stored is not None else None,
        }
    except TypeError:
        return None
    own = []
    if alone and stored is not None and isinstance(stored.storage, ContiguousStorage):
        own = [stored.storage.offset]
    record = SourceRecord(json.dumps(told), own)
    return record, source.read_by_library() if read else None


def recalled(path: str, variable: str, record: SourceRecord) -> NetCDFSource:
    """Return the source of which this is the record.

    Raises
    ------
    LookupError, TypeError or ValueError
        If it is none.
    GoneError
        If there is no such file.
    """
    same = _understood(record.same)
    source = NetCDFSource.known(path, variable, same.decode, same.facts)
    if same.name is not None:
        [offset] = record.own
        facts = same.facts
        storage = ContiguousStorage(facts.shape, facts.dtype, int(offset))
        end = End(facts.shape, None)
        source.store_is(
            StoredVariable(source.path, same.name, source.signature, end, storage, recorded=True)
        )
    return source


@lru_cache(maxsize=1024)
def _understood(text: str) -> _Same:
    told = json.loads(text)
    decode, name = told.pop("decode"), told.pop("name")
    stored = told["stored_dtype"]
    told["stored_dtype"] = str if stored is None else decode_dtype(stored)
    told["dtype"] = decode_dtype(told["dtype"])
    told["attributes"] = decode_value(told["attributes"])
    for key in ("shape", "dims", "chunks", "stored_shape", "unlimited", "may_end"):
        told[key] = None if told[key] is None else tuple(told[key])
    compression: Any = told["compression"]
    told["compression"] = None if compression is None else Compression(*compression)
    return _Same(PackedFacts(**told), decode, name)
