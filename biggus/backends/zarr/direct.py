"""Reading boxes in the calling thread, without zarr-python and its event loop.

A chunk is one read of its object, or of its bytes in a shard, and one decoding.  A
chunk that is wanted whole, and lies in one piece in the result, is decoded there;
of a chunk that is stored plainly only the bytes from the first wanted value
to the last are read, and where those are many, in pieces.
"""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus.backends.plain import finer_chunks, is_all
from biggus.backends.reading import MOST_TOGETHER, read_plain
from biggus.backends.zarr.decoding import Decoder, crc32c, decoder_for, decoder_for_v2
from biggus.backends.zarr.objects import WHOLE, FolderObjects, Get, Objects, Span
from biggus.backends.zarr.store import Record, refuse_short
from biggus.grid import Grid, flat_range, strides_of
from biggus.source import Box, box_shape

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from biggus.backends.zarr.metadata import ArrayDocument
    from biggus.source import Chunks

_NOWHERE = 2**64 - 1
_NOTHING: Span = (0, 0)
_MOST_KEPT = 8 * 2**20
"""Bytes that a thread keeps for the next chunk, at most."""

_thread = threading.local()


class Sharding(NamedTuple):
    """How the chunks lie in a shard."""

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

    @property
    def span(self) -> Span:
        """Where in a shard its index is."""
        length = 16 * math.prod(self.counts) + 4 * self.checksum
        return (0, length) if self.at_start else (-length, None)

    def parsed(self, data: bytes) -> npt.NDArray[np.uint64]:
        """Return offset and length of every chunk, (2^64 - 1, 2^64 - 1) for what is absent."""
        if self.checksum:
            data, stored = data[:-4], data[-4:]
            if crc32c(data).to_bytes(4, "little") != stored:
                raise OSError("the checksum (crc32c) of the index of a shard does not match")
        return np.frombuffer(data, self.dtype).reshape(*self.counts, 2)


