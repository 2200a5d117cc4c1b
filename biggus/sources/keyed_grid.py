"""How a source is cut into chunks, and what names them: by arithmetic, for each small read."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any, TypeAlias

from biggus.indexing.grid import Grid, RegularEdges, axis_parts, strides_of
from biggus.indexing.selection import ConstantMap, DimensionMap
from biggus.sources.base import box_shape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biggus.indexing.selection import Selection
    from biggus.sources.base import Box, Source

_LITTLE = 2**16
"""Bytes; shorter chunks are not looked for one by one where many are read."""

_FEW = 64
"""Chunks that are not many, however short."""


ChunkKey: TypeAlias = tuple[str, int]
"""What a chunk is kept under: what names its source, and its number in C order."""


class KeyedGrid:
    """The grid of a source that has a token, whose chunks have keys.

    Parameters
    ----------
    source : Source
        The source, of one axis at least, none of them of no length.
    """

    def __init__(self, source: Source) -> None:
        assert source.chunks is not None
        self.grid = Grid(source.shape, source.chunks)
        self.identity = repr((source.token, source.dtype, source.shape, source.chunks))
        self.itemsize = source.dtype.itemsize
        self.chunk_nbytes = math.prod(source.shape) * self.itemsize // self.grid.count
        """Of a chunk, on average."""
        self._strides = strides_of(tuple([axis.count for axis in self.grid.axes]))
        self._axes = tuple(zip(self.grid.axes, self._strides, strict=True))

    def only_chunk(self, box: Box) -> tuple[ChunkKey, Box] | None:
        """Return the key of the chunk that holds all of `box`, and which part of it; or None."""
        number = 0
        part = []
        for (edges, stride), s in zip(self._axes, box):  # noqa: B905 - for speed
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
            number += piece * stride
            part.append(slice(first - start, last - start, s.step))
        return (self.identity, number), tuple(part)

    def chunk_of(self, selection: Selection) -> tuple[ChunkKey, Any] | None:
        """Return the key of the chunk that holds all that is selected, and what takes that of it.

        None if there are several; or where strides or an order of dims need more than a key.
        """
        number = dim = 0
        key: list[Any] = []
        for (edges, stride), m in zip(self._axes, selection.maps):  # noqa: B905 - for speed
            if type(edges) is not RegularEdges:
                return None
            size = edges.size
            if type(m) is ConstantMap:
                piece, place = divmod(m.index, size)
                key.append(place)
            elif type(m) is DimensionMap and m.step == 1 and m.dim == dim:
                piece, place = divmod(m.start, size)
                stop = place + selection.shape[dim]
                if stop > size:
                    return None
                key.append(slice(place, stop))
                dim += 1
            else:
                return None
            number += piece * stride
        if dim != len(selection.shape):
            return None
        return (self.identity, number), (*key, ...)

    def parts(self, box: Box) -> Iterator[tuple[ChunkKey, Box, Box]]:
        """Yield for each chunk that `box` touches its key, the part of it, and where that goes."""
        identity = self.identity
        along = [
            [(piece * stride, inner, outer) for piece, _, inner, outer in axis_parts(edges, s)]
            for (edges, stride), s in zip(self._axes, box, strict=True)
        ]
        for combination in itertools.product(*along):
            numbers, inner, outer = zip(*combination, strict=True)
            yield (identity, sum(numbers)), inner, outer

    def chunk(self, key: ChunkKey) -> Box:
        """Return the box of a chunk."""
        left = key[1]
        index = []
        for stride in self._strides:
            piece, left = divmod(left, stride)
            index.append(piece)
        return self.grid.chunk(tuple(index))

    def touched(self, box: Box) -> tuple[int, int]:
        """Return how many chunks there are from the first that `box` touches to the last.

        And the elements of these.
        """
        count = size = 1
        for edges, s in zip(self.grid.axes, box, strict=True):
            first, last = edges.find(s.start), edges.find(s.stop - 1)
            count *= last - first + 1
            size *= edges.bounds(last)[1] - edges.bounds(first)[0]
        return count, size

    def is_bulk(self, box: Box) -> bool:
        """Tell whether the most part of the chunks that a box touches is wanted."""
        return 2 * math.prod(box_shape(box)) > self.touched(box)[1]

    def is_scattered(self, box: Box) -> bool:
        """Tell whether a box touches many chunks that are short."""
        return self.chunk_nbytes < _LITTLE and self.touched(box)[0] > _FEW
