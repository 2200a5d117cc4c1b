"""Pools of open HDF5 files and datasets, checked on each use; listing and finding datasets.

Everything here is called with `hdf5_lock` held.
"""

# Paths are `str` here, as in h5py.

from __future__ import annotations

import contextlib
import errno
import itertools
import logging
import os
import re
import sys
import time
from collections.abc import Hashable, Iterator
from functools import cache
from typing import Any, NamedTuple

from biggus.backends.descriptor import Descriptor
from biggus.backends.files import HandlePool
from biggus.backends.hdf5.heaps import check_heaps
from biggus.backends.native import guard_forks, hdf5_lock
from biggus.backends.pieces import one_line
from biggus.backends.settling import settled_signature
from biggus.backends.signature import FileSignature, signature_of
from biggus.errors import GoneError, OpenError, VariableError
from biggus.support.extras import needing

log = logging.getLogger("biggus.backends.hdf5")

CHUNK_CACHE_BYTES = 2**20
"""The size of libhdf5's chunk cache; small, as 128 datasets may be open, mostly read directly."""

ALIASES = 16
"""The most paths under which a group is listed; links can make infinitely many."""

_LOOKUP_ERRORS = (KeyError, ValueError, RuntimeError, OSError)


class OpenFile:
    """An open file, with the serial number of the opening and its signature then."""

    def __init__(self, path: str, file: Any, signature: FileSignature) -> None:
        self.path = path
        self.file = file
        self.serial = next(serials)
        self.signature = signature
        self.real_path = os.path.realpath(path)
        self._descriptor: Descriptor | None = None

    def descriptor(self) -> Descriptor | None:
        """Return a descriptor to read its bytes without libhdf5, or None if there can be none."""
        if self._descriptor is None:
            # If the process is out of descriptors, libhdf5 can still read.
            with contextlib.suppress(OSError):
                self._descriptor = Descriptor.beside(self.file, self.path)
        return self._descriptor


class OpenDataset(NamedTuple):
    """An open dataset.

    Attributes
    ----------
    dataset : h5py.Dataset
        The dataset.
    serial : int
        The serial number of the opening of its file.
    file : OpenFile
        The file in which it was looked up.
    elsewhere : tuple of (str, FileSignature) or None
        The file that contains it, if an external link leads to another file.
    properties : h5py.h5p.PropDCID
        Its creation property list.
    """

    dataset: Any
    serial: int
    file: OpenFile
    elsewhere: tuple[str, FileSignature] | None
    properties: Any

    @property
    def signatures(self) -> tuple[tuple[str, FileSignature], ...]:
        """The paths and signatures of the files on the way to it."""
        own = (self.file.path, self.file.signature)
        return (own,) if self.elsewhere is None else (own, self.elsewhere)


@cache
def h5py() -> Any:
    """Return the module h5py.

    Raises
    ------
    MissingDependencyError
        If it is not installed.
    """
    with hdf5_lock, needing("h5py", "hdf5", "reading HDF5 files"):
        import h5py as module

        guard_forks()
    return module


# The module is there before its import is over.
hdf5_lock.heed(lambda: getattr(sys.modules.get("h5py._objects"), "phil", None))


def _close(opened: OpenFile) -> None:
    # A dataset found by an external link keeps its file open.
    for key in datasets.open_keys():
        if key[0] == opened.serial:
            datasets.discard(key)
    opened.file.close()


serials = itertools.count(1)  # each opening has its own number
# Each source holds its path; other uses hold it for their duration.
files: HandlePool[OpenFile] = HandlePool(_close, hdf5_lock, guarded=True)
hdf5_lock.close_at_forks(files.clear)
# A dataset is closed when it is dropped; the pool limits libhdf5's chunk caches.
datasets: HandlePool[OpenDataset] = HandlePool(lambda _: None, hdf5_lock, guarded=True)


def held_as(path: str, swmr: bool) -> Hashable:
    """Return the key of a file in `files`, which differs with `swmr`."""
    return (path, "swmr") if swmr else path


