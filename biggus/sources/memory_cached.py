"""Sources whose decoded chunks stay in the chunk memory, for what is read again.

To decode a chunk takes a hundred times as long as to copy a few values of it.  A chunk of
which a small part is wanted is decoded whole in any case: it is kept, for its neighbours
are wanted next.  What is read in bulk goes by untouched; when it is read
again, its chunks are kept too.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus import options, watching
from biggus.flight import SingleFlight
from biggus.indexing.grid import Grid, RegularEdges, strides_of
from biggus.once import once
from biggus.options import format_bytes
from biggus.sources.base import asked, box_shape, read, read_into
from biggus.sources.chunk_memory import chunk_memory
from biggus.sources.parts import pasted
from biggus.sources.wrappers import Wrapper

if TYPE_CHECKING:
    from collections.abc import Hashable

    import numpy.typing as npt

    from biggus.indexing.grid import ChunkPart
    from biggus.sources.base import Box, Source, Stream, Values

_LITTLE = 2**16
"""Bytes; shorter chunks are not looked for one by one where many are read."""

_FEW = 64
"""Chunks that are not many, however short."""

REMEDY = (
    "read larger parts at once, allow more with biggus.set_options(chunk_memory=...), "
    "or save it once in other chunks"
)
"""What helps where chunks do not stay in memory until they are read again."""

_log = logging.getLogger("biggus.sources")

_told: set[str] = set()
"""Of which sources it has been told that their chunks do not stay."""

_MOST_TOLD = 100

_flights: SingleFlight[tuple[Values, watching.Watch]] = SingleFlight()
"""The chunks that are being decoded in this process."""


class _Layout(NamedTuple):
    """How a source is cut into chunks, and what names these."""

    identity: str
    grid: Grid
    strides: list[int]
    nbytes: int

    def key(self, number: tuple[int, ...]) -> Hashable:
        """Return what a chunk is kept under."""
        return self.identity, sum(map(int.__mul__, number, self.strides))

    def only_chunk(self, box: Box) -> tuple[Hashable, Box] | None:
        """Return the key of the chunk that holds all of `box`, and which part of it; or None."""
        flat = 0
        part = []
        for edges, stride, s in zip(self.grid.axes, self.strides, box):  # noqa: B905 - for speed
            first, last = s.start, s.stop
            if type(edges) is RegularEdges:
                size = edges.size
                piece = first // size
                start = piece * size
                if last > start + size:
                    return None
            else:
                piece = edges.find(first)
                start, stop = edges.bounds(piece)
                if last > stop:
                    return None
            flat += piece * stride
            part.append(slice(first - start, last - start, s.step))
        return (self.identity, flat), tuple(part)

    def chunk(self, box: Box) -> Box:
        """Return the chunk that holds all of `box`."""
        axes = zip(self.grid.axes, box, strict=True)
        return tuple([slice(*edges.bounds(edges.find(s.start)), 1) for edges, s in axes])

    def touched(self, box: Box) -> tuple[int, int]:
        """Return how many chunks a box touches, and the elements from the first to the last."""
        count = size = 1
        for edges, s in zip(self.grid.axes, box, strict=True):
            first, last = edges.find(s.start), edges.find(s.stop - 1)
            count *= last - first + 1
            size *= edges.bounds(last)[1] - edges.bounds(first)[0]
        return count, size


class MemoryCached(Wrapper):
    """A source whose decoded chunks stay in the chunk memory of this process.

    It stands around the disk cache, if there is one: what is in memory has been read,
    checked and unpacked already.  What is in one chunk is given without a copy, not to be
    written to.  A chunk is given as long as the source says that it is still good.

    Parameters
    ----------
    source : Source
        The source inside, which has a `token`.
    """

    lock = None  # The source's own is taken for as long as it is read.

    # Of its own, where the base has properties that ask the source.
    shape: tuple[int, ...] = ()
    dtype: np.dtype[Any] = np.dtype(np.float64)

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.shape = source.shape
        self.dtype = source.dtype

    def __reduce__(self) -> tuple[Any, ...]:
        return MemoryCached, (self.source,)

    @property
    def cache(self) -> Any:
        """The cache of the source inside, if it has one."""
        return self.source.cache  # type: ignore[attr-defined] # else there is no such attribute

    @once
    def _layout(self) -> _Layout | None:
        """Its chunks; None if they need not be kept."""
        source = self.source
        chunks, dtype = source.chunks, self.dtype
        # The bytes of objects are not known.
        if dtype.hasobject or chunks is None or 0 in self.shape or not source.decodes_chunks:
            return None
        grid = Grid(self.shape, chunks)
        identity = repr((source.token, dtype, self.shape, chunks))
        strides = strides_of(tuple([axis.count for axis in grid.axes]))
        nbytes = math.prod(self.shape) * dtype.itemsize // grid.count
        return _Layout(identity, grid, strides, nbytes)

    def __getitem__(self, box: Box) -> Values:
        layout = self._layout
        if layout is None or not chunk_memory.limit:
            return read(self.source, box)
        only = layout.only_chunk(box)
        if only is not None:
            key, part = only
            found = self._good(key, box, layout)
            if found is not None:
                return found[part]
            chunk = layout.chunk(box)
            if box != chunk:
                return self._decoded(key, chunk, box)[part]
            return self._whole_chunks(layout, box)
        if self._is_bulk(layout, box):
            return self._whole_chunks(layout, box)
        if self._is_scattered(layout, box):
            return read(self.source, box)
        return self._pasted(layout, box)

    def read_into(self, box: Box, out: npt.NDArray[Any]) -> bool:
        """Read `box` to where its values are to be."""
        layout = self._layout
        if layout is None or not chunk_memory.limit or self._is_scattered(layout, box):
            return read_into(self.source, box, out)
        if self._is_bulk(layout, box):
            self._whole_chunks(layout, box, out)
        else:
            self._pasted(layout, box, out)
        return True

    def cached_read(self, box: Box) -> Values | None:
        """Return the values in `box` if they are in memory, or the source has them at hand."""
        layout = self._layout
        if layout is None or not options.current().chunk_memory:
            return self.source.cached_read(box)
        only = layout.only_chunk(box)
        if only is None:
            return self.source.cached_read(box)
        key, part = only
        found = self._good(key, box, layout)
        if found is None:
            chunk = layout.chunk(box)
            found = self._read_at_hand(key, chunk, box != chunk or chunk_memory.came_before(key))
        return None if found is None else found[part]

    def stream(self, box: Box) -> Stream | None:
        """Return what the source does."""
        return asked(self.source, box, self.source.stream, box)

    def sibling(self, name: str) -> Source | None:
        """Return another variable of the same store."""
        found = self.source.sibling(name)
        return None if found is None else kept_in_memory(found)

    def peak_bytes(self, box: Box) -> int:
        """Return the most memory that a read of `box` takes, beside what stays."""
        layout = self._layout
        inside = self.source.peak_bytes(box)
        if layout is None or self._is_bulk(layout, box):
            return inside
        chunk = layout.chunk(box)
        return max(inside, super(Wrapper, self).peak_bytes(box) + self.source.peak_bytes(chunk))

    def bytes_in_memory(self, box: Box) -> int:
        """Return how many bytes of the values in `box` lie in chunks that are in memory."""
        layout = self._layout
        if layout is None or not len(chunk_memory):
            return 0
        parts = layout.grid.parts(box)
        held = [part.outer for part in parts if chunk_memory.holds(layout.key(part.number))]
        return sum(math.prod(box_shape(outer)) for outer in held) * self.dtype.itemsize

    @staticmethod
    def _is_bulk(layout: _Layout, box: Box) -> bool:
        """Tell whether the most part of the chunks that a box touches is wanted."""
        return 2 * math.prod(box_shape(box)) > layout.touched(box)[1]

    @staticmethod
    def _is_scattered(layout: _Layout, box: Box) -> bool:
        """Tell whether a box touches many chunks that are short."""
        return layout.nbytes < _LITTLE and layout.touched(box)[0] > _FEW

    def _pasted(self, layout: _Layout, box: Box, out: npt.NDArray[Any] | None = None) -> Values:
        """Return the values in a box of several chunks, each of which is kept."""
        result: Values = np.ndarray(box_shape(box), self.dtype) if out is None else out
        for part in layout.grid.parts(box):
            key = layout.key(part.number)
            values = self._good(key, part.chunk, layout)
            if values is None:
                values = self._decoded(key, part.chunk, box)
            result = pasted(result, part, values)
        return result

    def _whole_chunks(
        self, layout: _Layout, box: Box, out: npt.NDArray[Any] | None = None
    ) -> Values:
        """Return the values in a box of which the most part of each chunk is wanted."""
        if layout.nbytes < _LITTLE and layout.touched(box)[0] > _FEW:
            return self._read(box, out)
        parts = list(layout.grid.parts(box))
        keys = [layout.key(part.number) for part in parts]
        if all(map(chunk_memory.holds, keys)):
            pairs = zip(keys, parts, strict=True)
            found = [self._good(key, part.chunk, layout) for key, part in pairs]
            if all(values is not None for values in found):
                return _joined(self, box, parts, found, out)
        before = [chunk_memory.came_before(key) for key in keys]
        if not any(before):
            chunk_memory.note(keys)
            return self._read(box, out)
        wholly = [
            (key, part)
            for key, part, again in zip(keys, parts, before, strict=True)
            if again and box_shape(part.outer) == box_shape(part.chunk)
        ]
        validators = [self.source.cached_validator(part.chunk) for _, part in wholly]
        values = self._read(box, out)
        for (key, part), validator in zip(wholly, validators, strict=True):
            if validator is not None and self.source.cached_validator(part.chunk) == validator:
                chunk_memory.keep(key, values[part.outer], validator, copy=True)
        return values

    def _read(self, box: Box, out: npt.NDArray[Any] | None) -> Values:
        if out is not None and read_into(self.source, box, out):
            return out
        values = read(self.source, box)
        if out is not None:
            out[...] = values
            return out
        return values

    def _good(self, key: Hashable, box: Box, layout: _Layout) -> Values | None:
        """Return the chunk that holds a box, if it is in memory, and good without a request."""
        found = chunk_memory.find(key)
        if found is None:
            return None
        source = self.source
        validator = found.validator
        state = source.state()
        if state is not None:
            good = state == validator
        else:
            chunk = layout.chunk(box)
            waits = source.revalidation_waits(chunk, validator)
            good = not waits and source.revalidate(chunk, validator) is not None
        if good:
            return found.values
        chunk_memory.forget(key)
        return None

    def _decoded(self, key: Hashable, chunk: Box, box: Box) -> Values:
        """Return a chunk that is not in memory, and keep it there; not to be written to.

        `box` is what is read of it and others.
        """
        if chunk_memory.came_before(key):
            self._tell(box)

        def decode() -> tuple[Values, watching.Watch]:
            with watching.apart() as watch:
                values, validator = self.source.fetch(chunk)
            if not self.source.owns_data:
                values = values.copy()
            chunk_memory.keep(key, values, validator)
            return values, watch

        (values, watch), _ = _flights.do(key, decode)
        watching.join(watch)
        return values

    def _tell(self, box: Box) -> None:
        """Say once that chunks are decoded again and again, as what a read touches has no room."""
        layout, limit = self._layout, chunk_memory.limit
        if layout is None or layout.identity in _told or len(_told) >= _MOST_TOLD:
            return
        count, size = layout.touched(box)
        nbytes = size * self.dtype.itemsize
        if nbytes <= limit:
            return
        _told.add(layout.identity)
        _log.warning(
            "%s is read piece by piece: for %s each time, %d chunks of %s together are decoded "
            "again, as the chunk memory has %s: %s",
            self.name,
            format_bytes(math.prod(box_shape(box)) * self.dtype.itemsize),
            count,
            format_bytes(nbytes),
            format_bytes(limit),
            REMEDY,
        )

    def _read_at_hand(self, key: Hashable, chunk: Box, keep: bool) -> Values | None:
        """Return a chunk that the source has at hand; keep it, or note that it was read."""
        validator = self.source.cached_validator(chunk) if keep else None
        values = self.source.cached_read(chunk)
        if values is None:
            return None
        if keep:
            same = self.source.cached_validator(chunk) == validator
            chunk_memory.keep(key, values, validator if same else None)
        else:
            chunk_memory.note([key])
        return values


def kept_in_memory(source: Source) -> Source:
    """Return a source whose decoded chunks stay in memory, if they have a name."""
    return source if source.token is None or source.in_memory else MemoryCached(source)


def _joined(
    source: Source,
    box: Box,
    parts: list[ChunkPart],
    found: list[Values | None],
    out: npt.NDArray[Any] | None,
) -> Values:
    """Return the values in a box of chunks that are all there; of one chunk, that itself."""
    if len(parts) == 1 and out is None and found[0] is not None:
        return found[0][parts[0].inner]
    result: Values = np.ndarray(box_shape(box), source.dtype) if out is None else out
    for part, values in zip(parts, found, strict=True):
        assert values is not None
        result = pasted(result, part, values)
    return result
