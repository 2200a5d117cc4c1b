"""Writing HDF5: new files, and existing datasets."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.backends.native import hdf5_lock
from biggus.errors import OutputError
from biggus.sinks.blocks import Assigning
from biggus.sinks.metadata import set_attributes
from biggus.sinks.missing import MaskFiller
from biggus.sinks.new import NewArray, NewFile, Target, strings
from biggus.support.extras import needing
from biggus.support.forks import between_forks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from biggus.graph import Node
    from biggus.sources.base import Values


class HDF5Store(NewFile):
    """A new HDF5 file.

    The attribute ``_FillValue`` marks missing values.  It is NaN or NaT if no other
    value is NaN or NaT.
    """

    named = True
    marks = "iufcmM"
    format = "an HDF5 file"
    compressions = ("gzip", "zlib", "lzf")

    def stored(self, dtype: np.dtype[Any], masked: bool) -> np.dtype[Any]:
        if dtype.kind in "UT":
            return np.dtype(object)
        if dtype.kind in "mM" and np.datetime_data(dtype)[0] == "generic":
            raise OutputError("times without a unit are not written to HDF5; cast them to one")
        return super().stored(dtype, masked)

    def first_marker(self, dtype: np.dtype[Any]) -> Any:
        """Return NaN or NaT, which readers understand without the attribute."""
        if dtype.kind in "iu":
            return None
        return np.array("NaT" if dtype.kind in "mM" else np.nan, dtype.newbyteorder("="))[()]

    def create(self, new: NewArray) -> Target:
        """Create a dataset, with the groups in its name."""
        with needing("h5py", "hdf5", "writing an HDF5 file"):
            import h5py
        with hdf5_lock:
            if self._file is None:
                # Chunks come whole, so none needs to wait in memory; and where the disk is
                # full the library does not survive a failure to write them when it closes.
                self._file = h5py.File(self.path, "w", rdcc_nbytes=0)
            filled = new.marker is not None and new.marker is not False
            chunked = bool(new.shape) and 0 not in new.shape
            dataset = self._file.create_dataset(
                new.name,
                new.shape,
                _library_dtype(h5py, new.dtype),
                # What has no elements, or no axes, has no chunks.
                chunks=new.chunks if chunked else None,
                **(_filters(new) if chunked else {}),
                fillvalue=new.marker if filled and new.dtype.kind not in "mM" else None,
            )
            set_attributes(dataset.attrs.__setitem__, new.attributes, new.label)
            for axis, name in enumerate(new.dims):
                dataset.dims[axis].label = name
            grid = None if dataset.chunks is None else new.chunks
            convert = partial(_marked, dtype=dataset.dtype)
            target = _Dataset(dataset, new.label, new.shape, grid, convert, hdf5_lock)
            if filled:
                target.mark(new.marker)
            return target

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Set attributes of the file."""
        with hdf5_lock:
            if self._file is not None:
                set_attributes(self._file.attrs.__setitem__, attributes, str(self.path))


class _Dataset(Target):
    """A writer to a new dataset."""

    def mark(self, marker: Any) -> None:
        """Set the attribute ``_FillValue``."""
        with between_forks():
            import h5py

        with hdf5_lock:
            dtype = _library_dtype(h5py, np.asarray(marker).dtype)
            self.target.attrs.create("_FillValue", np.asarray(marker).astype(dtype), dtype=dtype)


def _filters(new: NewArray) -> dict[str, Any]:
    """Return the arguments of the library for a compression."""
    compression = new.compression
    if compression is None or compression.name == "none" or new.dtype.kind == "O":
        return {}
    return {
        "compression": compression.name.replace("zlib", "gzip"),
        "compression_opts": compression.level,
        "shuffle": compression.shuffle,
    }


def _library_dtype(h5py: Any, dtype: np.dtype[Any]) -> Any:
    if dtype.kind == "O":
        stored: Any = h5py.string_dtype()
    elif dtype.kind in "mM":
        stored = h5py.opaque_dtype(dtype)
    else:
        stored = dtype
    return stored


def assigning_to_dataset(dataset: Any, name: str, node: Node) -> Assigning:
    """Return the writer to an ``h5py.Dataset`` of the user."""
    with hdf5_lock:
        if not dataset:
            raise ValueError(f"cannot write {name}: its file is closed")
        if dataset.file.mode == "r":
            raise ValueError(f"cannot write {name}: its file is open for reading only")
        dtype, shape, chunks = dataset.dtype, dataset.shape, dataset.chunks
        filler = MaskFiller(_marker(dataset), into=dtype) if node.masked else MaskFiller()

    def convert(values: Values) -> Any:
        filled = filler(values)
        return strings(filled) if dtype.kind == "O" else _marked(filled, dtype)

    return Assigning(dataset, name, shape, chunks, convert, hdf5_lock)


def _marker(dataset: Any) -> Any:
    """Return the marker of missing values in the attributes, or None."""
    named = dataset.attrs.get("_FillValue")
    if named is None or np.size(named) != 1 or dataset.dtype.kind not in "iufc":
        return None
    return np.ravel(named).astype(dataset.dtype)[0]


def _marked(values: Values, dtype: np.dtype[Any]) -> Values:
    """Return times as the dtype of the dataset, for the library cannot convert times."""
    return values.astype(dtype) if dtype.kind in "mM" else values
