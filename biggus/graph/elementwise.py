"""Elementwise nodes: each value computed from the values at the same place."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.graph.base import Derived, Node
from biggus.graph.pieces import Combination
from biggus.graph.telling import name_of
from biggus.graph.view import View, spread_to
from biggus.graph.walk import answers
from biggus.indexing.reduction_blocks import BLOCK, common_grid, reduction_blocks
from biggus.indexing.resolve import split_all
from biggus.indexing.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from biggus.graph.pieces import NodePart, Piece, Steps
    from biggus.graph.step import Step
    from biggus.graph.telling import Told
    from biggus.indexing.reduction_blocks import Lengths
    from biggus.sources.base import Chunks, Values


class Elementwise(Derived):
    """A step applied to each value of a node, or to those at the same place of several.

    Parameters
    ----------
    step : Step
        What is done to each.
    *operands : Node
        Where the values come from; at least one.  Their shapes broadcast.

    Raises
    ------
    ValueError
        If the shapes do not broadcast.
    """

    __slots__ = ("step",)

    def __init__(self, step: Step, *operands: Node) -> None:
        self.step = step
        first = operands[0]
        shape = first.shape
        dtype = step.dtype
        fill_value = step.fill_value
        if len(operands) == 1:
            if fill_value is None and dtype == first.dtype:
                fill_value = first.fill_value
        elif any(node.shape != shape for node in operands):
            shape = np.broadcast_shapes(*[node.shape for node in operands])
            operands = tuple([spread_to(node, shape) for node in operands])
        fills = getattr(step, "fills", False)
        masked = False if fills else step.masked or None
        super().__init__(operands, shape, dtype, masked, fill_value, len(operands) > 1)

    def rebuild(self, children: tuple[Node, ...]) -> Node:
        return Elementwise(self.step, *children)

    @property
    def signature(self) -> Any:
        key = getattr(self.step, "key", None)
        return (Elementwise, id(self.step) if key is None else key)

    def cut(self) -> Chunks | None:
        # Of unlike grids that of the operand counts which has most to be read.
        sized = [
            (_bytes_behind(node), grid) for node in self.children if (grid := node.grid) is not None
        ]
        if not sized:
            return None
        sized.sort(key=lambda pair: -pair[0])
        return common_grid(self.shape, [grid for _, grid in sized])

    def pushdown(self, selection: Selection) -> Generator[Any, Node, Node]:
        return self.rebuild(
            tuple((yield from answers([(node, selection) for node in self.children])))
        )

    def parts(
        self, selection: Selection, out_selection: Selection, steps: Steps = None
    ) -> Iterable[Piece | NodePart]:
        node: Node = self
        # What is done to the values of one node is done to each of its pieces.
        while type(node) is Elementwise and len(node.children) == 1:
            steps = (node.step, steps)
            [node] = node.children
            if type(node) is View:
                selection = node.selection.compose(selection)
                node = node.base
        if type(node) is Elementwise:
            return _in_blocks(node, selection, out_selection, steps)
        return node.parts(selection, out_selection, steps)

    def needs(self, selection: Selection) -> Sequence[tuple[Node, Selection]]:
        return [unbroadcast(node, selection) for node in self.children]

    def computed(self, blocks: Sequence[Values], free: bool = False) -> Values:
        over = getattr(self.step, "over", None) if free else None
        values: Values = self.step(*blocks) if over is None else over(blocks[0])
        return values

    @property
    def owns_data(self) -> bool:
        return getattr(self.step, "owns_data", False)

    def told(self, selection: Selection) -> Iterable[Told]:
        yield f"step {name_of(self.step)} {self.dtype!r} {selection.shape}"
        yield from self.needs(selection)

    def tile_edges(self) -> Generator[Any, Any, tuple[Lengths, ...]]:
        # Those of the operand count which has most to be read.
        found: tuple[Lengths, ...] = yield max(self.children, key=_bytes_behind)
        return found

    def in_memory(self) -> Generator[Any, bool, bool]:
        for node in self.children:
            if not (yield node):
                return False
        return True


def _in_blocks(
    node: Node, selection: Selection, out_selection: Selection, steps: Steps
) -> Iterable[Piece]:
    """Yield what is computed of several nodes, cut into reduction blocks."""
    whole = Selection.identity(selection.shape)
    if math.prod(selection.shape) <= BLOCK:
        yield Combination(None, ((node, selection),), out_selection, steps)
        return
    cuts = list(enumerate(reduction_blocks(selection.shape, View(node, selection).grid).axes))
    for part, _ in split_all(whole, whole, cuts):
        yield Combination(
            None, ((node, selection.compose(part)),), out_selection.compose(part), steps
        )


def unbroadcast(node: Node, selection: Selection) -> tuple[Node, Selection]:
    """Return what is wanted of an operand; of what is broadcast, once.

    It is neither read nor computed again and again: NumPy broadcasts it when
    it is used.
    """
    if isinstance(node, View):
        selection = node.selection.compose(selection)
        node = node.base
    return node, selection.unbroadcast()


def is_spread(operand: Node) -> bool:
    """Tell whether an operand gives the same values along some dim: whether it is broadcast."""
    if not isinstance(operand, View):
        return False
    named = operand.selection.named_dims()
    return any(n > 1 and dim not in named for dim, n in enumerate(operand.shape))


def _bytes_behind(node: Node) -> int:
    """Return the size of what is read for a node, about."""
    while isinstance(node, View):
        node = node.base
    return math.prod(node.shape) * node.dtype.itemsize