def open_file(path: str, swmr: bool = False) -> OpenFile:
    """Return the open file `path`, which is opened again if it has changed.

    The caller holds or visits its key in `files`; otherwise it may be closed.

    Parameters
    ----------
    path : str
        The file.
    swmr : bool
        Whether it may grow while it is open, by HDF5's SWMR (single writer, multiple
        readers).  Then it is opened again only if it was replaced or became shorter.

    Raises
    ------
    GoneError
        If the file does not exist.
    OpenError
        If it cannot be opened, or is not an HDF5 file.
    """
    signature = signature_of(path) if swmr else settled_signature(path)
    key = held_as(path, swmr)
    opened = files.get(key, lambda: _open(path, signature, swmr))
    if swmr and opened.signature.grew_to(signature):
        opened.signature = signature
    if opened.signature != signature:
        forget(path)
        opened = files.get(key, lambda: _open(path, signature, swmr))
    return opened


def _open(path: str, signature: FileSignature, swmr: bool = False) -> OpenFile:
    start = time.perf_counter()
    # "best-effort": lock the file if the file system has locks.
    how = {"locking": "best-effort", "rdcc_nbytes": CHUNK_CACHE_BYTES, "swmr": swmr}
    try:
        if not swmr:  # a writer may be half-way through a heap
            check_heaps(path, signature.size)
        file = h5py().File(path, "r", **how)
    except OpenError:
        raise
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE) and len(files):
            raise  # the pool closes other files and tries again
        raise OpenError(path, _problem(error, swmr)) from error
    if file.swmr_mode and not swmr:
        # libhdf5 shares the open file, and with it the possibly outdated metadata.
        file.close()
        raise OpenError(path, "this program reads it with `swmr=True` already: pass that here too")
    log.debug("opened %s in %.1f ms", path, (time.perf_counter() - start) * 1e3)
    return OpenFile(path, file, signature)


def forget(path: str) -> None:
    """Close all files and datasets, because the file at `path` has changed.

    libhdf5 keeps the metadata of a file while any handle of it is open, also by another path
    of the file, or of a dataset found by an external link.
    """
    log.info("%s has changed: opening files again", path)
    datasets.clear()
    files.clear()


def open_dataset(path: str, name: str, swmr: bool = False) -> OpenDataset:
    """Return the dataset `name` of `path`, which stays open for the next read.

    Virtual datasets are opened each time, and closed with the last reference: libhdf5
    would keep the files of all their parts open, even replaced ones.

    Raises
    ------
    OpenError, GoneError, VariableError
        As raised by :func:`open_file` and :func:`resolve`.
    """
    opened = open_file(path, swmr)
    key = (opened.serial, name)
    if key in datasets:
        dataset = datasets.get(key, lambda: _dataset(path, opened, name))
        if dataset.elsewhere is None or signature_of(dataset.elsewhere[0]) == dataset.elsewhere[1]:
            return dataset
        path_elsewhere = dataset.elsewhere[0]
        del dataset
        forget(path_elsewhere)
        opened = open_file(path, swmr)
        key = (opened.serial, name)
    fresh = _dataset(path, opened, name)
    virtual = fresh.properties.get_layout() == h5py().h5d.VIRTUAL
    return fresh if virtual else datasets.get(key, lambda: fresh)


def _dataset(path: str, opened: OpenFile, name: str) -> OpenDataset:
    dataset = resolve(path, opened.file, name)
    elsewhere = None
    if not _lies_in(dataset.id, opened.file):
        real = dataset.file.filename
        elsewhere = real, signature_of(real)
    serial = opened.serial if elsewhere is None else next(serials)
    return OpenDataset(dataset, serial, opened, elsewhere, dataset.id.get_create_plist())


def _lies_in(item: Any, file: Any) -> bool:
    name_of = h5py().h5f.get_name
    return bool(name_of(item) == name_of(file.id))


def _problem(error: OSError, swmr: bool) -> str:
    """Return one sentence on why libhdf5 could not open a file."""
    text = one_line(error)
    if "not the same for file that is already open" in text:
        return "this program reads it without `swmr=True` already: drop those arrays, or omit it"
    if "already open for" in text and swmr:
        return (
            "a program is writing to it, but not by SWMR (single writer, multiple readers), "
            "or has ended without closing it; try again when it is done"
        )
    if "already open for" in text:
        return (
            "a program is most likely writing to it: pass `swmr=True` to read it meanwhile (HDF5's "
            "SWMR: single writer, multiple readers), or try again when it is done"
        )
    if error.errno in (errno.EAGAIN, errno.EWOULDBLOCK):
        return "a program that writes to it has locked it; try again when it is done"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "permission denied"
    if "file signature not found" in text:
        return "it is not an HDF5 file"
    sizes = re.search(r"truncated file: eof = (\d+),.* stored_eof = (\d+)", text)
    if sizes:
        return f"it is truncated: it has {sizes[1]} of {sizes[2]} bytes"
    return text