class DirectReader:
    """Reads boxes of one array.

    Parameters
    ----------
    objects : Objects
        The store.
    key : callable
        Gives the key of the chunk, or shard, of a number.
    grid : Grid
        The grid of chunks, or shards.
    decoder : Decoder
        How a chunk, in a shard an inner one, is decoded.
    sharding : Sharding or None
        How chunks lie in a shard.
    dtype : dtype
        The dtype of the values.
    fill : scalar
        The value of what was never written.
    """

    def __init__(
        self,
        objects: Objects,
        key: Callable[[tuple[int, ...]], str],
        grid: Grid,
        decoder: Decoder,
        sharding: Sharding | None,
        dtype: np.dtype[Any],
        fill: Any,
    ) -> None:
        self.objects = objects
        self.key = key
        self.grid = grid
        self.shape = grid.shape
        self.decoder = decoder
        self.sharding = sharding
        self.dtype = dtype
        self.fill = fill
        # To get at the end of a member of a zip file is to read all of it.
        self.seekable = isinstance(objects, FolderObjects)

    def read(self, box: Box, record: Record) -> npt.NDArray[Any]:
        """Return the values in `box`, and note what was met."""
        values = np.empty(box_shape(box), self.dtype)
        scratch = _Scratch(self.decoder.nbytes)
        for part in self.grid.parts(box):
            key = self.key(part.number)
            out = _view(values, part.outer)
            if self.sharding is not None:
                self._read_shard(self.sharding, key, part.inner, out, record, scratch)
                continue
            span = self._span(part.inner)
            if self._in_pieces(span):
                self._read_pieces(key, part.inner, out, record)
                continue
            found = self.objects.get(key, span)
            if found is None:
                record.absent.add(key)
                out[...] = self.fill
                continue
            record.tags[key] = found.tag
            refuse_short(key, found.data, span)
            self._place(found.data, part.inner, out, scratch)
            del found  # or it would lie beside the next one
        return values

    def _read_shard(
        self,
        sharding: Sharding,
        key: str,
        box: Box,
        values: npt.NDArray[Any],
        record: Record,
        scratch: _Scratch,
    ) -> None:
        with self.objects.opened(key) as get:
            found = get(sharding.span)
            if found is None:
                record.absent.add(key)
                values[...] = self.fill
                return
            record.tags[key] = found.tag
            refuse_short(key, found.data, sharding.span)
            index = sharding.parsed(found.data)
            for part in sharding.grid.parts(box):
                out = _view(values, part.outer)
                offset, length = index[part.number].tolist()
                if offset == length == _NOWHERE:
                    out[...] = self.fill
                    continue
                span = self._span(part.inner, offset, length)
                if self._in_pieces(span):
                    self._read_plain(_Spans(get, key), offset, part.inner, out)
                    continue
                found = get(span)
                if found is None:
                    raise OSError(f"{key} came or went while it was read")
                refuse_short(key, found.data, span)
                self._place(found.data, part.inner, out, scratch)
                del found  # or it would lie beside the next one

    def _span(self, inner: Box, offset: int | None = None, length: int = 0) -> Span:
        """Return which bytes of an object to read for a part of a chunk."""
        decoder = self.decoder
        if not decoder.plain or is_all(inner, decoder.shape):
            return WHOLE if offset is None else (offset, offset + length)
        if offset is not None and length != decoder.nbytes:
            raise OSError(f"a chunk of {decoder.nbytes} bytes is here of {length}")
        first, stop = flat_range(inner, decoder.shape)
        itemsize, offset = decoder.dtype.itemsize, offset or 0
        return offset + first * itemsize, offset + stop * itemsize

    def _in_pieces(self, span: Span) -> bool:
        """Tell whether a part of a chunk is so long that it is better read in pieces."""
        if span == WHOLE or not self.seekable or not self.decoder.plain:
            return False
        start, stop = span
        return start is not None and stop is not None and stop - start > MOST_TOGETHER

    def _read_pieces(self, key: str, inner: Box, out: npt.NDArray[Any], record: Record) -> None:
        with self.objects.opened(key) as get:
            found = get(_NOTHING)
            if found is None:
                record.absent.add(key)
                out[...] = self.fill
                return
            record.tags[key] = found.tag
            self._read_plain(_Spans(get, key), 0, inner, out)

    def _read_plain(self, stored: _Spans, offset: int, inner: Box, out: npt.NDArray[Any]) -> None:
        decoder = self.decoder
        if decoder.dtype == out.dtype:
            read_plain(stored, offset, decoder.shape, inner, out)
            return
        values = np.empty(out.shape, decoder.dtype)
        read_plain(stored, offset, decoder.shape, inner, values)
        out[...] = values

    def _place(self, data: bytes, inner: Box, out: npt.NDArray[Any], scratch: _Scratch) -> None:
        """Put the wanted part of a chunk where it belongs."""
        decoder = self.decoder
        if is_all(inner, decoder.shape):
            straight = decoder.in_order and decoder.dtype == out.dtype
            if straight and decoder.steps and out.flags.c_contiguous:
                target = out.reshape(-1).view(np.uint8)
                found = decoder.into(data, target)
                if found is not target:
                    target[:] = np.frombuffer(found, np.uint8)
                return
            out[...] = decoder.values(data, scratch.get() if decoder.fills else None)
        elif decoder.plain:
            item = decoder.dtype.itemsize
            strides = [s.step * n for s, n in zip(inner, strides_of(decoder.shape), strict=True)]
            out[...] = np.ndarray(out.shape, decoder.dtype, data, 0, [item * n for n in strides])
        else:
            out[...] = decoder.values(data, scratch.get() if decoder.fills else None)[inner]

    def peak_bytes(self, box: Box) -> int:
        """Return the most memory that a read of `box` takes."""
        result = math.prod(box_shape(box)) * self.dtype.itemsize
        decoder = self.decoder
        index = 0
        if self.sharding is not None:
            index = 40 * math.prod(self.sharding.counts)
        # What is stored is hardly ever longer than what is in it.
        stored = decoder.nbytes + decoder.nbytes // 64 + 4096
        if decoder.plain:
            return result + index + self._plain_bytes(box, result)
        # Between two steps nothing tells the length: buffers grow, and are joined.
        decoded = decoder.nbytes * (1 if len(decoder.steps) < 2 else 6)
        return result + index + stored + decoded

    def _plain_bytes(self, box: Box, result: int) -> int:
        """Return how much more than the result a box of a plainly stored array takes."""
        longest = self._longest_span(box)
        if not self.seekable or longest <= MOST_TOGETHER:
            return longest
        # In pieces, which are gathered; and a chunk that is wanted whole is read whole.
        pieces = 2 * MOST_TOGETHER + (0 if self.decoder.dtype == self.dtype else result)
        return max(pieces, longest if self._holds_a_chunk(box) else 0)

    def _holds_a_chunk(self, box: Box) -> bool:
        return all(
            -(-s.start // n) * n + n <= s.stop and (s.step == 1 or n == 1)
            for s, n in zip(box, self.decoder.shape, strict=True)
        )

    def _longest_span(self, box: Box) -> int:
        """Return how many bytes of a chunk there are at most from the first to the last wanted."""
        shape = self.decoder.shape
        inner = []
        for s, n in zip(box, shape, strict=True):
            last = s.start + (s.stop - 1 - s.start) // s.step * s.step
            if s.start // n != last // n:
                return self.decoder.nbytes
            inner.append(slice(s.start % n, last % n + 1, s.step))
        first, stop = flat_range(tuple(inner), shape)
        return (stop - first) * self.decoder.dtype.itemsize

    def natural_chunks(self, chunks: tuple[int, ...]) -> Chunks:
        """Return `chunks`, cut into parts where they are large and can be read so."""
        decoder = self.decoder
        if not self.seekable or not decoder.plain:
            return chunks
        return finer_chunks(chunks, self.shape, decoder.dtype.itemsize)


class _Spans:
    """An object whose bytes are read at an offset, not many at once."""

    def __init__(self, get: Get, key: str) -> None:
        self._get = get
        self._key = key

    def read_into(self, out: memoryview, offset: int) -> None:
        for start in range(0, len(out), MOST_TOGETHER):
            stop = min(start + MOST_TOGETHER, len(out))
            span = (offset + start, offset + stop)
            found = self._get(span)
            if found is None:
                raise OSError(f"{self._key} came or went while it was read")
            refuse_short(self._key, found.data, span)
            out[start:stop] = found.data


class _Scratch:
    """Bytes for one chunk, used again for each, made when first needed.

    Unless they are many, the thread keeps them: fresh memory costs as much as decoding does.
    """

    def __init__(self, nbytes: int) -> None:
        self._nbytes = nbytes
        self._bytes: npt.NDArray[np.uint8] | None = None

    def get(self) -> npt.NDArray[np.uint8]:
        if self._bytes is None:
            kept: npt.NDArray[np.uint8] | None = getattr(_thread, "scratch", None)
            if kept is None or kept.nbytes < self._nbytes:
                kept = np.empty(self._nbytes, np.uint8)
                if self._nbytes <= _MOST_KEPT:
                    _thread.scratch = kept
            self._bytes = kept[: self._nbytes]
        return self._bytes


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
    grid: Grid,
) -> DirectReader | None:
    """Return what reads `array` directly, or None if something about it is not known."""
    dtype = array.dtype
    if (
        not objects.direct
        or not isinstance(dtype, np.dtype)
        or 0 in (*array.chunks, dtype.itemsize)
    ):
        return None
    fields = document.fields
    chunks = tuple(int(n) for n in array.chunks)
    sharding = None
    if document.zarr_format == 2:
        decoder = decoder_for_v2(fields, chunks, dtype)
    else:
        codecs = fields.get("codecs")
        if array.shards is not None:
            if not isinstance(codecs, list) or len(codecs) != 1:
                return None
            settings = codecs[0].get("configuration") or {}
            sharding = _sharding(settings, tuple(int(n) for n in array.shards), chunks)
            if sharding is None:
                return None
            codecs = settings.get("codecs")
        decoder = decoder_for(codecs, chunks, dtype)
    if decoder is None:
        return None
    fill = array.metadata.fill_value
    if fill is None:
        fill = array.metadata.dtype.default_scalar()
    return DirectReader(objects, key, grid, decoder, sharding, dtype, fill)


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
    )
