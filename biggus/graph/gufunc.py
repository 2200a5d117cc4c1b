"""Generalized ufuncs: functions of whole axes of several nodes, at each place of the others."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.graph.along import OfBlock, OfNothing, blocks_of, cut_along
from biggus.graph.base import Derived, Node
from biggus.graph.elementwise import is_spread, unbroadcast
from biggus.graph.pieces import Combination, Piece, spread, take
from biggus.graph.reduced import restricted
from biggus.graph.telling import name_of, text_of
from biggus.graph.view import select, spread_to
from biggus.indexing.grid import Grid, box_shape
from biggus.indexing.resolve import split_all
from biggus.indexing.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from biggus.graph.pieces import Steps
    from biggus.graph.step import Step
    from biggus.graph.telling import Told
    from biggus.sources.base import Box, Chunks, Values


class Gufunc(Derived):
    """A function of all values along the last axes of each of some nodes.

    The other axes, over which it loops, are those of all: they broadcast.

    Parameters
    ----------
    function : Step
        Called with a block of each operand, which has all of its last axes, and of the others
        a part, or one place where it is broadcast; returns a block of the loop's axes, and
        at the end those of `core`.
    operands : sequence of Node
        Where the values come from.
    whole : sequence of int
        How many of the last axes of each operand are whole.
    core : tuple of int
        The lengths of the axes that the function gives, after those that it loops over.

    Raises
    ------
    ValueError
        If the axes that are looped over do not broadcast.
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
        """The lengths of the axes that are looped over."""
        return self.shape[: len(self.shape) - len(self.core)]

    def whole_axes(self, number: int) -> tuple[int, ...]:
        """Return the axes of an operand that the function needs whole."""
        return tuple(range(len(self.loop), len(self.children[number].shape)))

    def blocks(self, number: int) -> Grid:
        """Return how an operand is cut where it is read from where it lies."""
        shape = self.children[number].shape
        lengths = [edges.longest for edges in self._blocks(self.children)]
        return Grid(shape, (*lengths, *[max(1, n) for n in shape[len(lengths) :]]))

    @property
    def is_cut(self) -> bool:
        """Whether chunks of an operand that is not broadcast are shorter than some such axis."""
        numbers = range(len(self.children))
        return any(
            not is_spread(self.children[number])
            and cut_along(self.children[number], self.whole_axes(number))
            for number in numbers
        )

    def cut(self) -> Chunks | None:
        count = len(self.loop)
        grids = [grid for node in self.children if (grid := node.grid) is not None]
        if not grids:
            return None
        return (*grids[0][:count], *[max(1, n) for n in self.core])

    def rebuild(self, children: tuple[Node, ...]) -> Node:
        return Gufunc(self.function, children, self.whole, self.core)

    @property
    def signature(self) -> Any:
        key = getattr(self.function, "key", None)
        return (Gufunc, id(self.function) if key is None else key, self.whole, self.core)

    def pushdown(self, selection: Selection) -> Generator[Any, Node, Node]:
        wanted, rest = self._wanted(selection)
        asks = list(zip(self.children, wanted, strict=True))
        if any(each is None for each in wanted):
            return select(self, selection)
        # What is broadcast stays so: it is computed once, and not for each place.
        found = []
        for pair in asks:
            node, each = unbroadcast(*pair)
            # Where a whole axis has no length there is nothing to be handed down.
            found.append(select(node, each) if 0 in each.shape else (yield node, each))
        count = len(self.loop)
        loop = wanted[0].shape[:count]
        if np.broadcast_shapes(*[node.shape[:count] for node in found]) != loop:
            found[0] = spread_to(found[0], loop + found[0].shape[count:])
        return select(self.rebuild(tuple(found)), rest)

    def told(self, selection: Selection) -> Iterator[Told]:
        # How it is cut follows from the memory; what it is of does not.
        yield f"gufunc {name_of(self.function)} {self.whole} {self.core} {text_of(selection)}"
        for node in self.children:
            yield node, Selection.identity(node.shape)

    def _wanted(self, selection: Selection) -> tuple[list[Any], Selection]:
        """Return what is wanted of each operand, None for all; and of the function of that."""
        count = len(self.loop)
        found = []
        for node in self.children:
            whole = tuple(range(count, len(node.shape)))
            wanted, rest = restricted(node.shape, whole, False, selection)
            found.append(wanted)
        return found, rest

    def parts(
        self, selection: Selection, out_selection: Selection, steps: Steps = None
    ) -> Iterator[Piece]:
        wanted, rest = self._wanted(selection)
        operands = [
            node if each is None else select(node, each)
            for node, each in zip(self.children, wanted, strict=True)
        ]
        count = len(self.loop)
        cuts = list(enumerate(self._blocks(operands)))
        for part, part_out in split_all(rest, out_selection, cuts):
            box, local = part.bounding_box()
            needed = [
                Selection.of_box((*box[:count], *[slice(0, n, 1) for n in node.shape[count:]]))
                for node in operands
            ]
            loop = box_shape(box[:count])
            function = _CoreTaken(self.function, loop + self.core, box[count:], local)
            pairs = zip(operands, needed, strict=True)
            there = tuple([unbroadcast(*pair) for pair in pairs if 0 not in pair[1].shape])
            step: Any = function
            if len(there) < len(needed):
                step = OfNothing(function, [each.shape for each in needed], operands)
            yield Combination(step, there, part_out, steps)

    def _blocks(self, operands: Sequence[Node]) -> Sequence[Any]:
        """Return the edges at which the axes of the loop are cut."""
        count = len(self.loop)
        loop = operands[0].shape[:count]
        grids = [grid for node in operands if (grid := node.grid) is not None]
        cut = grids[0][:count] if grids else (1,) * count
        # All that is needed for one place, as if it were one axis.
        core = math.prod(self.core) * self.dtype.itemsize
        nbytes = max(
            1, core + sum(math.prod(each.shape[count:]) * each.dtype.itemsize for each in operands)
        )
        return blocks_of((*loop, nbytes), (*cut, nbytes), (count,), 1).axes[:count]


class _CoreTaken(OfBlock):
    """A function of blocks, and the selection of what it gives."""

    def __init__(self, function: Step, shape: tuple[int, ...], core: Box, local: Selection) -> None:
        super().__init__(function)
        self.function = function
        self.shape = shape
        self.core = core
        self.local = local

    def __call__(self, *blocks: Values) -> Values:
        # How NumPy adds up, and so what rounding gives, follows from how values lie.
        lying = [block if block.flags.c_contiguous else block.copy() for block in blocks]
        values = spread(self.function(*lying), self.shape)
        key: Any = (..., *self.core)
        return take(self.local, values[key])
