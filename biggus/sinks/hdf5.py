"""HDF5: datasets that are assigned to, and new files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.backends.native import hdf5_lock
from biggus.extras import needing
from biggus.sinks.blocks import Assigning
from biggus.sinks.metadata import set_attributes
from biggus.sinks.missing import Plain
from biggus.sinks.new import NewArray, NewStore, strings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from biggus.engine import Writer
    from biggus.nodes import Node
    from biggus.source import Values


class HDF5Store(NewStore):
    """A new HDF5 file.

    Missing values become NaN or NaT; of integers, what the attribute
    ``_FillValue`` says.
    """

    named = True
    marks = "iu"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._file: Any = None

    def create(self, new: NewArray) -> Writer:
        """Make a dataset, and the groups that its name tells."""
        with needing("h5py", "hdf5", "writing an HDF5 file"):
            import h5py
        with hdf5_lock:
            if self._file is None:
                # Chunks come whole, so none needs to wait in memory; and where the disk is
                # full the library does not survive a failure to write them when it closes.
                self._file = h5py.File(self.path, "w", rdcc_nbytes=0)
            filled = new.marker is not None and new.marker is not False
            dataset = self._file.create_dataset(
                new.name,
                new.shape,
                _stored_dtype(h5py, new.dtype),
                # What has no elements, or no axes, has no chunks.
                chunks=None if 0 in new.shape or not new.shape else new.chunks,
                fillvalue=new.marker if filled else None,
            )
            set_attributes(dataset.attrs.__setitem__, new.attributes, new.label)
            if filled:
                dataset.attrs["_FillValue"] = new.marker
            for axis, name in enumerate(new.dims):
                dataset.dims[axis].label = name
            return _assigning(dataset, new.label, new.plain)

    def close(self) -> None:
        """Close the file."""
        with hdf5_lock:
            if self._file is not None:
                file, self._file = self._file, None
                file.close()


def _stored_dtype(h5py: Any, dtype: np.dtype[Any]) -> Any:
    if dtype.kind in "UOT":
        stored: Any = h5py.string_dtype()
    elif dtype.kind in "mM":
        stored = h5py.opaque_dtype(dtype)
    else:
        stored = dtype
    return stored


def assigning_to_dataset(dataset: Any, name: str, node: Node) -> Assigning:
    """Return what assigns to an ``h5py.Dataset`` of the user's."""
    with hdf5_lock:
        if not dataset:
            raise ValueError(f"cannot write {name}: its file is closed")
        if dataset.file.mode == "r":
            raise ValueError(f"cannot write {name}: its file is open for reading only")
        plain = Plain(_marker(dataset), into=dataset.dtype) if node.masked else Plain()
        return _assigning(dataset, name, plain)


def _marker(dataset: Any) -> Any:
    """Return what an attribute says that stands for missing values, or None."""
    named = dataset.attrs.get("_FillValue")
    if named is None or np.size(named) != 1 or dataset.dtype.kind not in "iufc":
        return None
    return np.ravel(named).astype(dataset.dtype)[0]


def _assigning(dataset: Any, name: str, plain: Callable[[Values], Any]) -> Assigning:
    """Return what assigns to a dataset.  The caller holds the lock."""
    dtype = dataset.dtype

    def convert(values: Values) -> Any:
        filled = plain(values)
        if dtype.kind == "O":
            return strings(filled)
        # The library converts between numbers, but knows no times.
        return filled.astype(dtype) if dtype.kind in "mM" else filled

    grid = None if dataset.chunks is None else tuple([int(n) for n in dataset.chunks])
    return Assigning(dataset, name, tuple(dataset.shape), grid, convert, hdf5_lock)
