"""Rewriting: expressions made ready to be computed.

Selections of what holds a reduction are handed down to what the reduction is
of, so that nothing else is reduced; equal expressions become one, so that they
are computed once; and a reduction that has been computed gives way to its values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.memory import MemorySource
from biggus.nodes import (
    AlongAxes,
    Elementwise,
    GridMosaicNode,
    Leaf,
    Mosaic,
    Node,
    Reduce,
    View,
    is_spread,
    narrowed,
    select,
)
from biggus.region import AxisMap, Fixed, Selection, Strided

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_SMALL_INDEX = 4096


def rebuilt(node: Node, change: Callable[[Node], Node]) -> Node:
    """Return a node with all that it is made of changed; itself if nothing does.

    Tiles that hold no reduction are left alone: there may be 2^18.
    """
    match node:
        case View():
            base = change(node.base)
            return node if base is node.base else select(base, node.selection)
        case Elementwise():
            operands = tuple([change(operand) for operand in node.operands])
            same = all(map(_is, operands, node.operands))
            return node if same else Elementwise(node.step, *operands)
        case Reduce() | AlongAxes():
            operand = change(node.operand)
            return node if operand is node.operand else node.over(operand)
        case Mosaic() if node.staged:
            tiles = [change(tile) for tile in node.tiles]
            same = all(map(_is, tiles, node.tiles))
            return node if same else Mosaic(tiles, node.axis)
    return node


def _is(one: Node, other: Node) -> bool:
    return one is other


def pushed(node: Node) -> Node:
    """Return a node in which selections of reductions are handed down to their operands."""
    if not node.staged:
        return node
    if 0 in node.shape:
        return _nothing(node)
    if isinstance(node, View):
        base = node.base.within(node.selection)
        if not isinstance(base, View):
            return pushed(base)
        return select(pushed(base.base), base.selection)
    return rebuilt(node, pushed)


def _nothing(node: Node) -> Node:
    """Return the values of a node that has none: nothing needs to be reduced for them."""
    values: Any = np.empty(node.shape, node.dtype)
    if node.masked:
        values = np.ma.MaskedArray(values, mask=np.zeros(node.shape, bool))
    return Leaf(MemorySource(values), values.shape, values.dtype)


class Interner:
    """Makes equal nodes one."""

    def __init__(self) -> None:
        self._known: dict[Any, Node] = {}
        self._done: dict[int, Node] = {}
        self._kept: list[Node] = []  # so that an id stays that of one node

    def __call__(self, node: Node) -> Node:
        """Return the first node that was equal to this one."""
        found = self._done.get(id(node))
        if found is None:
            made = rebuilt(node, self)
            found = self._known.setdefault(_signature(made), made)
            self._done[id(node)] = found
            self._kept.append(node)
        return found


def _signature(node: Node) -> Any:
    """Return what is equal for equal nodes, if what they are made of is one already."""
    match node:
        case Leaf():
            return (Leaf, id(node.origin), node.shape, node.dtype)
        case View():
            return (View, id(node.base), signature_of(node.selection))
        case Elementwise():
            key = getattr(node.step, "key", None)
            step = id(node.step) if key is None else key
            return (Elementwise, step, tuple(map(id, node.operands)))
        case Reduce():
            return (Reduce, node.statistic, node.axes, node.keepdims, id(node.operand))
        case AlongAxes():
            key = getattr(node.function, "key", None)
            function = id(node.function) if key is None else key
            return (AlongAxes, function, node.axes, node.keepdims, id(node.operand))
    return (type(node), id(node))


def signature_of(selection: Selection) -> Any:
    """Return what is equal for equal selections; of long index arrays, of the same alone."""
    return (selection.shape, tuple(map(_map_signature, selection.maps)))


def _map_signature(m: AxisMap) -> Any:
    if isinstance(m, Fixed):
        return m.index
    if isinstance(m, Strided):
        return (m.dim, m.start, m.step)
    index = m.index.tobytes() if m.index.size <= _SMALL_INDEX else id(m.index)
    return (m.dims, m.index.shape, index)


def reductions_of(node: Node) -> list[Reduce]:
    """Return the reductions that a node needs first: those that no other stands before."""
    found: dict[int, Reduce] = {}

    def look(node: Node) -> Node:
        if node.staged:
            if isinstance(node, Reduce) and not node.operand.staged:
                found[id(node)] = node
            else:
                rebuilt(node, look)
        return node

    look(node)
    return list(found.values())


def substituted(node: Node, values: Mapping[int, Node]) -> Node:
    """Return a node with the reductions that have been computed replaced.

    Parameters
    ----------
    values : mapping of int to Node
        By the `id` of the reduction.
    """

    def change(node: Node) -> Node:
        if not node.staged:
            return node
        found = values.get(id(node))
        return rebuilt(node, change) if found is None else found

    return change(node)


def leaves_of(node: Node) -> set[Any]:
    """Return what tells the parts of sources, mosaics and other things that a node is read from."""
    found: set[Any] = set()

    def look(node: Node) -> Node:
        match node:
            case Leaf():
                found.add(id(node.origin))
            case View(base=Leaf() | Mosaic() | GridMosaicNode()):
                # Of different parts of a source nothing is read twice.
                found.add((id(node.base), signature_of(node.selection)))
            case View() | Elementwise() | AlongAxes() | Reduce():
                rebuilt(node, look)
            case _:
                found.add(id(node))
        return node

    look(node)
    return found


def repeated_in(node: Node) -> Iterator[tuple[Node, Selection]]:
    """Yield what a node takes the same values of again and again, and what of it."""
    match node:
        case View():
            yield from repeated_in(node.base)
        case Elementwise():
            for operand in node.operands:
                base, get = narrowed(operand, Selection.identity(node.shape))
                if is_spread(operand) and not is_resident(base):
                    yield base, get
                yield from repeated_in(base)


def is_resident(node: Node) -> bool:
    """Tell whether all that a node is made of is in memory."""
    match node:
        case Leaf():
            return node.source.resident
        case View():
            return is_resident(node.base)
        case Elementwise():
            return all(map(is_resident, node.operands))
    return False
