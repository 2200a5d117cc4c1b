"""Sources whose decoded chunks are kept in the chunk memory.

Decoding a chunk takes a hundred times as long as copying a few of its values.  A chunk must be
decoded whole even if a small part is read.  It is kept then, for its neighbouring values are likely
to be read next.  Chunks that are read in bulk are kept only when they are read a second time.
"""

from __future__ import annotations

import logging
import math
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus import options
from biggus.options import format_bytes
from biggus.sources.base import box_shape, call, checked, read, read_into
from biggus.sources.chunk_memory import Chunk, chunk_memory
from biggus.sources.keyed_grid import ChunkKey, KeyedGrid
from biggus.sources.parts import paste
from biggus.sources.wrappers import Wrapper
from biggus.support import watching
from biggus.support.once import once
from biggus.support.single_flight import SingleFlight

if TYPE_CHECKING:
    import numpy.typing as npt

    from biggus.indexing.selection import Selection
    from biggus.sources.base import Box, Source, Stream, Values

REMEDY = (
    "read larger parts at once, allow more with `biggus.set_options(chunk_memory=...)`, "
    "or save it once in other chunks"
)
"""The advice for reads whose chunks do not stay in memory until they are read again."""

_log = logging.getLogger("biggus.sources")

_warned: set[str] = set()
"""The sources whose chunks do not stay in memory, which has been logged as a warning."""

_MOST_WARNED = 100

_flights: SingleFlight[tuple[Values, watching.Watch]] = SingleFlight()
"""The chunks that are being decoded in this process."""


