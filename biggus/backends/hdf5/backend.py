"""The HDF5 backend, on h5py: files opened by path, and open datasets of the user.

One thread at a time calls libhdf5, under `hdf5_lock`.  Files are opened for
reading only, at most 128 at once; each read checks with one ``stat`` whether the
file has changed.  libhdf5 reads fill values for the missing parts of virtual and
external datasets; here a missing part is an error.

A file is closed when the last source of it is deleted, and after a second without reads: then it
can be written to, here and by other processes.  Until then it is locked against writers
in other processes if the file system has locks.  Opening without a lock
would admit writers, but also read files that are being written: such a file
can have its new shape while the index of its chunks is still in the writer's
memory.  Values written long ago are then read as zeros, which neither libhdf5 nor
the times of the file reveal.  A program that must write to a file at once deletes the
arrays over it first.

With ``swmr=True`` a file is read while a program writes to it, by HDF5's SWMR
(single writer, multiple readers).  Then libhdf5 does each read, after a refresh.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, ClassVar

from biggus.backends.base import Backend
from biggus.backends.hdf5 import files as hdf5_files
from biggus.backends.hdf5.files import walk
from biggus.backends.hdf5.source import AdoptedHDF5Source, HDF5Source
from biggus.backends.hdf5.values import attributes_of
from biggus.backends.location import Location, holds_hdf5
from biggus.backends.native import hdf5_lock
from biggus.backends.pieces import one_line, opening_named
from biggus.errors import OpenError
from biggus.sources.base import Source
from biggus.sources.wrappers import ObjectSource

_SUFFIXES = frozenset({".h5", ".hdf5", ".he5"})


class HDF5Backend(Backend):
    """Opens HDF5 files and adopts h5py datasets."""

    name: ClassVar[str] = "hdf5"
    modules: ClassVar[tuple[str, ...]] = ("h5py",)

    def claims(self, location: Location) -> int:
        """Claim files with the HDF5 signature, also after a user block, or an HDF5 suffix."""
        try:
            if location.scheme or location.is_directory:
                return self.UNCLAIMED
            suffix = location.suffix
        except OpenError:  # not a valid path
            return self.UNCLAIMED
        if holds_hdf5(location.known_head):
            return self.BY_CONTENT
        return self.BY_SUFFIX if suffix in _SUFFIXES else self.UNCLAIMED

    def variables(  # type: ignore[override]  # the options are explicit
        self, location: Location, *, swmr: bool = False
    ) -> tuple[str, ...]:
        """Return the names of all datasets as ``"group/name"``, including links to datasets."""
        path = str(location.path)
        with hdf5_lock, hdf5_files.files.visit(hdf5_files.held_as(path, swmr)):
            file = hdf5_files.open_file(path, swmr).file
            try:
                return tuple(walk(file))
            except Exception as error:
                raise OpenError(
                    path, f"its contents cannot be listed: {one_line(error)}"
                ) from error

    def open(  # type: ignore[override]  # as above
        self, location: Location, variable: str, *, swmr: bool = False
    ) -> HDF5Source:
        """Return the source of one dataset.

        Parameters
        ----------
        location : Location
            A local file.
        variable : str
            The path of the dataset, with or without a leading slash.
        swmr : bool
            Whether to read it while a program writes to it by HDF5's SWMR (single writer,
            multiple readers).  The shape stays as of opening; each read returns the current
            values.
        """
        return HDF5Source(str(location.path), variable, bool(swmr))

    def attributes(self, location: Location, group: str, **options: Any) -> dict[str, Any]:
        path, swmr = str(location.path), bool(options.get("swmr"))
        key = hdf5_files.held_as(path, swmr)
        with hdf5_lock, hdf5_files.files.visit(key), opening_named(path):
            file = hdf5_files.open_file(path, swmr).file
            item = file if not group.strip("/") else file.get(group.strip("/"))
            if not isinstance(item, hdf5_files.h5py().Group):
                return {}
            return attributes_of(item, item.id.get_create_plist())

    def identity(self, location: Location, variable: str | None, **options: Any) -> Any:
        """Return the identity of the values; the variable may have a leading slash."""
        name = None if variable is None else variable.strip("/")
        options.pop("swmr", None)  # it has no influence on the values
        return super().identity(location, name, **options)

    def visit(self, location: Location, **options: Any) -> AbstractContextManager[object]:
        return hdf5_files.files.visit(
            hdf5_files.held_as(str(location.path), bool(options.get("swmr")))
        )

    def adopt(self, obj: Any) -> Source | None:
        """Return a source over the user's own h5py Dataset, or a view of one.

        Raises
        ------
        TypeError
            If it is a Group or a File.
        OpenError
            If it is closed, or its type cannot be read.
        """
        h5py = hdf5_files.h5py()
        if isinstance(obj, h5py.Dataset):
            return AdoptedHDF5Source(obj)
        if isinstance(obj, h5py.Group):
            kind = type(obj).__name__
            raise TypeError(f"an h5py {kind} is not an array; pass one of the datasets in it")
        if hasattr(obj, "shape") and hasattr(obj, "dtype") and hasattr(obj, "__getitem__"):
            return ObjectSource(obj, lock=hdf5_lock)  # such as dataset.astype("f4")
        return None
