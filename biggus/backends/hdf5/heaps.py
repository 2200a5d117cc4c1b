"""Global heaps: the lists in an HDF5 file that hold its values of variable length.

Strings, sequences, and the references between dimensions and variables are stored as objects,
one behind the other, in collections.  libhdf5 steps from each object to the next by the size of
the object.  A free object of size zero makes it loop for ever, and the loop cannot be
interrupted.  Zeroed or shifted bytes in a collection leave such objects.  libhdf5 also allocates
memory for as many values as a reference names, even if the object is smaller.  Therefore
collections and references are checked before libhdf5 reads them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from struct import Struct

from biggus.backends.hdf5.headers import VARIABLE
from biggus.errors import OpenError

MOST_BYTES = 2**18
"""The largest file, in bytes, that is searched for collections.  The search takes 1 ns a byte."""

_COLLECTION = re.compile(rb"GCOL\x01")
_FILE = re.compile(rb"\x89HDF\r\n\x1a\n")
_NUMBERS = {2: "H", 4: "I"}

_BASE = 8
"""The offset of the datatype of the elements in a datatype of variable length."""

_MOST_NOWHERE = 2**20
"""The most bytes that libhdf5 may allocate before it finds that a reference leads nowhere."""


class HeapError(ValueError):
    """A global heap, or a reference into one, is damaged."""


class Heaps:
    """The global heaps of a file.  Each is checked once.

    Parameters
    ----------
    read : callable
        Called with an address and a count; returns that many bytes of the file, or fewer at its
        end.
    offset, length : int
        How many bytes an address and a size take in the file.
    """

    def __init__(self, read: Callable[[int, int], bytes], offset: int = 8, length: int = 8) -> None:
        self._read = read
        self._header = 8 + max(8, -(-length // 8) * 8)  # of a collection and of an object
        self._object = Struct("<H6x" + _NUMBERS.get(length, "Q"))
        self._reference = Struct(f"<I{_NUMBERS.get(offset, 'Q')}I")
        self._known: dict[int, dict[int, tuple[int, int]]] = {}

    def check(self, values: bytes, kind: bytes) -> None:
        """Check that libhdf5 can read the values of an attribute or a dataset.

        A reference that leads nowhere is left to libhdf5, which raises an error for it.

        Parameters
        ----------
        values : bytes
            The stored values.
        kind : bytes
            The stored datatype.

        Raises
        ------
        HeapError
            If a heap has no end, or an object is smaller than the values that refer to it.
        """
        reference, last = self._reference, len(values) - self._reference.size
        if VARIABLE.match(kind):
            base = kind[_BASE:]
            itemsize, nested = int.from_bytes(base[4:8], "little"), VARIABLE.search(base)
            for at in range(0, last + 1, max(kind[4], reference.size)):
                count, address, index = reference.unpack_from(values, at)
                start, nbytes = self.objects(address).get(index, (0, None))
                if nbytes is None and count * itemsize <= _MOST_NOWHERE:
                    continue
                if nbytes is None or count * itemsize > nbytes:
                    raise HeapError(f"the object at byte {start} does not hold {count} values")
                if nested:
                    self.check(self._read(start, nbytes), base)
        elif VARIABLE.search(kind):  # a member of a structure or an array, at an unknown offset
            for at in range(last + 1):
                self.objects(reference.unpack_from(values, at)[1])

    def objects(self, address: int) -> dict[int, tuple[int, int]]:
        """Return the address and the size of each object of a collection, by index.

        Empty if no whole collection lies at the address: libhdf5 raises an error for it.

        Raises
        ------
        HeapError
            If the objects do not end at the end of the collection.
        """
        known = self._known.get(address)
        if known is None:
            known = self._known[address] = self._walk(address)
        return known

    def _walk(self, address: int) -> dict[int, tuple[int, int]]:
        header, decode = self._header, self._object.unpack_from
        objects: dict[int, tuple[int, int]] = {}
        start = self._read(address, header)
        if len(start) < header or not _COLLECTION.match(start):
            return objects
        end: int = decode(start)[1]
        data = self._read(address, end)
        if len(data) < end:
            return objects
        at = header
        while at + header <= end:
            index, nbytes = decode(data, at)
            objects[index] = address + at + header, nbytes
            step = header + -(-nbytes // 8) * 8 if index else nbytes
            at += step
            if step < header or at > end:
                raise HeapError(f"the global heap at byte {address} has no end")
        return objects


def start_of(path: str, size: int) -> bytes:
    """Return all bytes of a file, or the first 8 if it has more than `MOST_BYTES`.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    with Path(path).open("rb", buffering=0) as file:
        return file.read(size if size <= MOST_BYTES else 8)


def check_heaps(path: str, size: int, data: bytes | None = None) -> bool:
    """Check that each global heap of a small file has an end.

    Parameters
    ----------
    path : str
        The file.
    size : int
        The size of the file in bytes.
    data : bytes, optional
        The result of `start_of`, if it is known already.

    Returns
    -------
    bool
        Whether the file was checked.  A file of more than `MOST_BYTES` is not.

    Raises
    ------
    OpenError
        If a heap is damaged.
    OSError
        If the file cannot be read.
    """
    if size > MOST_BYTES:
        return False
    data = start_of(path, size) if data is None else data
    heaps = None
    for match in _COLLECTION.finditer(data):
        if heaps is None:
            heaps = Heaps(lambda start, count: data[start : start + count], length=_length(data))
        try:
            heaps.objects(match.start())
        except HeapError as error:
            raise OpenError(path, f"it is damaged: {error}") from error
    return True


def _length(data: bytes) -> int:
    """Return how many bytes a size takes in a file, usually 8."""
    match = _FILE.search(data)
    superblock = data[match.start() : match.start() + 16] if match else b""
    where = 14 if superblock[8:9] < b"\2" else 10
    return superblock[where] if len(superblock) > where else 8
