"""Variables of NetCDF-4 files as the HDF5 datasets that they are.

netCDF4-python reads under the lock that all users of libhdf5 share.  A variable
whose values are stored as they are in memory, through filters that are known, is
read past it instead, as `biggus.backends.hdf5` reads its own: h5py opens the same
file beside netCDF4-python, and tells where the chunks lie.

That is done only where both libraries agree about the variable.  Whatever else
there is (classic files, records that are not there yet, strings, types of the
user's own) is left to netCDF4-python.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus.backends.hdf5.direct import Opening
from biggus.backends.hdf5.files import OpenDataset, files, h5py, open_dataset, open_file
from biggus.backends.hdf5.storage import storage_of
from biggus.backends.hdf5.values import read_values
from biggus.errors import BiggusError

if TYPE_CHECKING:
    from collections.abc import Hashable

    import numpy.typing as npt

    from biggus.backends.hdf5.direct import Storage
    from biggus.backends.stamp import Stamp
    from biggus.source import Box

_HIDDEN = "_nc4_non_coord_"
"""How the name of a dataset begins whose variable has the name of a dimension, and is another."""

_NO_VARIABLE = b"This is a netCDF dimension but not a netCDF variable"
"""What a dataset says of itself that stands for a dimension alone."""

_FAILURES = (BiggusError, OSError, RuntimeError, KeyError, ValueError, TypeError)


class StoredVariable(NamedTuple):
    """A dataset that holds a variable, in one state of its file.  It pickles.

    Attributes
    ----------
    path, name : str
        The file, and the dataset in it.
    stamp : Stamp
        How the file was when the libraries agreed.
    storage : Storage
        How the values are stored.
    """

    path: str
    name: str
    stamp: Stamp
    storage: Storage

    def opening(self) -> Opening | None:
        """Return how to read it past the library; None if the file is another now.

        The caller holds the lock, and the file in the pool of HDF5 files.
        """
        try:
            opened = self._open()
        except _FAILURES:
            return None  # netCDF4-python tells what is the matter
        descriptor = opened.file.descriptor()
        if descriptor is None:
            return None
        return Opening(descriptor, self.stamp, self._dataset, self._values)

    def _open(self) -> OpenDataset:
        opened = open_dataset(self.path, self.name)
        if opened.file.stamp != self.stamp:
            raise ValueError("the file changed during the read; read it again")
        return opened

    def _dataset(self) -> tuple[Any, Hashable]:
        opened = self._open()
        return opened.dataset, (opened.serial, self.name)

    def _values(self, box: Box) -> npt.NDArray[Any]:
        return read_values(self._open().dataset, box, self.storage.dtype)


def stored_variable(
    path: str, stamp: Stamp, name: str, variable: Any, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> StoredVariable | None:
    """Return the dataset that holds a variable, or None if it is best left to netCDF4-python.

    The caller holds the lock.

    Parameters
    ----------
    path : str
        The file.
    stamp : Stamp
        How the file was when netCDF4-python opened it.
    name : str
        The variable, with the path of its group.
    variable : netCDF4.Variable
        The same, open.
    shape, dtype
        What is taken to be its shape and dtype.
    """
    if not variable.group().data_model.startswith("NETCDF4"):
        return None
    if not isinstance(variable.datatype, np.dtype) or _without_locks():
        return None
    try:
        with files.visit(path):
            return _agreed(path, stamp, name, variable.chunking(), shape, dtype)
    except _FAILURES:
        return None  # h5py is not there, or cannot open the file beside netCDF4-python


def _without_locks() -> bool:
    """Tell whether files can be opened here while they are written to.

    What another handle of this process has written, netCDF4-python sees at once, and
    nobody else before it is on the disk.  As a rule a lock keeps h5py from opening such a
    file, and so the values are left to netCDF4-python.
    """
    return os.environ.get("HDF5_USE_FILE_LOCKING", "").upper() in {"FALSE", "0"}


def _agreed(
    path: str,
    stamp: Stamp,
    name: str,
    chunking: Any,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
) -> StoredVariable | None:
    """Return the dataset if h5py sees in it what netCDF4-python does."""
    prefix, slash, last = name.rpartition("/")
    hidden = prefix + slash + _HIDDEN + last
    named, opened = _dataset_at(path, name), _dataset_at(path, hidden)
    if named is None or _is_dimension_alone(named.dataset) != (opened is not None):
        return None  # it has two datasets, or none
    if opened is None:
        opened, hidden = named, name
    dataset = opened.dataset
    chunks = tuple(map(int, chunking)) if isinstance(chunking, (list, tuple)) else None
    if opened.elsewhere is not None or opened.file.stamp != stamp or dataset.is_virtual:
        return None
    if dataset.shape != shape or dataset.chunks != chunks:
        return None
    storage = storage_of(dataset)
    if storage is None or storage.dtype != dtype or opened.file.descriptor() is None:
        return None
    return StoredVariable(path, hidden, stamp, storage)


def _dataset_at(path: str, name: str) -> OpenDataset | None:
    """Return a dataset of a file that can be opened, or None if it has none of that name."""
    found = open_file(path).file.get(name)
    return open_dataset(path, name) if isinstance(found, h5py().Dataset) else None


def _is_dimension_alone(dataset: Any) -> bool:
    title = dataset.attrs.get("NAME", b"")
    title = title.encode() if isinstance(title, str) else bytes(title)
    return title.startswith(_NO_VARIABLE)
