"""Open HDF5 files and datasets: pooled, checked on each use, and what is in them.

Everything here is called with `hdf5_lock` held.
"""

# Paths are strings here, as libhdf5 has them.

from __future__ import annotations

import contextlib
import errno
import itertools
import logging
import os
import re
import time
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from biggus.backends.descriptor import Descriptor
from biggus.backends.files import HandlePool
from biggus.backends.hdf5.heaps import check_heaps
from biggus.backends.native import guard_forks, hdf5_lock
from biggus.backends.pieces import one_line
from biggus.backends.settling import settled_signature
from biggus.backends.signature import FileSignature, signature_of
from biggus.errors import GoneError, OpenError, VariableError
from biggus.support.extras import needing

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

log = logging.getLogger("biggus.backends.hdf5")

CHUNK_CACHE_BYTES = 2**20
"""libhdf5's own chunk cache, for each open dataset: small, for biggus reads whole
chunks where it can, and 128 datasets may be open."""

ALIASES = 16
"""Under how many paths one and the same group is listed; links can make infinitely many."""

_LOOKUP_ERRORS = (KeyError, ValueError, RuntimeError, OSError)


class OpenFile:
    """A file that is open, the number of that opening, and how the file was then."""

    def __init__(self, path: str, file: Any, signature: FileSignature) -> None:
        self.path = path
        self.file = file
        self.serial = next(serials)
        self.signature = signature
        self.real_path = os.path.realpath(path)
        self._descriptor: Descriptor | None = None

    def descriptor(self) -> Descriptor | None:
        """Return what reads its bytes beside the library, or None if nothing can."""
        if self._descriptor is None:
            # None too where the process has no descriptor left: the library needs no more.
            with contextlib.suppress(OSError):
                self._descriptor = Descriptor.beside(self.file, self.path)
        return self._descriptor


class OpenDataset(NamedTuple):
    """A dataset that is open, and the number of the opening of its file.

    `elsewhere` is the file that it lies in, and its signature, where a link led to another;
    `properties` are those of its creation.
    """

    dataset: Any
    serial: int
    file: OpenFile
    elsewhere: tuple[str, FileSignature] | None
    properties: Any

    @property
    def looked(self) -> tuple[tuple[str, FileSignature], ...]:
        """The files that it lies in, and how they were."""
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
    with needing("h5py", "hdf5", "reading HDF5 files"):
        import h5py as module
    guard_forks()
    own = getattr(getattr(module, "_objects", None), "phil", None)
    if own is not None:
        hdf5_lock.heed(own)
    return module


def _close(opened: OpenFile) -> None:
    # A dataset that a link was followed to would keep the file that it lies in open.
    for key in datasets.open_keys():
        if key[0] == opened.serial:
            datasets.discard(key)
    opened.file.close()


serials = itertools.count(1)  # no two openings have the same number
# Held by path: by each source, and for the time of every other use.
files: HandlePool[OpenFile] = HandlePool(_close, hdf5_lock, guarded=True)
# A dataset is closed by letting it go; the pool bounds libhdf5's chunk caches.
datasets: HandlePool[OpenDataset] = HandlePool(lambda _: None, hdf5_lock, guarded=True)


def held_as(path: str, swmr: bool) -> Hashable:
    """Return the key of a file in `files`; one that is read while it grows has another."""
    return (path, "swmr") if swmr else path


