"""Mosaics: nodes joined along an axis, or in a grid."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from biggus.errors import BiggusError, SourceError
from biggus.graph.base import UNKNOWN, Node
from biggus.graph.elementwise import Elementwise
from biggus.graph.identifying import Identifier, text_of, text_of_dtype
from biggus.graph.leaf import Leaf
from biggus.graph.pieces import NodePart, Steps
from biggus.graph.step import Cast, Maskable
from biggus.graph.view import select
from biggus.graph.walk import any_answer, ordered
from biggus.indexing.grid import Edges, Grid, IrregularEdges, Lengths, RegularEdges
from biggus.indexing.reduction_blocks import (
    LARGEST,
    common_grid,
    reduction_blocks,
    simplified,
)
from biggus.indexing.resolve import split, split_all
from biggus.indexing.selection import ArrayMap, DimensionMap, Selection
from biggus.sources.base import Box, Chunks, Source, Stream
from biggus.sources.byte_order import same_but_for_order
from biggus.sources.memory import MemorySource

_origin_of = attrgetter("origin")

_SPLICED = 512
"""The most tiles of a mosaic that is merged into one along the same axis."""

_ASKED = 16
"""How many tiles are asked whether reading them waits."""


class Mosaic(Node):
    """Nodes joined along one axis.

    Making one takes O(tiles), slicing it O(1), and reading O(tiles touched).

    Parameters
    ----------
    tiles : list of Node
        At least one; they differ in length along `axis` only.
    axis : int
        The axis, not negative.
    """

    __slots__ = (
        "_streams",
        "axis",
        "children",
        "combined",
        "dtype",
        "edges",
        "fill_value",
        "known_grid",
        "known_masked",
        "needs_reduction",
        "shape",
    )

    def __init__(self, tiles: list[Node], axis: int) -> None:
        # In the order of the tiles: NumPy's promotion of three or more dtypes is not symmetric.
        dtype = _joined_dtype(dict.fromkeys([tile.dtype for tile in tiles]))
        shapes = {tile.shape for tile in tiles}
        if len(shapes) > 1:
            _check_shapes(tiles, axis)
        kinds = set(map(type, tiles))
        if Mosaic in kinds and len(tiles) <= _SPLICED:
            tiles = _spliced(tiles, axis, dtype)
            shapes, kinds = {tile.shape for tile in tiles}, set(map(type, tiles))
        first = tiles[0].shape
        if len(shapes) == 1 and first[axis] > 0:
            length = first[axis] * len(tiles)
            self.edges: Edges = RegularEdges(length, first[axis])
        else:
            self.edges = IrregularEdges.of_lengths([tile.shape[axis] for tile in tiles])
            length = self.edges.length
        self.axis = axis
        self.children = tuple(tiles)
        self.shape = (*first[:axis], length, *first[axis + 1 :])
        self.dtype = dtype
        self.fill_value = tiles[0].fill_value if tiles[0].dtype == dtype else None
        self.known_grid = UNKNOWN
        self.needs_reduction = self.combined = False
        # There may be 2^18 leaves, so their other metadata are only computed on first use.
        self.known_masked: bool | None = None
        self._streams: bool | None = None
        if kinds != {Leaf}:
            self.needs_reduction = any(tile.needs_reduction for tile in tiles)
            self.combined = any(tile.combined for tile in tiles)
            self._streams = all(tile.streams and tile.dtype == dtype for tile in tiles)
        if not kinds <= {Leaf, Mosaic}:
            self.known_masked = any(tile.masked for tile in tiles)

    @property
    def masked(self) -> bool:  # type: ignore[override]
        """Whether values of a tile can be missing."""
        if self.known_masked is None:
            for node in ordered([self], _unknown_mosaics):
                plain = _all_plain(node.tiles)
                node.known_masked = not plain and any(tile.masked for tile in node.tiles)
        return bool(self.known_masked)

    @property
    def tiles(self) -> tuple[Node, ...]:
        """The nodes that are joined."""
        return self.children

    def rebuild(self, children: tuple[Node, ...]) -> Node:
        return Mosaic(list(children), self.axis)

    @property
    def inner(self) -> tuple[Node, ...]:
        return self.children if self.needs_reduction else ()

    def natural_grid(self) -> Chunks | None:
        if _all_plain(self.tiles) and isinstance(self.edges, RegularEdges):
            return tuple([max(1, n) for n in self.tiles[0].shape])
        axis = self.axis
        grids = [_grid_of(tile) for tile in self.tiles]
        others = list(dict.fromkeys([(*grid[:axis], *grid[axis + 1 :]) for grid in grids]))
        across = common_grid((*self.shape[:axis], *self.shape[axis + 1 :]), others)
        return (*across[:axis], self._lengths([grid[axis] for grid in grids]), *across[axis:])

    def _lengths(self, along: list[int | tuple[int, ...]]) -> int | tuple[int, ...]:
        """Return the chunk lengths along the mosaic's axis from those of each tile."""
        first = along[0]
        if isinstance(self.edges, RegularEdges) and isinstance(first, int):
            whole = self.edges.size % first == 0
            if whole and all(chunks == first for chunks in along):
                return first
        lengths: list[int] = []
        for number, chunks in enumerate(along):
            start, stop = self.edges.bounds(number)
            lengths.extend(_lengths(stop - start, chunks))
        return simplified(self.edges.length, lengths)

    def parts(
        self, selection: Selection, out_selection: Selection, steps: Steps = None
    ) -> Iterator[NodePart]:
        axis, edges = self.axis, self.edges
        for number, part, part_out in split(selection, out_selection, axis, edges):
            start, _ = edges.bounds(number)
            yield NodePart(self._tile(number), part.shift(axis, start), part_out, steps)

    def _tile(self, number: int) -> Node:
        tile = self.tiles[number]
        return tile if tile.dtype == self.dtype else Elementwise(Cast(self.dtype), tile)

    @property
    def streams(self) -> bool:
        if self._streams is None:
            self._streams = not _all_plain(self.tiles) and all(
                tile.streams and tile.dtype == self.dtype for tile in self.tiles
            )
        return self._streams

    def stream(self, selection: Selection) -> Stream:
        [(tile, part, _, _)] = self.parts(selection, Selection.identity(selection.shape))
        return tile.stream(part)

    def pushdown(self, selection: Selection) -> Generator[Any, Node, Node]:
        axis, edges = self.axis, self.edges
        m = selection.maps[axis]
        if type(m) is ArrayMap:
            return self._gathered(m, selection)
        tiles = []
        for number, part, _ in split(selection, selection, axis, edges):
            start, _ = edges.bounds(number)
            tiles.append((yield self._tile(number), part.shift(axis, start)))
        joined = tiles[0] if type(m) is not DimensionMap else Mosaic(tiles, m.dim)
        return self._as_masked(joined)

    def identifiers(self, selection: Selection) -> Iterator[Identifier]:
        yield f"mosaic {text_of_dtype(self.dtype)} {selection.shape}"
        for tile, part, out_selection, _ in self.parts(
            selection, Selection.identity(selection.shape)
        ):
            yield f"put {text_of(out_selection)}"
            yield tile, part

    def tile_edges(self) -> Generator[Any, Any, tuple[Lengths, ...]]:
        axis, edges = self.axis, self.edges
        whole: tuple[Lengths, ...] = tuple([max(1, n) for n in self.shape])
        # Along other axes, the edges that all tiles share.
        edges_of_tiles = set()
        if not any(type(tile) is Leaf for tile in self.tiles):
            for tile in self.tiles:
                edges_of_tiles.add((yield tile))
        others = {(*tile_edges[:axis], *tile_edges[axis + 1 :]) for tile_edges in edges_of_tiles}
        if len(others) == 1:
            [only] = others
            whole = (*only[:axis], whole[axis], *only[axis:])
        return (*whole[:axis], edges.lengths, *whole[axis + 1 :])

    def io_bound(self) -> Generator[Any, bool, bool]:
        return any_answer(self.tiles[:_ASKED])

    def _gathered(self, m: ArrayMap, selection: Selection) -> Node:
        """Return the values that an index array selects, as a selection of the touched tiles."""
        touched, where = np.unique(self.edges.find_all(m.index), return_inverse=True)
        fewer = Mosaic([self._tile(number) for number in touched.tolist()], self.axis)
        before = np.array([self.edges.bounds(number)[0] for number in touched.tolist()])
        after = np.array([fewer.edges.bounds(number)[0] for number in range(len(touched))])
        moved = ArrayMap(m.dims, m.index + (after - before)[where].reshape(m.index.shape))
        maps = (*selection.maps[: self.axis], moved, *selection.maps[self.axis + 1 :])
        return self._as_masked(select(fewer, Selection(selection.shape, maps)))

    def _as_masked(self, node: Node) -> Node:
        # Whether values can be missing must not depend on which tiles are touched.
        return Elementwise(Maskable(self.dtype), node) if self.masked > node.masked else node


