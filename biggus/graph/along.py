"""Functions along whole axes, such as a median, which needs all values of a line at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus import options
from biggus.graph.identifying import key_or_id, step_key, text_of
from biggus.graph.pieces import Combination, Piece, take
from biggus.graph.reduce import Reducing, restricted
from biggus.graph.view import select
from biggus.indexing.grid import Grid, RegularEdges, edges_of
from biggus.indexing.reduction_blocks import nested_lengths
from biggus.indexing.resolve import split_all
from biggus.indexing.selection import Selection
from biggus.sources import base as source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from biggus.graph.base import Node
    from biggus.graph.identifying import Identifier
    from biggus.graph.pieces import Steps
    from biggus.graph.step import Step
    from biggus.sources.base import Box, Chunks, Values

COPIES = 16
"""A block has no more than this fraction, 1/16, of the memory: functions such as the median copy
it, and several blocks are computed at once."""


class AlongAxes(Reducing):
    """A function of all values along some axes of a node, applied at each place of the others.

    Parameters
    ----------
    operand : Node
    function : Step
        Called with a block that has the axes whole; returns it with the axes at length one.
    axes : tuple of int
        The axes, ascending.
    keepdims : bool
        Whether the result has the axes, at length one.
    further : tuple of int, optional
        The lengths of the axes that the function adds at the end.
    """

    __slots__ = ("function",)

    of_blocks = True

    def __init__(
        self,
        operand: Node,
        function: Step,
        axes: tuple[int, ...],
        keepdims: bool = False,
        further: tuple[int, ...] = (),
    ) -> None:
        self.function = function
        masked = function.masked or None
        super().__init__(operand, axes, keepdims, further, function.dtype, masked, combined=True)

    @property
    def is_cut(self) -> bool:
        """Whether chunks of the operand are shorter than some of the axes."""
        return cut_along(self.operand, self.axes)

    def whole_axes(self, number: int) -> tuple[int, ...]:
        """Return the axes of an operand that the function needs whole."""
        return self.axes

    def blocks(self, number: int) -> Grid:
        """Return the blocks of an operand that are read, if it does not go through a scratch."""
        return self._blocks(self.children[number])

    @property
    def block_bytes(self) -> int:
        """The most bytes of a block of the operand that is read at once."""
        current = options.current()
        working = getattr(self.function, "working_bytes", None)
        each = current.memory // max(2, current.workers)
        if working is None or 3 * working > each or self.operand.combined:
            return current.memory // COPIES
        return each // 3

    def _blocks(self, operand: Node) -> Grid:
        each = operand.dtype.itemsize + operand.masked
        return blocks_of(operand.shape, operand.grid, self.axes, each, self.block_bytes)

    def rebuild(self, children: tuple[Node, ...]) -> Node:
        return AlongAxes(children[0], self.function, self.axes, self.keepdims, self.further)

    @property
    def signature(self) -> Any:
        return (AlongAxes, key_or_id(self.function), self.axes, self.keepdims)

    def identifiers(self, selection: Selection) -> Iterator[Identifier]:
        # Its pieces depend on the memory option, so they do not identify it.
        yield f"along {step_key(self.function)} {self.axes} {self.keepdims} {text_of(selection)}"
        yield self.operand, Selection.identity(self.operand.shape)

    def parts(
        self, selection: Selection, out_selection: Selection, steps: Steps = None
    ) -> Iterator[Piece]:
        operand = self.operand
        wanted, remaining = restricted(operand.shape, self.axes, self.keepdims, selection)
        if wanted is not None:
            operand = select(operand, wanted)
        grid = self._blocks(operand)
        others = [axis for axis in range(len(operand.shape)) if axis not in self.axes]
        cuts = [
            (axis if self.keepdims else place, grid.axes[axis]) for place, axis in enumerate(others)
        ]
        for part, part_out in split_all(remaining, out_selection, cuts):
            box, local = part.bounding_box()
            around = list(source.whole(operand.shape))
            for place, axis in enumerate(others):
                around[axis] = box[axis if self.keepdims else place]
            needed = Selection.of_box(tuple(around))
            further = box[len(box) - len(self.further) :]
            function = _Taken(self.function, () if self.keepdims else self.axes, further, local)
            yield combination(function, [(operand, needed)], part_out, steps)


def cut_along(node: Node, axes: tuple[int, ...]) -> bool:
    """Return whether a node has several chunks along one of the axes."""
    if node.grid is None:
        return False
    edges = Grid(node.shape, node.grid).axes
    return any(edges[axis].count > 1 for axis in axes)


@dataclass(eq=False)
class BlockFunction:
    """The function of a `Combination`: computes a piece from blocks of the operands.

    Parameters
    ----------
    function : Step or Node
        Has the dtype, maskedness and fill value of the values.
    """

    function: Any
    key = None

    def __post_init__(self) -> None:
        self.dtype: np.dtype[Any] = self.function.dtype
        self.masked: bool = self.function.masked
        self.fill_value: Any = self.function.fill_value
        self.slabwise: bool = getattr(self.function, "slabwise", False)
        self.working_bytes: int | None = getattr(self.function, "working_bytes", None)


@dataclass(eq=False)
class _Taken(BlockFunction):
    """A selection of the results of a function along axes."""

    dropped: tuple[int, ...]
    further: Box
    local: Selection

    def __call__(self, block: Values) -> Values:
        values: Values = self.function(block)
        lengths = [n for axis, n in enumerate(values.shape) if axis not in self.dropped]
        key: tuple[Any, ...] = (..., *self.further)
        return take(self.local, values.reshape(lengths)[key])


def combination(
    function: Any,
    operands: Sequence[tuple[Node, Selection]],
    out_selection: Selection,
    steps: Steps,
) -> Combination:
    """Return a piece that is computed from blocks of operands; empty blocks are not read."""
    read = tuple([each for each in operands if 0 not in each[1].shape])
    if len(read) < len(operands):
        shapes = [selection.shape for _, selection in operands]
        function = _WithEmptyBlocks(function, shapes, [node for node, _ in operands])
    return Combination(function, read, out_selection, steps)


@dataclass(eq=False)
class _WithEmptyBlocks(BlockFunction):
    """A function of blocks; empty blocks are not read."""

    shapes: Sequence[tuple[int, ...]]
    """The shape of the block of each operand."""

    operands: Sequence[Node]

    def __call__(self, *others: Values) -> Values:
        read = iter(others)
        blocks: list[Any] = []
        for shape, node in zip(self.shapes, self.operands, strict=True):
            if 0 in shape:
                empty = np.zeros(shape, node.dtype)
                blocks.append(np.ma.asarray(empty) if node.masked else empty)
            else:
                blocks.append(next(read))
        values: Values = self.function(*blocks)
        return values


def blocks_of(
    shape: tuple[int, ...],
    chunks: Chunks | None,
    axes: tuple[int, ...],
    itemsize: int,
    nbytes: int,
) -> Grid:
    """Return the blocks of an operand that has some axes whole.

    Along the others, a block has as many chunks as fit into `nbytes`, or a part of one chunk.  The
    blocks change no value, so they may depend on the memory option.
    """
    most = max(1, nbytes // max(1, itemsize))
    grid = chunks or (1,) * len(shape)
    edges = list(Grid(shape, grid).axes)
    lengths = [n if axis in axes else edges[axis].longest for axis, n in enumerate(shape)]
    cut: list[int | tuple[int, ...]] = [max(1, n) for n in shape]
    for axis in range(len(shape)):
        if axis in axes:
            continue
        others = math.prod(n for other, n in enumerate(lengths) if other != axis)
        room = max(1, most // max(1, others))
        if lengths[axis] > room:
            cut[axis] = nested_lengths(grid[axis], shape[axis], room)
        elif isinstance(edges[axis], RegularEdges):
            cut[axis] = max(1, lengths[axis] * (room // max(1, lengths[axis])))
        else:
            cut[axis] = grid[axis]
        lengths[axis] = edges_of(shape[axis], cut[axis]).longest
    return Grid(shape, cut)
