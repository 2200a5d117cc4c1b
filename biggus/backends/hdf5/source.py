"""Sources over HDF5 datasets: in a file on disk, or open in the user's program."""

# Paths are `str` here, as in h5py.
# ruff: noqa: PTH100, PTH116

from __future__ import annotations

import os
from collections.abc import Hashable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from biggus import cf
from biggus.backends.descriptor import Descriptor
from biggus.backends.files import Hold, file_validator, validator_of_file
from biggus.backends.hdf5 import files as hdf5_files
from biggus.backends.hdf5.dataset import DatasetSource
from biggus.backends.hdf5.descriptors import descriptor_of, descriptors
from biggus.backends.hdf5.direct import OpenForRead, Storage
from biggus.backends.hdf5.files import normal_name
from biggus.backends.hdf5.parts import Parts, assure_descriptors
from biggus.backends.hdf5.values import (
    attributes_of,
    read_values,
)
from biggus.backends.native import hdf5_lock
from biggus.backends.pieces import opening_named
from biggus.backends.settling import look_again, settled, settled_signature
from biggus.backends.siblings import sibling_of
from biggus.backends.signature import FileSignature, signature_of
from biggus.errors import OpenError, SourceError
from biggus.sources.base import Box, Source, box_shape
from biggus.support.watching import changed, see

CONVENTIONS = "CF-HDF5"
"""CF conventions as in HDF5 files: only the attributes determine which values are missing."""

_MOST_FILES = 64
"""The most files of a virtual dataset that are open at once in one read."""


class HDF5Source(DatasetSource):
    """A dataset of a file, opened by path.  It can be pickled.

    Strings of variable length are `str` in object arrays (bytes that are not
    UTF-8 become lone surrogates, as with ``errors="surrogateescape"``);
    strings of fixed length have dtype ``S``; enumerations are integers; object
    references are the paths of their targets as `str`, empty for null references.

    Values are not unpacked.  If the attributes say that they are packed or which are missing,
    the attribute ``conventions`` of the source is set.

    Parameters
    ----------
    path : str
        The absolute path of the file.
    dataset : str
        The path of the dataset in it.
    swmr : bool
        Whether it is read while another program writes to it by HDF5's SWMR.

    Raises
    ------
    GoneError
        If the file does not exist.
    OpenError
        If it cannot be opened, or the type of the dataset cannot be read.
    VariableError
        If there is no such dataset.
    """

    def __init__(self, path: str, dataset: str, swmr: bool = False) -> None:
        self.path = path
        self.dataset = normal_name(dataset)
        self.name = f"{path}::{self.dataset}"
        self.swmr = swmr
        self._hold: tuple[Hold, ...] = ()
        self._direct_signature: FileSignature | None = None
        """The signature of the file when it was last read without libhdf5; None: never."""
        with hdf5_lock, hdf5_files.files.visit(self._key), opening_named(path):
            opened = hdf5_files.open_dataset(path, self.dataset, swmr)
            self.token = f"hdf5:{opened.file.real_path}::/{self.dataset}"
            self._describe(path, opened.dataset, opened.properties)
            if cf.follows(self.dtype, self.attributes):
                self.conventions = CONVENTIONS
            self._examine(opened)
            if self._storage is not None:
                self.chunks = self._storage.chunks
            self._hold = self._held()  # last, so that nothing is held after an error

    @property
    def _key(self) -> Hashable:
        return hdf5_files.held_as(self.path, self.swmr)

    def _examine(self, opened: hdf5_files.OpenDataset) -> None:
        """Set what depends on the state of the file: its signatures, parts and storage."""
        self._serial = opened.serial
        self._signatures = () if self.swmr else opened.signatures
        self._elsewhere = () if opened.elsewhere is None else (opened.elsewhere[0],)
        self._parts = Parts.of(opened.dataset, opened.properties)
        inside = self._parts is None and opened.elsewhere is None
        if self.swmr and not inside:
            raise OpenError(
                self.path,
                f"the values of {self.dataset!r} are in other files: with `swmr=True`, open those",
            )
        self._storage = None
        if inside and not self.swmr:
            self._storage = self._stored(opened.dataset, opened.properties)

    def __getstate__(self) -> dict[str, Any]:
        # Handles cannot be pickled; serial 0 makes the first read examine the file again.
        reset = {"_serial": 0, "_signatures": (), "_parts": None, "_hold": ()}
        return {**self.__dict__, **reset, "_direct_signature": None}

    def _opening(self) -> tuple[Storage, OpenForRead] | None:
        signature, storage, opened = self._direct_signature, self._storage, None
        descriptor = None
        if storage is not None and signature is not None:
            descriptor = descriptor_of(self.path, signature)
        if descriptor is None or signature is None:
            opened = self._open()
            signature, storage = opened.file.signature, self._storage
            descriptor = None if storage is None else opened.file.descriptor()
        else:
            see(self.path, signature)
        if storage is None or descriptor is None:
            return None
        self._direct_signature = signature
        key = (self.path, signature, self.dataset)
        dataset = partial(self._unchanged, signature, opened)
        return storage, OpenForRead(
            self.path, descriptor, signature, key, dataset, self._read, self._release
        )

    def _release(self) -> None:
        hdf5_files.files.discard(self._key)

    def _unchanged(self, signature: FileSignature, opened: hdf5_files.OpenDataset | None) -> Any:
        """Return the h5py Dataset, opened again if necessary; an error if the file has changed.

        `opened` is the dataset if it was open when the read began; the pool may have closed it.
        """
        if opened is None or not hdf5_files.datasets.has(
            (opened.file.serial, self.dataset), opened
        ):
            opened = hdf5_files.open_dataset(self.path, self.dataset)
        if opened.file.signature != signature:
            raise changed(self.path)
        return opened.dataset

    def _read(self, box: Box) -> npt.NDArray[Any]:
        opened = self._open()
        signatures = opened.signatures
        if self.swmr:
            opened.dataset.refresh()
            self._check_layout(opened.dataset)
        if self._parts is None:
            values = read_values(opened.dataset, box, self.dtype)
        else:
            del opened  # the pool may close it when the parts are opened
            before = self._parts.check(box)
            values = np.empty(box_shape(box), self.dtype)
            self._read_in_pieces(box, len(before), values)
            if self._parts is None or self._parts.check(box) != before:
                raise changed(f"behind {self.path}")
        if not self.swmr:
            look_again(signatures)
        return values

    def _read_in_pieces(self, box: Box, files: int, out: npt.NDArray[Any]) -> None:
        """Read `box`, which has parts in `files` files, at most `_MOST_FILES` of them at once."""
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

    def _held(self) -> tuple[Hold, ...]:
        return hdf5_files.files.hold(self._key), descriptors.hold(self.path)

    def _open(self) -> hdf5_files.OpenDataset:
        if not self._hold:  # it was unpickled
            self._hold = self._held()
        opened = hdf5_files.open_dataset(self.path, self.dataset, self.swmr)
        if not self.swmr:
            see(opened.file.path, opened.file.signature)
            if opened.elsewhere is not None:
                see(*opened.elsewhere)
        if opened.serial != self._serial:
            if opened.signatures != self._signatures:
                self._check_layout(opened.dataset)
                self._examine(opened)
            self._serial = opened.serial  # the file was closed and reopened, perhaps unchanged
        return opened

    def sibling(self, name: str) -> Source | None:
        """Return another dataset of the file."""
        return sibling_of(self.dataset, name, partial(HDF5Source, self.path))

    def group_attributes(self) -> dict[str, Any]:
        """Return the attributes of the file and of the groups that contain the dataset."""
        attributes: dict[str, Any] = {}
        with hdf5_lock, opening_named(self.path):
            group = self._open().file.file
            for part in self.dataset.strip("/").split("/"):
                attributes.update(attributes_of(group, group.id.get_create_plist()))
                group = group.get(part)
        return {name: value for name, value in attributes.items() if value is not None}

    def state(self) -> bytes | None:
        """Return the state of the file and of all other files that contain values."""
        if self._serial and self._parts is None and not self._elsewhere:
            return validator_of_file(self.path)
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
        return file_validator(self.path, *self._elsewhere, *behind)


