"""Writing NetCDF: new files, and existing variables."""

from __future__ import annotations

from operator import setitem
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.backends.native import hdf5_lock
from biggus.backends.netcdf.files import is_open
from biggus.errors import MaskedValueError, OutputError
from biggus.sinks.blocks import Assigning
from biggus.sinks.metadata import (
    carried_attributes,
    default_fill,
    distinct_dims,
    packed_fill,
    set_attributes,
)
from biggus.sinks.missing import FILL_FIRST, MaskFiller
from biggus.sinks.new import NewArray, NewFile, Target, native, strings
from biggus.support.extras import needing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from biggus.graph import Node
    from biggus.labels import Labels
    from biggus.sources.base import Box, Values

_PACKING = frozenset(["scale_factor", "add_offset"])


_ENDIAN = {"=": "native", "|": "native", "<": "little", ">": "big"}


class NetCDFStore(NewFile):
    """A new NetCDF-4 file.

    The format has no booleans and no half-precision floats: they become bytes and
    single-precision floats, with an attribute that records the dtype.
    """

    named = True
    marks = "iufS"
    format = "a NetCDF file"
    compressions = ("gzip", "zlib")

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._lengths: dict[str, int] = {}

    def stored(self, dtype: np.dtype[Any], masked: bool) -> np.dtype[Any]:
        if dtype.kind in "UOT":
            return np.dtype(object)
        if dtype.kind in "iu" or (dtype.kind == "f" and dtype.itemsize in (4, 8)):
            return dtype
        if dtype == np.dtype("S1"):  # characters
            return dtype
        if dtype.kind == "b":
            return np.dtype("i1")
        if dtype.kind == "f" and dtype.itemsize == 2:
            return np.dtype(f"{dtype.byteorder}f4")
        others = ".npy or .h5" if dtype.kind == "V" else ".npy, .h5 or .zarr"
        raise OutputError(f"NetCDF cannot store values of dtype {dtype}; write {others}")

    def create(self, new: NewArray) -> Target:
        """Create a variable, with the groups in its name and its dimensions."""
        with needing("netCDF4", "netcdf", "writing a NetCDF file"):
            import netCDF4
        # The format has no booleans.
        attributes = {
            name: int(value) if isinstance(value, bool) else value
            for name, value in new.attributes.items()
        }
        textual = new.dtype.kind == "O"
        with hdf5_lock:
            if self._file is None:
                self._file = netCDF4.Dataset(str(self.path), "w", format="NETCDF4")
            chunked = not textual and new.shape and 0 not in new.shape
            variable = self._file.createVariable(
                new.name,
                str if textual else new.dtype,
                self._dimensions(new),
                fill_value=new.marker,
                chunksizes=new.chunks if chunked else None,
                **(_filters(new) if chunked else {}),
                endian=_ENDIAN[new.dtype.byteorder],
            )
            variable.set_auto_maskandscale(False)
            if chunked:  # whole chunks are written, and need no cache
                variable.set_var_chunk_cache(0, 1, 1.0)
            set_attributes(variable.setncattr, attributes, new.label)
        convert = _whole_strings if textual else native
        grid = new.chunks if chunked else None
        return _NewVariable(variable, new.label, new.shape, grid, convert, hdf5_lock)

    def _dimensions(self, new: NewArray) -> tuple[str, ...]:
        """Return the names of the dimensions of a variable; missing ones are created."""
        known = set(self._lengths)
        # A dimension has one length in the whole file.
        dims = distinct_dims(new.dims, new.shape, self._lengths)
        for dim, n in zip(dims, new.shape, strict=True):
            if dim not in known:
                known.add(dim)
                self._file.createDimension(dim, None if dim in new.unlimited else n)
        return dims

    def implied(self, about: Labels, dtype: np.dtype[Any]) -> Any:
        """Return the default fill value of the library, which readers take for missing."""
        if (
            dtype.kind not in "iuf"
            or dtype.itemsize == 1
            or (about.default_fills and not about.decoded)
        ):
            return None
        return default_fill({}, dtype)

    def metadata(self, about: Labels, dtype: np.dtype[Any]) -> tuple[dict[str, Any], Any]:
        """Return attributes and marker; bytes have none by default."""
        attributes = carried_attributes(about.attributes, about.decoded)
        unfilled = attributes.pop("_NoFill", None) == "true"
        # Bytes have no default marker, and no variable has one that is not filled.
        marker = False if dtype.kind in "iu" and dtype.itemsize == 1 else None
        if about.decoded:
            return attributes, marker
        named = packed_fill(about.attributes, dtype)
        if named is None and about.default_fills and not unfilled:
            marker = None
        return attributes, marker if named is None else named

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Set attributes of the file."""
        with hdf5_lock:
            if self._file is not None:
                set_attributes(self._file.setncattr, attributes, str(self.path))


class _Variable(Assigning):
    """A writer to a variable, which does not take an empty tuple as a key."""

    def write(self, box: Box, values: Values) -> None:
        """Assign a block."""
        converted = self._convert(values)
        with self._lock:
            setitem(self.target, box or ..., converted)  # a call, as in `Assigning`


def _filters(new: NewArray) -> dict[str, Any]:
    """Return the arguments of the library for a compression."""
    compression = new.compression
    if compression is None or compression.name == "none":
        return {}
    level = 4 if compression.level is None else compression.level
    return {"compression": "zlib", "complevel": level, "shuffle": compression.shuffle}


class _NewVariable(_Variable, Target):
    """A writer to a new variable."""

    def _get(self, box: Box) -> Any:
        return self.target[box or ...]

    def mark(self, marker: Any) -> None:
        """Set ``_FillValue``, by renaming: the library refuses to set it after creation."""
        with self._lock:
            if "_FillValue" in self.target.ncattrs():
                self.target.delncattr("_FillValue")
            self.target.setncattr("fill_value", marker)
            self.target.renameAttribute("fill_value", "_FillValue")


def _whole_strings(values: Values) -> Values:
    """Return strings unchanged, after checking for NUL, where the library would truncate them."""
    if any("\0" in text for text in values.flat):
        raise OutputError("NetCDF cannot store strings that contain NUL")
    return values


def grows_to(variable: Any, shape: tuple[int, ...]) -> bool:
    """Tell whether a variable has a shape once an array of that shape is assigned to it.

    The library makes unlimited dimensions longer, and no dimension shorter.
    """
    dimensions = variable.get_dims()
    return len(dimensions) == len(shape) and all(
        now == n or (now < n and dimension.isunlimited())
        for now, n, dimension in zip(variable.shape, shape, dimensions, strict=True)
    )


def packs_values(variable: Any) -> bool:
    """Tell whether the library packs values that are assigned to a variable."""
    return bool(variable.scale) and not _PACKING.isdisjoint(variable.ncattrs())


def assigning_to_variable(variable: Any, name: str, node: Node) -> Assigning:
    """Return the writer to a ``netCDF4.Variable`` of the user.

    A variable that masks automatically is assigned masked arrays; one that scales
    automatically is assigned unpacked values.
    """
    with hdf5_lock:
        if not is_open(variable):
            raise ValueError(f"cannot write {name}: its dataset is closed")
        chunks = variable.chunking()
        grid = tuple([int(n) for n in chunks]) if isinstance(chunks, list) and chunks else None
        textual = variable.dtype is str
        marker = _marker(variable) if node.masked and not textual else None
        packs, masks = packs_values(variable), bool(variable.mask) and marker is not None
    # The marker of packed values cannot be compared with unpacked ones.
    filler = MaskFiller() if packs or textual else MaskFiller(marker, into=np.dtype(variable.dtype))

    def convert(values: Values) -> Any:
        if textual:
            return strings(filler(values))
        if packs and not masks and np.ma.is_masked(values):
            raise MaskedValueError(
                "a value is missing, and the variable, which packs its values, does not mask any",
                FILL_FIRST,
            )
        filled = filler(values)
        return native(values if masks else filled)

    return _Variable(variable, name, node.shape, grid, convert, hdf5_lock)


def _marker(variable: Any) -> Any:
    """Return the marker of missing values of a variable, or None."""
    dtype = np.dtype(variable.dtype)
    named = getattr(variable, "_FillValue", None)
    if named is not None:
        return np.asarray(named).astype(dtype)[()]
    return default_fill({}, dtype) if dtype.itemsize > 1 else None
