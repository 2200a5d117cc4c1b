"""Rewriting: expressions made ready to be computed.

Selections of what holds a reduction are handed down to what the reduction is
of, so that nothing else is reduced; equal expressions become one, so that they
are computed once; and a reduction that has been computed gives way to its values.
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

    from biggus.indexing.reduction_blocks import Lengths

_FEW = 8
"""Tiles; mosaics of no more are made one if their tiles are equal: such as what is padded."""


def pushdown(node: Node) -> Node:
    """Return a node in which selections of what comes of whole axes are handed down to those."""
    cut: Walk[bool] = Walk(_cut_along)

    def change(node: Node) -> Node | Generator[Any, Node, Node]:
        if not (node.needs_reduction or cut(node)):
            return node
        if 0 in node.shape:
            return _nothing(node)
        if isinstance(node, View):
            return _pushdown_view(node)
        return rebuilt(node, node.inner)

    walk: Walk[Node] = Walk(change)
    return walk(node)


def _cut_along(node: Node) -> bool | Generator[Any, bool, bool]:
    """Tell whether a node has a function along axes in which chunks are shorter: a rule."""
    return node.combined and (node.is_cut or any_answer(node.inner))


def _pushdown_view(node: View) -> Generator[Any, Node, Node]:
    base = CutOut()(node.base, node.selection)
    if not isinstance(base, View):
        return (yield base)
    return select((yield base.base), base.selection)


def _nothing(node: Node) -> Node:
    """Return the values of a node that has none: nothing needs to be reduced for them."""
    values: Any = np.empty(node.shape, node.dtype)
    if node.masked:
        values = np.ma.MaskedArray(values, mask=np.zeros(node.shape, bool))
    return Leaf(MemorySource(values), values.shape, values.dtype)


class CommonSubexpressions(Walk[Node]):
    """Makes equal nodes one: returns the first that was equal."""

    def __init__(self) -> None:
        super().__init__()
        self._equal: dict[Any, Node] = {}

    def answer(self, *ask: Any) -> Generator[Any, Node, Node]:
        """Find the first node that is the same, of children that have been found so."""
        [node] = ask
        if isinstance(node, Rechunked):
            return (yield node.plain)
        if isinstance(node, Mosaic) and len(node.tiles) <= _FEW:
            return (yield from self._few(node))
        inner = node.inner
        made = (yield from rebuilt(node, inner)) if inner else node
        # Of what is not looked into, only the same one is the same.
        within = [id(child) for child in made.inner]
        key = made.signature if within or not made.children else id(made)
        return self._equal.setdefault((key, *within), made)

    def _few(self, node: Mosaic) -> Generator[Any, Node, Node]:
        """Find the first mosaic of the same tiles, of which each is cut as it was."""
        tiles: list[Node] = []
        for tile in node.tiles:
            found = yield tile
            if isinstance(tile, Rechunked):
                cut = Rechunked(tile.base, tile.selection, tile.chunks)
                found = self._equal.setdefault((Rechunked, id(found), tile.chunks), cut)
            tiles.append(found)
        key = (Mosaic, node.axis, *map(id, tiles))
        return self._equal.setdefault(key, Mosaic(tiles, node.axis))


def reductions_of(node: Node) -> list[Reduce]:
    """Return the reductions that a node needs first: those that no other stands before."""
    return [
        each
        for each in ordered([node], _needing_reduction)
        if isinstance(each, Reduce) and not each.operand.needs_reduction
    ]


def _needing_reduction(node: Node) -> Sequence[Node]:
    return [child for child in node.inner if child.needs_reduction] if node.needs_reduction else ()


def substituted(node: Node, values: Mapping[int, Node]) -> Node:
    """Return a node in which what has been computed is replaced: reductions, and what is like them.

    Parameters
    ----------
    values : mapping of int to Node
        By the `id` of each.
    """

    def change(node: Node) -> Node | Generator[Any, Node, Node]:
        found = values.get(id(node))
        if found is not None:
            return found
        return rebuilt(node, node.inner) if node.needs_reduction or node.combined else node

    walk: Walk[Node] = Walk(change)
    return walk(node)


def leaves_of(node: Node) -> set[Any]:
    """Return what tells the parts of sources, mosaics and other things that a node is read from."""
    found: set[Any] = set()
    for each in ordered([node], _looked_into):
        if isinstance(each, View) and not each.base.inner:
            # Of different parts of a source nothing is read twice.
            found.add((id(each.base), key_of(each.selection)))
        elif not each.inner:
            found.add(id(each.origin if isinstance(each, Leaf) else each))
    return found


def _looked_into(node: Node) -> Sequence[Node]:
    return () if isinstance(node, View) and not node.base.inner else node.inner


def tile_edges_of(node: Node) -> tuple[Lengths, ...]:
    """Return for each axis the length, or the lengths, of the tiles of a node."""
    walk: Walk[tuple[Lengths, ...]] = Walk("tile_edges")
    return walk(node)


def io_bound(node: Node) -> bool:
    """Tell whether to read a node is to wait for something."""
    walk: Walk[bool] = Walk("io_bound")
    return walk(node)


def is_in_memory(node: Node) -> bool:
    """Tell whether all that a node is made of is in memory."""
    walk: Walk[bool] = Walk("in_memory")
    return walk(node)
