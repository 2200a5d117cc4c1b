"""Parsing the header of a classic netCDF file, to check that the file is complete.

The netCDF library reads zeros if a classic file was cut short.  The offsets and sizes of variables
in the header tell how long the file must be.  The formats are CDF-1 (classic), CDF-2 (64-bit
offset) and CDF-5 (64-bit data).
"""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import BinaryIO

MARKS = (b"CDF\x01", b"CDF\x02", b"CDF\x05")
"""The first bytes of the three classic formats."""

_DIMENSIONS, _VARIABLES, _ATTRIBUTES = 0xA, 0xB, 0xC
_ITEM_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 8, 7: 1, 8: 2, 9: 4, 10: 8, 11: 8}
_STREAMING = {4: 2**32 - 1, 8: 2**64 - 1}


class HeaderError(Exception):
    """The header of a classic file is invalid or incomplete."""


def shortfall(path: Path) -> int:
    """Return how many bytes of its variables a classic file lacks.

    Raises
    ------
    HeaderError
        If the header is damaged or cut short.
    OSError
        If the file cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        return max(0, _Header(file, size).needed - size)


class _Header:
    """Reads a header from its file; `needed` is the length that the file must have."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file = file
        self.left = size
        mark = self.take(4)
        if mark not in MARKS:
            raise HeaderError("it does not begin like a classic netCDF file")
        self.count_bytes = 8 if mark == MARKS[2] else 4
        self.begin_bytes = 4 if mark == MARKS[0] else 8
        self.needed = self.extent()

    def take(self, n: int) -> bytes:
        """Read the next `n` bytes."""
        if n > self.left:
            raise HeaderError("its header is damaged or cut short")
        self.left -= n
        return self.file.read(n)

    def skip(self, n: int) -> None:
        """Skip the next `n` bytes, and the padding to a multiple of four."""
        n += -n % 4
        if n > self.left:
            raise HeaderError("its header is damaged or cut short")
        self.left -= n
        self.file.seek(n, 1)

    def number(self, n: int) -> int:
        """Read an unsigned number of `n` bytes."""
        (value,) = struct.unpack(">I" if n == 4 else ">Q", self.take(n))
        return int(value)

    def count(self) -> int:
        """Read a count or a length."""
        return self.number(self.count_bytes)

    def items(self, tag: int) -> range:
        """Read the tag and the length of a list; return its indices."""
        kind, n = self.number(4), self.count()
        if kind != tag and (kind, n) != (0, 0):
            raise HeaderError("its header is damaged")
        return range(n)

    def item_bytes(self) -> int:
        """Read a type; return the number of bytes of a value."""
        try:
            return _ITEM_BYTES[self.number(4)]
        except KeyError:
            raise HeaderError("its header is damaged") from None

    def pass_attributes(self) -> None:
        """Skip a list of attributes."""
        for _ in self.items(_ATTRIBUTES):
            self.skip(self.count())
            self.skip(self.item_bytes() * self.count())

    def extent(self) -> int:
        """Read the rest of the header; return the end of the last value of any variable."""
        records = self.count()
        if records == _STREAMING[self.count_bytes]:
            records = 0  # the file was streamed, and may have any number
        lengths = []
        for _ in self.items(_DIMENSIONS):
            self.skip(self.count())
            lengths.append(self.count())
        self.pass_attributes()
        end, of_records = 0, []
        for _ in self.items(_VARIABLES):
            begin, n_bytes, grows = self.variable(lengths)
            if grows:
                of_records.append((begin, n_bytes))
            elif n_bytes:
                end = max(end, begin + n_bytes)
        # Each record holds one slab of each variable, padded to four bytes unless there is only
        # one variable.
        alone = len(of_records) == 1
        step = sum(n if alone else n + -n % 4 for _, n in of_records)
        for begin, n_bytes in of_records:
            if records and n_bytes:
                end = max(end, begin + (records - 1) * step + n_bytes)
        return end

    def variable(self, lengths: list[int]) -> tuple[int, int, bool]:
        """Read a variable; return its offset, its bytes (of one record), and if it has records."""
        self.skip(self.count())
        axes = [self.count() for _ in range(self.bounded(self.count()))]
        if any(axis >= len(lengths) for axis in axes):
            raise HeaderError("its header is damaged")
        self.pass_attributes()
        item_bytes = self.item_bytes()
        self.count()  # the size of the variable, which is capped and may be wrong
        begin = self.number(self.begin_bytes)
        shape = [lengths[axis] for axis in axes]
        grows = bool(shape) and shape[0] == 0
        return begin, math.prod(shape[1:] if grows else shape) * item_bytes, grows

    def bounded(self, n: int) -> int:
        """Return `n` if the file has room for that many numbers."""
        if n * self.count_bytes > self.left:
            raise HeaderError("its header is damaged or cut short")
        return n
