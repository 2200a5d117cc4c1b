"""Rewriting: expressions are prepared for computing.

Selections of a reduction are pushed down to its operand, so that nothing else is reduced; equal
expressions become one node, so that they are computed once; and a computed reduction is replaced
by its values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.graph import (
    CutOut,
    Leaf,
    Mosaic,
    Node,
    Rechunked,
    Reduce,
    View,
    Walk,
    any_answer,
    key_of,
    ordered,
    rebuilt,
    select,
)
from biggus.sources.memory import MemorySource

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from biggus.indexing.grid import Lengths

_FEW = 8
"""The most tiles of mosaics that are compared with one another, as padding makes them."""


def pushdown(node: Node) -> Node:
    """Return a node with selections pushed down to reductions and functions along whole axes."""
    cut: Walk[bool] = Walk(_cut_along)

    def change(node: Node) -> Node | Generator[Any, Node, Node]:
        if not (node.needs_reduction or cut(node)):
            return node
        if 0 in node.shape:
            return _nothing(node)
        if isinstance(node, View):
            return _pushdown_view(node)
        return rebuilt(node, node.inner)

    return Walk[Node](change)(node)


def _cut_along(node: Node) -> bool | Generator[Any, bool, bool]:
    """Rule: whether a node is computed by a function along axes that are cut into chunks."""
    return node.combined and (node.is_cut or any_answer(node.inner))


def _pushdown_view(node: View) -> Generator[Any, Node, Node]:
    base = CutOut()(node.base, node.selection)
    if not isinstance(base, View):
        return (yield base)
    return select((yield base.base), base.selection)


def _nothing(node: Node) -> Node:
    """Return a leaf in the place of a node without elements: nothing needs to be reduced."""
    values: Any = np.empty(node.shape, node.dtype)
    if node.masked:
        values = np.ma.MaskedArray(values, mask=np.zeros(node.shape, bool))
    return Leaf(MemorySource(values), values.shape, values.dtype)


class CommonSubexpressions(Walk[Node]):
    """Replaces each node by the first node that was equal to it."""

    def __init__(self) -> None:
        super().__init__()
        self._equal: dict[Any, Node] = {}

    def answer(self, *ask: Any) -> Generator[Any, Node, Node]:
        """Return the first equal node, after its children have been replaced."""
        [node] = ask
        if isinstance(node, Rechunked):
            return (yield node.plain)
        if isinstance(node, Mosaic) and len(node.tiles) <= _FEW:
            return (yield from self._few(node))
        inner = node.inner
        replaced = (yield from rebuilt(node, inner)) if inner else node
        # Nodes whose children are not walked are equal only to themselves.
        within = [id(child) for child in replaced.inner]
        key = replaced.signature if within or not replaced.children else id(replaced)
        return self._equal.setdefault((key, *within), replaced)

    def _few(self, node: Mosaic) -> Generator[Any, Node, Node]:
        """Return the first mosaic of the same tiles, each with the chunks that it had."""
        tiles: list[Node] = []
        for tile in node.tiles:
            replaced = yield tile
            if isinstance(tile, Rechunked):
                cut = Rechunked(tile.base, tile.selection, tile.chunks)
                replaced = self._equal.setdefault((Rechunked, id(replaced), tile.chunks), cut)
            tiles.append(replaced)
        key = (Mosaic, node.axis, *map(id, tiles))
        return self._equal.setdefault(key, Mosaic(tiles, node.axis))


def reductions_of(node: Node) -> list[Reduce]:
    """Return the reductions that a node needs and that need no other reduction."""
    return [
        each
        for each in ordered([node], _needing_reduction)
        if isinstance(each, Reduce) and not each.operand.needs_reduction
    ]


def _needing_reduction(node: Node) -> Sequence[Node]:
    return [child for child in node.inner if child.needs_reduction] if node.needs_reduction else ()


def substituted(node: Node, values: Mapping[int, Node]) -> Node:
    """Return a node in which computed parts are replaced by their values.

    Parameters
    ----------
    node : Node
    values : mapping of int to Node
        The node of the values, by the `id` of the computed node.
    """

    def change(node: Node) -> Node | Generator[Any, Node, Node]:
        substitute = values.get(id(node))
        if substitute is not None:
            return substitute
        return rebuilt(node, node.inner) if node.needs_reduction or node.combined else node

    return Walk[Node](change)(node)


def leaves_of(node: Node) -> set[Any]:
    """Return keys of the sources, and parts of sources, that a node is read from."""
    keys: set[Any] = set()
    for each in ordered([node], _looked_into):
        if isinstance(each, View) and not each.base.inner:
            # Different parts of a source share no reads, so each has a key of its own.
            keys.add((id(each.base), key_of(each.selection)))
        elif not each.inner:
            keys.add(id(each.origin if isinstance(each, Leaf) else each))
    return keys


def _looked_into(node: Node) -> Sequence[Node]:
    return () if isinstance(node, View) and not node.base.inner else node.inner


def tile_edges_of(node: Node) -> tuple[Lengths, ...]:
    """Return for each axis the length, or the lengths, of the tiles of a node."""
    return Walk[Any]("tile_edges")(node)  # type: ignore[no-any-return]


def io_bound(node: Node) -> bool:
    """Return whether reading a node waits for a disk or a server."""
    return Walk[bool]("io_bound")(node)


def is_in_memory(node: Node) -> bool:
    """Return whether all values that a node is computed from are in memory."""
    return Walk[bool]("in_memory")(node)
