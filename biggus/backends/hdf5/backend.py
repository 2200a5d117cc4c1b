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

# Paths are strings here, as libhdf5 has them.
# ruff: noqa: PTH100, PTH116

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from biggus.backends.base import Backend
from biggus.backends.files import file_version
from biggus.backends.hdf5 import files as hdf5_files
from biggus.backends.hdf5.files import normal_name, one_line, walk
from biggus.backends.hdf5.parts import Parts, assure_descriptors
from biggus.backends.hdf5.values import (
    attributes_of,
    dims_of,
    fill_value_of,
    layout_of,
    read_values,
)
from biggus.backends.native import hdf5_lock
from biggus.backends.stamp import Stamp, stamp_of
from biggus.errors import BiggusError, OpenError, SourceError, format_box
from biggus.source import Box, Source, Values, box_shape
from biggus.wrappers import ObjectSource

if TYPE_CHECKING:
    import numpy.typing as npt

    from biggus.backends.files import Hold
    from biggus.backends.location import Location

log = logging.getLogger("biggus.backends.hdf5")

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_MOST_FILES = 64  # of those behind a virtual dataset, open at once in one read
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


class _DatasetSource(Source):
    """What sources over an h5py Dataset share."""

    lock = hdf5_lock
    waits = False
    fresh = True

    def _describe(self, location: str, dataset: Any) -> None:
        try:
            self.shape, self.dtype, self.chunks = layout_of(dataset)
        except (TypeError, ValueError) as error:
            raise OpenError(location, f"the variable {dataset.name!r}: {error}") from error
        self.fill_value = fill_value_of(dataset, self.dtype)
        self.attributes = attributes_of(dataset)
        self.dims = dims_of(dataset)
        if self.dims is not None and len(self.dims) != len(self.shape):
            self.dims = None  # an array type adds axes that have no name

    def _check_layout(self, dataset: Any) -> None:
        shape, dtype, _ = layout_of(dataset)
        if shape != self.shape or dtype != self.dtype:
            raise ValueError(
                f"it has changed: it is now {dtype} of shape {shape}, and was {self.dtype} "
                f"of shape {self.shape} when it was opened; open it again"
            )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} {self.dtype} {self.shape}>"


class HDF5Source(_DatasetSource):
    """A dataset of a file, named by the file's path and its own; pickles by these.

    Strings of variable length are `str` in object arrays (bytes that are no
    UTF-8 become lone surrogates, as ``errors="surrogateescape"`` does);
    strings of fixed length are of dtype ``S``; enumerations are integers.

    Parameters
    ----------
    path : str
        The absolute path of the file.
    dataset : str
        The path of the dataset in it.

    Raises
    ------
    GoneError
        If there is no such file.
    OpenError
        If it cannot be opened, or the dataset's type cannot be read.
    VariableError
        If there is no such dataset.
    """

    def __init__(self, path: str, dataset: str) -> None:
        self.path = path
        self.dataset = normal_name(dataset)
        self.name = f"{path}::{self.dataset}"
        self.token = f"hdf5:{os.path.realpath(path)}::/{self.dataset}"
        self._hold: Hold | None = None
        with hdf5_lock, hdf5_files.files.visit(path):
            opened = hdf5_files.open_dataset(path, self.dataset)
            self._describe(path, opened.dataset)
            self._look_behind(opened)
            self._hold = hdf5_files.files.hold(path)  # last: what fails to open holds nothing

    def _look_behind(self, opened: hdf5_files.OpenDataset) -> None:
        self._serial = opened.serial
        self._elsewhere = () if opened.elsewhere is None else (opened.elsewhere[0],)
        self._parts = Parts.of(opened.dataset)

    def __getstate__(self) -> dict[str, Any]:
        # Handles stay here; serial 0 makes the first read look at everything anew.
        return {**self.__dict__, "_serial": 0, "_parts": None, "_hold": None}

    def __getitem__(self, box: Box) -> Values:
        start = time.perf_counter()
        try:
            with hdf5_lock:
                values = self._read(box)
        except SourceError:
            raise
        except BiggusError as error:
            raise SourceError(self.name, box, error) from error
        except Exception as error:
            raise SourceError(self.name, box, one_line(error)) from error
        if log.isEnabledFor(logging.DEBUG):
            spent = (time.perf_counter() - start) * 1e3
            where = format_box(box)
            log.debug("read %s %s: %d bytes in %.1f ms", self.name, where, values.nbytes, spent)
        return values

    def _read(self, box: Box) -> Values:
        dataset = self._open()
        if self._parts is None:
            return read_values(dataset, box, self.dtype)
        del dataset  # looking at the parts may close it, to make room in the pool
        before = self._parts.check(box)
        values = np.empty(box_shape(box), self.dtype)
        self._read_in_pieces(box, len(before), values)
        if self._parts is None or self._parts.check(box) != before:
            raise ValueError("a file behind it changed during the read; read it again")
        return values

    def _read_in_pieces(self, box: Box, files: int, out: npt.NDArray[Any]) -> None:
        """Read `box`, behind which `files` lie, opening at most `_MOST_FILES` of them at once."""
        axis = int(np.argmax(out.shape)) if out.ndim else 0
        if files <= _MOST_FILES or out.size <= 1:
            assure_descriptors(files + 2)
            out[...] = read_values(self._open(), box, self.dtype)
            return
        half, s = out.shape[axis] // 2, box[axis]
        middle = s.start + half * s.step
        here = (slice(None),) * axis
        for part, where in (
            (slice(s.start, middle, s.step), slice(0, half)),
            (slice(middle, s.stop, s.step), slice(half, None)),
        ):
            piece = (*box[:axis], part, *box[axis + 1 :])
            count = 0 if self._parts is None else len(self._parts.check(piece))
            self._read_in_pieces(piece, count, out[(*here, where)])

    def _open(self) -> Any:
        if self._hold is None:  # a copy that has not been read from
            self._hold = hdf5_files.files.hold(self.path)
        opened = hdf5_files.open_dataset(self.path, self.dataset)
        if opened.serial != self._serial:
            self._check_layout(opened.dataset)
            self._look_behind(opened)
        return opened.dataset

    def state(self) -> bytes | None:
        """Return the state of the file and of all files behind the dataset."""
        behind: tuple[str, ...] | None = ()
        if self._serial == 0 or self._parts is not None:
            try:
                with hdf5_lock:
                    self._open()
                    behind = () if self._parts is None else self._parts.files()
            except (OSError, ValueError):
                return None
        if behind is None:
            return None
        return file_version(self.path, *self._elsewhere, *behind)


