"""Datasets that are stored in chunks, each of them perhaps compressed.

A box is read some chunks at a time: where they lie is looked up for all of them
at once, those that are neighbours in the file are read at once, and a chunk
that is wanted whole is decoded straight to where it belongs.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from biggus.backends.hdf5.direct import OpenForRead, Storage
from biggus.backends.hdf5.lookup import Extent, find_one, read_one, tables
from biggus.backends.native import hdf5_lock
from biggus.backends.plain import finer_chunks, is_all, view_of
from biggus.backends.reading import MOST_TOGETHER, read_plain
from biggus.backends.strided import MOST_WASTE
from biggus.codecs.scratch import scratch
from biggus.indexing.grid import Grid
from biggus.sources.base import box_shape

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from biggus.codecs.pipeline import Pipeline
    from biggus.indexing.grid import ChunkPart
    from biggus.sources.base import Box

_MOST_PARTS = 256
_GAP = 2**12
"""Bytes; chunks that are no further apart than that are read at once."""


_SMALL = 2**14
"""Bytes; a chunk that is no longer is not worth a read of its own, or of a part of it."""


class StoredChunk(NamedTuple):
    """A chunk as it is stored, and which filters were left out."""

    data: Any
    mask: int


class LibraryValues(NamedTuple):
    """Values that the library gave."""

    values: Any


Found: TypeAlias = "Extent | StoredChunk | LibraryValues"


class ChunkedStorage(Storage):
    """Values in chunks, each in C order and through a pipeline of filters.

    Parameters
    ----------
    shape, dtype
        Of the dataset.
    storage_chunks : tuple of int
        The shape of a chunk.
    pipeline : Pipeline
        The filters.
    unlocated : bool
        Whether the library is not to be trusted with where chunks lie: then
        it reads them itself, as they are stored.
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
        found = np.empty(box_shape(box), self.dtype) if out is None else out
        if self._skips_small(box):
            with hdf5_lock:
                found[...] = opening.values(box)
            opening.check()
        else:
            self._read(box, opening, found)
        return found

    def _skips_small(self, box: Box) -> bool:
        """Tell whether single values are wanted, far apart, of chunks that are no work.

        The library finds one of these in a third of the time that a call to it takes.
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
                found = self._find(batch, opening)
            for part, stored in zip(batch, self._fetched(found, opening), strict=True):
                out = view_of(values, part.outer)
                try:
                    self._place(stored, part.inner, out, opening)
                except ValueError as error:
                    origin = tuple(s.start for s in part.chunk)
                    raise ValueError(f"the chunk at {origin}: {error}") from error
            del found, stored  # or they would lie beside the next ones
        opening.check()

    def _find(self, batch: list[ChunkPart], opening: OpenForRead) -> list[Found]:
        """Return where chunks lie, or what the library had to read.  The caller holds the lock."""
        table = None
        if not self.unlocated:
            unread = self.pipeline.nbytes if self.in_parts else 0
            table = tables.get(opening, self.storage_chunks, self.counts, len(batch), unread)
        dataset = opening.dataset() if table is None else None
        found: list[Found] = []
        for part in batch:
            where: Extent | StoredChunk | None
            if table is not None:
                where = table.find(part.number)
            else:
                where = self._look(dataset, tuple(s.start for s in part.chunk))
            if where is None:
                found.append(LibraryValues(self._filled(part, opening)))
            elif self._doubtful(where, part):
                wanted = zip(part.chunk, part.inner, strict=True)
                shifted = tuple(
                    slice(c.start + i.start, c.start + i.stop, i.step) for c, i in wanted
                )
                found.append(LibraryValues(opening.values(shifted)))
            else:
                found.append(where)
        return found

    def _look(self, dataset: Any, origin: tuple[int, ...]) -> Extent | StoredChunk | None:
        """Return a chunk that no table knows."""
        if self.in_parts and self.pipeline.nbytes > MOST_TOGETHER:
            return find_one(dataset, origin)
        found = read_one(dataset, origin)
        return None if found is None else StoredChunk(found[1], found[0])

    def _doubtful(self, found: Extent | StoredChunk, part: ChunkPart) -> bool:
        """Tell whether a chunk may be stored without its filters though nothing says so.

        A file can say of all chunks that reach over the edge of the dataset
        that they are not filtered; h5py cannot tell.  They have the size of
        their values then.
        """
        if not self._filtered(found.mask):
            return False
        size = found.size if isinstance(found, Extent) else len(found.data)
        return size == self.pipeline.nbytes and box_shape(part.chunk) != self.storage_chunks

    def _filled(self, part: ChunkPart, opening: OpenForRead) -> Any:
        """Return the value of what was never written, which the library knows best."""
        if self._fill is None:
            one = tuple(
                slice(c.start + i.start, c.start + i.start + 1, 1)
                for c, i in zip(part.chunk, part.inner, strict=True)
            )
            self._fill = opening.values(one).reshape(())[()]
        return self._fill

    def _fetched(self, found: list[Found], opening: OpenForRead) -> Iterator[Found]:
        """Yield what was found, that which is to be decoded as it is stored.

        It is good until the next one is asked for.
        """
        at = 0
        while at < len(found):
            first = found[at]
            if not isinstance(first, Extent) or not self._read_whole(first):
                yield first
                at += 1
                continue
            start, stop, after = first.offset, first.offset + first.size, at + 1
            while after < len(found):
                this = found[after]
                if not isinstance(this, Extent) or not stop <= this.offset <= stop + _GAP:
                    break
                if this.offset + this.size - start > MOST_TOGETHER:
                    break
                stop, after = this.offset + this.size, after + 1
            data = scratch("stored", stop - start).data
            opening.descriptor.read_into(data, start)
            for extent in found[at:after]:
                assert isinstance(extent, Extent)
                begin = extent.offset - start
                yield StoredChunk(data[begin : begin + extent.size], extent.mask)
            at = after

    def _read_whole(self, extent: Extent) -> bool:
        """Tell whether a chunk is read with its neighbours, and all of it, whatever is wanted."""
        small = extent.size == self.pipeline.nbytes <= _SMALL
        return small or self._filtered(extent.mask)

    def _filtered(self, mask: int) -> bool:
        stages = len(self.pipeline.stages)
        return bool(stages and ~mask & (1 << stages) - 1)

    def _place(self, found: Found, inner: Box, out: npt.NDArray[Any], opening: OpenForRead) -> None:
        """Put the wanted part of a chunk where it belongs."""
        if isinstance(found, LibraryValues):
            out[...] = found.values
        elif isinstance(found, Extent):
            if found.size != self.pipeline.nbytes:
                raise ValueError(
                    f"it is of {found.size} bytes, not {self.pipeline.nbytes}: damaged"
                )
            read_plain(opening.descriptor, found.offset, self.storage_chunks, inner, out)
        elif out.flags.c_contiguous and is_all(inner, self.storage_chunks):
            self.pipeline.decode(found.data, found.mask, out.reshape(-1).view(np.uint8))
        elif not self._place_parts(found, inner, out):
            data = self.pipeline.decode(found.data, found.mask)
            out[...] = np.ndarray(self.storage_chunks, self.dtype, data)[inner]

    def _place_parts(self, found: StoredChunk, inner: Box, out: npt.NDArray[Any]) -> bool:
        """Put what is wanted of a chunk where it belongs, if it is long runs here and there."""
        shape = self.storage_chunks
        if len(shape) < 2 or not out.size or any(s.step != 1 for s in inner):
            return False
        if out.nbytes // len(out) < _SMALL or not out[0].flags.c_contiguous:
            return False
        if not is_all(inner[2:], shape[2:]):
            return False
        step = math.prod(shape[2:])
        parts = (
            ((plane * shape[1] + inner[1].start) * step, target.reshape(-1).view(np.uint8))
            for plane, target in enumerate(out, inner[0].start)
        )
        return self.pipeline.decode_parts(found.data, found.mask, self.dtype.itemsize, parts)

    def peak_bytes(self, box: Box) -> int:
        result = math.prod(box_shape(box)) * self.dtype.itemsize
        if self.in_parts:
            return result + MOST_TOGETHER
        # A compressed chunk is hardly ever longer than its values.
        nbytes = self.pipeline.nbytes
        stored = max(MOST_TOGETHER, nbytes + nbytes // 64 + 2**12)
        decoding = self.pipeline.working_bytes(into=self._is_one_chunk(box))
        return result + stored + decoding + MOST_TOGETHER

    def _is_one_chunk(self, box: Box) -> bool:
        return all(
            s.start % n == 0 and s.stop - s.start == n and (s.step == 1 or n == 1)
            for s, n in zip(box, self.storage_chunks, strict=True)
        )
