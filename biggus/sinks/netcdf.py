"""NetCDF: variables that are assigned to, and new files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.backends.native import hdf5_lock
from biggus.errors import MaskedValueError, OutputError
from biggus.extras import needing
from biggus.sinks.blocks import Assigning
from biggus.sinks.metadata import (
    carried_attributes,
    default_fill,
    distinct_dims,
    packed_fill,
    packing_attributes,
    set_attributes,
)
from biggus.sinks.missing import Plain
from biggus.sinks.new import NewArray, NewStore, native, strings

if TYPE_CHECKING:
    from pathlib import Path

    from biggus.engine import Writer
    from biggus.nodes import Node
    from biggus.sinks.described import Described
    from biggus.source import Box, Values

_PACKING = frozenset(["scale_factor", "add_offset"])


class NetCDFStore(NewStore):
    """A new NetCDF-4 file.

    The format has no booleans and no half floats: they become bytes (with an
    attribute ``dtype`` that says so) and single ones.
    """

    named = True
    marks = "iuf"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._dataset: Any = None
        self._lengths: dict[str, int] = {}

    def create(self, new: NewArray) -> Writer:
        """Make a variable, the groups that its name tells, and the dimensions that it needs."""
        with needing("netCDF4", "netcdf", "writing a NetCDF file"):
            import netCDF4
        stored = _stored_dtype(new.dtype)
        # The format has no truth values.
        attributes = {
            name: int(value) if isinstance(value, bool) else value
            for name, value in new.attributes.items()
        }
        if new.dtype.kind == "b":
            attributes["dtype"] = "bool"
        marker = new.marker
        if marker is not None and marker is not False:
            marker = np.asarray(marker).astype(stored)[()]
        with hdf5_lock:
            if self._dataset is None:
                self._dataset = netCDF4.Dataset(self.path, "w", format="NETCDF4")
            known = set(self._lengths)
            # In one file a name is one length: those of other variables count.
            dims = distinct_dims(new.dims, new.shape, self._lengths)
            for dim, n in zip(dims, new.shape, strict=True):
                if dim not in known:
                    known.add(dim)
                    self._dataset.createDimension(dim, n)
            chunked = stored is not str and new.shape and 0 not in new.shape
            variable = self._dataset.createVariable(
                new.name,
                stored,
                dims,
                fill_value=marker,
                chunksizes=new.chunks if chunked else None,
            )
            variable.set_auto_maskandscale(False)
            if chunked:  # chunks come whole: none needs to wait in memory
                variable.set_var_chunk_cache(0, 1, 1.0)
            set_attributes(variable.setncattr, attributes, new.label)

        def convert(values: Values) -> Any:
            plain = new.plain(values)
            return strings(plain) if stored is str else plain.astype(stored, copy=False)

        grid = new.chunks if chunked else None
        return _Variable(variable, new.label, new.shape, grid, convert, hdf5_lock)

    def metadata(self, about: Described, dtype: np.dtype[Any]) -> tuple[dict[str, Any], Any]:
        """Return the same, with the numbers that tell of packing in their own dtypes."""
        attributes = carried_attributes(about.attributes, about.decoded)
        unfilled = attributes.pop("_NoFill", None) == "true" and dtype.itemsize == 1
        if about.decoded:
            return attributes, None
        attributes.update(packing_attributes(about.attributes))
        marker = packed_fill(about.attributes, dtype)
        if marker is None and unfilled and dtype.kind in "iu":
            marker = False  # or the library takes one of the values for its own fill value
        return attributes, marker

    def close(self) -> None:
        """Close the file."""
        with hdf5_lock:
            if self._dataset is not None:
                dataset, self._dataset = self._dataset, None
                dataset.close()


def _stored_dtype(dtype: np.dtype[Any]) -> Any:
    """Return the dtype in the file: `str`, or a numeric one of this machine's byte order."""
    if dtype.kind in "UOT":
        return str
    if dtype.kind in "iu" or (dtype.kind == "f" and dtype.itemsize in (4, 8)):
        return dtype.newbyteorder("=")
    if dtype.kind == "b":
        return np.dtype("i1")
    if dtype.kind == "f" and dtype.itemsize == 2:
        return np.dtype("f4")
    raise OutputError(f"NetCDF has no place for values of dtype {dtype}; write .npy or .zarr")


class _Variable(Assigning):
    """Assigns blocks to a variable, which takes no empty tuple for a key."""

    def write(self, box: Box, values: Values) -> None:
        """Assign a block."""
        converted = self._convert(values)
        with self._lock:
            self.target[box or ...] = converted


def packs_values(variable: Any) -> bool:
    """Tell whether the library packs what is assigned to a variable."""
    return bool(variable.scale) and not _PACKING.isdisjoint(variable.ncattrs())


def assigning_to_variable(variable: Any, name: str, node: Node) -> Assigning:
    """Return what assigns to a ``netCDF4.Variable`` of the user's.

    Where it masks by itself it is given masked arrays, and unpacked values where it scales.
    """
    with hdf5_lock:
        _check_open(variable, name)
        chunks = variable.chunking()
        grid = tuple([int(n) for n in chunks]) if isinstance(chunks, list) and chunks else None
        textual = variable.dtype is str
        marker = _marker(variable) if node.masked and not textual else None
        packs, masks = packs_values(variable), bool(variable.mask) and marker is not None
    # What means "missing" among packed values can be compared with no unpacked one.
    plain = Plain() if packs or textual else Plain(marker, into=np.dtype(variable.dtype))

    def convert(values: Values) -> Any:
        if textual:
            return strings(plain(values))
        if packs and not masks and np.ma.is_masked(values):
            raise MaskedValueError(
                "a value is missing, and the variable, which packs its values, does not mask any"
            )
        filled = plain(values)
        return native(values if masks else filled)

    return _Variable(variable, name, tuple(map(int, variable.shape)), grid, convert, hdf5_lock)


def _check_open(variable: Any, name: str) -> None:
    try:
        group = variable.group()
        while group.parent is not None:
            group = group.parent
        is_open = group.isopen()
    except ReferenceError:
        is_open = False
    if not is_open:
        raise ValueError(f"cannot write {name}: its dataset is closed")


def _marker(variable: Any) -> Any:
    """Return what stands for missing values in a variable, or None."""
    dtype = np.dtype(variable.dtype)
    named = getattr(variable, "_FillValue", None)
    if named is not None:
        return np.asarray(named).astype(dtype)[()]
    return default_fill({}, dtype) if dtype.itemsize > 1 else None
