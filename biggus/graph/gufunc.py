"""Generalized ufuncs: functions of the last axes of several nodes, looped over the others."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus import options
from biggus.graph.along import COPIES, BlockFunction, blocks_of, combination, cut_along
from biggus.graph.base import Derived, Node
from biggus.graph.elementwise import is_spread, unbroadcast
from biggus.graph.identifying import key_or_id, step_key, text_of
from biggus.graph.pieces import Piece, spread, take
from biggus.graph.reduce import restricted
from biggus.graph.view import select, spread_to
from biggus.indexing.grid import Grid, box_shape
from biggus.indexing.resolve import split_all
from biggus.indexing.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from biggus.graph.identifying import Identifier
    from biggus.graph.pieces import Steps
    from biggus.graph.step import Step
    from biggus.sources.base import Box, Chunks, Values


class Gufunc(Derived):
    """A function of the last axes of several nodes, looped over the other axes.

    Parameters
    ----------
    function : Step
        Called with a block of each operand, which has its core axes whole, and a part of the loop
        axes, or length one where it is broadcast; returns a block of the loop axes, followed by
        the axes of `core`.
    operands : sequence of Node
        Their loop axes broadcast.
    whole : sequence of int
        The number of core axes, the last ones, of each operand.
    core : tuple of int
        The lengths of the core axes of the result.

    Raises
    ------
    ValueError
        If the loop axes do not broadcast.
    """

    __slots__ = ("core", "function", "whole")

    of_blocks = True

    def __init__(
        self, function: Step, operands: Sequence[Node], whole: Sequence[int], core: tuple[int, ...]
    ) -> None:
        self.function = function
        self.whole = tuple(whole)
        self.core = core
        loops = [
            node.shape[: len(node.shape) - n] for node, n in zip(operands, self.whole, strict=True)
        ]
        loop = np.broadcast_shapes(*loops)
        children = tuple(
            [
                spread_to(node, loop + node.shape[len(node.shape) - n :])
                for node, n in zip(operands, self.whole, strict=True)
            ]
        )
        masked = function.masked or None
        super().__init__(children, loop + core, function.dtype, masked, combined=True)

    @property
    def loop(self) -> tuple[int, ...]:
        """The lengths of the loop axes."""
        return self.shape[: len(self.shape) - len(self.core)]

    def whole_axes(self, number: int) -> tuple[int, ...]:
        """Return the axes of an operand that the function needs whole."""
        return tuple(range(len(self.loop), len(self.children[number].shape)))

    def blocks(self, number: int) -> Grid:
        """Return the blocks of an operand that are read, if it does not go through a scratch."""
        shape = self.children[number].shape
        lengths = [edges.longest for edges in self._blocks(self.children)]
        return Grid(shape, (*lengths, *[max(1, n) for n in shape[len(lengths) :]]))

    @property
    def is_cut(self) -> bool:
        """Whether an operand that is not broadcast has several chunks along a core axis."""
        return any(
            not is_spread(node) and cut_along(node, self.whole_axes(number))
            for number, node in enumerate(self.children)
        )

    def natural_grid(self) -> Chunks | None:
        count = len(self.loop)
        grids = [grid for node in self.children if (grid := node.grid) is not None]
        if not grids:
            return None
        return (*grids[0][:count], *[max(1, n) for n in self.core])

    def rebuild(self, children: tuple[Node, ...]) -> Node:
        return Gufunc(self.function, children, self.whole, self.core)

    @property
    def signature(self) -> Any:
        return (Gufunc, key_or_id(self.function), self.whole, self.core)

    def pushdown(self, selection: Selection) -> Generator[Any, Node, Node]:
        wanted, remaining = self._wanted(selection)
        asks = list(zip(self.children, wanted, strict=True))
        if any(each is None for each in wanted):
            return select(self, selection)
        # Operands are computed once, and not for each place of the loop over which they are
        # broadcast.  The function needs core axes at their lengths.
        operands = []
        for pair in asks:
            node, each = unbroadcast(*pair, len(self.loop))
            # A selection without elements cannot be pushed down.
            operands.append(select(node, each) if 0 in each.shape else (yield node, each))
        count = len(self.loop)
        loop = wanted[0].shape[:count]
        if np.broadcast_shapes(*[node.shape[:count] for node in operands]) != loop:
            operands[0] = spread_to(operands[0], loop + operands[0].shape[count:])
        return select(self.rebuild(tuple(operands)), remaining)

    def identifiers(self, selection: Selection) -> Iterator[Identifier]:
        # Its pieces depend on the memory option, so they do not identify it.
        yield f"gufunc {step_key(self.function)} {self.whole} {self.core} {text_of(selection)}"
        for node in self.children:
            yield node, Selection.identity(node.shape)

    def _wanted(self, selection: Selection) -> tuple[list[Any], Selection]:
        """Return the needed selection of each operand, None for all, and the rest.

        The rest selects from the function of the selected operands.
        """
        count = len(self.loop)
        selections = []
        for node in self.children:
            whole = tuple(range(count, len(node.shape)))
            wanted, remaining = restricted(node.shape, whole, False, selection)
            selections.append(wanted)
        return selections, remaining

    def parts(
        self, selection: Selection, out_selection: Selection, steps: Steps = None
    ) -> Iterator[Piece]:
        wanted, remaining = self._wanted(selection)
        operands = [
            node if each is None else select(node, each)
            for node, each in zip(self.children, wanted, strict=True)
        ]
        count = len(self.loop)
        cuts = list(enumerate(self._blocks(operands)))
        for part, part_out in split_all(remaining, out_selection, cuts):
            box, local = part.bounding_box()
            needed = [
                Selection.of_box((*box[:count], *[slice(0, n, 1) for n in node.shape[count:]]))
                for node in operands
            ]
            loop = box_shape(box[:count])
            function = _CoreTaken(self.function, loop + self.core, box[count:], local)
            pairs = [
                pair if 0 in pair[1].shape else unbroadcast(*pair, count)
                for pair in zip(operands, needed, strict=True)
            ]
            yield combination(function, pairs, part_out, steps)

    def _blocks(self, operands: Sequence[Node]) -> Sequence[Any]:
        """Return the edges at which the loop axes are cut."""
        count = len(self.loop)
        loop = operands[0].shape[:count]
        grids = [grid for node in operands if (grid := node.grid) is not None]
        cut = grids[0][:count] if grids else (1,) * count
        # The bytes for one place of the loop, as if they were one axis.
        core = math.prod(self.core) * self.dtype.itemsize
        nbytes = max(
            1, core + sum(math.prod(each.shape[count:]) * each.dtype.itemsize for each in operands)
        )
        room = options.current().memory // COPIES
        return blocks_of((*loop, nbytes), (*cut, nbytes), (count,), 1, room).axes[:count]


@dataclass(eq=False)
class _CoreTaken(BlockFunction):
    """A selection of the results of a generalized ufunc."""

    shape: tuple[int, ...]
    core: Box
    local: Selection

    def __call__(self, *blocks: Values) -> Values:
        # The order in which NumPy adds up, and so rounding, depends on the memory order.
        contiguous = [block if block.flags.c_contiguous else block.copy() for block in blocks]
        values = spread(self.function(*contiguous), self.shape)
        key: Any = (..., *self.core)
        return take(self.local, values[key])
