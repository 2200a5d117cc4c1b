"""Variables of NetCDF-4 files as the HDF5 datasets that they are.

netCDF4-python reads under the lock that all users of libhdf5 share.  A variable
whose values are stored as they are in memory, through filters that are known, is
read past it instead, as `biggus.backends.hdf5` reads its own: h5py opens the same
file beside netCDF4-python, and tells where the chunks lie.

That is done only where both libraries agree about the variable.  Strings and ragged rows are
left to h5py then: libhdf5 remembers the file that netCDF4-python read such from, and has
crashed when that was closed while another handle of the user's kept the same file open.  Whatever
else there is (classic files, types of the user's own) is left to netCDF4-python, which is told
where a variable ends.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus.backends.hdf5.descriptors import descriptor_of
from biggus.backends.hdf5.direct import OpenForRead
from biggus.backends.hdf5.files import OpenDataset, files, open_dataset
from biggus.backends.hdf5.storage import storage_of
from biggus.backends.hdf5.values import read_values
from biggus.backends.netcdf.behind import FAILURES, behind
from biggus.backends.netcdf.beside import without_locks
from biggus.backends.netcdf.extents import End, Lengthened, end_of
from biggus.support.watching import changed

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from biggus.backends.hdf5.direct import Storage
    from biggus.backends.netcdf.packed import PackedFacts
    from biggus.backends.signature import FileSignature
    from biggus.sources.base import Box


class StoredVariable(NamedTuple):
    """A dataset that holds a variable, in one state of its file.  It pickles.

    Attributes
    ----------
    path, name : str
        The file, and the dataset in it.
    signature : FileSignature
        How the file was when the libraries agreed.
    end : End
        Where it ends.
    storage : Storage or None
        How the values are stored, where they can be read past the library.
    """

    path: str
    name: str
    signature: FileSignature
    end: End
    storage: Storage | None

    def opening(self) -> OpenForRead | None:
        """Return how to read it past the library; None if the file is another now.

        No library opens the file where it need not.  The caller holds the lock, and the
        file in the pools of HDF5 files and of descriptors.
        """
        descriptor = descriptor_of(self.path, self.signature)
        if descriptor is None:
            try:
                opened = self._open()
            except FAILURES:
                return None  # netCDF4-python tells what is the matter
            descriptor = opened.file.descriptor()
        if descriptor is None:
            return None
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
        assert self.storage is not None  # which asks
        return read_values(self._open().dataset, box, self.storage.dtype)


def stored_variable(
    path: str, signature: FileSignature, name: str, facts: PackedFacts, variable: Callable[[], Any]
) -> StoredVariable | None:
    """Return the dataset that holds a variable, or None if only netCDF4-python knows of it.

    The caller holds the lock.

    Parameters
    ----------
    path : str
        The file.
    signature : FileSignature
        How the file was when netCDF4-python opened it.
    name : str
        The variable, with the path of its group.
    facts : PackedFacts
        What it says of itself.
    variable : callable
        Gives the netCDF4 variable, open, with all its automatic conversions off; asked
        only where it ends before its dimensions do.
    """
    worth = facts.plain or facts.may_end or facts.dtype == object
    if not facts.netcdf4 or not worth or without_locks():
        return None
    try:
        with files.visit(path):
            return _agreed(path, signature, name, facts, variable)
    except FAILURES:
        return None  # h5py is not there, or cannot open the file beside netCDF4-python


def _agreed(
    path: str, signature: FileSignature, name: str, facts: PackedFacts, variable: Callable[[], Any]
) -> StoredVariable | None:
    """Return the dataset if h5py sees in it what netCDF4-python does."""
    found = behind(path, name)
    if found is None:
        return None
    opened = found.opened
    dataset = opened.dataset
    if opened.elsewhere is not None or opened.file.signature != signature or dataset.is_virtual:
        return None
    if dataset.chunks != facts.stored_chunks or not _fits(dataset.shape, facts):
        return None
    if facts.dtype == object and dataset.dtype != object:
        return None  # texts of one length, which netCDF4-python gives as those of any
    end = end_of(variable, facts.stored_shape, dataset.shape)
    storage = storage_of(dataset, opened.properties) if facts.plain else None
    if storage is not None:
        if storage.dtype != facts.dtype or opened.file.descriptor() is None:
            storage = None
        elif end.fill is not None:
            storage = Lengthened(storage, facts.shape, end)
    return StoredVariable(path, found.name, signature, end, storage)


def _fits(extent: tuple[int, ...], facts: PackedFacts) -> bool:
    """Tell whether a dataset is as long as its dimensions were, but for those that may grow."""
    shape = facts.stored_shape
    return len(extent) == len(shape) and all(
        n == length or axis in facts.may_end
        for axis, (n, length) in enumerate(zip(extent, shape, strict=True))
    )
