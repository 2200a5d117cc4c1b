"""Layers: an image at one resolution, cut into tiles.

A layer is a plane, or every n-th row and column of one.  Its element ``i`` covers the rows (or
columns) from ``i * factor`` to ``(i + 1) * factor`` of the finest plane.  A tile consists of whole
chunks, or is part of a large one.  Nothing is read here.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from biggus.indexing.grid import Edges, edges_of
from biggus.support.once import once
from biggus.viewer.cutting import longest_piece, pieces_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from biggus.array import Array
    from biggus.viewer.picture import Plane

SIDE = 128
"""The side of a tile in elements, if there are no chunks."""

SHORT = 64
"""The side of a tile in elements, if chunks are shorter and combined."""

MOST_BYTES = 8 * 2**20
"""The most bytes of a tile, and of the chunks it has to fetch."""


class LayerSpan(NamedTuple):
    """A span of elements of a layer: ranges (start, stop) of rows and of columns."""

    rows: tuple[int, int]
    columns: tuple[int, int]

    @property
    def shape(self) -> tuple[int, int]:
        """The number of rows and columns."""
        return self.rows[1] - self.rows[0], self.columns[1] - self.columns[0]


class TileKey(NamedTuple):
    """The key of a tile.

    Attributes
    ----------
    layer : tuple of int
        The key of the layer: the index along other axes, the level, and the steps.
    row, column : int
        The position of the tile in the grid of tiles.
    """

    layer: tuple[int, ...]
    row: int
    column: int


class Layer:
    """An image at one resolution.

    Parameters
    ----------
    plane : Plane
        The plane.
    key : tuple
        The key of the plane: the index along other axes, and the level.
    steps : tuple of int, optional
        The steps along rows and columns; (1, 1) shows all elements.
    fetch_bytes : int, optional
        The most bytes of whole chunks to fetch for a tile, if it needs more than one chunk.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> from biggus.viewer.picture import Picture
    >>> (plane,) = Picture(np.zeros((600, 1000))).planes(())
    >>> layer = Layer(plane, ("a",), steps=(2, 2))
    >>> layer.array.shape, layer.factors
    ((300, 500), (2.0, 2.0))
    >>> [(tile.row, tile.column) for tile in layer.tiles(LayerSpan((0, 300), (250, 260)))]
    [(0, 1), (0, 2), (1, 1), (1, 2), (2, 1), (2, 2)]
    """

    def __init__(
        self,
        plane: Plane,
        key: tuple[int, ...],
        steps: tuple[int, int] = (1, 1),
        fetch_bytes: int = MOST_BYTES,
    ) -> None:
        self.plane = plane
        self._fetch_bytes = fetch_bytes
        self.steps = steps
        self.key = (*key, *steps)
        self.factors = tuple(f * step for f, step in zip(plane.factors, steps, strict=True))

    @once
    def array(self) -> Array:
        """The lazy array of the elements."""
        # Each element is in the middle of those it represents; the last may represent fewer.
        slices = tuple(
            slice(min(step // 2, (n - 1) % step), None, step)
            for n, step in zip(self.plane.array.shape, self.steps, strict=False)
        )
        return self.plane.array if self.steps == (1, 1) else self.plane.array[slices]

    @property
    def shape(self) -> tuple[int, int]:
        """The number of rows and columns."""
        rows, columns = (
            -(-n // step) for n, step in zip(self.plane.array.shape, self.steps, strict=False)
        )
        return rows, columns

    def span(self, window: tuple[float, float, float, float], margin: int = 0) -> LayerSpan:
        """Return the span of elements in a part of the image.

        Parameters
        ----------
        window : tuple of float
            Top, bottom, left and right, in rows and columns of the finest level.
        margin : int, optional
            The number of elements to add on each side.
        """
        top, bottom, left, right = window
        return LayerSpan(
            _covering(top, bottom, self.factors[0], self.shape[0], margin),
            _covering(left, right, self.factors[1], self.shape[1], margin),
        )

    def tiles(self, span: LayerSpan) -> Iterator[TileKey]:
        """Yield the tiles that have elements in `span`."""
        if 0 in span.shape:
            return
        rows, columns = (
            edges.touching(slice(*ends)) for edges, ends in zip(self.edges, span, strict=True)
        )
        for row in rows:
            for column in columns:
                yield TileKey(self.key, row, column)

    def bounds(self, tile: TileKey) -> LayerSpan:
        """Return the span of a tile."""
        rows, columns = self.edges
        return LayerSpan(rows.bounds(tile.row), columns.bounds(tile.column))

    def values(self, tile: TileKey) -> Array:
        """Return the lazy array of a tile."""
        (top, bottom), (left, right) = self.bounds(tile)
        return self.array[top:bottom, left:right]

    def chunks_in(self, span: LayerSpan) -> tuple[int, int]:
        """Return how many chunks a span touches down and across; elements if there are none."""
        if self._chunks is None:
            return span.shape
        down, across = (
            len(edges.touching(slice(start, stop))) if stop > start else 0
            for edges, (start, stop) in zip(self._chunks, span, strict=True)
        )
        return down, across

    def cost(self, span: LayerSpan) -> int:
        """Return the bytes of the chunks that have to be fetched for the tiles of a span."""
        if 0 in span.shape:
            return 0
        rows, columns = (
            (edges.bounds(edges.find(start))[0], edges.bounds(edges.find(stop - 1))[1])
            for edges, (start, stop) in zip(self.edges, span, strict=True)
        )
        return math.prod(self.chunks_in(LayerSpan(rows, columns))) * self.plane.chunk_bytes

    @once
    def _chunks(self) -> tuple[Edges, Edges] | None:
        grid = self.array.grid
        if grid is None:
            return None
        rows, columns = (edges_of(self.shape[axis], grid[axis]) for axis in (0, 1))
        return rows, columns

    @once
    def edges(self) -> tuple[Edges, Edges]:
        """The edges of the tiles along rows and columns."""
        chunks = self._chunks or (None, None)
        sides = [SIDE if edges is None else longest_piece(edges, SHORT) for edges in chunks]
        value_bytes = self.array.itemsize * math.prod(self.array.shape[2:])
        while math.prod(sides) * value_bytes > MOST_BYTES and max(sides) > SIDE:
            _halve(sides, sides)
        # In a sample, each element may be in a different chunk.
        lengths = [1.0 if e is None else max(1.0, e.length / max(1, e.count)) for e in chunks]
        while (
            math.prod(counts := [max(1.0, n / m) for n, m in zip(sides, lengths, strict=True)])
            * self.plane.chunk_bytes
            > self._fetch_bytes
            and max(counts) > 1
            and max(sides) > 1
        ):
            _halve(sides, counts)
        rows, columns = (
            pieces_of(self.shape[axis], chunks[axis], side) for axis, side in enumerate(sides)
        )
        return rows, columns


def _halve(sides: list[int], by: Sequence[float]) -> None:
    """Halve the side whose entry of `by` is greater."""
    longer = 0 if by[0] >= by[1] else 1
    sides[longer] = -(-sides[longer] // 2)


class Layers:
    """The layers of a picture at one index along its other axes; each is made once.

    Parameters
    ----------
    planes : sequence of Plane
        The levels, finest first.
    key : tuple
        The index along the other axes.
    sample_bytes : int, optional
        The most bytes to fetch for a view that shows a sample of the elements.
    """

    def __init__(
        self,
        planes: Sequence[Plane],
        key: tuple[int, ...],
        sample_bytes: int = 16 * MOST_BYTES,
    ) -> None:
        self.sample_bytes = sample_bytes
        self.planes = planes
        self.key = key
        self._made: dict[tuple[int, tuple[int, int]], Layer] = {}

    def at(self, level: int, steps: tuple[int, int] = (1, 1)) -> Layer:
        """Return the layer of a level with some steps along rows and columns."""
        layer = self._made.get((level, steps))
        if layer is None:
            fetch_bytes = min(MOST_BYTES, self.sample_bytes // 16)
            layer = Layer(self.planes[level], (*self.key, level), steps, fetch_bytes)
            self._made[level, steps] = layer
        return layer


def _covering(
    start: float, stop: float, factor: float, length: int, margin: int
) -> tuple[int, int]:
    first = math.floor(start / factor) - margin
    last = math.ceil(stop / factor) + margin
    first = min(max(first, 0), max(length - 1, 0))
    return first, min(max(last, first), length)
