"""The layout of the chunks in a shard."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus.backends.zarr.decoding import crc32c
from biggus.indexing.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt

    from biggus.backends.zarr.store import Span

NOT_WRITTEN = 2**64 - 1
"""The offset and the length of a chunk that was never written."""


class Sharding(NamedTuple):
    """The layout of the chunks in a shard."""

    grid: Grid
    """The chunks of a shard."""

    counts: tuple[int, ...]
    """The number of chunks along each axis of a shard."""

    at_start: bool
    """Whether the index is at the start or at the end."""

    dtype: str
    """The dtype of the index."""

    checksum: bool
    """Whether the index is followed by its checksum."""

    codecs: list[dict[str, Any]] | None
    """The codecs of a chunk, as in the document."""

    @property
    def span(self) -> Span:
        """The span of the index in a shard."""
        return (0, self.index_bytes) if self.at_start else (-self.index_bytes, None)

    @property
    def index_bytes(self) -> int:
        """The length of the index with its checksum."""
        return 16 * math.prod(self.counts) + 4 * self.checksum

    def parsed(self, data: bytes) -> npt.NDArray[np.uint64]:
        """Return the offset and length of every chunk, `NOT_WRITTEN` if it was never written."""
        if self.checksum:
            data, stored = data[:-4], data[-4:]
            if crc32c(data).to_bytes(4, "little") != stored:
                raise OSError("the checksum (crc32c) of the index of a shard does not match")
        return np.frombuffer(data, self.dtype).reshape(*self.counts, 2)


def shardings(
    fields: Mapping[str, Any], chunks: tuple[int, ...]
) -> Callable[[tuple[int, ...]], Sharding | None]:
    """Return a function from the shape of a shard to its `Sharding`, None if it is unknown.

    Parameters
    ----------
    fields : mapping
        The document of an array with shards.
    chunks : tuple of int
        The shape of the chunks in them.
    """
    codecs = fields.get("codecs")
    # Only arrays without codecs around the sharding are known.
    only = codecs[0] if isinstance(codecs, list) and len(codecs) == 1 else None

    @functools.lru_cache(maxsize=64)
    def of_shape(shard: tuple[int, ...]) -> Sharding | None:
        return None if only is None else _sharding(only.get("configuration") or {}, shard, chunks)

    return of_shape


def _sharding(
    settings: dict[str, Any], shard: tuple[int, ...], chunks: tuple[int, ...]
) -> Sharding | None:
    codecs = settings.get("index_codecs") or []
    names = [codec.get("name") for codec in codecs]
    if names not in (["bytes"], ["bytes", "crc32c"]):
        return None
    if settings.get("index_location", "end") not in ("start", "end"):
        return None
    if tuple(settings.get("chunk_shape") or ()) != chunks:
        return None
    endian = (codecs[0].get("configuration") or {}).get("endian")
    return Sharding(
        Grid(shard, chunks),
        tuple(n // m for n, m in zip(shard, chunks, strict=True)),
        settings.get("index_location") == "start",
        ">u8" if endian == "big" else "<u8",
        "crc32c" in names,
        settings.get("codecs"),
    )
