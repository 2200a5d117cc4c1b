"""The view: a selection of a node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from biggus.grid import Edges, Grid, RegularEdges
from biggus.nodes.base import Node, Piece
from biggus.region import Selection, Strided
from biggus.stream import lies_flat

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from biggus.nodes.step import Step
    from biggus.source import Chunks, Stream


class View(Node):
    """A selection of a node: sliced, indexed, transposed or broadcast.

    Parameters
    ----------
    base : Node
        What is selected from; never itself a view.
    selection : Selection
        What is selected.
    """

    __slots__ = ("base", "selection")

    def __init__(self, base: Node, selection: Selection) -> None:
        self.base = base
        self.selection = selection

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """The shape of the selection."""
        return self.selection.shape

    @property
    def dtype(self) -> np.dtype[Any]:  # type: ignore[override]
        """The dtype of the base."""
        return self.base.dtype

    @property
    def masked(self) -> bool:
        return self.base.masked

    @property
    def fill_value(self) -> Any:
        return self.base.fill_value

    @property
    def grid(self) -> Chunks | None:
        base = self.base.grid
        if base is None:
            return None
        edges = Grid(self.base.shape, base).axes
        chunks: list[int | tuple[int, ...]] = [max(1, n) for n in self.shape]
        for m, cut in zip(self.selection.maps, edges, strict=True):
            if type(m) is Strided and self.shape[m.dim]:
                chunks[m.dim] = seen_through(m, self.shape[m.dim], cut)
        return tuple(chunks)

    @property
    def staged(self) -> bool:
        return self.base.staged

    @property
    def streams(self) -> bool:
        selection = self.selection
        if not (self.base.streams and selection.in_order) or 0 in selection.shape:
            return False
        return lies_flat(selection.bounding_box()[0], self.base.shape)

    def stream(self, get: Selection) -> Stream:
        return self.base.stream(self.selection.compose(get))

    def within(self, get: Selection) -> Node:
        return self.base.within(self.selection.compose(get))

    def pieces(
        self, get: Selection, put: Selection, steps: tuple[Step, ...] = ()
    ) -> Iterator[Piece]:
        return self.base.pieces(self.selection.compose(get), put, steps)


def select(node: Node, selection: Selection) -> Node:
    """Return a view of `node`; of its base, if it is a view itself."""
    if type(node) is View:
        return View(node.base, node.selection.compose(selection))
    return View(node, selection)


def seen_through(m: Strided, n: int, edges: Edges) -> int | tuple[int, ...]:
    """Return the lengths into which the edges of an axis cut a strided selection of it.

    One number where they are regular: an axis may have 2^22 chunks.
    """
    if isinstance(edges, RegularEdges) and m.step == 1 and m.start % edges.size == 0:
        return edges.size
    lengths = []
    done = 0
    while done < n:
        start, stop = edges.bounds(edges.find(m.start + m.step * done))
        after = min(n, m.leaves(start, stop))
        lengths.append(after - done)
        done = after
    return tuple(lengths)
