"""Elementwise nodes: each value is computed from the values at the same place."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.graph.base import Derived, Node
from biggus.graph.identifying import Identifier, key_or_id, step_key, text_of_dtype
from biggus.graph.pieces import Combination, NodePart, Piece, Steps
from biggus.graph.view import View, spread_to
from biggus.graph.walk import answers
from biggus.indexing.reduction_blocks import BLOCK, common_grid, reduction_blocks
from biggus.indexing.resolve import split_all
from biggus.indexing.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from biggus.graph.step import Step
    from biggus.indexing.grid import Lengths
    from biggus.sources.base import Chunks, Values


class Elementwise(Derived):
    """A step applied to the values at the same place of one or several nodes.

    Parameters
    ----------
    step : Step
    *operands : Node
        At least one; their shapes broadcast.

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
        return (Elementwise, key_or_id(self.step))

    def natural_grid(self) -> Chunks | None:
        # If grids are unlike, the grid of the operand with the most bytes to read comes first.
        largest_first = sorted(self.children, key=_bytes_behind, reverse=True)
        grids = [grid for node in largest_first if (grid := node.grid) is not None]
        return common_grid(self.shape, grids) if grids else None

    def pushdown(self, selection: Selection) -> Generator[Any, Node, Node]:
        return self.rebuild(
            tuple((yield from answers([(node, selection) for node in self.children])))
        )

    def parts(
        self, selection: Selection, out_selection: Selection, steps: Steps = None
    ) -> Iterable[Piece | NodePart]:
        node: Node = self
        # Steps of one node are applied to each of its pieces.
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

    def identifiers(self, selection: Selection) -> Iterable[Identifier]:
        yield f"step {step_key(self.step)} {text_of_dtype(self.dtype)} {selection.shape}"
        yield from self.needs(selection)

    def tile_edges(self) -> Generator[Any, Any, tuple[Lengths, ...]]:
        # Those of the operand with most bytes to read.
        edges: tuple[Lengths, ...] = yield max(self.children, key=_bytes_behind)
        return edges

    def in_memory(self) -> Generator[Any, bool, bool]:
        for node in self.children:
            if not (yield node):
                return False
        return True


def _in_blocks(
    node: Node, selection: Selection, out_selection: Selection, steps: Steps
) -> Iterable[Piece]:
    """Yield the pieces of a node with several operands, cut into reduction blocks."""
    whole = Selection.identity(selection.shape)
    if math.prod(selection.shape) <= BLOCK:
        yield Combination(None, ((node, selection),), out_selection, steps)
        return
    cuts = list(enumerate(reduction_blocks(selection.shape, View(node, selection).grid).axes))
    for part, _ in split_all(whole, whole, cuts):
        yield Combination(
            None, ((node, selection.compose(part)),), out_selection.compose(part), steps
        )


def unbroadcast(
    node: Node, selection: Selection, dims: int | None = None
) -> tuple[Node, Selection]:
    """Return the node and the selection that give the values of an operand before broadcasting.

    Broadcast values are read and computed once; NumPy broadcasts them when they are used.  With
    `dims`, only the first so many dims of the selection lose what was broadcast.
    """
    if isinstance(node, View):
        selection = node.selection.compose(selection)
        node = node.base
    return node, selection.unbroadcast(dims)


def is_spread(operand: Node) -> bool:
    """Return whether an operand is broadcast along some axis."""
    if not isinstance(operand, View):
        return False
    named = operand.selection.named_dims()
    return any(n > 1 and dim not in named for dim, n in enumerate(operand.shape))


def _bytes_behind(node: Node) -> int:
    """Return about how many bytes are read for a node."""
    while isinstance(node, View):
        node = node.base
    return math.prod(node.shape) * node.dtype.itemsize
