"""Reading chunked datasets, compressed or not, without libhdf5.

A box is read in batches of chunks: the offsets of a batch are looked up together, chunks that
are adjacent in the file are read together, and a chunk of which all values are wanted is
decoded directly into the result.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from biggus.backends.hdf5.direct import OpenForRead, Storage
from biggus.backends.hdf5.lookup import Extent, find_one, read_one, tables
from biggus.backends.native import hdf5_lock, look_for_interrupts
from biggus.backends.plain import finer_chunks, is_all, view_of
from biggus.backends.reading import MOST_TOGETHER, read_plain
from biggus.backends.strided import MOST_WASTE
from biggus.codecs.scratch import scratch
from biggus.indexing.grid import Box, ChunkPart, Grid, box_shape

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from biggus.codecs.pipeline import Pipeline

_MOST_PARTS = 256
"""The most chunks in a batch."""

_GAP = 2**12
"""The largest gap in bytes between chunks that are read together."""

_SMALL = 2**14
"""The size in bytes up to which a chunk is read as a whole, together with its neighbours."""


class StoredChunk(NamedTuple):
    """The stored bytes of a chunk, and the mask of filters that were skipped."""

    data: Any
    mask: int


class LibraryValues(NamedTuple):
    """Values read by libhdf5."""

    values: Any


Found: TypeAlias = "Extent | StoredChunk | LibraryValues"


class ChunkedStorage(Storage):
    """The storage of a chunked dataset, in C order in each chunk.

    Parameters
    ----------
    shape, dtype
        The shape and dtype of the dataset.
    storage_chunks : tuple of int
        The shape of a chunk.
    pipeline : Pipeline
        The filters.
    unlocated : bool
        Whether the offsets of chunks are unreliable: then libhdf5 reads chunks undecoded.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        storage_chunks: tuple[int, ...],
        pipeline: Pipeline,
        unlocated: bool,
    ) -> None:
        super().__init__(shape, dtype)
        self.storage_chunks = storage_chunks
        self.pipeline = pipeline
        self.unlocated = unlocated
        self.grid = Grid(shape, storage_chunks)
        self.counts = tuple(axis.count for axis in self.grid.axes)
        self.in_parts = not pipeline.stages and not unlocated
        self.decodes_chunks = not self.in_parts
        self.chunks = (
            finer_chunks(storage_chunks, shape, dtype.itemsize) if self.in_parts else storage_chunks
        )
        self._at_once = min(_MOST_PARTS, max(1, MOST_TOGETHER // max(1, pipeline.nbytes)))
        self._fill: Any = None

    def read(
        self, box: Box, opening: OpenForRead, out: npt.NDArray[Any] | None = None
    ) -> npt.NDArray[Any]:
        values = np.empty(box_shape(box), self.dtype) if out is None else out
        if self._skips_small(box):
            with hdf5_lock:
                values[...] = opening.values(box)
            opening.check()
        else:
            self._read(box, opening, values)
        return values

    def _skips_small(self, box: Box) -> bool:
        """Return whether `box` selects distant single values, each in another small plain chunk.

        libhdf5 finds such a value in a third of the time that a call of libhdf5 takes.
        """
        return (
            self.in_parts
            and self.pipeline.nbytes <= _SMALL
            and math.prod([s.step for s in box]) > MOST_WASTE
            and any(
                s.step >= n and s.stop - s.start > s.step
                for s, n in zip(box, self.storage_chunks, strict=True)
            )
        )

    def _read(self, box: Box, opening: OpenForRead, values: npt.NDArray[Any]) -> None:
        parts = self.grid.parts(box)
        while batch := list(itertools.islice(parts, self._at_once)):
            with hdf5_lock:
                chunks = self._find(batch, opening)
                look_for_interrupts()
            for part, stored in zip(batch, self._fetched(chunks, opening), strict=True):
                out = view_of(values, part.outer)
                try:
                    self._place(stored, part.inner, out, opening)
                except ValueError as error:
                    origin = tuple(s.start for s in part.chunk)
                    raise ValueError(f"the chunk at {origin}: {error}") from error
            del chunks, stored  # free the memory before the next batch
        opening.check()

    def _find(self, batch: list[ChunkPart], opening: OpenForRead) -> list[Found]:
        """Return the extents of chunks, or what libhdf5 read.  The caller holds the lock."""
        table = None
        if not self.unlocated:
            unread = self.pipeline.nbytes if self.in_parts else 0
            table = tables.get(opening, self.storage_chunks, self.counts, len(batch), unread)
        dataset = opening.dataset() if table is None else None
        chunks: list[Found] = []
        for part in batch:
            where: Extent | StoredChunk | None
            if table is not None:
                where = table.find(part.number)
            else:
                where = self._look(dataset, tuple(s.start for s in part.chunk))
            if where is None:
                chunks.append(LibraryValues(self._filled(part, opening)))
            elif self.pipeline.stages and self._may_be_unfiltered(where, part):
                wanted = zip(part.chunk, part.inner, strict=True)
                shifted = tuple(
                    slice(c.start + i.start, c.start + i.stop, i.step) for c, i in wanted
                )
                chunks.append(LibraryValues(opening.values(shifted)))
            else:
                chunks.append(where)
        return chunks

    def _look(self, dataset: Any, origin: tuple[int, ...]) -> Extent | StoredChunk | None:
        """Return the chunk at `origin`, or only its extent if it is large and can be read in part.

        None if it was never written.
        """
        if self.in_parts and self.pipeline.nbytes > MOST_TOGETHER:
            return find_one(dataset, origin)
        chunk = read_one(dataset, origin)
        return None if chunk is None else StoredChunk(chunk[1], chunk[0])

    def _may_be_unfiltered(self, chunk: Extent | StoredChunk, part: ChunkPart) -> bool:
        """Return whether a chunk may be stored unfiltered although its mask says otherwise.

        A dataset can be created such that chunks that extend beyond its edge are not filtered;
        h5py does not expose this.  The stored size of such a chunk is that of its values.
        """
        if not self._filtered(chunk.mask):
            return False
        size = chunk.size if isinstance(chunk, Extent) else len(chunk.data)
        return size == self.pipeline.nbytes and box_shape(part.chunk) != self.storage_chunks

    def _filled(self, part: ChunkPart, opening: OpenForRead) -> Any:
        """Return the value of chunks that were never written, as read by libhdf5."""
        if self._fill is None:
            one = tuple(
                slice(c.start + i.start, c.start + i.start + 1, 1)
                for c, i in zip(part.chunk, part.inner, strict=True)
            )
            self._fill = opening.values(one).reshape(())[()]
        return self._fill

    def _fetched(self, chunks: list[Found], opening: OpenForRead) -> Iterator[Found]:
        """Yield what was found, with the stored bytes instead of extents that are read whole.

        The bytes are valid until the next item is requested.
        """
        at = 0
        while at < len(chunks):
            first = chunks[at]
            if not isinstance(first, Extent) or not self._read_whole(first):
                yield first
                at += 1
                continue
            start, stop, after = first.offset, first.offset + first.size, at + 1
            while after < len(chunks):
                this = chunks[after]
                if not isinstance(this, Extent) or not stop <= this.offset <= stop + _GAP:
                    break
                if this.offset + this.size - start > MOST_TOGETHER:
                    break
                stop, after = this.offset + this.size, after + 1
            data = scratch("stored", stop - start).data
            opening.descriptor.read_into(data, start)
            for extent in chunks[at:after]:
                assert isinstance(extent, Extent)
                begin = extent.offset - start
                yield StoredChunk(data[begin : begin + extent.size], extent.mask)
            at = after

    def _read_whole(self, extent: Extent) -> bool:
        """Return whether all of a chunk is read, together with its neighbours."""
        small = extent.size == self.pipeline.nbytes <= _SMALL
        return small or self._filtered(extent.mask)

    def _filtered(self, mask: int) -> bool:
        stages = len(self.pipeline.stages)
        return bool(stages and ~mask & (1 << stages) - 1)

    def _place(self, chunk: Found, inner: Box, out: npt.NDArray[Any], opening: OpenForRead) -> None:
        """Write the wanted part of a chunk into `out`."""
        if isinstance(chunk, LibraryValues):
            out[...] = chunk.values
        elif isinstance(chunk, Extent):
            if chunk.size != self.pipeline.nbytes:
                raise ValueError(f"damaged: it has {chunk.size} bytes, not {self.pipeline.nbytes}")
            read_plain(opening.descriptor, chunk.offset, self.storage_chunks, inner, out)
        elif out.flags.c_contiguous and is_all(inner, self.storage_chunks):
            self.pipeline.decode(chunk.data, chunk.mask, out.reshape(-1).view(np.uint8))
        else:
            data = self.pipeline.decode(chunk.data, chunk.mask)
            out[...] = np.ndarray(self.storage_chunks, self.dtype, data)[inner]

    def peak_bytes(self, box: Box) -> int:
        result = math.prod(box_shape(box)) * self.dtype.itemsize
        if self.in_parts:
            return result + MOST_TOGETHER
        # A compressed chunk is rarely longer than its values.
        nbytes = self.pipeline.nbytes
        stored = max(MOST_TOGETHER, nbytes + nbytes // 64 + 2**12)
        decoding = self.pipeline.working_bytes(into=self._is_one_chunk(box))
        return result + stored + decoding + MOST_TOGETHER

    def _is_one_chunk(self, box: Box) -> bool:
        return all(
            s.start % n == 0 and s.stop - s.start == n and (s.step == 1 or n == 1)
            for s, n in zip(box, self.storage_chunks, strict=True)
        )
