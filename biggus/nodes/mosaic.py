"""Mosaics: nodes side by side."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.errors import BiggusError, SourceError
from biggus.grid import Edges, IrregularEdges, RegularEdges
from biggus.nodes.base import Node, Piece
from biggus.nodes.elementwise import Elementwise
from biggus.nodes.leaf import Leaf
from biggus.nodes.step import Cast
from biggus.resolve import split
from biggus.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from biggus.nodes.step import Step
    from biggus.region import Selection
    from biggus.source import Chunks


_origin_of = attrgetter("origin")

_SPLICED = 512
"""A mosaic of no more tiles is spliced into one along the same axis that it is a tile of."""


class Mosaic(Node):
    """Nodes joined along one axis.

    Making one costs O(tiles), slicing it nothing, and reading O(tiles touched).

    Parameters
    ----------
    tiles : list of Node
        At least one; they differ in length along `axis` only.
    axis : int
        The axis, not negative.
    """

    __slots__ = ("_masked", "axis", "dtype", "edges", "shape", "tiles")

    def __init__(self, tiles: list[Node], axis: int) -> None:
        # In their order: NumPy's promotion of three or more is not symmetric.
        self.dtype = _joined_dtype(dict.fromkeys([tile.dtype for tile in tiles]))
        shapes = {tile.shape for tile in tiles}
        if len(shapes) > 1:
            _check_shapes(tiles, axis)
        if len(tiles) <= _SPLICED and any(type(tile) is Mosaic for tile in tiles):
            tiles = _spliced(tiles, axis, self.dtype)
            shapes = {tile.shape for tile in tiles}
        first = tiles[0].shape
        if len(shapes) == 1 and first[axis] > 0:
            length = first[axis] * len(tiles)
            self.edges: Edges = RegularEdges(length, first[axis])
        else:
            self.edges = IrregularEdges.of_lengths([tile.shape[axis] for tile in tiles])
            length = self.edges.length
        self.tiles = tiles
        self.axis = axis
        self.shape = (*first[:axis], length, *first[axis + 1 :])
        self._masked: bool | None = None

    @property
    def masked(self) -> bool:
        if self._masked is None:
            self._masked = not _all_plain(self.tiles) and any(tile.masked for tile in self.tiles)
        return self._masked

    @property
    def fill_value(self) -> Any:
        first = self.tiles[0]
        return first.fill_value if first.dtype == self.dtype else None

    @property
    def grid(self) -> Chunks | None:
        grids = [tile.grid for tile in self.tiles]
        lengths: list[int] = []
        others: set[Chunks] = set()
        for tile, grid in zip(self.tiles, grids, strict=True):
            own = grid if grid is not None else tuple(max(1, n) for n in tile.shape)
            lengths.extend(_lengths(tile.shape[self.axis], own[self.axis]))
            others.add((*own[: self.axis], *own[self.axis + 1 :]))
        if len(others) > 1:
            return None
        (rest,) = others
        return (*rest[: self.axis], tuple(lengths), *rest[self.axis :])

    def pieces(
        self, get: Selection, put: Selection, steps: tuple[Step, ...] = ()
    ) -> Iterator[Piece]:
        axis, edges = self.axis, self.edges
        for number, part_get, part_put in split(get, put, axis, edges):
            tile = self.tiles[number]
            if tile.dtype != self.dtype:
                tile = Elementwise(tile, Cast(self.dtype))
            start, _ = edges.bounds(number)
            yield from tile.pieces(part_get.shift(axis, start), part_put, steps)


class GridMosaicNode(Node):
    """A regular grid of equal tiles that are made when they are read.

    Parameters
    ----------
    make_tile : callable
        Called with the tile's number along each axis, returns its node.
    grid_shape : tuple of int
        How many tiles there are along each axis.
    tile_shape : tuple of int
        The shape of each tile.
    dtype : dtype
        The dtype of each tile.
    masked : bool
        Whether tiles can have values missing.
    """

    __slots__ = ("_masked", "dtype", "grid_shape", "make_tile", "shape", "tile_shape")

    def __init__(
        self,
        make_tile: Callable[[tuple[int, ...]], Node],
        grid_shape: tuple[int, ...],
        tile_shape: tuple[int, ...],
        dtype: np.dtype[Any],
        masked: bool = False,
    ) -> None:
        self.make_tile = make_tile
        self.grid_shape = grid_shape
        self.tile_shape = tile_shape
        self.dtype = dtype
        self._masked = masked
        self.shape = tuple([n * m for n, m in zip(grid_shape, tile_shape, strict=True)])

    @property
    def masked(self) -> bool:
        return self._masked

    @property
    def grid(self) -> Chunks | None:
        return tuple(max(1, n) for n in self.tile_shape)

    def pieces(
        self, get: Selection, put: Selection, steps: tuple[Step, ...] = ()
    ) -> Iterator[Piece]:
        yield from self._pieces(0, (), get, put, steps)

    def _pieces(
        self,
        axis: int,
        index: tuple[int, ...],
        get: Selection,
        put: Selection,
        steps: tuple[Step, ...],
    ) -> Iterator[Piece]:
        if axis == len(self.shape):
            yield from self._tile(index).pieces(get, put, steps)
            return
        length = self.tile_shape[axis]
        for number, part_get, part_put in split(
            get, put, axis, RegularEdges(self.shape[axis], length)
        ):
            local = part_get.shift(axis, number * length)
            yield from self._pieces(axis + 1, (*index, number), local, part_put, steps)

    def _tile(self, index: tuple[int, ...]) -> Node:
        name = f"tile {index} of a GridMosaic"
        try:
            tile = self.make_tile(index)
        except BiggusError:
            raise
        except Exception as error:
            raise SourceError(name, None, error) from error
        if tile.shape != self.tile_shape:
            raise SourceError(name, None, f"has shape {tile.shape} instead of {self.tile_shape}")
        if tile.dtype != self.dtype:
            raise SourceError(name, None, f"has dtype {tile.dtype} instead of {self.dtype}")
        if tile.masked and not self._masked:
            raise SourceError(name, None, "can have values missing; pass masked=True to GridMosaic")
        return tile


def _all_plain(tiles: list[Node]) -> bool:
    """Tell, quickly, whether all tiles are plain objects: there may be 2^18, and they are."""
    if set(map(type, tiles)) != {Leaf}:
        return False
    kinds = set(map(type, map(_origin_of, tiles)))
    return not any(issubclass(kind, Source) for kind in kinds)


def _spliced(tiles: list[Node], axis: int, dtype: np.dtype[Any]) -> list[Node]:
    """Put the tiles of small mosaics along the same axis in their place.

    So that a mosaic which grows by one array at a time does not nest a level
    deeper each time.
    """
    spliced: list[Node] = []
    for tile in tiles:
        if (
            type(tile) is Mosaic
            and tile.axis == axis
            and tile.dtype == dtype
            and len(tile.tiles) <= _SPLICED
        ):
            spliced.extend(tile.tiles)
        else:
            spliced.append(tile)
    return spliced


def _joined_dtype(dtypes: Iterable[np.dtype[Any]]) -> np.dtype[Any]:
    dtypes = list(dtypes)
    if len(dtypes) == 1:
        (only,) = dtypes
        if only.isnative:
            return only
    # NumPy is asked itself: it promotes, and turns byte orders into the native one.
    joined: np.dtype[Any] = np.concatenate([np.empty(0, dtype) for dtype in dtypes]).dtype
    return joined


def _check_shapes(tiles: Sequence[Node], axis: int) -> None:
    first = tiles[0].shape
    for number, tile in enumerate(tiles):
        shape = tile.shape
        if len(shape) != len(first):
            raise ValueError(
                f"all arrays of a mosaic must have the same number of axes: array 0 has "
                f"{len(first)} and array {number} has {len(shape)}"
            )
        for other, (n, expected) in enumerate(zip(shape, first, strict=True)):
            if other != axis and n != expected:
                raise ValueError(
                    f"all arrays of a mosaic must have the same shape but for axis {axis}: "
                    f"array 0 has {first} and array {number} has {shape}"
                )


def _lengths(length: int, chunks: int | tuple[int, ...]) -> tuple[int, ...]:
    if isinstance(chunks, tuple):
        return chunks
    whole, rest = divmod(length, chunks)
    return (chunks,) * whole + ((rest,) if rest else ())
