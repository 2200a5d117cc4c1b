"""The checksum of entries: XXH3."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, TypeAlias

from biggus.support.forks import between_forks

if TYPE_CHECKING:
    from collections.abc import Iterable

    import xxhash

Bytes: TypeAlias = bytes | memoryview


def checksum(parts: Iterable[Bytes]) -> int:
    """Return the low 32 bits of the XXH3 (64 bits) of the concatenation of some bytes.

    Examples
    --------
    >>> checksum([b"one", b"two"]) == checksum([b"onetwo"])
    True
    >>> hex(checksum([b""]))
    '0x38d394c2'
    """
    digest = _kind()()
    for part in parts:
        digest.update(part)
    return int(digest.intdigest() & 0xFFFFFFFF)


@functools.cache
def _kind() -> type[xxhash.xxh3_64]:
    with between_forks():
        import xxhash  # not before an entry is stored or read
    return xxhash.xxh3_64
