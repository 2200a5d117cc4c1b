"""Functions of blocks: each block of the result is computed of a part of each operand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from biggus.graph.along import OfBlock, OfNothing
from biggus.graph.base import Derived, Node
from biggus.graph.pieces import Combination, Piece, take
from biggus.graph.telling import text_of
from biggus.indexing.grid import Grid, edges_of
from biggus.indexing.resolve import split_all
from biggus.indexing.selection import Selection
from biggus.sources.base import box_shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

    from biggus.graph.pieces import Steps
    from biggus.indexing.grid import Edges, Index
    from biggus.indexing.reduction_blocks import Lengths
    from biggus.sources.base import Box, Chunks, Values


class Reach(NamedTuple):
    """Which part of an axis of an operand a block needs: all of it, if no axis is named."""

    axis: int | None = None
    """The axis of the result that it goes by."""

    factor: int = 1
    """How many positions there are to one of the result."""

    before: int = 0
    """How many more are needed before, as far as there are some."""

    after: int = 0
    """And after."""

    pieces: Lengths | None = None
    """The lengths of what there is to each block, if it does not go by where that lies."""


class BlockPlace(NamedTuple):
    """Where a block lies."""

    number: Index
    """Its number along each axis."""

    box: Box
    """In the result."""

    operands: tuple[Box, ...]
    """What it needs of each operand."""


class BlockStep(Protocol):
    """What computes a block; picklable."""

    dtype: np.dtype[Any]
    masked: bool
    fill_value: Any

    @property
    def key(self) -> str | None:
        """What is equal for steps that do the same, in any process; None if that is not known."""

    def __call__(self, place: BlockPlace, *blocks: Values) -> Values:
        """Return the values of a block, of the shape of its box."""


class Blockwise(Derived):
    """A function of blocks: each is computed as a whole, so its values are always the same.

    Along axes that it is said of only what is wanted is computed.

    Parameters
    ----------
    function : BlockStep
        What computes a block of those that it needs.
    operands : sequence of Node
        Where the values come from.
    reaches : sequence of sequence of Reach
        For each operand which part of each axis a block needs.
    shape : tuple of int
        Of the result.
    blocks : Chunks
        How that is cut.
    divisible : tuple of int
        The axes of the result along which each place is computed for itself.
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

    def cut(self) -> Chunks:
        return self.blocks

    def rebuild(self, children: tuple[Node, ...]) -> Node:
        return Blockwise(
            self.function, children, self.reaches, self.shape, self.blocks, self.divisible
        )

    @property
    def signature(self) -> Any:
        key = self.function.key
        function = id(self.function) if key is None else key
        return (Blockwise, function, self.reaches, self.shape, self.blocks, self.divisible)

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
            local = part
            for axis, (start, _) in enumerate(bounds):
                local = local.shift(axis, start)
            box = tuple([slice(*each, 1) for each in bounds])
            yield self._piece(number, box, local, part_out, steps)

    def _piece(
        self, number: Index, box: Box, local: Selection, out: Selection, steps: Steps
    ) -> Combination:
        boxes = tuple(
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
        function: Any = _Block(self.function, BlockPlace(number, box, boxes), local)
        shapes = [box_shape(each) for each in boxes]
        pairs = [
            (node, Selection.of_box(each))
            for node, each, shape in zip(self.children, boxes, shapes, strict=True)
            if 0 not in shape
        ]
        if len(pairs) < len(shapes):
            function = OfNothing(function, shapes, self.children)
        return Combination(function, tuple(pairs), out, steps)


def _reached(reach: Reach, length: int, number: Index, box: Box) -> slice:
    """Return which part of an axis, so long, a block needs."""
    if reach.axis is None:
        return slice(0, length, 1)
    if reach.pieces is not None:
        return slice(*edges_of(length, reach.pieces).bounds(number[reach.axis]), 1)
    s = box[reach.axis]
    start = s.start * reach.factor - reach.before
    stop = s.stop * reach.factor + reach.after
    return slice(min(length, max(0, start)), max(0, min(length, stop)), 1)


class _Block(OfBlock):
    """A function of blocks at one place, and the selection of what it gives."""

    def __init__(self, function: BlockStep, place: BlockPlace, local: Selection) -> None:
        super().__init__(function)
        self.function = function
        self.place = place
        self.local = local

    @property
    def key(self) -> str | None:
        """What is equal for the same function at the same place."""
        key = self.function.key
        return None if key is None else f"{key} at {self.place} {text_of(self.local)}"

    def __call__(self, *blocks: Values) -> Values:
        values = self.function(self.place, *blocks)
        shape = box_shape(self.place.box)
        if values.shape != shape:
            raise ValueError(
                f"a function of blocks gave {values.shape} where it was to give {shape}"
            )
        return take(self.local, values)
