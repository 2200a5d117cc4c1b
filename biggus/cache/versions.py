"""The version of a box of several chunks, made of the versions of its chunks.  Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_MARK = b"biggus chunks\0"
_LENGTH_BYTES = 4


def join_versions(versions: Sequence[bytes | None]) -> bytes | None:
    """Return the version of a box from those of its chunks, in the order of the grid.

    It is the one that all chunks have if they have the same, such as the
    version of a file; None if that of any chunk is unknown.

    Examples
    --------
    >>> join_versions([b"a", b"a"]), join_versions([b"a", None])
    (b'a', None)
    >>> split_versions(join_versions([b"a", b"b"]), 2)
    [b'a', b'b']
    """
    known = [version for version in versions if version is not None]
    if not known or len(known) < len(versions):
        return None
    first = known[0]
    if len(known) == 1:
        return first
    # A joined one is joined again, lest it be taken for that of these chunks.
    if known.count(first) == len(known) and not first.startswith(_MARK):
        return first
    return _MARK + b"".join(len(v).to_bytes(_LENGTH_BYTES, "big") + v for v in known)


def split_versions(version: bytes, count: int) -> list[bytes] | None:
    """Return the versions of `count` chunks, or None if `version` is not of so many.

    Examples
    --------
    >>> split_versions(b"a", 3)
    [b'a', b'a', b'a']
    >>> split_versions(join_versions([b"a", b"b"]), 3) is None
    True
    """
    if count == 1:
        return [version]
    if not version.startswith(_MARK):
        return [version] * count
    versions = []
    at = len(_MARK)
    while at < len(version):
        start = at + _LENGTH_BYTES
        at = start + int.from_bytes(version[at:start], "big")
        versions.append(version[start:at])
    return versions if len(versions) == count and at == len(version) else None
