"""The grids of stored chunks: regular ones, and rectilinear ones with any edges.

A chunk of a rectilinear grid is stored like the only chunk of a regular array of its shape, and
can be read as such an array.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from biggus.backends.plain import LARGEST, cut_lengths
from biggus.indexing.grid import Chunks, Grid, Index

Edges: TypeAlias = int | tuple[int, ...]
"""Along one axis, the stored length of all chunks, or of each."""

_MOST_EDGES = 2**24
"""The most chunks along an axis: a few bytes of metadata could describe more than memory holds."""


class StoredGrid(Grid):
    """The grid of the chunks or shards of an array, and their stored shapes.

    The last chunks may reach beyond the array.

    Parameters
    ----------
    shape : tuple of int
        The shape of the array.
    edges : tuple of int or tuple of int
        For each axis the stored length of all chunks, or of each.

    Examples
    --------
    >>> grid = StoredGrid((9, 4), ((3, 3, 4), 2))
    >>> grid.chunk((2, 1)), grid.stored_shape((2, 1))
    ((slice(6, 9, 1), slice(2, 4, 1)), (4, 2))
    """

    __slots__ = ("edges",)

    def __init__(self, shape: tuple[int, ...], edges: tuple[Edges, ...]) -> None:
        super().__init__(shape, tuple(map(_clipped, edges, shape)))
        self.edges = edges

    @property
    def chunks(self) -> tuple[Edges, ...]:
        """For each axis the length of all chunks, or of each, cut at the end of the array."""
        return tuple(map(_clipped, self.edges, self.shape))

    @property
    def regular(self) -> bool:
        """Whether all chunks have one stored shape."""
        return all(isinstance(edges, int) for edges in self.edges)

    @property
    def largest(self) -> tuple[int, ...]:
        """The length of the longest chunk along each axis."""
        return tuple(edges if isinstance(edges, int) else max(edges) for edges in self.edges)

    def stored_shape(self, number: Index) -> tuple[int, ...]:
        """Return the stored shape of a chunk, given its number."""
        return tuple(
            [
                edges if isinstance(edges, int) else edges[i]
                for edges, i in zip(self.edges, number, strict=True)
            ]
        )


def _clipped(edges: Edges, length: int) -> Edges:
    if isinstance(edges, int):
        return edges
    return (*edges[:-1], length - sum(edges[:-1]))


def parts_of_shards(grid: StoredGrid, chunks: tuple[int, ...], itemsize: int) -> Chunks:
    """Return the grid of shards, or of parts of about `LARGEST` bytes if shards are larger.

    The parts have about as many chunks along each axis, for many writers store neighbouring
    chunks near each other.

    Examples
    --------
    >>> parts_of_shards(StoredGrid((4096, 4096), (4096, 4096)), (64, 64), 4)
    (1024, 2048)
    """
    counts = [n // chunk for n, chunk in zip(grid.largest, chunks, strict=True)]
    while math.prod(counts) * math.prod(chunks) * itemsize > LARGEST and max(counts) > 1:
        axis = counts.index(max(counts))
        factor = next(n for n in range(2, counts[axis] + 1) if counts[axis] % n == 0)
        counts[axis] //= factor
    lengths = [n * chunk for n, chunk in zip(counts, chunks, strict=True)]
    return tuple(
        part if isinstance(edges, int) else cut_lengths(edges, part, length)
        for edges, part, length in zip(grid.edges, lengths, grid.shape, strict=True)
    )


def rectilinear_edges(fields: Mapping[str, Any]) -> tuple[Edges, ...] | None:
    """Return the edges of a rectilinear grid; None if the array has another grid.

    Raises
    ------
    ValueError
        If the document is invalid.
    """
    grid = fields.get("chunk_grid")
    if not isinstance(grid, dict) or grid.get("name") != "rectilinear":
        return None
    settings = grid.get("configuration") or {}
    kind, shapes = settings.get("kind"), settings.get("chunk_shapes")
    shape = fields["shape"]
    if not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError(f"{shape!r} is not a shape")
    if kind != "inline":
        raise ValueError(f"a rectilinear grid of the unknown kind {kind!r}")
    if not isinstance(shapes, list) or len(shapes) != len(shape):
        raise ValueError(f"the chunk_shapes of an array of {len(shape)} axes are {shapes!r}")
    return tuple(map(_edges, shapes, shape))


def _edges(listed: Any, length: int) -> Edges:
    """Return the edges along an axis of that length, without those beyond its end."""
    if not isinstance(listed, list):
        return _count(listed)
    edges: list[int] = []
    position = 0
    for edge, times in _runs(listed):
        needed = min(times, max(0, -(-(length - position) // edge)))
        if len(edges) + needed > _MOST_EDGES:
            raise ValueError(f"more than {_MOST_EDGES} chunks along an axis")
        edges += [edge] * needed
        position += edge * needed
    if position < length:
        raise ValueError(f"the chunks along an axis of {length} end at {position}")
    if not edges:  # an axis of length 0
        edges = [next(_runs(listed))[0]]
    return edges[0] if edges.count(edges[0]) == len(edges) else tuple(edges)


def _runs(listed: list[Any]) -> Iterator[tuple[int, int]]:
    """Yield edges and the number of their repetitions."""
    if not listed:
        raise ValueError("an axis without chunks")
    for item in listed:
        if isinstance(item, list):
            edge, times = item
            yield _count(edge), _count(times)
        else:
            yield _count(item), 1


def _count(value: Any) -> int:
    if type(value) is not int or value < 1:
        raise ValueError(f"{value!r} is not a length of a chunk")
    return value


def regular_fields(
    fields: Mapping[str, Any], shape: tuple[int, ...], chunks: tuple[int, ...]
) -> dict[str, Any]:
    """Return the document of an array of another shape, on a regular grid.

    With the shape of a chunk as both, it describes the chunk as an array.
    """
    grid = {"name": "regular", "configuration": {"chunk_shape": list(chunks)}}
    return {**fields, "shape": list(shape), "chunk_grid": grid}