class AdoptedHDF5Source(DatasetSource):
    """An open dataset of the user, read through the user's own handle.

    It has a token, and can thus be cached, if the file is on disk and open
    for reading only.  Unpickled, it is an `HDF5Source` of the same file.

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
            self._signature = _signature_if_current(file, self._path) if settled else None
            if self._signature is not None and self._parts is None:
                self._storage = self._stored(dataset, properties)
                if self._storage is not None:
                    self.chunks = self._storage.chunks
            if settled:
                self.token = f"hdf5:{os.path.realpath(self._path)}::/{self.dataset}"

    def _opening(self) -> tuple[Storage, OpenForRead] | None:
        dataset = self._dataset()
        if self._storage is None or self._signature is None:
            return None
        try:
            # It is closed after the read, as the user decides how long the file is open.
            descriptor = Descriptor.beside(dataset.file, self._path)
        except OSError:
            return None
        if descriptor is None or settled(descriptor.signature, self._path) != self._signature:
            return None  # the file may have changed
        see(self._path, self._signature)
        return self._storage, OpenForRead(
            self._path,
            descriptor,
            self._signature,
            self._serial,
            self._dataset,
            self._read,
            lambda: None,  # the user closes the file
        )

    def _dataset(self) -> Any:
        if not self._held:
            raise ValueError("its file has been closed; keep it open, or open it by path")
        return self._held

    def _read(self, box: Box) -> npt.NDArray[Any]:
        self._check_layout(self._dataset())
        signatures = self._look()
        before = None if self._parts is None else self._parts.check(box)
        if before is not None:
            assure_descriptors(len(before) + 2)
        values = read_values(self._held, box, self.dtype)
        if self._parts is not None and self._parts.check(box) != before:
            raise changed(f"behind {self._path}")
        look_again(signatures)
        return values

    def _look(self) -> tuple[tuple[str, FileSignature], ...]:
        """Return the path and signature of the file, if the user's handle is read-only."""
        if self._signature is None:
            return ()
        signature = settled_signature(self._path)
        see(self._path, signature)
        return ((self._path, signature),)

    def state(self) -> bytes | None:
        """Return the state of the file, if it has not changed since it was adopted."""
        if self._signature is None or self._parts is not None:
            return None
        try:
            unchanged = signature_of(self._path) == self._signature
        except OpenError:
            return None
        return validator_of_file(self._path) if unchanged else None

    def __reduce__(self) -> tuple[Any, ...]:
        if not self._reopens:
            raise SourceError(
                self.name, None, "it cannot be pickled: it is not in a file that can be reopened"
            )
        return HDF5Source, (self._path, self.dataset, self.swmr)


def _signature_if_current(file: Any, path: str) -> FileSignature | None:
    """Return the signature of `path` if this is the open file."""
    try:
        current = os.path.samestat(os.fstat(file.id.get_vfd_handle()), os.stat(path))
        return signature_of(path) if current else None
    except (OSError, NotImplementedError):
        return None
