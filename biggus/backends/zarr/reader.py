"""Reading boxes of an array chunk by chunk.

Each chunk is one read of its object, or of its bytes in a shard, and is decoded once.  Local
objects are read by the calling thread; several objects of a server are read at once.
"""

from __future__ import annotations

import functools
import math
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus.backends.plain import finer_chunks, view_of
from biggus.backends.reading import MOST_TOGETHER
from biggus.backends.zarr.arrays import parse_metadata
from biggus.backends.zarr.chunk import ChunkReader
from biggus.backends.zarr.compressed import codecs_of
from biggus.backends.zarr.encoding import ZarrEncoding, decoder_of
from biggus.backends.zarr.grids import regular_fields
from biggus.backends.zarr.pipelines import ZarrPythonDecoder, dtype_of, fill_of
from biggus.backends.zarr.ranges import MOST_AHEAD, Range
from biggus.backends.zarr.record import Record, refuse_short
from biggus.backends.zarr.sharding import NOT_WRITTEN, Sharding, shardings
from biggus.backends.zarr.shards import FetchedShards, ShardChangedError, ShardIndex, Shards
from biggus.backends.zarr.store import Fetched, FolderStore, Span, ZarrStore
from biggus.backends.zarr.thread_pool import REQUESTS, threads
from biggus.indexing.grid import Box, Chunks, Index, box_shape, flat_range
from biggus.sources.description import encode_dtype

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    from biggus.backends.zarr.grids import StoredGrid

_NOTHING: Span = (0, 0)


class Part(NamedTuple):
    """A part of a chunk or shard, and the array for its values."""

    inner: Box
    out: npt.NDArray[Any]
    number: int
    """The number of its box among those that are read."""


class ChunkLayout(NamedTuple):
    """The layout of the stored chunks (or shards) of one shape."""

    chunk: ChunkReader
    """Reads a chunk, in a shard an inner one."""

    sharding: Sharding | None
    """The layout of chunks in a shard."""

    codecs: Any
    """The codecs of a chunk, see `ZarrEncoding`; None if biggus does not know them."""


