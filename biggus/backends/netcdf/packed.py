"""The properties and packed values of variables, read by netCDF4-python."""

from __future__ import annotations

import logging
import math
from typing import Any, NamedTuple

import numpy as np

from biggus.backends.netcdf.dimensions import dimension_facts
from biggus.backends.netcdf.extents import End, Ended, Unstrided, Unsure
from biggus.backends.netcdf.files import netcdf4
from biggus.backends.strided import MOST_WASTE, read_box, slab_bytes
from biggus.sources.base import Box, Values, box_shape
from biggus.sources.compression import Compression

log = logging.getLogger("biggus.backends.netcdf")


class PackedFacts(NamedTuple):
    """The properties of a variable.

    `joined`: whether characters are joined to strings along the last axis.  `stored_dtype` is
    ``str`` for stored strings.  `unlimited` is given for each stored axis, and `may_end` are the
    axes along which the variable may be shorter than its dimension.  `netcdf4`: whether the file
    is one of HDF5.  `plain`: whether values need no conversion.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    dims: tuple[str, ...]
    chunks: tuple[int, ...] | None
    attributes: dict[str, Any]
    joined: bool
    stored_shape: tuple[int, ...]
    stored_dtype: Any
    unlimited: tuple[bool, ...]
    may_end: tuple[int, ...]
    netcdf4: bool
    plain: bool
    compression: Compression | None

    @property
    def given_dtype(self) -> np.dtype[Any]:
        """The dtype of the library's arrays; for ragged rows it names the dtype of values."""
        return self.dtype if self.dtype == object else np.dtype(self.stored_dtype)

    @property
    def stored_chunks(self) -> tuple[int, ...] | None:
        """The stored chunks, also along the axis of joined characters."""
        if self.chunks is None:
            return None
        return (*self.chunks, *self.stored_shape[len(self.chunks) :])


def facts_of(variable: Any, strings: bool) -> PackedFacts:
    """Return the properties of a variable.  The caller holds the lock.

    Parameters
    ----------
    variable : netCDF4.Variable
        The variable.
    strings : bool
        Whether characters with an ``_Encoding`` are joined along the last axis.
    """
    library = netcdf4()
    dimensions = [dimension_facts(dimension) for dimension in variable.get_dims()]
    stored = shape = tuple(dimension.length for dimension in dimensions)
    dims = tuple(dimension.name for dimension in dimensions)
    datatype = variable.datatype
    attributes = attributes_of(variable)
    chunks = variable.chunking()
    chunks = tuple(map(int, chunks)) if isinstance(chunks, (list, tuple)) else None
    joined = False
    if isinstance(datatype, library.VLType):
        dtype = np.dtype(object)
    elif isinstance(datatype, library.CompoundType):
        dtype = np.dtype(datatype.dtype_view if strings else datatype.dtype)
    else:
        dtype = np.dtype(variable.dtype)
        encoding = attributes.get("_Encoding")
        joined = strings and dtype == "S1" and isinstance(encoding, str) and any(shape[-1:])
        if joined:
            kind = "S" if encoding in {"none", "None", "bytes"} else "U"
            dtype = np.dtype(f"{kind}{shape[-1]}")
            shape, dims, chunks = shape[:-1], dims[:-1], chunks and chunks[:-1]
        elif isinstance(datatype, np.dtype) and dtype in ("i1", "u1"):
            unfilled = variable.get_fill_value() is None
            if unfilled:  # no value of a byte means missing
                attributes.setdefault("_NoFill", "true")
    unlimited = tuple(dimension.unlimited for dimension in dimensions)
    # In classic files all variables are as long as the unlimited dimension.
    extends = variable.group().data_model.startswith("NETCDF4")
    may_end = tuple(axis for axis, grows in enumerate(unlimited) if grows and extends)
    plain = isinstance(datatype, np.dtype) and not joined
    return PackedFacts(
        shape,
        dtype,
        dims,
        chunks,
        attributes,
        joined,
        stored,
        variable.dtype,
        unlimited,
        may_end,
        extends,
        plain,
        None if chunks is None else _compression_of(variable),
    )


def _compression_of(variable: Any) -> Compression | None:
    """Return the compression of a variable, if every build of the library supports it."""
    filters = variable.filters() or {}
    if not filters.get("zlib"):
        return None
    return Compression("zlib", int(filters["complevel"]), bool(filters.get("shuffle")))


def attributes_of(variable: Any) -> dict[str, Any]:
    """Return the attributes of a variable or group.  The caller holds the lock."""
    attributes = {}
    for name in variable.ncattrs():
        try:
            attributes[name] = variable.getncattr(name)
        except (AttributeError, KeyError, RuntimeError, ValueError) as error:
            log.debug("leaving out the attribute %s, which cannot be read: %s", name, error)
    return attributes


def read_packed(variable: Any, box: Box, facts: PackedFacts, end: End | None) -> Values:
    """Read the stored values in `box`.  The caller holds the lock.

    Parameters
    ----------
    variable : netCDF4.Variable
        The variable, with all automatic conversions off.
    box : tuple of slice
        The box, within the shape in `facts`.
    facts : PackedFacts
        The properties of the variable.
    end : End or None
        The end of the variable, if it is known.
    """
    box = _stored_box(box, facts)
    dtype = facts.given_dtype
    if dtype.hasobject and box:
        variable = Unstrided(variable)
    if facts.may_end and end is None:
        variable = Unsure(variable, facts.may_end, dtype)
    elif end is not None and end.fill is not None:
        variable = Ended(variable, end, dtype)
    values = read_box(variable, box, dtype, facts.stored_chunks)
    if dtype.hasobject:
        if box:
            return np.asarray(values)
        # A single string or ragged row is not returned in an array.
        alone = np.empty((), object)
        alone[()] = values
        return alone
    values = np.asarray(values)
    if not box:
        values = values.astype(dtype, casting="equiv")  # a single value has native byte order
    if facts.joined:
        joined = netcdf4().chartostring(values, encoding=facts.attributes["_Encoding"])
        return np.asarray(joined)
    return _cleaned(values).view(facts.dtype) if facts.dtype.kind == "V" else values


def read_bytes(facts: PackedFacts, box: Box) -> int:
    """Return the known part of the memory that `read_packed` takes besides its result."""
    box, dtype, chunks = _stored_box(box, facts), facts.given_dtype, facts.stored_chunks
    result = math.prod(box_shape(box)) * dtype.itemsize
    # The library holds the stored bytes of a chunk and its values.
    chunk = 0 if chunks is None else 2 * math.prod(chunks) * dtype.itemsize
    # Structures are copied, and characters decoded one by one.
    copies = 10 * result if facts.joined else result if dtype.kind == "V" else 0
    # netCDF4-python copies what it reads to another array.
    slabs = slab_bytes(box, dtype, chunks)
    once = slabs + slabs // 2 if slabs else result
    if dtype.hasobject:
        once = min(math.prod(s.stop - s.start for s in box) * dtype.itemsize, MOST_WASTE * result)
    return chunk + copies + once


def _stored_box(box: Box, facts: PackedFacts) -> Box:
    return (*box, slice(0, facts.stored_shape[-1], 1)) if facts.joined else box


def _cleaned(structures: Any) -> Any:
    """Return a copy with zeros between the fields, where the library leaves uninitialised bytes."""
    clean = np.zeros(structures.shape, structures.dtype)
    for name, (dtype, *_) in (structures.dtype.fields or {}).items():
        field = structures[name]
        clean[name] = field if dtype.fields is None else _cleaned(field)
    return clean