def normal_name(name: str) -> str:
    """Return the path of a dataset without redundant slashes and dots.

    Examples
    --------
    >>> normal_name("/group//./values/")
    'group/values'
    """
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def resolve(location: str, file: Any, name: str) -> Any:
    """Return the h5py Dataset `name` of an open file.

    Raises
    ------
    VariableError
        If there is no such dataset; it says what is there instead, or which link is broken.
    GoneError
        If an external link leads to a missing file.
    """
    try:
        item = file[name.encode("utf-8", "surrogateescape")] if name else file
    except _LOOKUP_ERRORS as error:
        broken = _broken_link(location, file, name, error)
        if broken is not None:
            raise broken from error
        try:
            available = tuple(walk(file))
        except _LOOKUP_ERRORS:
            raise OpenError(location, f"it is damaged: {one_line(error)}") from error
        raise VariableError(location, f"there is no variable {name!r} in it", available) from None
    if isinstance(item, h5py().Dataset):
        return item
    if isinstance(item, h5py().Group):
        inside = tuple(f"{name}/{path}" if name else path for path in walk(item))
        problem = f"{name!r} is a group" if name else "the root is a group"
        raise VariableError(location, f"{problem}; name a variable in it", inside)
    raise VariableError(location, f"{name!r} is a {type(item).__name__}, not a variable")


def _broken_link(location: str, file: Any, name: str, error: Exception) -> OpenError | None:
    """Return the error of the broken link on the path to `name`, if there is one."""
    group, done = file, ""
    for part in name.split("/"):
        try:
            link = group.get(part, getlink=True)
        except _LOOKUP_ERRORS:
            link = None
        if link is None:
            return None
        done = f"{done}/{part}" if done else part
        try:
            group = group[part]
        except _LOOKUP_ERRORS as failure:
            error = failure
        else:
            if isinstance(group, h5py().Group):
                continue
            return None
        if isinstance(link, h5py().SoftLink):
            return VariableError(
                location, f"{done!r} is a soft link to {link.path!r}: {one_line(error)}"
            )
        if isinstance(link, h5py().ExternalLink):
            problem = (
                f"{done!r} is an external link to {link.path!r} in the file "
                f"{link.filename!r}: {one_line(error)}"
            )
            gone = re.search(r"can't open file|unable to open external file", one_line(error))
            return GoneError(location, problem) if gone else VariableError(location, problem)
        return OpenError(location, f"cannot open {done!r} in it: {one_line(error)}")
    return None


def walk(group: Any) -> Iterator[str]:
    """Yield the path of each dataset below `group`, depth first, in the order of the file.

    Links are followed unless they are broken.  A group is not entered
    again from within itself, nor more than `ALIASES` times in total.
    """
    yield from _walk(group, "", (_identity(group),), {})


def _walk(
    group: Any, prefix: str, above: tuple[object, ...], visits: dict[object, int]
) -> Iterator[str]:
    for key in group:  # h5py gives names as bytes if they are not UTF-8
        name = key.decode("utf-8", "surrogateescape") if isinstance(key, bytes) else key
        if _is_dataset_here(group, name):
            yield prefix + name
            continue
        try:
            item = group[name]
        except _LOOKUP_ERRORS:
            continue  # a broken link; opening it raises an error
        if isinstance(item, h5py().Dataset):
            yield prefix + name
        elif isinstance(item, h5py().Group):
            identity = _identity(item)
            visits[identity] = visits.get(identity, 0) + 1
            if identity not in above and visits[identity] <= ALIASES:
                yield from _walk(item, f"{prefix}{name}/", (*above, identity), visits)


def _is_dataset_here(group: Any, name: str) -> bool:
    """Return whether a name is that of a dataset, not of a link, without opening it."""
    library = h5py()
    encoded = name.encode("utf-8", "surrogateescape")
    try:
        if group.id.links.get_info(encoded).type != library.h5l.TYPE_HARD:
            return False
        return bool(library.h5o.get_info(group.id, encoded).type == library.h5o.TYPE_DATASET)
    except _LOOKUP_ERRORS:
        return False  # the caller opens it to find out


def _identity(group: Any) -> object:
    info = h5py().h5o.get_info(group.id)
    return info.fileno, info.addr
