"""The leaf: all of a source."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.grid import Edges, Grid
from biggus.nodes.base import Node, Piece
from biggus.region import Gather, Selection, Strided
from biggus.resolve import split_all, split_runs
from biggus.source import Chunks, ObjectSource, Source

if TYPE_CHECKING:
    from biggus.nodes.elementwise import Step


class Leaf(Node):
    """All of a source.

    A plain user object is kept as it is and wrapped when it is read: there
    may be 2^18 of them in a mosaic.

    Parameters
    ----------
    origin : Source or object
        What is read.
    shape : tuple of int
        Its shape, normal.
    dtype : dtype
        Its dtype, normal.
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
            return origin
        source = ObjectSource(origin)
        # What was said when the leaf was made is what a read is held to.
        source.shape, source.dtype = self.shape, self.dtype
        return source

    @property
    def masked(self) -> bool:  # noqa: D102 - inherited
        return isinstance(self.origin, Source) and self.origin.masked

    @property
    def fill_value(self) -> Any:  # noqa: D102
        return self.origin.fill_value if isinstance(self.origin, Source) else None

    @property
    def grid(self) -> Chunks | None:  # noqa: D102
        return self.origin.chunks if isinstance(self.origin, Source) else None

    def pieces(  # noqa: D102
        self, get: Selection, put: Selection, steps: tuple[Step, ...] = ()
    ) -> Iterator[Piece]:
        source = self.source
        for part_get, part_put in _parts(source, get, put):
            box, local = part_get.bounding_box()
            yield Piece(source, box, local, part_put, steps)


def _parts(
    source: Source, get: Selection, put: Selection
) -> Iterator[tuple[Selection, Selection]]:
    """Cut a selection into what one read each should give."""
    if source.resident:
        yield get, put
    elif source.chunks is None:
        yield from _cut_runs(get, put, range(len(get.maps)))
    else:
        edges = Grid(source.shape, source.chunks).axes
        yield from split_all(get, put, _axes_to_cut(source, get, edges))


def _axes_to_cut(
    source: Source, get: Selection, edges: tuple[Edges, ...]
) -> list[tuple[int, Edges]]:
    """Choose the axes along which a selection is cut at the chunks.

    Reads that wait are cut everywhere, to wait together.  A library that reads
    under one lock does better with one read of many chunks, as long as every
    chunk of the box is wanted.
    """
    chosen = []
    for axis, (m, cut) in enumerate(zip(get.maps, edges, strict=True)):
        if cut.count < 2:
            continue
        if source.waits or type(m) is Gather:
            chosen.append((axis, cut))
        elif type(m) is Strided and abs(m.step) > 1:
            start, stop = cut.bounds(cut.find(m.start))
            if abs(m.step) > stop - start:
                chosen.append((axis, cut))
    return chosen


def _cut_runs(
    get: Selection, put: Selection, axes: range
) -> Iterator[tuple[Selection, Selection]]:
    if not axes:
        yield get, put
        return
    for part in split_runs(get, put, axes[0]):
        yield from _cut_runs(part.get, part.put, axes[1:])
