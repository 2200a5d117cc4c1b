"""Views: selections of nodes."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.graph.base import UNKNOWN, Node
from biggus.graph.walk import Walk, key_of
from biggus.indexing.grid import Edges, Grid, Lengths, RegularEdges
from biggus.indexing.reduction_blocks import reduction_blocks, simplified
from biggus.indexing.resolve import strided_pieces
from biggus.indexing.selection import ArrayMap, AxisMap, DimensionMap, Selection
from biggus.sources.stream import lies_flat

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from biggus.graph.identifying import Identifier
    from biggus.graph.pieces import NodePart, Piece, Steps
    from biggus.sources.base import Chunks, Stream


class View(Node):
    """A selection of a node: sliced, indexed, transposed or broadcast.

    Parameters
    ----------
    base : Node
        Never a view itself.
    selection : Selection
    """

    # Metadata are properties: storing them takes longer than asking the base, which is no view.
    __slots__ = ("children", "known_grid", "selection")

    def __init__(self, base: Node, selection: Selection) -> None:
        self.children = (base,)
        self.selection = selection
        self.known_grid = UNKNOWN

    @property
    def base(self) -> Node:
        """The node that is selected from."""
        return self.children[0]

    shape = property(attrgetter("selection.shape"))
    dtype = property(lambda self: self.children[0].dtype)
    masked = property(lambda self: self.children[0].masked)
    fill_value = property(lambda self: self.children[0].fill_value)
    needs_reduction = property(lambda self: self.children[0].needs_reduction)
    combined = property(lambda self: self.children[0].combined)

    def rebuild(self, children: tuple[Node, ...]) -> Node:
        return select(children[0], self.selection)

    @property
    def signature(self) -> Any:
        return (View, key_of(self.selection))

    def natural_grid(self) -> Chunks | None:
        base = self.base.grid
        return None if base is None else self._seen(Grid(self.base.shape, base).axes)

    @property
    def streams(self) -> bool:
        selection = self.selection
        if not (self.base.streams and selection.in_order) or 0 in selection.shape:
            return False
        return lies_flat(selection.bounding_box()[0], self.base.shape)

    def stream(self, selection: Selection) -> Stream:
        return self.base.stream(self.selection.compose(selection))

    def pushdown(self, selection: Selection) -> Generator[Any, Node, Node]:
        return (yield self.base, self.selection.compose(selection))

    def parts(
        self, selection: Selection, out_selection: Selection, steps: Steps = None
    ) -> Iterable[Piece | NodePart]:
        return self.children[0].parts(self.selection.compose(selection), out_selection, steps)

    def identifiers(self, selection: Selection) -> Iterable[Identifier]:
        return ((self.base, self.selection.compose(selection)),)

    def tile_edges(self) -> Generator[Any, Any, tuple[Lengths, ...]]:
        base, maps = self.base, self.selection.maps
        tiles = yield base
        edges = list(Grid(base.shape, tiles).axes)
        if base.grid is not None and any(map(_has_gaps, maps)):
            # Several views of interleaved positions can share reads, a reduction block at a time.
            blocks = reduction_blocks(base.shape, base.grid, tiles).axes
            for axis, chunks in enumerate(Grid(base.shape, base.grid).axes):
                if _has_gaps(maps[axis]) and chunks.longest > 1:
                    edges[axis] = blocks[axis]
        return self._seen(edges)

    def _seen(self, edges: Sequence[Edges]) -> tuple[Lengths, ...]:
        """Return for each axis the lengths into which edges of the base cut the selection."""
        lengths: list[Lengths] = [max(1, n) for n in self.shape]
        gathered = [dim for m in self.selection.maps if type(m) is ArrayMap for dim in m.dims]
        for m, cut in zip(self.selection.maps, edges, strict=True):
            if type(m) is DimensionMap and self.shape[m.dim]:
                lengths[m.dim] = seen_through(m, self.shape[m.dim], cut)
            elif type(m) is ArrayMap and m.ascends and gathered.count(m.dims[0]) == 1:
                lengths[m.dims[0]] = cut_through(m, cut)
        return tuple(lengths)

    def in_memory(self) -> Generator[Any, bool, bool]:
        return (yield self.base)


def select(node: Node, selection: Selection) -> Node:
    """Return a view of `node`; of its base, if it is a view itself."""
    if type(node) is View or type(node) is Rechunked:  # not other subclasses
        return View(node.base, node.selection.compose(selection))
    return View(node, selection)


def spread_to(node: Node, shape: tuple[int, ...]) -> Node:
    """Return a node broadcast to a shape; the same node, if it has that shape."""
    return node if node.shape == shape else select(node, Selection.broadcast(node.shape, shape))


class Rechunked(View):
    """A view with chunks of its own, with which it is saved.

    The chunks do not change how it is read and computed.
    """

    __slots__ = ("chunks",)

    def __init__(self, base: Node, selection: Selection, chunks: Chunks) -> None:
        super().__init__(base, selection)
        self.chunks = chunks

    @property
    def plain(self) -> Node:
        """The same view with the chunks of its base."""
        return View(self.base, self.selection)

    def natural_grid(self) -> Chunks:
        return self.chunks


def rechunked(node: Node, chunks: Chunks) -> Node:
    """Return a node of the same values that is saved with other chunks."""
    view = select(node, Selection.identity(node.shape))
    assert isinstance(view, View)
    return Rechunked(view.base, view.selection, chunks)


class CutOut(Walk[Node]):
    """Returns the node of a non-empty selection, without the parts that it does not touch.

    The selection is pushed down as far as it goes, so that tiles of a mosaic that it does not
    touch, for example, are no part of the result.
    """

    def answer(self, *ask: Any) -> Any:
        """Return the node of a selection, or a generator that returns it."""
        node, selection = ask
        pushed = node.pushdown(selection)
        return select(node, selection) if pushed is None else pushed


def _has_gaps(m: AxisMap) -> bool:
    """Return whether a map may take ascending or evenly spaced positions with gaps between."""
    return m.ascends if type(m) is ArrayMap else type(m) is DimensionMap and abs(m.step) > 1


def cut_through(m: ArrayMap, edges: Edges) -> int | tuple[int, ...]:
    """Return the lengths into which the edges of an axis cut ascending positions of it."""
    if not m.index.size:
        return 1
    pieces = edges.find_all(m.index)
    (first,) = np.nonzero(np.diff(pieces, prepend=-1))
    return simplified(m.index.size, np.diff(first, append=m.index.size).tolist())


def seen_through(m: DimensionMap, n: int, edges: Edges) -> int | tuple[int, ...]:
    """Return the lengths into which the edges of an axis cut a strided selection of it.

    One number where they are regular: an axis may have 2^22 chunks.
    """
    if isinstance(edges, RegularEdges) and m.step == 1 and m.start % edges.size == 0:
        return edges.size
    return tuple([stop - start for _, start, stop in strided_pieces(m, n, edges)])
