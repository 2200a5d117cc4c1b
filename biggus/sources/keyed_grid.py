"""The chunk grid of a source and the keys of its chunks, computed fast enough for each read."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any, TypeAlias

from biggus.indexing.grid import Grid, RegularEdges, axis_parts, strides_of
from biggus.indexing.selection import ConstantMap, DimensionMap, Selection
from biggus.sources.base import Box, Source, box_shape

_LITTLE = 2**16
"""Many chunks of fewer bytes than this are not looked up one by one."""

_FEW = 64
"""Up to this number, chunks are looked up one by one, however small."""


ChunkKey: TypeAlias = tuple[str, int]
"""The key of a chunk: the identity of its source, and its number in C order."""


class KeyedGrid:
    """The chunk grid of a source that has a token, and the keys of its chunks.

    Parameters
    ----------
    source : Source
        A source with at least one axis and at least one element.
    """

    def __init__(self, source: Source) -> None:
        assert source.chunks is not None
        self.grid = Grid(source.shape, source.chunks)
        self.identity = repr((source.token, source.dtype, source.shape, source.chunks))
        self.itemsize = source.dtype.itemsize
        self.chunk_nbytes = math.prod(source.shape) * self.itemsize // self.grid.count
        """The average bytes of a chunk."""
        self._strides = strides_of(tuple([axis.count for axis in self.grid.axes]))
        self._axes = tuple(zip(self.grid.axes, self._strides, strict=True))
        sizes = [(e.size, n) for e, n in self._axes if type(e) is RegularEdges]
        self._sizes = sizes if len(sizes) == len(self._axes) else None

    def only_chunk(self, box: Box) -> tuple[ChunkKey, Box] | None:
        """Return the key of the one chunk that holds `box`, and the box within it; else None."""
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
        """Return the key of the one chunk that holds a selection, and the index into the chunk.

        None if there are several chunks, or if strides or reordered dims need more than an index.
        """
        if self._sizes is None:
            return None
        number = dim = 0
        key: list[Any] = []
        shape = selection.shape
        for (size, stride), m in zip(self._sizes, selection.maps):  # noqa: B905 - for speed
            if type(m) is ConstantMap:
                place = m.index % size
                number += m.index // size * stride
                key.append(place)
            elif type(m) is DimensionMap and m.step == 1 and m.dim == dim:
                place = m.start % size
                stop = place + shape[dim]
                if stop > size:
                    return None
                number += m.start // size * stride
                key.append(slice(place, stop))
                dim += 1
            else:
                return None
        return None if dim != len(shape) else ((self.identity, number), (*key, ...))

    def parts(self, box: Box) -> Iterator[tuple[ChunkKey, Box, Box]]:
        """Yield each chunk that `box` touches: its key, and the part's box in chunk and result."""
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
        remainder = key[1]
        index = []
        for stride in self._strides:
            piece, remainder = divmod(remainder, stride)
            index.append(piece)
        return self.grid.chunk(tuple(index))

    def touched(self, box: Box) -> tuple[int, int]:
        """Return the number of chunks in the bounding box of those that `box` touches.

        And the number of elements in these chunks.
        """
        count = size = 1
        for edges, s in zip(self.grid.axes, box, strict=True):
            first, last = edges.find(s.start), edges.find(s.stop - 1)
            count *= last - first + 1
            size *= edges.bounds(last)[1] - edges.bounds(first)[0]
        return count, size

    def is_bulk(self, box: Box) -> bool:
        """Return whether a box selects more than half of the elements of the chunks it touches."""
        return 2 * math.prod(box_shape(box)) > self.touched(box)[1]

    def is_scattered(self, box: Box) -> bool:
        """Return whether a box touches many small chunks."""
        return self.chunk_nbytes < _LITTLE and self.touched(box)[0] > _FEW