class GridMosaicNode(Node):
    """A regular grid of tiles of one shape, made on demand.

    Parameters
    ----------
    make_tile : callable
        Called with a tile's number along each axis; returns its node.
    grid_shape : tuple of int
        The number of tiles along each axis.
    tile_shape : tuple of int
        The shape of each tile.
    dtype : dtype
        The dtype of each tile.
    masked : bool
        Whether tiles can have values missing.
    """

    __slots__ = ("dtype", "grid_shape", "make_tile", "masked", "shape", "tile_shape")

    def __init__(
        self,
        make_tile: Callable[[tuple[int, ...]], Node],
        grid_shape: tuple[int, ...],
        tile_shape: tuple[int, ...],
        dtype: np.dtype[Any],
        masked: bool,
    ) -> None:
        self.make_tile = make_tile
        self.grid_shape = grid_shape
        self.tile_shape = tile_shape
        self.dtype = dtype
        self.masked = masked
        self.shape = tuple([n * m for n, m in zip(grid_shape, tile_shape, strict=True)])

    @property
    def grid(self) -> Chunks | None:
        return tuple(max(1, n) for n in self.tile_shape)

    def tile_edges(self) -> tuple[Lengths, ...]:
        return tuple([max(1, n) for n in self.tile_shape])

    def io_bound(self) -> bool:
        return True

    @property
    def read_from(self) -> tuple[Node, ...]:
        return () if 0 in self.grid_shape else (self.make_tile((0,) * len(self.grid_shape)),)

    def parts(
        self, selection: Selection, out_selection: Selection, steps: Steps = None
    ) -> Iterator[NodePart]:
        cuts = list(enumerate(Grid(self.shape, self.tile_shape).axes))
        for part, part_out in split_all(selection, out_selection, cuts):
            box, _ = part.bounding_box()
            index = tuple([s.start // n for s, n in zip(box, self.tile_shape, strict=True)])
            corner = [number * n for number, n in zip(index, self.tile_shape, strict=True)]
            yield NodePart(self._tile(index), part.relative_to(corner), part_out, steps)

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
            if not same_but_for_order(tile.dtype, self.dtype):
                raise SourceError(name, None, f"has dtype {tile.dtype} instead of {self.dtype}")
            tile = Elementwise(Cast(self.dtype), tile)
        if tile.masked and not self.masked:
            raise SourceError(
                name, None, "can have values missing; pass `masked=True` to GridMosaic"
            )
        return tile


def _unknown_mosaics(mosaic: Mosaic) -> list[Mosaic]:
    """Return the tiles that are mosaics whose `masked` has not been computed."""
    return [tile for tile in mosaic.tiles if type(tile) is Mosaic and tile.known_masked is None]


def _all_plain(tiles: Sequence[Node]) -> bool:
    """Return, quickly for 2^18 tiles, whether all are leaves of objects that are no sources."""
    if set(map(type, tiles)) != {Leaf}:
        return False
    kinds = set(map(type, map(_origin_of, tiles)))
    return not any(issubclass(kind, Source) for kind in kinds)


def _spliced(tiles: list[Node], axis: int, dtype: np.dtype[Any]) -> list[Node]:
    """Return the tiles, with small mosaics along the same axis replaced by their tiles.

    So a mosaic that grows by one array at a time does not nest deeper each time.
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
    # np.concatenate promotes, and converts to the native byte order.
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


def _grid_of(tile: Node) -> Chunks:
    """Return the grid of a tile; if it has none, its reduction blocks, or its shape if small."""
    grid = tile.grid
    if grid is not None:
        return grid
    if math.prod(tile.shape) > LARGEST:
        return reduction_blocks(tile.shape, None).longest
    return tuple([max(1, n) for n in tile.shape])


def _lengths(length: int, chunks: int | tuple[int, ...]) -> tuple[int, ...]:
    if isinstance(chunks, tuple):
        return chunks
    whole, last = divmod(length, chunks)
    return (chunks,) * whole + ((last,) if last else ())


def among_zeros(node: Node, box: Box, like: Node) -> Node:
    """Return a node of the shape and dtype of another, with zeros around a node in a box."""

    def zeros(axis: int, n: int) -> list[Node]:
        shape = (*node.shape[:axis], n, *node.shape[axis + 1 :])
        source = MemorySource(np.broadcast_to(np.zeros((), like.dtype), shape))
        return [Leaf(source, shape, like.dtype)] if n else []

    for axis, s in enumerate(box):
        tiles = [*zeros(axis, s.start), node, *zeros(axis, like.shape[axis] - s.stop)]
        node = Mosaic(tiles, axis) if len(tiles) > 1 else node
    return node
