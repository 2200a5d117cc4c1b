"""Checks of the attributes of open files, before libhdf5 follows them into a global heap.

The caller holds the lock of libhdf5.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any, NamedTuple

from biggus.backends.hdf5.files import h5py
from biggus.backends.hdf5.headers import Headers
from biggus.backends.hdf5.heaps import Heaps


class _CheckedFile(NamedTuple):
    """An open file, identified by the number that libhdf5 gives to each opening."""

    number: int
    headers: Headers
    heaps: Heaps
    checked: set[int]
    """The addresses of the objects whose attributes were checked."""


_last: list[_CheckedFile] = []
"""The file that was checked last, if any."""


def check_attributes(place: Any) -> None:
    """Check that libhdf5 can read the attributes of an object, an h5py DatasetID or GroupID.

    Nothing is checked if the file is open for writing, is not a plain file, or if the system has
    no `os.pread`.

    Raises
    ------
    HeapError
        If an attribute refers to a damaged heap.
    """
    info = h5py().h5o.get_info(place)
    _check([info.addr], info.fileno, place)


def check_all_attributes(file: Any) -> None:
    """Check the attributes of all objects of a file, an h5py FileID, as `check_attributes` does.

    Raises
    ------
    HeapError
        As `check_attributes`.
    """
    library = h5py()
    root = library.h5o.get_info(file)
    addresses = [root.addr]
    with contextlib.suppress(OSError, RuntimeError, ValueError):  # found when it is read
        library.h5o.visit(file, lambda _, info: addresses.append(info.addr), info=True)
    _check(addresses, root.fileno, file)


def _check(addresses: list[int], number: int, place: Any) -> None:
    if not _last or _last[0].number != number:
        file = _file_of(place, number)
        if file is None:
            return
        _last[:] = [file]
    file = _last[0]
    for address in addresses:
        if address not in file.checked:
            for kind, values in file.headers.attributes(address):
                file.heaps.check(values, kind)
            file.checked.add(address)


def _file_of(place: Any, number: int) -> _CheckedFile | None:
    library = h5py()
    file = library.h5i.get_file_id(place)
    plain = file.get_access_plist().get_driver() == library.h5fd.SEC2
    if not plain or file.get_intent() != library.h5f.ACC_RDONLY or not hasattr(os, "pread"):
        return None
    created = file.get_create_plist()
    before, descriptor = created.get_userblock(), file.get_vfd_handle()
    size = os.fstat(descriptor).st_size - before

    def read(start: int, count: int) -> bytes:
        count = min(count, size - start)
        return os.pread(descriptor, count, before + start) if count > 0 else b""

    widths = created.get_sizes()
    return _CheckedFile(number, Headers(read, *widths), Heaps(read, *widths), set())
