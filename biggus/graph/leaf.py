"""Leaves: nodes of all values of a source."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from biggus.graph.base import Node
from biggus.graph.pieces import Piece, Read, Steps
from biggus.graph.view import select
from biggus.indexing.grid import Edges, Grid, IrregularEdges, RegularEdges
from biggus.indexing.resolve import split_all
from biggus.indexing.selection import ArrayMap, ConstantMap, DimensionMap, Selection
from biggus.sources import studying
from biggus.sources.base import Chunks, Source, Stream, read
from biggus.sources.memory import MemorySource
from biggus.sources.scattered import Stored, cut_scattered
from biggus.sources.stream import streamed
from biggus.sources.wrappers import ObjectSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np

    from biggus.graph.identifying import Identifier

LONGEST_READ = 8 * 2**20
"""A longer dense read, in bytes, is made in parts of about this size."""


class Leaf(Node):
    """All values of a source.

    An object of the user that is no source is wrapped when it is read, and not before, because a
    mosaic may have 2^18 of them.

    Parameters
    ----------
    origin : Source or object
        The source, or the object that is wrapped into one.
    shape : tuple of int
        Its shape, normalized.
    dtype : dtype
        Its dtype, normalized.
    """

    __slots__ = ("dtype", "origin", "shape")

    def __init__(self, origin: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.origin = origin
        self.shape = shape
        self.dtype = dtype

    @property
    def source(self) -> Source:
        """The source that is read."""
        origin = self.origin
        if isinstance(origin, Source):
            return studying.to_read(origin)
        source = ObjectSource(origin)
        # Reads must match the shape and dtype that the leaf was made with.
        source.shape, source.dtype = self.shape, self.dtype
        return studying.to_read(source)

    def __getstate__(self) -> tuple[None, dict[str, Any]]:
        # A study is not in force in another process: the source that it puts here is sent.
        sent = self.origin if studying.current() is None else self.source
        return None, {"origin": sent, "shape": self.shape, "dtype": self.dtype}

    @property
    def masked(self) -> bool:  # type: ignore[override]
        """Whether values of the source can be missing."""
        return isinstance(self.origin, Source) and self.origin.masked

    @property
    def fill_value(self) -> Any:
        """The fill value of the source."""
        return self.origin.fill_value if isinstance(self.origin, Source) else None

    @property
    def grid(self) -> Chunks | None:
        return self.origin.chunks if isinstance(self.origin, Source) else None

    @property
    def signature(self) -> Any:
        return (Leaf, self._one_value() or id(self.origin), self.shape, self.dtype)

    def _one_value(self) -> bytes | None:
        """Return the bytes of a single value in memory: equal constants are one node."""
        origin = self.origin
        if type(origin) is not MemorySource or origin.masked or origin.dtype.hasobject:
            return None
        return origin.array.tobytes() if origin.array.size == 1 else None

    def identifiers(self, selection: Selection) -> Iterable[Identifier]:
        # Only changes within the bounding box invalidate cached results.
        box, local = selection.bounding_box()
        return (Read(self.source, box, local, selection, None),)

    def io_bound(self) -> bool:
        return self.source.io_bound and not self.source.in_memory

    def in_memory(self) -> bool:
        return self.source.in_memory

    @property
    def streams(self) -> bool:
        origin = self.origin
        known = isinstance(origin, Source) and origin.chunks is None and not origin.masked
        return known and origin.streams

    def stream(self, selection: Selection) -> Stream:
        box, _ = selection.bounding_box()
        return streamed(self.source, box, selection.shape)

    def pushdown(self, selection: Selection) -> Node:
        source = self.source
        if not source.in_memory:
            return select(self, selection)
        # Values in memory are cut out: no others are kept alive, or sent to other processes.
        box, local = selection.bounding_box()
        values = read(source, box).copy()
        return select(Leaf(MemorySource(values), values.shape, self.dtype), local)

    def parts(
        self, selection: Selection, out_selection: Selection, steps: Steps = None
    ) -> Iterator[Piece]:
        source = self.source
        for part, part_out in _parts(source, selection, out_selection):
            box, local = part.bounding_box()
            yield Read(source, box, local, part_out, steps)


def _parts(
    source: Source, selection: Selection, out_selection: Selection
) -> Iterator[tuple[Selection, Selection]]:
    """Cut a selection into parts, one for each read."""
    if source.in_memory:
        yield selection, out_selection
    elif source.chunks is None:
        if any(type(m) is ArrayMap for m in selection.maps):
            stored = Stored(source.shape, source.dtype.itemsize, source.streams)
            yield from cut_scattered(selection, out_selection, stored)
        else:
            yield from split_all(selection, out_selection, _rows_to_cut(source, selection))
    else:
        edges = Grid(source.shape, source.chunks).axes
        yield from split_all(selection, out_selection, _axes_to_cut(source, selection, edges))


def _rows_to_cut(source: Source, selection: Selection) -> list[tuple[int, Edges]]:
    """Return the edges at which a long read of a source without chunks is cut."""
    for axis, m in enumerate(selection.maps):
        if type(m) is DimensionMap and selection.shape[m.dim] > 1:
            coarse = _coarse(source, selection, axis, RegularEdges(source.shape[axis], 1))
            return [(axis, coarse)] if coarse else []
    return []


def _axes_to_cut(
    source: Source, selection: Selection, edges: tuple[Edges, ...]
) -> list[tuple[int, Edges]]:
    """Return the edges at which a selection of a source with chunks is cut.

    Io-bound reads are cut at every chunk, to wait at the same time; or at every shard, whose
    chunks are read together, unless some are not wanted.  Other sources, such as libraries with
    one lock, do better with one read of many chunks, if every chunk of the box is wanted.
    """
    chosen = []
    dense = True
    shards = Grid(source.shape, source.shards).axes if source.shards is not None else edges
    for axis, (m, cut) in enumerate(zip(selection.maps, edges, strict=True)):
        if cut.count < 2 or type(m) is ConstantMap:
            continue
        separate = type(m) is ArrayMap or (_skips(m, cut) and not source.skips_chunks)
        if separate or source.io_bound:
            chosen.append((axis, cut if separate else shards[axis]))
            dense = False
        elif dense and (coarse := _coarse(source, selection, axis, cut)) is not None:
            chosen.append((axis, coarse))
            dense = False
    return chosen


def _skips(m: DimensionMap | ArrayMap, cut: Edges) -> bool:
    """Return whether a stride may step over a chunk."""
    if type(m) is not DimensionMap or abs(m.step) == 1:
        return False
    start, stop = cut.bounds(cut.find(m.start))
    return abs(m.step) > stop - start


def _coarse(source: Source, selection: Selection, axis: int, cut: Edges) -> Edges | None:
    """Return edges that cut a long dense read, at chunks, into parts of about `LONGEST_READ`.

    The parts show progress, can be interrupted, and need no second copy of all values.  None if
    the read is short, or within one chunk.
    """
    total = math.prod(selection.shape) * source.dtype.itemsize
    m = selection.maps[axis]
    if total <= 2 * LONGEST_READ or type(m) is not DimensionMap:
        return None
    rows = max(1, LONGEST_READ * selection.shape[m.dim] * abs(m.step) // total)
    wanted = selection.bounding_box()[0][axis]
    coarse: Edges
    if isinstance(cut, RegularEdges):
        coarse = RegularEdges(cut.length, max(1, rows // cut.size) * cut.size)
    else:
        offsets = [0]
        for start, stop in map(cut.bounds, cut.touching(wanted)):
            if stop - offsets[-1] > rows and start > offsets[-1]:
                offsets.append(start)
        coarse = IrregularEdges([*offsets, cut.length])
    return coarse if len(coarse.touching(wanted)) > 1 else None
