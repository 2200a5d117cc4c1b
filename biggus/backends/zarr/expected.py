"""The expected size and type of chunks, by which other responses are recognised.

A failing server may send anything in place of a chunk with status 200: a page, a message, an
endless stream.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from biggus.backends.zarr.compressed import codecs_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np

LARGEST_DOCUMENT = 32 * 2**20
"""The largest metadata document in bytes."""

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
    """The expected properties of the objects that hold the chunks of an array."""

    largest: int = _LARGEST
    """The largest size of an object."""

    vouched: bool = False
    """Whether the codecs recognise other data by a checksum or their format."""


ANYTHING = Expected()


def expected(fields: Mapping[str, Any], dtype: np.dtype[Any], shape: tuple[int, ...]) -> Expected:
    """Return the expected properties of the chunks or shards of an array.

    Parameters
    ----------
    fields : mapping
        The document of the array.
    dtype : dtype
        The dtype of its values.
    shape : tuple of int
        The largest shape of a chunk or shard.
    """
    names = set(_codecs(fields))
    vouched = not names.isdisjoint(_VOUCHING)
    if dtype.hasobject or dtype.kind == "T":
        return Expected(vouched=vouched)
    nbytes = math.prod(shape) * dtype.itemsize
    if "sharding_indexed" in names:
        # A shard may have unused parts, and chunks of a single value.
        largest = 4 * nbytes + 32 * math.prod(shape)
    elif names <= _LENGTHS_KEPT:
        largest = nbytes + nbytes // 8  # incompressible data become a little longer
    else:
        largest = 16 * nbytes  # a filter may store small values as a larger dtype
    return Expected(min(_LARGEST, largest + _MARGIN), vouched)


def _codecs(fields: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of all codecs, those in shards included."""
    for name, settings in codecs_of(fields):
        yield name
        yield from _codecs({"codecs": settings.get("codecs")})


def refused_type(kind: str, vouched: bool, text_chunks: bool) -> str | None:
    """Return why a response of a media type cannot be a chunk; None if it can.

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
            f"the server sent {kind}, and chunks of this array cannot be told from a message: "
            "`text_chunks=True` accepts it as a chunk"
        )
    return None
