"""Elementwise nodes: each value computed from the values at the same place."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.cells import CELL, cells_of, common_grid
from biggus.nodes.base import Combination, Node, Piece
from biggus.nodes.view import View, select
from biggus.region import Selection
from biggus.resolve import split_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biggus.grid import Edges
    from biggus.nodes.step import Step
    from biggus.source import Chunks


class Elementwise(Node):
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

    __slots__ = ("_staged", "operands", "shape", "step")

    def __init__(self, step: Step, *operands: Node) -> None:
        self.step = step
        self.operands: tuple[Node, ...] = operands
        self.shape = operands[0].shape
        if len(operands) > 1:
            self.shape = np.broadcast_shapes(*[node.shape for node in operands])
            self.operands = tuple([_spread(node, self.shape) for node in operands])
        self._staged = any(node.staged for node in operands)

    @property
    def dtype(self) -> np.dtype[Any]:  # type: ignore[override]
        """The dtype of the results."""
        return self.step.dtype

    @property
    def masked(self) -> bool:
        if getattr(self.step, "fills", False):
            return False
        return self.step.masked or any(node.masked for node in self.operands)

    @property
    def fill_value(self) -> Any:
        own = self.step.fill_value
        first = self.operands[0]
        if own is not None or len(self.operands) > 1 or self.dtype != first.dtype:
            return own
        return first.fill_value

    @property
    def grid(self) -> Chunks | None:
        # Of unlike grids that of the operand counts which has most to be read.
        sized = [
            (_bytes_behind(node), grid) for node in self.operands if (grid := node.grid) is not None
        ]
        if not sized:
            return None
        sized.sort(key=lambda pair: -pair[0])
        return common_grid(self.shape, [grid for _, grid in sized])

    @property
    def staged(self) -> bool:
        return self._staged

    def within(self, get: Selection) -> Node:
        return Elementwise(self.step, *[node.within(get) for node in self.operands])

    def pieces(
        self, get: Selection, put: Selection, steps: tuple[Step, ...] = ()
    ) -> Iterator[Piece]:
        if len(self.operands) == 1:
            yield from self.operands[0].pieces(get, put, (self.step, *steps))
            return
        whole = Selection.identity(get.shape)
        cuts: list[tuple[int, Edges]] = []
        if math.prod(get.shape) > CELL:
            cuts = list(enumerate(cells_of(get.shape, View(self, get).grid).axes))
        for part, _ in split_all(whole, whole, cuts):
            operands = tuple([narrowed(node, get.compose(part)) for node in self.operands])
            yield Combination(self.step, operands, put.compose(part), steps)


def _spread(node: Node, shape: tuple[int, ...]) -> Node:
    return node if node.shape == shape else select(node, Selection.broadcast(node.shape, shape))


def narrowed(node: Node, get: Selection) -> tuple[Node, Selection]:
    """Return what is wanted of an operand; of what is broadcast, once.

    It is neither read nor computed again and again: NumPy broadcasts it when
    it is used.
    """
    if isinstance(node, View):
        get = node.selection.compose(get)
        node = node.base
    return node, get.narrowed()


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
