"""Reading variables of NetCDF-4 files as HDF5 datasets, without netCDF4-python.

netCDF4-python reads under the lock that all users of libhdf5 share.  A variable of plain values
with known filters is read without it, as `biggus.backends.hdf5` reads datasets: h5py opens
the same file too, and gives the offsets of chunks.

That requires that both libraries agree about the variable.  Strings and ragged rows are then read
by h5py: libhdf5 remembers the file from which netCDF4-python read them, and has crashed when
that was closed while the user kept another handle of the same file open.  All other variables
(of classic files or user-defined types) are read by netCDF4-python up to their known end.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus.backends.descriptor import Descriptor
from biggus.backends.hdf5.descriptors import descriptor_of
from biggus.backends.hdf5.direct import OpenForRead, Storage
from biggus.backends.hdf5.files import OpenDataset, files, open_dataset
from biggus.backends.hdf5.storage import storage_of
from biggus.backends.hdf5.values import read_values
from biggus.backends.netcdf.extents import End, Lengthened, end_of
from biggus.backends.netcdf.h5py_files import without_locks
from biggus.backends.netcdf.hdf5_datasets import FAILURES, behind
from biggus.support.watching import changed

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from biggus.backends.netcdf.packed import PackedFacts
    from biggus.backends.signature import FileSignature
    from biggus.sources.base import Box


class StoredVariable(NamedTuple):
    """The dataset of a variable, in one state of its file.  It can be pickled.

    Attributes
    ----------
    path, name : str
        The file, and the dataset in it.
    signature : FileSignature
        The signature of the file when the libraries agreed.
    end : End
        The end of the variable.
    storage : Storage or None
        The storage of the values, if they can be read without a library.
    """

    path: str
    name: str
    signature: FileSignature
    end: End
    storage: Storage | None

    def opening(self) -> OpenForRead | None:
        """Return the means to read it without the library; None if the file has changed.

        No library opens the file unless necessary.  The caller holds the lock, and holds the
        file in the pools of HDF5 files and of descriptors.
        """
        descriptor = descriptor_of(self.path, self.signature)
        if descriptor is None:
            try:
                opened = self._open()
            except FAILURES:
                return None  # netCDF4-python will raise an error
            descriptor = opened.file.descriptor()
        return None if descriptor is None else self._opening(descriptor)

    def opening_once(self) -> OpenForRead | None:
        """Return the same for one read, after which nothing stays open; None if the file changed.

        Keeping the file open in the pools would double the time of a small read.
        """
        try:
            descriptor = Descriptor(self.path)
        except OSError:
            return None
        return self._opening(descriptor) if descriptor.signature() == self.signature else None

    def _opening(self, descriptor: Descriptor) -> OpenForRead:
        key = (self.path, self.signature, self.name)
        release = partial(files.discard, self.path)
        return OpenForRead(
            self.path, descriptor, self.signature, key, self._dataset, self._values, release
        )

    def objects(self, box: Box) -> npt.NDArray[Any]:
        """Return the strings or ragged rows in `box`.  The caller holds the lock."""
        with files.visit(self.path):
            return read_values(self._open().dataset, box, np.dtype(object))

    def _open(self) -> OpenDataset:
        opened = open_dataset(self.path, self.name)
        if opened.file.signature != self.signature:
            raise changed(self.path)
        return opened

    def _dataset(self) -> Any:
        return self._open().dataset

    def _values(self, box: Box) -> npt.NDArray[Any]:
        assert self.storage is not None  # it calls this
        return read_values(self._open().dataset, box, self.storage.dtype)


def stored_variable(
    path: str, signature: FileSignature, name: str, facts: PackedFacts, variable: Callable[[], Any]
) -> StoredVariable | None:
    """Return the dataset of a variable, or None if only netCDF4-python can read it.

    The caller holds the lock.

    Parameters
    ----------
    path : str
        The file.
    signature : FileSignature
        The signature of the file when netCDF4-python opened it.
    name : str
        The variable, with the path of its group.
    facts : PackedFacts
        The properties of the variable.
    variable : callable
        Returns the open netCDF4 variable, with all automatic conversions off; called only if the
        variable is shorter than its dimensions.
    """
    worth = facts.plain or facts.may_end or facts.dtype == object
    if not facts.netcdf4 or not worth or without_locks():
        return None
    try:
        with files.visit(path):
            return _agreed(path, signature, name, facts, variable)
    except FAILURES:
        return None  # h5py is not installed, or cannot open the file beside netCDF4-python


def _agreed(
    path: str, signature: FileSignature, name: str, facts: PackedFacts, variable: Callable[[], Any]
) -> StoredVariable | None:
    """Return the dataset if h5py and netCDF4-python agree about it."""
    stored = behind(path, name)
    if stored is None:
        return None
    opened = stored.opened
    dataset = opened.dataset
    if opened.elsewhere is not None or opened.file.signature != signature or dataset.is_virtual:
        return None
    if dataset.chunks != facts.stored_chunks or not _fits(dataset.shape, facts):
        return None
    if facts.dtype == object and dataset.dtype != object:
        return None  # text of fixed length, which netCDF4-python reads as variable length
    end = end_of(variable, facts.stored_shape, dataset.shape)
    storage = storage_of(dataset, opened.properties) if facts.plain else None
    if storage is not None:
        if storage.dtype != facts.dtype or opened.file.descriptor() is None:
            storage = None
        elif end.fill is not None:
            storage = Lengthened(storage, facts.shape, end)
    return StoredVariable(path, stored.name, signature, end, storage)


def _fits(extent: tuple[int, ...], facts: PackedFacts) -> bool:
    """Return whether a dataset is as long as its dimensions, except those that may grow."""
    shape = facts.stored_shape
    return len(extent) == len(shape) and all(
        n == length or axis in facts.may_end
        for axis, (n, length) in enumerate(zip(extent, shape, strict=True))
    )
