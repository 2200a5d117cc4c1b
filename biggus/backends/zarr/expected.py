"""What a chunk can be, by its array: how long, and what tells it from something else.

A server in trouble may send anything in the place of a chunk, with status 200: a page, a
message, what never ends.  Pure.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from biggus.backends.zarr.compressed import codecs_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np

LARGEST_DOCUMENT = 32 * 2**20
"""Bytes; no metadata document is longer."""

_LARGEST = 2**32
_MARGIN = 2**16

# fmt: off
_VOUCHING = frozenset({
    "blosc", "zstd", "gzip", "zlib", "lz4", "bz2", "lzma",
    "crc32c", "crc32", "adler32", "fletcher32", "jenkins_lookup3",
})
# fmt: on
_LENGTHS_KEPT = _VOUCHING | {"bytes", "endian", "transpose", "shuffle"}
_NO_TEXT = frozenset({"text/html", "text/xml", "application/xml", "application/json"})


class Expected(NamedTuple):
    """What is expected of the objects that hold the chunks of an array."""

    largest: int = _LARGEST
    """The most bytes that one can have."""

    vouched: bool = False
    """Whether what is stored tells by itself that it is a chunk."""


ANYTHING = Expected()


def expected(fields: Mapping[str, Any], dtype: np.dtype[Any], shape: tuple[int, ...]) -> Expected:
    """Return what is expected of the chunks, or shards, of an array.

    Parameters
    ----------
    fields : mapping
        The document of the array.
    dtype : dtype
        Of its values.
    shape : tuple of int
        Of the largest of what is stored under one key.
    """
    names = set(_codecs(fields))
    vouched = not names.isdisjoint(_VOUCHING)
    if dtype.hasobject or dtype.kind == "T":
        return Expected(vouched=vouched)
    nbytes = math.prod(shape) * dtype.itemsize
    if "sharding_indexed" in names:
        # In a shard there may be what is no longer used; and a chunk may be of one value.
        largest = 4 * nbytes + 32 * math.prod(shape)
    elif names <= _LENGTHS_KEPT:
        largest = nbytes + nbytes // 8  # what cannot be compressed becomes a little longer
    else:
        largest = 16 * nbytes  # a filter may store what is small as something larger
    return Expected(min(_LARGEST, largest + _MARGIN), vouched)


def _codecs(fields: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of all codecs, those in shards included."""
    for name, settings in codecs_of(fields):
        yield name
        yield from _codecs({"codecs": settings.get("codecs")})


def refused_type(kind: str, vouched: bool, text_chunks: bool) -> str | None:
    """Say why what is served as a media type is no chunk; None if it may be one.

    Examples
    --------
    >>> refused_type("application/octet-stream", False, False)
    >>> refused_type("text/html; charset=utf-8", True, True)
    'the server sent text/html instead of a chunk'
    """
    kind = kind.partition(";")[0].strip().lower()
    if kind in _NO_TEXT or kind.endswith(("+json", "+xml")):
        return f"the server sent {kind} instead of a chunk"
    if kind.startswith("text/") and not vouched and not text_chunks:
        return (
            f"the server sent {kind}, and nothing in the chunks of this array tells them from a "
            "message: text_chunks=True takes it for a chunk"
        )
    return None
