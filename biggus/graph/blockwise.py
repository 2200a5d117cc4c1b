"""Functions of blocks: each block of the result is computed from a part of each operand."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from biggus.graph.along import BlockFunction, combination
from biggus.graph.base import Derived, Node
from biggus.graph.identifying import key_or_id, text_of
from biggus.graph.mosaic import among_zeros
from biggus.graph.pieces import Combination, Piece, Steps, take
from biggus.graph.view import select
from biggus.indexing.grid import Edges, Grid, Index, Lengths, edges_of
from biggus.indexing.resolve import split_all
from biggus.indexing.selection import Selection
from biggus.sources.base import Box, Chunks, Values, box_shape

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    import numpy as np


class Reach(NamedTuple):
    """The positions along an axis of an operand that a block needs."""

    axis: int | None = None
    """The axis of the result that decides; None if each block needs all positions."""

    factor: int = 1
    """The number of positions for each position of the result."""

    before: int = 0
    """The number of further positions before these, as far as they exist."""

    after: int = 0
    """The number of further positions after these, as far as they exist."""

    pieces: Lengths | None = None
    """The number of positions of each block, if these do not follow from its box."""


class BlockPlace(NamedTuple):
    """The place of a block."""

    number: Index
    """Its number along each axis."""

    box: Box
    """Its box in the result."""

    operands: tuple[Box, ...]
    """The box that it needs of each operand."""


class BlockStep(Protocol):
    """A function that computes a block; picklable."""

    dtype: np.dtype[Any]
    masked: bool
    fill_value: Any

    @property
    def key(self) -> str | None:
        """A text that equal steps share in any process; None if there is none."""

    def __call__(self, place: BlockPlace, /, *blocks: Values) -> Values:
        """Return the values of a block, of the shape of its box."""


class Blockwise(Derived):
    """A function of blocks; each block is computed as a whole, so its values are always the same.

    Parameters
    ----------
    function : BlockStep
        Computes a block from blocks of the operands.
    operands : sequence of Node
    reaches : sequence of sequence of Reach
        For each operand and each of its axes, the positions that a block needs.
    shape : tuple of int
        The shape of the result.
    blocks : Chunks
        The blocks of the result.
    divisible : tuple of int
        The axes along which each place is independent of the others, so that only the wanted
        part of a block is computed.
    """

    __slots__ = ("blocks", "divisible", "function", "reaches")

    of_blocks = True

    def __init__(
        self,
        function: BlockStep,
        operands: Sequence[Node],
        reaches: Sequence[Sequence[Reach]],
        shape: tuple[int, ...],
        blocks: Chunks,
        divisible: tuple[int, ...] = (),
    ) -> None:
        self.function = function
        self.reaches = tuple([tuple(each) for each in reaches])
        self.blocks = blocks
        self.divisible = divisible
        super().__init__(tuple(operands), shape, function.dtype, function.masked, combined=True)

    def natural_grid(self) -> Chunks:
        return self.blocks

    def rebuild(self, children: tuple[Node, ...]) -> Node:
        return Blockwise(
            self.function, children, self.reaches, self.shape, self.blocks, self.divisible
        )

    @property
    def signature(self) -> Any:
        function = key_or_id(self.function)
        return (Blockwise, function, self.reaches, self.shape, self.blocks, self.divisible)

    def pushdown(self, selection: Selection) -> Generator[Any, Node, Node] | None:
        # Other operands are read block by block, as far as they are needed.
        return self._pushdown(selection) if self.needs_reduction else None

    def _pushdown(self, selection: Selection) -> Generator[Any, Node, Node]:
        """Push the selection down to operands of which at most half is needed.

        Zeros take the place of their other values, so that the blocks keep their places.  Two
        larger parts, as in a difference, would be computed twice where they overlap.
        """
        wanted, _ = selection.bounding_box()
        starts = [s.start for s in wanted]
        stops = [range(s.start, s.stop, s.step)[-1] + 1 for s in wanted]
        axes = Grid(self.shape, self.blocks).axes
        first = tuple([edges.find(n) for edges, n in zip(axes, starts, strict=True)])
        last = tuple([edges.find(n - 1) for edges, n in zip(axes, stops, strict=True)])
        for axis in set(range(len(axes))).difference(self.divisible):
            starts[axis], _ = axes[axis].bounds(first[axis])
            _, stops[axis] = axes[axis].bounds(last[axis])
        box = tuple([slice(*bounds, 1) for bounds in zip(starts, stops, strict=True)])
        begins, ends = self._boxes(first, box), self._boxes(last, box)
        operands = []
        for node, begin, end in zip(self.children, begins, ends, strict=True):
            needed = tuple([slice(a.start, b.stop, 1) for a, b in zip(begin, end, strict=True)])
            few = 0 < 2 * math.prod(box_shape(needed)) <= math.prod(node.shape)
            if node.needs_reduction and few:
                operands.append(among_zeros((yield node, Selection.of_box(needed)), needed, node))
            else:
                operands.append(node)
        return select(self.rebuild(tuple(operands)), selection)

    def _boxes(self, number: Index, box: Box) -> tuple[Box, ...]:
        """Return the box of each operand that a block needs."""
        return tuple(
            [
                tuple(
                    [
                        _reached(reach, n, number, box)
                        for reach, n in zip(reaches, node.shape, strict=True)
                    ]
                )
                for reaches, node in zip(self.reaches, self.children, strict=True)
            ]
        )

    def parts(
        self, selection: Selection, out_selection: Selection, steps: Steps = None
    ) -> Iterator[Piece]:
        axes = Grid(self.shape, self.blocks).axes
        cuts: list[tuple[int, Edges]] = list(enumerate(axes))
        for part, part_out in split_all(selection, out_selection, cuts):
            wanted, _ = part.bounding_box()
            number = tuple([edges.find(s.start) for edges, s in zip(axes, wanted, strict=True)])
            bounds = [edges.bounds(n) for edges, n in zip(axes, number, strict=True)]
            for axis in self.divisible:
                s = wanted[axis]
                bounds[axis] = (s.start, range(s.start, s.stop, s.step)[-1] + 1)
            local = part.relative_to([start for start, _ in bounds])
            box = tuple([slice(*each, 1) for each in bounds])
            yield self._piece(number, box, local, part_out, steps)

    def _piece(
        self, number: Index, box: Box, local: Selection, out: Selection, steps: Steps
    ) -> Combination:
        boxes = self._boxes(number, box)
        function = _Block(self.function, BlockPlace(number, box, boxes), local)
        pairs = zip(self.children, map(Selection.of_box, boxes), strict=True)
        return combination(function, list(pairs), out, steps)


def _reached(reach: Reach, length: int, number: Index, box: Box) -> slice:
    """Return the positions along an axis of an operand, of a length, that a block needs."""
    if reach.axis is None:
        return slice(0, length, 1)
    if reach.pieces is not None:
        return slice(*edges_of(length, reach.pieces).bounds(number[reach.axis]), 1)
    s = box[reach.axis]
    start = s.start * reach.factor - reach.before
    stop = s.stop * reach.factor + reach.after
    return slice(min(length, max(0, start)), max(0, min(length, stop)), 1)


@dataclass(eq=False)
class _Block(BlockFunction):
    """A selection of one block of a function of blocks."""

    place: BlockPlace
    local: Selection

    @property
    def key(self) -> str | None:  # type: ignore[override]
        """A text that equal functions at the same place share."""
        key = self.function.key
        return None if key is None else f"{key} at {self.place} {text_of(self.local)}"

    def __call__(self, *blocks: Values) -> Values:
        values = self.function(self.place, *blocks)
        shape = box_shape(self.place.box)
        if values.shape != shape:
            raise ValueError(
                f"a function of blocks returned shape {values.shape} instead of {shape}"
            )
        return take(self.local, values)
