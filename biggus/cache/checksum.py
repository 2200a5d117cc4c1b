"""Checksums: the CRC-32 of what is small, and of a few kilobytes to which the rest is added up.

To go over all bytes as CRC-32 does takes several times as long as to read them.  Sums of
64-bit words go at the speed of memory.  Each word goes into one sum of each of two rows, of lengths
that have no factor in common: a changed word changes its sums, and words that change places do so
unless they are megabytes apart.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterable

Bytes: TypeAlias = bytes | memoryview

SMALL = 1 << 16
"""Of fewer bytes the CRC is of themselves."""

_WORD = np.dtype("<u8")
_ROWS = 512, 509


def crc(parts: Iterable[Bytes]) -> int:
    """Return the CRC-32 of some bytes, one after the other."""
    found = 0
    for part in parts:
        found = zlib.crc32(part, found)
    return found


def checksum(parts: Iterable[Bytes]) -> int:
    """Return the checksum of some bytes, which are in these parts.

    Examples
    --------
    >>> checksum([b"one", b"two"]) == crc([b"onetwo"])
    True
    >>> checksum([bytes(100_000)]) == checksum([bytes(99_999) + b"1"])
    False
    """
    return crc(piece for part in parts for piece in _folded(part))


def _folded(part: Bytes) -> list[Bytes]:
    size = len(part)
    if size < SMALL:
        return [part]
    data: npt.NDArray[np.uint8] = np.frombuffer(part, np.uint8)
    words = size // _WORD.itemsize
    whole = data[: words * _WORD.itemsize].view(_WORD)
    pieces: list[Bytes] = [size.to_bytes(8, "little")]
    for row in _ROWS:
        end = words // row * row
        sums = np.add.reduce(whole[:end].reshape(-1, row), axis=0, dtype=_WORD)
        pieces += [sums.astype(_WORD, copy=False).data, whole[end:].view(np.uint8).data]
    pieces.append(data[words * _WORD.itemsize :].data)
    return pieces
