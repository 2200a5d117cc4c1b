"""Checksums of entries: XXH3, and CRC-32 of those that were written before."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

Bytes: TypeAlias = bytes | memoryview


def crc(parts: Iterable[Bytes]) -> int:
    """Return the CRC-32 of some bytes, one after the other."""
    found = 0
    for part in parts:
        found = zlib.crc32(part, found)
    return found


def checksum(parts: Iterable[Bytes]) -> int:
    """Return the low half of the XXH3 (64 bits) of some bytes, one after the other.

    Examples
    --------
    >>> checksum([b"one", b"two"]) == checksum([b"onetwo"])
    True
    >>> hex(checksum([b""]))
    '0x38d394c2'
    """
    import xxhash  # not before something is kept

    digest = xxhash.xxh3_64()
    for part in parts:
        digest.update(part)
    found: int = digest.intdigest() & 0xFFFFFFFF
    return found
