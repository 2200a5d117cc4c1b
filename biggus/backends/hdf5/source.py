"""Sources of HDF5 datasets: of a file on disk, or a dataset that the user holds."""

# Paths are strings here, as libhdf5 has them.
# ruff: noqa: PTH100, PTH116

from __future__ import annotations

import logging
import math
import os
import time
from functools import partial
from operator import ge
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus import cf
from biggus.backends.descriptor import Descriptor
from biggus.backends.files import file_version
from biggus.backends.hdf5 import files as hdf5_files
from biggus.backends.hdf5.direct import DirectSource, Opening
from biggus.backends.hdf5.files import normal_name
from biggus.backends.hdf5.parts import Parts, assure_descriptors
from biggus.backends.hdf5.storage import storage_of
from biggus.backends.hdf5.values import (
    ATTACHING,
    attributes_of,
    dims_of,
    fill_value_of,
    layout_of,
    read_values,
)
from biggus.backends.native import hdf5_lock
from biggus.backends.pieces import failures_named, opening_named
from biggus.backends.settling import look_again, settled, settled_stamp
from biggus.backends.siblings import sibling_of
from biggus.backends.stamp import Stamp, stamp_of
from biggus.errors import OpenError, SourceError, format_box
from biggus.source import Box, box_shape
from biggus.watching import changed, see

if TYPE_CHECKING:
    from collections.abc import Hashable

    import numpy.typing as npt

    from biggus.backends.files import Hold
    from biggus.backends.hdf5.direct import Storage
    from biggus.backends.native import LibraryLock
    from biggus.source import Source

log = logging.getLogger("biggus.backends.hdf5")

CONVENTIONS = "CF-HDF5"
"""CF as in HDF5 files: nothing is missing but what the attributes name."""

_MOST_FILES = 64  # of those behind a virtual dataset, open at once in one read


class _DatasetSource(DirectSource):
    """What sources over an h5py Dataset share."""

    waits = False
    _storage: Storage | None = None  # None: only the library can read it

    swmr = False
    """Whether the dataset may grow: the shape stays what it was, and each read looks anew."""

    @property
    def storage(self) -> Storage | None:
        """How the values are stored; None if only the library can read them."""
        return self._storage

    @property
    def lock(self) -> LibraryLock | None:  # type: ignore[override]
        """The library's, where only the library can read the values."""
        return None if self.direct else hdf5_lock

    def _describe(self, location: str, dataset: Any, properties: Any) -> None:
        try:
            self.shape, self.dtype, self.chunks = layout_of(dataset, properties)
        except (TypeError, ValueError) as error:
            raise OpenError(location, f"the variable {dataset.name!r}: {error}") from error
        self.fill_value = fill_value_of(dataset, self.dtype, properties)
        attributes = attributes_of(dataset, properties)
        self.attributes = {name: v for name, v in attributes.items() if name not in ATTACHING}
        self.dims = dims_of(dataset, attributes)
        if self.dims is not None and len(self.dims) != len(self.shape):
            self.dims = None  # an array type adds axes that have no name

    def _check_layout(self, dataset: Any) -> None:
        shape, dtype, _ = layout_of(dataset, dataset.id.get_create_plist())
        grown = self.swmr and len(shape) == len(self.shape) and all(map(ge, shape, self.shape))
        if dtype != self.dtype or (shape != self.shape and not grown):
            raise ValueError(
                f"it has changed: it is now {dtype} of shape {shape}, and was {self.dtype} "
                f"of shape {self.shape} when it was opened; open it again"
            )

    def _stored(self, dataset: Any, properties: Any) -> Storage | None:
        storage = storage_of(dataset, properties)
        return storage if storage is not None and storage.dtype == self.dtype else None

    def peak_bytes(self, box: Box) -> int:
        """Return the most memory that a read of `box` takes, compressed chunks included."""
        if self._storage is not None:
            return self._storage.peak_bytes(box)
        chunk = 0 if self.chunks is None else math.prod(map(_longest, self.chunks))
        # The library holds a chunk as it is stored, and its values.
        return super().peak_bytes(box) + 2 * chunk * self.dtype.itemsize

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} {self.dtype} {self.shape}>"


def _longest(lengths: int | tuple[int, ...]) -> int:
    return lengths if isinstance(lengths, int) else max(lengths)


