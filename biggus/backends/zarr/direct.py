"""Reading boxes in the calling thread, without zarr-python and its event loop.

A chunk is one read of its object, or of its bytes in a shard, and one decoding.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus.backends.plain import finer_chunks
from biggus.backends.reading import MOST_TOGETHER
from biggus.backends.zarr.chunk import ChunkReader
from biggus.backends.zarr.decoding import decoder_for, decoder_for_v2
from biggus.backends.zarr.objects import FolderObjects, Get, Objects, Span
from biggus.backends.zarr.sharding import NOWHERE, Sharding, sharding_of
from biggus.backends.zarr.store import Record, refuse_short
from biggus.grid import flat_range
from biggus.source import Box, box_shape

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from biggus.backends.zarr.grids import StoredGrid
    from biggus.backends.zarr.metadata import ArrayDocument
    from biggus.source import Chunks

_NOTHING: Span = (0, 0)


class Layout(NamedTuple):
    """How the stored chunks (or shards) of one shape hold values."""

    chunk: ChunkReader
    """What reads a chunk, in a shard an inner one."""

    sharding: Sharding | None
    """How chunks lie in a shard."""


class DirectReader:
    """Reads boxes of one array.

    Parameters
    ----------
    objects : Objects
        The store.
    key : callable
        Gives the key of the chunk, or shard, of a number.
    grid : StoredGrid
        The grid of chunks, or shards.
    layout : callable
        Gives the `Layout` of what is stored in a shape.
    dtype : dtype
        The dtype of the values.
    fill : scalar
        The value of what was never written.
    """

    def __init__(
        self,
        objects: Objects,
        key: Callable[[tuple[int, ...]], str],
        grid: StoredGrid,
        layout: Callable[[tuple[int, ...]], Layout],
        dtype: np.dtype[Any],
        fill: Any,
    ) -> None:
        self.objects = objects
        self.key = key
        self.grid = grid
        self.dtype = dtype
        self.fill = fill
        self._layout = layout

    def read(self, box: Box, record: Record) -> npt.NDArray[Any]:
        """Return the values in `box`, and note what was met."""
        values = np.empty(box_shape(box), self.dtype)
        for part in self.grid.parts(box):
            layout = self._layout(self.grid.stored_shape(part.number))
            read = self._read_chunk if layout.sharding is None else self._read_shard
            read(layout, self.key(part.number), part.inner, _view(values, part.outer), record)
        return values

    def _read_chunk(
        self, layout: Layout, key: str, inner: Box, out: npt.NDArray[Any], record: Record
    ) -> None:
        span = layout.chunk.span(inner)
        if layout.chunk.in_pieces(span):
            with self.objects.opened(key) as get:
                if record.met(key, get(_NOTHING)) is None:
                    out[...] = self.fill
                else:
                    layout.chunk.read_pieces(get, key, 0, inner, out)
            return
        found = record.met(key, self.objects.get(key, span))
        if found is None:
            out[...] = self.fill
            return
        refuse_short(key, found.data, span)
        layout.chunk.place(found.data, inner, out)

    def _read_shard(
        self, layout: Layout, key: str, box: Box, values: npt.NDArray[Any], record: Record
    ) -> None:
        assert layout.sharding is not None
        with self.objects.opened(key) as get:
            found = record.met(key, get(layout.sharding.span))
            if found is None:
                values[...] = self.fill
                return
            refuse_short(key, found.data, layout.sharding.span)
            index = layout.sharding.parsed(found.data)
            for part in layout.sharding.grid.parts(box):
                out = _view(values, part.outer)
                offset, length = index[part.number].tolist()
                if offset == length == NOWHERE:
                    out[...] = self.fill
                else:
                    _read_inner(layout.chunk, key, get, (offset, length), part.inner, out)

    def peak_bytes(self, box: Box) -> int:
        """Return the most memory that a read of `box` takes."""
        result = math.prod(box_shape(box)) * self.dtype.itemsize
        layout = self._layout(self.grid.largest)
        decoder = layout.chunk.decoder
        index = 0
        if layout.sharding is not None:
            index = 40 * math.prod(layout.sharding.counts)
        # What is stored is hardly ever longer than what is in it.
        stored = decoder.nbytes + decoder.nbytes // 64 + 4096
        if decoder.plain:
            return result + index + self._plain_bytes(layout.chunk, box, result)
        # Between two steps nothing tells the length: buffers grow, and are joined.
        decoded = decoder.nbytes * (1 if len(decoder.steps) < 2 else 6)
        return result + index + stored + decoded

    def _plain_bytes(self, chunk: ChunkReader, box: Box, result: int) -> int:
        """Return how much more than the result a box of a plainly stored array takes."""
        longest = self._longest_span(chunk.decoder.shape, box)
        if not chunk.seekable or longest <= MOST_TOGETHER:
            return longest
        # In pieces, which are gathered; and a chunk that is wanted whole is read whole.
        pieces = 2 * MOST_TOGETHER + (0 if chunk.decoder.dtype == self.dtype else result)
        return max(pieces, longest if self._holds_a_chunk(chunk.decoder.shape, box) else 0)

    def _holds_a_chunk(self, shape: tuple[int, ...], box: Box) -> bool:
        return not self.grid.regular or all(
            -(-s.start // n) * n + n <= s.stop and (s.step == 1 or n == 1)
            for s, n in zip(box, shape, strict=True)
        )

    def _longest_span(self, shape: tuple[int, ...], box: Box) -> int:
        """Return how many bytes of a chunk there are at most from the first to the last wanted."""
        inner = []
        for s, n in zip(box, shape, strict=True):
            last = s.start + (s.stop - 1 - s.start) // s.step * s.step
            if s.start // n != last // n or not self.grid.regular:
                return math.prod(shape) * self.dtype.itemsize
            inner.append(slice(s.start % n, last % n + 1, s.step))
        first, stop = flat_range(tuple(inner), shape)
        return (stop - first) * self.dtype.itemsize

    def natural_chunks(self, chunks: Chunks) -> Chunks:
        """Return `chunks`, cut into parts where they are large and can be read so."""
        chunk = self._layout(self.grid.largest).chunk
        if not chunk.seekable or not chunk.decoder.plain or not self.grid.regular:
            return chunks
        return finer_chunks(chunk.decoder.shape, self.grid.shape, chunk.decoder.dtype.itemsize)


def _read_inner(
    chunk: ChunkReader,
    key: str,
    get: Get,
    place: tuple[int, int],
    inner: Box,
    out: npt.NDArray[Any],
) -> None:
    """Read a part of a chunk that has its place in an object."""
    span = chunk.span(inner, *place)
    if chunk.in_pieces(span):
        chunk.read_pieces(get, key, place[0], inner, out)
        return
    found = get(span)
    if found is None:
        raise OSError(f"{key} came or went while it was read")
    refuse_short(key, found.data, span)
    chunk.place(found.data, inner, out)


def _view(values: npt.NDArray[Any], outer: Box) -> npt.NDArray[Any]:
    """Return where a part goes: an array even where there is no axis."""
    key: Any = (*outer, ...)
    view: npt.NDArray[Any] = values[key]
    return view


def direct_reader(
    objects: Objects,
    document: ArrayDocument,
    array: Any,
    key: Callable[[tuple[int, ...]], str],
    grid: StoredGrid,
) -> DirectReader | None:
    """Return what reads an array directly, or None if something about it is not known.

    Parameters
    ----------
    objects : Objects
        The store.
    document : ArrayDocument
        What it says of the array.
    array : zarr.Array
        The array; of a rectilinear grid, any chunk of it.
    key, grid
        As `DirectReader` takes them.
    """
    dtype = array.dtype
    if (
        not objects.direct
        or not isinstance(dtype, np.dtype)
        or 0 in (*array.chunks, dtype.itemsize)
    ):
        return None
    # To get at the end of a member of a zip file is to read all of it.
    seekable = isinstance(objects, FolderObjects)
    inner = None if array.shards is None else tuple(int(n) for n in array.chunks)

    @functools.lru_cache(maxsize=64)
    def layout(shape: tuple[int, ...]) -> Layout | None:
        return _layout_of(document, shape, inner, dtype, seekable)

    if layout(grid.largest) is None:
        return None
    fill = array.metadata.fill_value
    if fill is None:
        fill = array.metadata.dtype.default_scalar()
    # What is known of one shape is known of all.
    return DirectReader(objects, key, grid, layout, dtype, fill)  # type: ignore[arg-type]


def _layout_of(
    document: ArrayDocument,
    shape: tuple[int, ...],
    inner: tuple[int, ...] | None,
    dtype: np.dtype[Any],
    seekable: bool,
) -> Layout | None:
    """Return how what is stored in a shape holds values, in chunks of `inner` if in a shard."""
    fields = document.fields
    sharding = None
    if document.zarr_format == 2:
        decoder = decoder_for_v2(fields, shape, dtype)
    else:
        codecs = fields.get("codecs")
        if inner is not None:
            if not isinstance(codecs, list) or len(codecs) != 1:
                return None
            settings = codecs[0].get("configuration") or {}
            sharding = sharding_of(settings, shape, inner)
            if sharding is None:
                return None
            codecs, shape = settings.get("codecs"), inner
        decoder = decoder_for(codecs, shape, dtype)
    return None if decoder is None else Layout(ChunkReader(decoder, seekable), sharding)
