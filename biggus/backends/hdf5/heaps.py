"""Global heaps: the lists in an HDF5 file that hold its values of variable length.

Texts, sequences, and the references between dimensions and variables lie in collections of
objects, one object behind the other.  libhdf5 steps from each object to the next by its
size.  It never leaves a free object of size zero, and it cannot be interrupted there.  Such
an object is what zeros, or bytes that were shifted, leave in a collection.  So the
collections of a file are checked before libhdf5 reads them.
"""

from __future__ import annotations

import os
import re
import struct

from biggus.errors import OpenError

MOST_BYTES = 2**18
"""Files of at most so many bytes are checked, which takes 1 ns a byte."""

_COLLECTION = re.compile(rb"GCOL\x01")
_FILE = re.compile(rb"\x89HDF\r\n\x1a\n")
_LENGTHS = {2: "H", 4: "I"}


def check_heaps(path: str, size: int) -> bool:
    """Make sure that libhdf5 comes to the end of each global heap collection of a file.

    Parameters
    ----------
    path : str
        The file.
    size : int
        How many bytes it has.

    Returns
    -------
    bool
        Whether the file was checked: not if it has more than `MOST_BYTES`.

    Raises
    ------
    OpenError
        If a collection is damaged.
    OSError
        If the file cannot be read.
    """
    if size > MOST_BYTES:
        return False
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))
    try:
        data = os.read(fd, size)
    finally:
        os.close(fd)
    header, objects = _layout_of(data)
    for found in _COLLECTION.finditer(data):
        if not _ends(data, found.start(), header, objects):
            raise OpenError(
                path,
                f"it is damaged: the global heap at byte {found.start()}, which holds values "
                "or attributes of variable length, has no end",
            )
    return True


def _layout_of(data: bytes) -> tuple[int, struct.Struct]:
    """Return how many bytes stand before the first object and in front of each, and their format.

    The format gives the index of an object, which is 0 if it is free, and its size.
    """
    found = _FILE.search(data)
    superblock = data[found.start() :] if found else b""
    where = 14 if superblock[8:9] < b"\2" else 10
    width = superblock[where] if len(superblock) > where else 8  # of a length, in bytes
    return 8 + max(8, -(-width // 8) * 8), struct.Struct("<H6x" + _LENGTHS.get(width, "Q"))


def _ends(data: bytes, start: int, header: int, objects: struct.Struct) -> bool:
    """Tell whether the objects of the collection at `start` end where the collection does.

    True as well if the collection does not end within the file: libhdf5 refuses to read it.
    """
    at = start + header
    if at > len(data):
        return True
    size: int = objects.unpack_from(data, start)[1]
    end = start + size
    if end > len(data):
        return True
    while at + header <= end:
        index, nbytes = objects.unpack_from(data, at)
        step = header + -(-nbytes // 8) * 8 if index else nbytes
        if step < header:
            return False
        at += step
    return at <= end