class HDF5Source(_DatasetSource):
    """A dataset of a file, named by the file's path and its own; pickles by these.

    Strings of variable length are `str` in object arrays (bytes that are no
    UTF-8 become lone surrogates, as ``errors="surrogateescape"`` does);
    strings of fixed length are of dtype ``S``; enumerations are integers; object
    references are the paths of what they lead to, `str` too, and empty where they are null.

    Values are as they are stored.  A dataset whose attributes say how they are
    packed, or which are missing, says so in its ``conventions``.

    Parameters
    ----------
    path : str
        The absolute path of the file.
    dataset : str
        The path of the dataset in it.
    swmr : bool
        Whether it is read while another program writes to it, as HDF5's SWMR allows.

    Raises
    ------
    GoneError
        If there is no such file.
    OpenError
        If it cannot be opened, or the dataset's type cannot be read.
    VariableError
        If there is no such dataset.
    """

    def __init__(self, path: str, dataset: str, swmr: bool = False) -> None:
        self.path = path
        self.dataset = normal_name(dataset)
        self.name = f"{path}::{self.dataset}"
        self.swmr = swmr
        self._hold: Hold | None = None
        with hdf5_lock, hdf5_files.files.visit(self._key), opening_named(path):
            opened = hdf5_files.open_dataset(path, self.dataset, swmr)
            self.token = f"hdf5:{opened.file.real_path}::/{self.dataset}"
            self._describe(path, opened.dataset, opened.properties)
            if cf.follows(self.dtype, self.attributes):
                self.conventions = CONVENTIONS
            self._look_behind(opened)
            if self._storage is not None:
                self.chunks = self._storage.chunks
            self._hold = hdf5_files.files.hold(self._key)  # last: what fails to open holds nothing

    @property
    def _key(self) -> Hashable:
        return hdf5_files.held_as(self.path, self.swmr)

    def _look_behind(self, opened: hdf5_files.OpenDataset) -> None:
        self._serial = opened.serial
        self._looked = () if self.swmr else opened.looked
        self._elsewhere = () if opened.elsewhere is None else (opened.elsewhere[0],)
        self._parts = Parts.of(opened.dataset, opened.properties)
        inside = self._parts is None and opened.elsewhere is None
        if self.swmr and not inside:
            raise OpenError(
                self.path,
                f"the values of {self.dataset!r} lie in other files: with swmr=True, open those",
            )
        self._storage = None
        if inside and not self.swmr:
            self._storage = self._stored(opened.dataset, opened.properties)

    def __getstate__(self) -> dict[str, Any]:
        # Handles stay here; serial 0 makes the first read look at everything anew.
        return {**self.__dict__, "_serial": 0, "_looked": (), "_parts": None, "_hold": None}

    def _values(self, box: Box, out: npt.NDArray[Any] | None) -> npt.NDArray[Any]:
        start = time.perf_counter()
        with failures_named(self.name, box):
            with hdf5_lock:
                found = self._opening()
                if found is None:
                    values = self._read(box)
            if found is not None:
                storage, opening = found
                values = storage.read(box, opening, out)
        if log.isEnabledFor(logging.DEBUG):
            spent = (time.perf_counter() - start) * 1e3
            where = format_box(box)
            log.debug("read %s %s: %d bytes in %.1f ms", self.name, where, values.nbytes, spent)
        return values

    def _opening(self) -> tuple[Storage, Opening] | None:
        opened = self._open()
        storage = self._storage
        descriptor = None if storage is None else opened.file.descriptor()
        if storage is None or descriptor is None:
            return None
        stamp = opened.file.stamp
        return storage, Opening(
            self.path, descriptor, stamp, partial(self._same, stamp), self._read
        )

    def _same(self, stamp: Stamp) -> tuple[Any, Hashable]:
        """Return the dataset, and what names this opening of it, if the file has that stamp.

        It may have been closed meanwhile, to make room for others, and opened again.
        """
        opened = hdf5_files.open_dataset(self.path, self.dataset)
        if opened.file.stamp != stamp:
            raise changed(self.path)
        return opened.dataset, (self.path, stamp, self.dataset)

    def _read(self, box: Box) -> npt.NDArray[Any]:
        opened = self._open()
        looked = opened.looked
        if self.swmr:
            opened.dataset.refresh()
            self._check_layout(opened.dataset)
        if self._parts is None:
            values = read_values(opened.dataset, box, self.dtype)
        else:
            del opened  # looking at the parts may close it, to make room in the pool
            before = self._parts.check(box)
            values = np.empty(box_shape(box), self.dtype)
            self._read_in_pieces(box, len(before), values)
            if self._parts is None or self._parts.check(box) != before:
                raise changed(f"behind {self.path}")
        if not self.swmr:
            look_again(looked)
        return values

    def _read_in_pieces(self, box: Box, files: int, out: npt.NDArray[Any]) -> None:
        """Read `box`, behind which `files` lie, opening at most `_MOST_FILES` of them at once."""
        axis = int(np.argmax(out.shape)) if out.ndim else 0
        if files <= _MOST_FILES or out.size <= 1:
            assure_descriptors(files + 2)
            out[...] = read_values(self._open().dataset, box, self.dtype)
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

    def _open(self) -> hdf5_files.OpenDataset:
        if self._hold is None:  # a copy that has not been read from
            self._hold = hdf5_files.files.hold(self._key)
        opened = hdf5_files.open_dataset(self.path, self.dataset, self.swmr)
        if not self.swmr:
            see(opened.file.path, opened.file.stamp)
            if opened.elsewhere is not None:
                see(*opened.elsewhere)
        if opened.serial != self._serial:
            if opened.looked != self._looked:
                self._check_layout(opened.dataset)
                self._look_behind(opened)
            self._serial = opened.serial  # the file was closed meanwhile, and is as it was
        return opened

    def sibling(self, name: str) -> Source | None:
        """Return another dataset of the file."""
        return sibling_of(self.dataset, name, partial(HDF5Source, self.path))

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
        with hdf5_lock, opening_named("an h5py Dataset"):
            if not dataset:
                raise OpenError("an h5py Dataset", "its file is closed")
            file = dataset.file
            self._held = dataset
            self._serial = next(hdf5_files.serials)
            self._path = os.path.abspath(file.filename)
            self.dataset = normal_name(dataset.name or "")
            self.name = f"{file.filename}::{self.dataset}"
            properties = dataset.id.get_create_plist()
            self._describe(file.filename, dataset, properties)
            self._parts = Parts.of(dataset, properties)
            self.swmr = bool(file.swmr_mode)
            on_disk = file.driver in ("sec2", "stdio", "windows", "direct")
            self._reopens = on_disk and bool(dataset.name)
            settled = self._reopens and file.mode == "r" and not self.swmr
            self._stamp = _stamp_if_current(file, self._path) if settled else None
            if self._stamp is not None and self._parts is None:
                self._storage = self._stored(dataset, properties)
                if self._storage is not None:
                    self.chunks = self._storage.chunks
            if settled:
                self.token = f"hdf5:{os.path.realpath(self._path)}::/{self.dataset}"

    def _values(self, box: Box, out: npt.NDArray[Any] | None) -> npt.NDArray[Any]:
        with failures_named(self.name, box):
            with hdf5_lock:
                found = self._opening()
                if found is None:
                    return self._read(box)
            storage, opening = found
            return storage.read(box, opening, out)

    def _opening(self) -> tuple[Storage, Opening] | None:
        dataset, _ = self._dataset()
        if self._storage is None or self._stamp is None:
            return None
        try:
            # Closed after the read: no more is held open than the user holds.
            descriptor = Descriptor.beside(dataset.file, self._path)
        except OSError:
            return None
        if descriptor is None or settled(descriptor.stamp, self._path) != self._stamp:
            return None  # it is not certain that its file is as it was
        see(self._path, self._stamp)
        return self._storage, Opening(
            self._path, descriptor, self._stamp, self._dataset, self._read
        )

    def _dataset(self) -> tuple[Any, Hashable]:
        if not self._held:
            raise ValueError("its file has been closed; keep it open, or open it by path")
        return self._held, self._serial

    def _read(self, box: Box) -> npt.NDArray[Any]:
        self._check_layout(self._dataset()[0])
        looked = self._look()
        before = None if self._parts is None else self._parts.check(box)
        if before is not None:
            assure_descriptors(len(before) + 2)
        values = read_values(self._held, box, self.dtype)
        if self._parts is not None and self._parts.check(box) != before:
            raise changed(f"behind {self._path}")
        look_again(looked)
        return values

    def _look(self) -> tuple[tuple[str, Stamp], ...]:
        """Return the file and how it is, where nobody writes to it by way of the user's handle."""
        if self._stamp is None:
            return ()
        stamp = settled_stamp(self._path)
        see(self._path, stamp)
        return ((self._path, stamp),)

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
        return HDF5Source, (self._path, self.dataset, self.swmr)


def _stamp_if_current(file: Any, path: str) -> Stamp | None:
    """Return the stamp of `path` if that is the very file that is open."""
    try:
        current = os.path.samestat(os.fstat(file.id.get_vfd_handle()), os.stat(path))
        return stamp_of(path) if current else None
    except (OSError, NotImplementedError):
        return None
