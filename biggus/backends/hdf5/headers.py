"""Object headers of HDF5: the attributes of variable length, read from the bytes of the file.

libhdf5 returns values of variable length only after it has followed their references into a
global heap, which may be damaged.  Here the references themselves are read.  An object header
consists of blocks of messages.  A message holds an attribute, or the address of a further
block, or the address of the fractal heap that holds the attributes if there are many.

The format is that of the "HDF5 File Format Specification Version 3.0" of The HDF Group.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from struct import Struct
from typing import NamedTuple

_DATATYPE, _ATTRIBUTE, _BLOCK, _MANY = 0x03, 0x0C, 0x10, 0x15
_NULL = 2
"""The type of a dataspace that has no elements."""

_FIRST_MESSAGE, _MESSAGE = Struct("<HH4x"), Struct("<BHx")
_SIZES = Struct("<BBHHH")
_FRACTAL = Struct("<7xH101xHQQH2xQH")
VARIABLE = re.compile(rb"[\x09\x19\x29\x39\x49\x59]...[\1-\x40]\0\0\0", re.DOTALL)
"""The first bytes of a datatype of variable length: class and version, flags, size."""

_LIKE_ATTRIBUTE = re.compile(rb"(?=[\1-\3][\0-\3].[\0-\x0f].[\0-\x0f].\0)", re.DOTALL)

_MOST_BYTES = 2**12
"""The largest attribute in a fractal heap.  Larger ones lie elsewhere, and are not looked for."""


class StoredAttribute(NamedTuple):
    """The datatype and the values of an attribute, as the file stores them."""

    kind: bytes
    values: bytes


class Headers:
    """The object headers of a file.

    Parameters
    ----------
    read : callable
        Called with an address and a count; returns that many bytes of the file, or fewer at its
        end.
    offset, length : int
        How many bytes an address and a size take in the file.
    """

    def __init__(self, read: Callable[[int, int], bytes], offset: int, length: int) -> None:
        self._read = read
        self._offset = offset
        self._length = length

    def attributes(self, address: int) -> Iterator[StoredAttribute]:
        """Yield the attributes of the object at an address that may be of variable length."""
        for kind, body in self._messages(address):
            if kind == _ATTRIBUTE:
                # Most attributes are not, which shows without taking them apart.
                if body[1:2] != b"\0" or VARIABLE.search(body):
                    yield from self._attribute(body)
            elif kind == _MANY and self._offset == self._length == 8:
                start = 4 if _number(body[1:2]) & 1 else 2
                for block in self._fractal(_number(body[start : start + 8])):
                    for match in _LIKE_ATTRIBUTE.finditer(block):
                        at = match.start()
                        yield from self._attribute(block[at : at + _MOST_BYTES])

    def _messages(self, address: int) -> Iterator[tuple[int, bytes]]:
        start = self._read(address, 64).ljust(64, b"\0")
        if start[:4] == b"OHDR":
            flags = start[5]
            at = 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
            width = 1 << (flags & 3)
            blocks = [(address + at + width, _number(start[at : at + width]))]
            message, prefix, mark = _MESSAGE, 6 if flags & 4 else 4, 4
        else:
            blocks = [(address + 16, _number(start[8:12]))]
            message, prefix, mark = _FIRST_MESSAGE, 8, 0
        for block in blocks:
            data, at = self._read(*block), 0
            while at + prefix <= len(data):
                kind, size = message.unpack_from(data, at)
                body = data[at + prefix : at + prefix + size]
                at += prefix + size
                if kind == _BLOCK:
                    where, nbytes = body[: self._offset], body[self._offset :][: self._length]
                    further = _number(where) + mark, _number(nbytes) - 2 * mark
                    if further not in blocks:
                        blocks.append(further)
                else:
                    yield kind, body

    def _attribute(self, body: bytes) -> Iterator[StoredAttribute]:
        """Yield the attribute in the body of a message, if it is one."""
        if len(body) < _SIZES.size:
            return
        version, flags, *sizes = _SIZES.unpack_from(body)
        at = 9 if version == 3 else 8
        parts = []
        for size in sizes:
            parts.append(body[at : at + size])
            at += -(-size // 8) * 8 if version == 1 else size
        name, kind, space = parts
        if not name or len(kind) < 8 or len(space) < 4:
            return
        if flags & 1:
            kind = self._named(kind)
        yield StoredAttribute(kind, body[at : at + self._count(space) * _number(kind[4:8])])

    def _count(self, space: bytes) -> int:
        """Return how many elements a dataspace has."""
        version, ndim, _, kind = space[:4]
        if version != 1 and kind == _NULL:
            return 0
        first, length = 8 if version == 1 else 4, self._length
        starts = range(first, first + ndim * length, length)
        return math.prod(_number(space[start : start + length]) for start in starts)

    def _named(self, link: bytes) -> bytes:
        """Return the datatype that a link leads to, or an empty one if the link is broken."""
        address = _number(link[8 if link[0] == 1 else 2 :][: self._offset])
        return next((body for kind, body in self._messages(address) if kind == _DATATYPE), b"")

    def _fractal(self, address: int) -> Iterator[bytes]:
        """Yield the blocks directly below the root of a fractal heap."""
        head = self._read(address, _FRACTAL.size)
        if len(head) < _FRACTAL.size or head[:4] != b"FRHP":
            return
        filters, width, first, most, bits, root, rows = _FRACTAL.unpack(head)
        if filters:
            return
        if not rows:
            yield self._read(root, first)
            return
        before = 13 + -(-bits // 8)
        table = self._read(root, before + 8 * width * rows)[before:]
        for start in range(0, len(table), 8):
            size = first << max(0, start // (8 * width) - 1)
            if size > most:
                break  # the following entries are indirect blocks
            yield self._read(_number(table[start : start + 8]), size)


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")
