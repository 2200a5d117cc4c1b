"""HDF5 on h5py: files opened by path, and datasets that the user holds.

libhdf5 is entered by one thread at a time, under `hdf5_lock`.  Files are
opened for reading only, at most 128 of them at once; each read looks with one
``stat`` whether the file is still the one that is open.  Virtual and external
datasets read as fill values where a part is missing; here that is an error.

A file is open no longer than there is a source over it: once the last array
is gone, it can be written to, here and elsewhere.  Until then it is locked
against writers in other processes wherever the file system has locks, though
a program may want to write to it meanwhile.  Opening without a lock would let
it, and would let files be read that are being written: such a file can show
its new shape while the index of its chunks is still in the writer's memory, so
that what was written long ago reads as zeros, and neither libhdf5 nor a look
at the file's times can tell.  A program that must write to a file drops the
arrays over it first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from biggus.backends.base import Backend
from biggus.backends.hdf5 import files as hdf5_files
from biggus.backends.hdf5.files import one_line, walk
from biggus.backends.hdf5.source import AdoptedHDF5Source, HDF5Source
from biggus.backends.native import hdf5_lock
from biggus.errors import OpenError
from biggus.wrappers import ObjectSource

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from biggus.backends.location import Location
    from biggus.source import Source

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_SUFFIXES = frozenset({".h5", ".hdf5", ".he5"})


class HDF5Backend(Backend):
    """Opens HDF5 files and adopts h5py datasets; it has no options."""

    name: ClassVar[str] = "hdf5"
    modules: ClassVar[tuple[str, ...]] = ("h5py",)

    def claims(self, location: Location) -> int:
        """Claim what has the HDF5 signature, behind a user block too, or the suffix."""
        if location.scheme or location.is_directory:
            return self.UNCLAIMED
        head = location.head
        at = 0
        while at < len(head):
            if head.startswith(_SIGNATURE, at):
                return self.BY_CONTENT
            at = 2 * at or 512
        return self.BY_SUFFIX if location.suffix in _SUFFIXES else self.UNCLAIMED

    def variables(self, location: Location, **options: Any) -> tuple[str, ...]:
        """List all datasets as ``"group/name"``, links included that lead to one."""
        _refuse(options)
        path = str(location.path)
        with hdf5_lock, hdf5_files.files.visit(path):
            file = hdf5_files.open_file(path).file
            try:
                return tuple(walk(file))
            except Exception as error:
                raise OpenError(
                    path, f"its contents cannot be listed: {one_line(error)}"
                ) from error

    def open(self, location: Location, variable: str, **options: Any) -> HDF5Source:
        """Return the source of the dataset `variable`, with or without a leading slash."""
        _refuse(options)
        return HDF5Source(str(location.path), variable)

    def identity(self, location: Location, variable: str | None, **options: Any) -> Any:
        """Return what decides on the values: a variable may be named with a leading slash."""
        name = None if variable is None else variable.strip("/")
        return super().identity(location, name, **options)

    def visit(self, location: Location, **options: Any) -> AbstractContextManager[object]:  # noqa: ARG002, D102 - as in Backend
        return hdf5_files.files.visit(str(location.path))

    def adopt(self, obj: Any) -> Source | None:
        """Return a source that reads from the user's own h5py Dataset, or view of one.

        Raises
        ------
        TypeError
            If it is a Group or a File: those hold datasets and are none.
        OpenError
            If it is closed, or of a type that cannot be read.
        """
        h5py = hdf5_files.h5py()
        if isinstance(obj, h5py.Dataset):
            return AdoptedHDF5Source(obj)
        if isinstance(obj, h5py.Group):
            kind = type(obj).__name__
            raise TypeError(f"an h5py {kind} is no array; pass one of the datasets in it")
        if hasattr(obj, "shape") and hasattr(obj, "dtype") and hasattr(obj, "__getitem__"):
            return ObjectSource(obj, lock=hdf5_lock)  # such as dataset.astype("f4")
        return None


def _refuse(options: dict[str, Any]) -> None:
    if options:
        raise TypeError(f"the hdf5 backend has no option {next(iter(options))!r}; it has none")