class ArrayReader:
    """Reads boxes of one array.

    Parameters
    ----------
    store : ZarrStore
        The store.
    key : callable
        Returns the key of a chunk or shard, given its number.
    grid : StoredGrid
        The grid of chunks or shards.
    layout : callable
        Returns the `ChunkLayout` of chunks or shards of a shape.
    dtype : dtype
        The dtype of the values.
    fill : scalar
        The value of elements that were never written.
    """

    def __init__(
        self,
        store: ZarrStore,
        key: Callable[[tuple[int, ...]], str],
        grid: StoredGrid,
        layout: Callable[[tuple[int, ...]], ChunkLayout],
        dtype: np.dtype[Any],
        fill: Any,
    ) -> None:
        self.store = store
        self.key = key
        self.grid = grid
        self.dtype = dtype
        self.fill = fill
        self._layout = layout
        self._shards = Shards(store) if store.direct else FetchedShards(store)

    def read(
        self, boxes: Sequence[Box], record: Record, out: npt.NDArray[Any] | None = None
    ) -> list[npt.NDArray[Any]]:
        """Return the values in each box, those of a single one in `out`; note all in `record`."""
        results = [np.empty(box_shape(box), self.dtype) if out is None else out for box in boxes]
        parts = (
            (part.number, Part(part.inner, view_of(values, part.outer), number))
            for number, (box, values) in enumerate(zip(boxes, results, strict=True))
            for part in self.grid.parts(box)
        )
        if self.store.direct:
            for number, part in parts:
                self._read_object(number, [part], record)
            return results
        wanted: dict[Index, list[Part]] = {}
        for number, part in parts:
            wanted.setdefault(number, []).append(part)
        threads.each(lambda item: self._read_object(*item, record), list(wanted.items()))
        return results

    def _read_object(self, number: Index, wanted: list[Part], record: Record) -> None:
        """Read parts of a chunk or shard."""
        layout = self._layout(self.grid.stored_shape(number))
        key = self.key(number)
        if layout.sharding is None:
            for part in wanted:
                self._read_chunk(layout.chunk, key, part, record)
            return
        try:
            self._read_shard(layout.chunk, layout.sharding, key, wanted, record)
        except ShardChangedError:
            self._read_shard(layout.chunk, layout.sharding, key, wanted, record)

    def _read_chunk(self, chunk: ChunkReader, key: str, part: Part, record: Record) -> None:
        inner, out, _ = part
        span = chunk.span(inner)
        if chunk.in_pieces(span):
            with self.store.opened(key) as get:
                if record.met(key, get(_NOTHING)) is None:
                    out[...] = self.fill
                else:
                    chunk.read_pieces(get, key, 0, inner, out)
            return
        fetched = record.met(key, self.store.get(key, span))
        if fetched is None:
            out[...] = self.fill
            return
        refuse_short(key, fetched.data, span)
        self._place(chunk, fetched.data, part, record)

    def _place(self, chunk: ChunkReader, data: bytes, part: Part, record: Record) -> None:
        """Decode a part of a chunk into its array; note its bytes if they are wanted too."""
        chunk.place(data, part.inner, part.out)
        if record.encoded is not None:
            record.encoded[part.number] = data

    def _read_shard(
        self,
        chunk: ChunkReader,
        sharding: Sharding,
        key: str,
        wanted: list[Part],
        record: Record,
    ) -> None:
        with self._shards.opened(key, sharding) as opened:
            if opened is None:
                record.met(key, None)
                for part in wanted:
                    part.out[...] = self.fill
                return
            index, reading = opened
            located = list(self._located(sharding, index, wanted))
            # In the order of their offsets, so that near ones are fetched together.
            located.sort(key=itemgetter(0))
            spans = [chunk.span(part.inner, *place) for place, part in located]
            get = reading(spans)
            for (place, part), span in zip(located, spans, strict=True):
                if chunk.in_pieces(span):
                    chunk.read_pieces(get, key, place[0], part.inner, part.out)
                else:
                    fetched = get(span)
                    if fetched is None:
                        raise OSError(f"{key} appeared or disappeared while it was read")
                    refuse_short(key, fetched.data, span)
                    self._place(chunk, fetched.data, part, record)
            record.met(key, Fetched(b"", index.tag, index.good_for))

    def _located(
        self, sharding: Sharding, index: ShardIndex, wanted: list[Part]
    ) -> Iterator[tuple[Range, Part]]:
        """Yield the place of each wanted chunk in a shard; fill those that were never written."""
        for box, values, number in wanted:
            for part in sharding.grid.parts(box):
                out = view_of(values, part.outer)
                offset, length = index.chunks[part.number].tolist()
                if offset == length == NOT_WRITTEN:
                    out[...] = self.fill
                else:
                    yield (offset, length), Part(part.inner, out, number)

    @property
    def encoding(self) -> ZarrEncoding | None:
        """The encoding of chunks; None if there is none, or they have several shapes."""
        chunk, sharding, codecs = self._layout(self.grid.largest)
        if chunk.decoder.plain or codecs is None or (sharding is None and not self.grid.regular):
            return None
        return ZarrEncoding(codecs, encode_dtype(self.dtype), chunk.decoder.shape)

    @property
    def decodes_chunks(self) -> bool:
        """Whether chunks are always decoded whole."""
        chunk = self._layout(self.grid.largest).chunk
        return not (chunk.decoder.plain and chunk.seekable)

    def peak_bytes(self, box: Box) -> int:
        """Return the most memory that a read of `box` takes."""
        result = math.prod(box_shape(box)) * self.dtype.itemsize
        layout = self._layout(self.grid.largest)
        decoder = layout.chunk.decoder
        index = 0
        if layout.sharding is not None:
            index = 40 * math.prod(layout.sharding.counts)
        if decoder.plain and self.store.direct:
            return result + index + self._plain_bytes(layout.chunk, box, result)
        # Encoded bytes are hardly ever longer than decoded ones.
        stored = decoder.nbytes + decoder.nbytes // 64 + 4096
        decoded = decoder.nbytes * decoder.copies
        if self.store.direct:
            return result + index + stored + decoded
        if layout.sharding is not None:
            ahead = 2 * _touched(decoder.shape, box) * stored
            stored += min(ahead, max(MOST_AHEAD, stored))
        store = _touched(self.grid.largest, box) if self.grid.regular else REQUESTS
        return result + min(store, REQUESTS) * (index + stored + decoded)

    def _plain_bytes(self, chunk: ChunkReader, box: Box, result: int) -> int:
        """Return the memory that a box of an uncompressed array takes beside the result."""
        longest = self._longest_span(chunk.decoder.shape, box)
        if not chunk.seekable or longest <= MOST_TOGETHER:
            return longest
        # Pieces are collected; a chunk that is wanted whole is read whole.
        pieces = 2 * MOST_TOGETHER + (0 if chunk.decoder.dtype == self.dtype else result)
        return max(pieces, longest if self._holds_a_chunk(chunk.decoder.shape, box) else 0)

    def _holds_a_chunk(self, shape: tuple[int, ...], box: Box) -> bool:
        return not self.grid.regular or all(
            -(-s.start // n) * n + n <= s.stop and (s.step == 1 or n == 1)
            for s, n in zip(box, shape, strict=True)
        )

    def _longest_span(self, shape: tuple[int, ...], box: Box) -> int:
        """Return the most bytes of a chunk from the first to the last wanted value."""
        inner = []
        for s, n in zip(box, shape, strict=True):
            last = s.start + (s.stop - 1 - s.start) // s.step * s.step
            if s.start // n != last // n or not self.grid.regular:
                return math.prod(shape) * self.dtype.itemsize
            inner.append(slice(s.start % n, last % n + 1, s.step))
        first, stop = flat_range(tuple(inner), shape)
        return (stop - first) * self.dtype.itemsize

    def natural_chunks(self, chunks: Chunks) -> Chunks:
        """Return `chunks`, cut into parts if they are large and can be read in parts."""
        chunk = self._layout(self.grid.largest).chunk
        if not chunk.seekable or not chunk.decoder.plain or not self.grid.regular:
            return chunks
        return finer_chunks(chunk.decoder.shape, self.grid.shape, chunk.decoder.dtype.itemsize)


def _touched(chunks: tuple[int, ...], box: Box) -> int:
    """Return the most chunks of a regular grid that a box touches."""
    return math.prod((s.stop - 1) // n - s.start // n + 1 for s, n in zip(box, chunks, strict=True))


def array_reader(
    store: ZarrStore,
    fields: dict[str, Any],
    metadata: Any,
    key: Callable[[tuple[int, ...]], str],
    grid: StoredGrid,
    pipeline: type[Any] | None,
) -> ArrayReader:
    """Return the reader of an array.

    Parameters
    ----------
    store : ZarrStore
        The store.
    fields : dict
        The fields of a metadata document with a regular grid.
    metadata : ArrayV2Metadata or ArrayV3Metadata
        The same as an object of zarr-python.
    key : callable
        Returns the key of a chunk or shard, given its number.
    grid : StoredGrid
        The grid of chunks or shards.
    pipeline : type, optional
        The class of the codec pipeline for codecs unknown to biggus.
    """
    dtype = dtype_of(metadata)
    # Reading the end of a member of a zip file reads all of it.
    seekable = isinstance(store, FolderStore)
    inner = None if metadata.shards is None else tuple(int(n) for n in metadata.chunks)
    stored = fields.get("codecs")
    if metadata.zarr_format == 2:
        stored = {name: fields.get(name) for name in ("order", "compressor", "filters")}
    sharding_at = None if inner is None else shardings(fields, inner)

    @functools.lru_cache(maxsize=64)
    def layout(shape: tuple[int, ...]) -> ChunkLayout:
        sharding = None if sharding_at is None else sharding_at(shape)
        codecs, own_fields, own_metadata = stored, fields, metadata
        if sharding is not None and inner is not None:
            shape, codecs = inner, sharding.codecs
        decoder = decoder_of(codecs, shape, dtype) if dtype.itemsize else None
        if decoder is not None:
            return ChunkLayout(ChunkReader(decoder, seekable), sharding, codecs)
        if sharding is not None:
            own_fields = {**regular_fields(fields, shape, shape), "codecs": codecs}
            own_metadata = parse_metadata(own_fields, repr(store))
        names = [name for name, _ in codecs_of(own_fields)]
        other = ZarrPythonDecoder(own_metadata, shape, names[-1:] == ["blosc"], pipeline)
        return ChunkLayout(ChunkReader(other, seekable), sharding, None)

    return ArrayReader(store, key, grid, layout, dtype, fill_of(metadata))