class AdoptedHDF5Source(_DatasetSource):
    """A dataset that the user holds open, read through the user's own handle.

    It has a token, and so can be cached, where the file is on disk and open
    for reading only.  Pickled, it becomes an `HDF5Source` of the same file.

    Parameters
    ----------
    dataset : h5py.Dataset
        Open in any mode, on any driver.
    """

    def __init__(self, dataset: Any) -> None:
        with hdf5_lock:
            if not dataset:
                raise OpenError("an h5py Dataset", "its file is closed")
            file = dataset.file
            self._held = dataset
            self._path = os.path.abspath(file.filename)
            self.dataset = normal_name(dataset.name or "")
            self.name = f"{file.filename}::{self.dataset}"
            self._describe(file.filename, dataset)
            self._parts = Parts.of(dataset)
            on_disk = file.driver in ("sec2", "stdio", "windows", "direct")
            self._reopens = on_disk and bool(dataset.name)
            settled = self._reopens and file.mode == "r" and not file.swmr_mode
            self._stamp = _stamp_if_current(file, self._path) if settled else None
            if settled:
                self.token = f"hdf5:{os.path.realpath(self._path)}::/{self.dataset}"

    def __getitem__(self, box: Box) -> Values:
        try:
            with hdf5_lock:
                return self._read(box)
        except Exception as error:
            raise SourceError(self.name, box, one_line(error)) from error

    def _read(self, box: Box) -> Values:
        if not self._held:
            raise ValueError("its file has been closed; keep it open, or open it by path")
        self._check_layout(self._held)
        before = None if self._parts is None else self._parts.check(box)
        if before is not None:
            assure_descriptors(len(before) + 2)
        values = read_values(self._held, box, self.dtype)
        if self._parts is not None and self._parts.check(box) != before:
            raise ValueError("a file behind it changed during the read; read it again")
        return values

    def state(self) -> bytes | None:
        """Return the file's state if it is the one in which it was adopted."""
        if self._stamp is None or self._parts is not None:
            return None
        try:
            unchanged = stamp_of(self._path) == self._stamp
        except OpenError:
            return None
        return file_version(self._path) if unchanged else None

    def __reduce__(self) -> tuple[Any, ...]:
        if not self._reopens:
            raise SourceError(
                self.name, None, "it cannot be pickled: it is not in a file that can be reopened"
            )
        return HDF5Source, (self._path, self.dataset)


def _stamp_if_current(file: Any, path: str) -> Stamp | None:
    """Return the stamp of `path` if that is the very file that is open."""
    try:
        current = os.path.samestat(os.fstat(file.id.get_vfd_handle()), os.stat(path))
        return stamp_of(path) if current else None
    except (OSError, NotImplementedError):
        return None