def open_file(path: str, swmr: bool = False) -> OpenFile:
    """Return `path` open for reading, opened again if the file has changed since.

    The caller holds it in `files`, or visits it: it is closed when nobody does.

    Parameters
    ----------
    path : str
        The file.
    swmr : bool
        Whether it may grow while it is open, as HDF5's single writer lets its many readers
        see it; it is then opened again only if another file is there, or a shorter one.

    Raises
    ------
    GoneError
        If there is no such file (any more).
    OpenError
        If it cannot be opened, or is no HDF5 file.
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
    # "best-effort": where a file system has no locks, do without.
    how = {"locking": "best-effort", "rdcc_nbytes": CHUNK_CACHE_BYTES, "swmr": swmr}
    try:
        if not swmr:  # a writer may be half-way through a heap
            check_heaps(path, signature.size)
        file = h5py().File(path, "r", **how)
    except OpenError:
        raise
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE) and len(files):
            raise  # the pool makes room and tries again
        raise OpenError(path, _problem(error, swmr)) from error
    if file.swmr_mode and not swmr:
        # The library lets one in by what is open already, and would tell of what that saw.
        file.close()
        raise OpenError(path, "this program reads it with swmr=True already: pass that too")
    log.debug("opened %s in %.1f ms", path, (time.perf_counter() - start) * 1e3)
    return OpenFile(path, file, signature)


def forget(path: str) -> None:
    """Close all files and datasets, because the file at `path` has changed.

    libhdf5 keeps what it knows of a file as long as any handle leads there: by
    another name of the file, or a dataset that a link was followed to.
    """
    log.info("%s has changed: opening files again", path)
    datasets.clear()
    files.clear()


def open_dataset(path: str, name: str, swmr: bool = False) -> OpenDataset:
    """Return the dataset `name` of `path`, kept open for the next read.

    Virtual datasets are opened anew, and closed with the last reference: libhdf5
    would keep all the files behind them open, replaced ones too.

    Raises
    ------
    OpenError, GoneError, VariableError
        As :func:`open_file` and :func:`resolve`.
    """
    opened = open_file(path, swmr)
    key = (opened.serial, name)
    if key in datasets:
        held = datasets.get(key, lambda: _dataset(path, opened, name))
        if held.elsewhere is None or signature_of(held.elsewhere[0]) == held.elsewhere[1]:
            return held
        path_elsewhere = held.elsewhere[0]
        del held
        forget(path_elsewhere)
        opened = open_file(path, swmr)
        key = (opened.serial, name)
    fresh = _dataset(path, opened, name)
    virtual = fresh.properties.get_layout() == h5py().h5d.VIRTUAL
    return fresh if virtual else datasets.get(key, lambda: fresh)


def _dataset(path: str, opened: OpenFile, name: str) -> OpenDataset:
    dataset = _inside(opened.file, name)
    if dataset is None:
        dataset = resolve(path, opened.file, name)
    elsewhere = None
    if not _lies_in(dataset.id, opened.file):
        real = dataset.file.filename
        elsewhere = real, signature_of(real)
    serial = opened.serial if elsewhere is None else next(serials)
    return OpenDataset(dataset, serial, opened, elsewhere, dataset.id.get_create_plist())


def _inside(file: Any, name: str) -> Any:
    """Return the h5py Dataset `name` of an open file if that is in it, else None.

    In a third of the time of ``file[name]``, which must be asked for all else.
    """
    library = h5py()
    try:
        found = library.h5o.open(file.id, name.encode("utf-8", "surrogateescape"))
    except (*_LOOKUP_ERRORS, TypeError):
        return None
    if not isinstance(found, library.h5d.DatasetID) or not _lies_in(found, file):
        return None
    return library.Dataset(found, readonly=True)


def _lies_in(item: Any, file: Any) -> bool:
    name_of = h5py().h5f.get_name
    return bool(name_of(item) == name_of(file.id))


def _problem(error: OSError, swmr: bool) -> str:
    """Say in one sentence why libhdf5 could not open a file."""
    text = one_line(error)
    if "not the same for file that is already open" in text:
        return "this program reads it without swmr=True already: drop what does, or do without"
    if "already open for" in text and swmr:
        return (
            "a program is writing to it, but not as a single writer with many readers (SWMR), "
            "or has ended without closing it; try again when it is done"
        )
    if "already open for" in text:
        return (
            "a program is writing to it, most likely: pass swmr=True to read along (HDF5's "
            "single writer, many readers), or try again when it is done"
        )
    if error.errno in (errno.EAGAIN, errno.EWOULDBLOCK):
        return "a program that writes to it has locked it; try again when it is done"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "permission denied"
    if "file signature not found" in text:
        return "it is not an HDF5 file"
    sizes = re.search(r"truncated file: eof = (\d+),.* stored_eof = (\d+)", text)
    if sizes:
        return f"it is truncated: {sizes[1]} of {sizes[2]} bytes are there"
    return text


def normal_name(name: str) -> str:
    """Return the path of a dataset without needless slashes and dots.

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
        If there is none: what is there instead, or where a link breaks off.
    GoneError
        If an external link leads to a file that is not there.
    """
    try:
        found = file[name] if name else file
    except _LOOKUP_ERRORS as error:
        broken = _broken_link(location, file, name, error)
        if broken is not None:
            raise broken from error
        try:
            available = tuple(walk(file))
        except _LOOKUP_ERRORS:
            raise OpenError(location, f"it is damaged: {one_line(error)}") from error
        raise VariableError(location, f"there is no variable {name!r} in it", available) from None
    if isinstance(found, h5py().Dataset):
        return found
    if isinstance(found, h5py().Group):
        inside = tuple(f"{name}/{path}" if name else path for path in walk(found))
        what = f"{name!r} is a group" if name else "the root is a group"
        raise VariableError(location, f"{what}; name a variable in it", inside)
    raise VariableError(location, f"{name!r} is a {type(found).__name__}, not a variable")


def _broken_link(location: str, file: Any, name: str, error: Exception) -> OpenError | None:
    """Return the error for the link at which the way to `name` breaks off, if it is one."""
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
    """Yield the path of each dataset below `group`, depth first, in the file's order.

    Links are followed where they lead to something.  A group is not entered
    again from within itself, nor more than `ALIASES` times in all.
    """
    yield from _walk(group, "", (_identity(group),), {})


def _walk(
    group: Any, prefix: str, above: tuple[object, ...], visits: dict[object, int]
) -> Iterator[str]:
    for name in group:
        if _is_dataset_here(group, name):
            yield prefix + name
            continue
        try:
            item = group[name]
        except _LOOKUP_ERRORS:
            continue  # a dangling link; opening it tells what is wrong
        if isinstance(item, h5py().Dataset):
            yield prefix + name
        elif isinstance(item, h5py().Group):
            identity = _identity(item)
            visits[identity] = visits.get(identity, 0) + 1
            if identity not in above and visits[identity] <= ALIASES:
                yield from _walk(item, f"{prefix}{name}/", (*above, identity), visits)


def _is_dataset_here(group: Any, name: str) -> bool:
    """Tell whether a name is that of a dataset, which is not opened for it; no link to one."""
    library = h5py()
    encoded = name.encode("utf-8", "surrogateescape")
    try:
        if group.id.links.get_info(encoded).type != library.h5l.TYPE_HARD:
            return False
        return bool(library.h5o.get_info(group.id, encoded).type == library.h5o.TYPE_DATASET)
    except _LOOKUP_ERRORS:
        return False  # whatever it is, it is looked at as all else is


def _identity(group: Any) -> object:
    info = h5py().h5o.get_info(group.id)
    return info.fileno, info.addr