class MemoryCached(Wrapper):
    """A source whose decoded chunks are kept in the chunk memory of this process.

    It wraps the disk cache, if there is one, so that a hit in memory is neither read, checked
    nor decompressed again.  A read within one chunk returns a read-only view.  A chunk is used
    as long as the source says that it is still valid.

    Parameters
    ----------
    source : Source
        The source inside, which has a `token`.
    """

    lock = None  # the source's own lock is taken while the source is read

    # Plain attributes, faster than the delegating properties of the base class.
    shape: tuple[int, ...] = ()
    dtype: np.dtype[Any] = np.dtype(np.float64)
    masked = False

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.shape = source.shape
        self.dtype = source.dtype
        self.masked = source.masked

    def __reduce__(self) -> tuple[Any, ...]:
        return MemoryCached, (self.source,)

    @property
    def cache(self) -> Any:
        """The cache of the source inside, if it has one."""
        return self.source.cache  # type: ignore[attr-defined] # else there is no such attribute

    @once
    def _layout(self) -> KeyedGrid | None:
        """The grid of chunks; None if chunks are not kept."""
        source, shape = self.source, self.shape
        # The size of objects is not known.
        if self.dtype.hasobject or not shape or 0 in shape or source.chunks is None:
            return None
        return KeyedGrid(source) if source.decodes_chunks else None

    @property
    def keeps_chunks(self) -> bool:
        """Whether decoded chunks are kept, if the options allow it."""
        return self._layout is not None

    def __getitem__(self, box: Box) -> Values:
        layout = self._layout
        if layout is None or not chunk_memory.limit:
            return read(self.source, box)
        only = layout.only_chunk(box)
        if only is not None:
            key, part = only
            held = self._held(layout, key)
            if held is not None:
                return held[part]
            chunk = layout.chunk(key)
            if box != chunk:
                return self._decoded(layout, key, chunk, box)[part]
        if only is not None or layout.is_bulk(box):
            return self._whole_chunks(layout, box)
        if layout.is_scattered(box):
            return read(self.source, box)
        return self._pasted(layout, box)

    def read_into(self, box: Box, out: npt.NDArray[Any]) -> bool:
        """Read `box` into `out`; see `Source.read_into`."""
        layout = self._layout
        if layout is None or not chunk_memory.limit:
            return read_into(self.source, box, out)
        if layout.is_bulk(box):
            self._whole_chunks(layout, box, out)
        elif layout.is_scattered(box):
            return read_into(self.source, box, out)
        else:
            self._pasted(layout, box, out)
        return True

    def cached_read(self, box: Box) -> Values | None:
        """Return the values in `box` if they are in memory or the source need not wait for them."""
        layout = self._layout
        if layout is None or not options.current().chunk_memory:
            return self.source.cached_read(box)
        only = layout.only_chunk(box)
        if only is None:
            return self.source.cached_read(box)
        key, part = only
        waits = self.source.io_bound
        values = self._held(layout, key, counts_miss=waits)  # else a read follows, which counts it
        if values is None and waits:
            values = self._cached_chunk(layout, key, box)
        return None if values is None else values[part]

    def selected(self, selection: Selection) -> Values | None:
        """Return the values of a selection if they lie in one chunk that is in memory."""
        layout = self._layout
        if layout is None:
            return None
        only = layout.chunk_of(selection)
        if only is None:
            return None
        key, inner = only
        values = self._held(layout, key, counts_miss=False)  # a read follows, which counts it
        return None if values is None else values[inner]

    def stream(self, box: Box) -> Stream | None:
        """Return the stream of the source inside."""
        return call(self.source, box, self.source.stream, box)

    def sibling(self, name: str) -> Source | None:
        """Return another variable of the same store."""
        found = self.source.sibling(name)
        return None if found is None else kept_in_memory(found)

    def peak_bytes(self, box: Box) -> int:
        """Return the most memory that a read of `box` takes, beside the chunk memory."""
        layout = self._layout
        inside = self.source.peak_bytes(box)
        if layout is None or layout.is_bulk(box):
            return inside
        axes = zip(layout.grid.axes, box, strict=True)
        chunk = tuple([slice(*edges.bounds(edges.find(s.start)), 1) for edges, s in axes])
        return max(inside, super(Wrapper, self).peak_bytes(box) + self.source.peak_bytes(chunk))

    def bytes_in_memory(self, box: Box) -> int:
        """Return how many bytes of the values in `box` are in the chunk memory."""
        layout = self._layout
        if layout is None or not len(chunk_memory):
            return 0
        held = [outer for key, _, outer in layout.parts(box) if chunk_memory.holds(key)]
        return sum(math.prod(box_shape(outer)) for outer in held) * self.dtype.itemsize

    def _pasted(self, layout: KeyedGrid, box: Box, out: npt.NDArray[Any] | None = None) -> Values:
        """Return the values in a box of several chunks, decoding and keeping those not held."""
        result: Values = np.ndarray(box_shape(box), self.dtype) if out is None else out
        # If the state changes before a chunk is decoded, the evaluation fails.
        state = self.source.state()
        for key, inner, outer in layout.parts(box):
            found = chunk_memory.find(key)
            if found is not None and self._is_good(layout, key, found, state):
                values = found.values
            else:
                values = self._decoded(layout, key, layout.chunk(key), box)
            result = paste(result, outer, values, inner)
        return result

    def _whole_chunks(
        self, layout: KeyedGrid, box: Box, out: npt.NDArray[Any] | None = None
    ) -> Values:
        """Return the values in a box that is read in bulk; keep chunks that were read before."""
        if layout.is_scattered(box):
            return self._read(box, out)
        parts = list(layout.parts(box))
        if all(chunk_memory.holds(key) for key, *_ in parts):
            values = self._joined(layout, box, parts, out)
            if values is not None:
                return values
        again = [part for part in parts if chunk_memory.came_before(part[0])]
        if not again:
            chunk_memory.note([key for key, *_ in parts])
            return self._read(box, out)
        keep = {}
        for key, _, outer in again:
            chunk = layout.chunk(key)
            if box_shape(outer) == box_shape(chunk):
                keep[key] = chunk, outer, self.source.cached_validator(chunk)
        values = self._read(box, out)
        for key, (chunk, outer, validator) in keep.items():
            if validator is not None and self.source.cached_validator(chunk) == validator:
                chunk_memory.keep(key, values[outer], validator, copy=True)
        return values

    def _joined(
        self,
        layout: KeyedGrid,
        box: Box,
        parts: list[tuple[ChunkKey, Box, Box]],
        out: npt.NDArray[Any] | None,
    ) -> Values | None:
        """Return the values in a box whose chunks are all in memory; None if one is not valid."""
        result: Values = np.ndarray(box_shape(box), self.dtype) if out is None else out
        state = self.source.state()
        for key, inner, outer in parts:
            found = chunk_memory.find(key)
            if found is None or not self._is_good(layout, key, found, state):
                return None
            result = paste(result, outer, found.values, inner)
        return result

    def _read(self, box: Box, out: npt.NDArray[Any] | None) -> Values:
        if out is not None and read_into(self.source, box, out):
            return out
        values = read(self.source, box)
        if out is not None:
            out[...] = values
            return out
        return values

    def _held(self, layout: KeyedGrid, key: ChunkKey, counts_miss: bool = True) -> Values | None:
        """Return the values of a chunk that is in memory and still valid, else None."""
        found = chunk_memory.find(key, counts_miss=counts_miss)
        if found is None:
            return None
        state = self.source.state()
        good = state == found.validator or self._is_good(layout, key, found, state)
        return found.values if good else None

    def _is_good(self, layout: KeyedGrid, key: ChunkKey, found: Chunk, state: bytes | None) -> bool:
        """Return whether a chunk in memory is known to be valid without asking a server."""
        if state is not None:
            good = state == found.validator
        else:
            source, chunk = self.source, layout.chunk(key)
            waits = source.revalidation_waits(chunk, found.validator)
            good = not waits and source.revalidate(chunk, found.validator) is not None
        if not good:
            chunk_memory.forget(key)
        return good

    def _decoded(self, layout: KeyedGrid, key: ChunkKey, chunk: Box, box: Box) -> Values:
        """Decode and keep a chunk that is not in memory; return its read-only values.

        `box` is the box of the whole read, for the warning.
        """
        if chunk_memory.came_before(key):
            self._warn(layout, box)

        def decode() -> tuple[Values, watching.Watch]:
            (values, validator), watch = watching.watched(partial(self.source.fetch, chunk))
            if not self.source.owns_data:
                values = values.copy()
            chunk_memory.keep(key, values, validator)
            return values, watch

        (values, watch), _ = _flights.do(key, decode)
        watching.join(watch)
        return values

    def _warn(self, layout: KeyedGrid, box: Box) -> None:
        """Warn once per source that the chunks of a read do not fit the chunk memory."""
        limit = chunk_memory.limit
        if layout.identity in _warned or len(_warned) >= _MOST_WARNED:
            return
        count, size = layout.touched(box)
        nbytes = size * self.dtype.itemsize
        if nbytes <= limit:
            return
        _warned.add(layout.identity)
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

    def _cached_chunk(self, layout: KeyedGrid, key: ChunkKey, box: Box) -> Values | None:
        """Return the chunk of a box if the source need not wait for it, and keep it if it helps."""
        chunk = layout.chunk(key)
        keep = box != chunk or chunk_memory.came_before(key)
        validator = self.source.cached_validator(chunk) if keep else None
        values = self.source.cached_read(chunk)
        if values is None:
            return None
        values = checked(self.source, chunk, values)
        if keep:
            same = self.source.cached_validator(chunk) == validator
            chunk_memory.keep(key, values, validator if same else None)
        else:
            chunk_memory.note([key])
        return values


def kept_in_memory(source: Source) -> Source:
    """Wrap a source so that its decoded chunks are kept in memory, if it has a token."""
    return source if source.token is None or source.in_memory else MemoryCached(source)
