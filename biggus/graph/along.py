"""Functions of whole axes: such as the median along one, which needs all of it at once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus import options
from biggus.graph.base import Node, OfOne
from biggus.graph.pieces import Combination, Piece, take
from biggus.graph.reduced import pushdown_reduced, reduced_grid, reduced_shape, restricted
from biggus.graph.telling import name_of, text_of
from biggus.graph.view import select
from biggus.indexing.grid import Grid, RegularEdges
from biggus.indexing.resolve import split_all
from biggus.indexing.selection import Selection
from biggus.sources import base as source

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from biggus.graph.pieces import Steps
    from biggus.graph.step import Step
    from biggus.graph.telling import Told
    from biggus.sources.base import Box, Chunks, Values

COPIES = 16
"""A block takes so small a part of the memory: functions such as the median copy it,
and several are computed at once."""


class AlongAxes(OfOne):
    """A function of all values along some axes of a node, at each place of the others.

    Parameters
    ----------
    operand : Node
        Where the values come from.
    function : Step
        Called with a block that has all of the axes; returns it with those at
        length one.
    axes : tuple of int
        The axes, ascending.
    keepdims : bool
        Whether they stay, at length one.
    further : tuple of int, optional
        The lengths of the axes that the function adds at the end.
    """

    __slots__ = ("axes", "function", "further", "keepdims")

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
        self.axes = axes
        self.keepdims = keepdims
        self.further = further
        shape = reduced_shape(operand.shape, axes, keepdims) + further
        masked = function.masked or None
        super().__init__((operand,), shape, function.dtype, masked, combined=True)

    def cut(self) -> Chunks | None:
        return reduced_grid(self.operand, self.axes, self.keepdims, self.further)

    @property
    def is_cut(self) -> bool:
        """Whether chunks of the operand are shorter than some of the axes."""
        return cut_along(self.operand, self.axes)

    def whole_axes(self, number: int) -> tuple[int, ...]:
        """Return the axes of an operand that the function needs whole."""
        return self.axes

    def blocks(self, number: int) -> Grid:
        """Return how an operand is cut where it is read from where it lies."""
        operand = self.children[number]
        return blocks_of(operand.shape, operand.grid, self.axes, operand.dtype.itemsize)

    def rebuild(self, children: tuple[Node, ...]) -> Node:
        return AlongAxes(children[0], self.function, self.axes, self.keepdims, self.further)

    @property
    def signature(self) -> Any:
        key = getattr(self.function, "key", None)
        return (AlongAxes, id(self.function) if key is None else key, self.axes, self.keepdims)

    def pushdown(self, selection: Selection) -> Generator[Any, Node, Node]:
        return pushdown_reduced(self, selection)

    def told(self, selection: Selection) -> Iterator[Told]:
        # How it is cut follows from the memory; what it is of does not.
        yield f"along {name_of(self.function)} {self.axes} {self.keepdims} {text_of(selection)}"
        yield self.operand, Selection.identity(self.operand.shape)

    def parts(
        self, selection: Selection, out_selection: Selection, steps: Steps = None
    ) -> Iterator[Piece]:
        operand = self.operand
        wanted, rest = restricted(operand.shape, self.axes, self.keepdims, selection)
        if wanted is not None:
            operand = select(operand, wanted)
        grid = blocks_of(operand.shape, operand.grid, self.axes, operand.dtype.itemsize)
        kept = [axis for axis in range(len(operand.shape)) if axis not in self.axes]
        cuts = [
            (axis if self.keepdims else place, grid.axes[axis]) for place, axis in enumerate(kept)
        ]
        for part, part_out in split_all(rest, out_selection, cuts):
            box, local = part.bounding_box()
            around = list(source.whole(operand.shape))
            for place, axis in enumerate(kept):
                around[axis] = box[axis if self.keepdims else place]
            needed = Selection.of_box(tuple(around))
            further = box[len(box) - len(self.further) :]
            function = _Taken(self.function, () if self.keepdims else self.axes, further, local)
            if 0 in needed.shape:
                nothing = OfNothing(function, (needed.shape,), (operand,))
                yield Combination(nothing, (), part_out, steps)
            else:
                yield Combination(function, ((operand, needed),), part_out, steps)


def cut_along(node: Node, axes: tuple[int, ...]) -> bool:
    """Tell whether a node has several chunks along some of the axes."""
    if node.grid is None:
        return False
    edges = Grid(node.shape, node.grid).axes
    return any(edges[axis].count > 1 for axis in axes)


class OfBlock:
    """What is done to blocks, and gives what a node, or a function of blocks, is said to give."""

    key: Any = None

    def __init__(self, like: Any) -> None:
        self.dtype: np.dtype[Any] = like.dtype
        self.masked: bool = like.masked
        self.fill_value: Any = like.fill_value
        self.slabwise: bool = getattr(like, "slabwise", False)


class _Taken(OfBlock):
    """A function along axes, and the selection of what it gives."""

    def __init__(
        self, function: Step, dropped: tuple[int, ...], further: Box, local: Selection
    ) -> None:
        super().__init__(function)
        self.function = function
        self.dropped = dropped
        self.further = further
        self.local = local

    def __call__(self, block: Values) -> Values:
        values: Values = self.function(block)
        lengths = [n for axis, n in enumerate(values.shape) if axis not in self.dropped]
        key: tuple[Any, ...] = (..., *self.further)
        return take(self.local, values.reshape(lengths)[key])


class OfNothing(OfBlock):
    """A function of blocks of which some have no values: these are not read."""

    def __init__(
        self, function: Step, shapes: Sequence[tuple[int, ...]], operands: Sequence[Node]
    ) -> None:
        super().__init__(function)
        self.function = function
        self.blocks = [
            (shape, node.dtype, node.masked) for shape, node in zip(shapes, operands, strict=True)
        ]

    def __call__(self, *others: Values) -> Values:
        there = iter(others)
        made: list[Any] = []
        for shape, dtype, masked in self.blocks:
            nothing = np.zeros(shape, dtype)
            empty = np.ma.MaskedArray(nothing) if masked else nothing
            made.append(empty if 0 in shape else next(there))
        return self.function(*made)


def blocks_of(
    shape: tuple[int, ...], chunks: Chunks | None, axes: tuple[int, ...], itemsize: int
) -> Grid:
    """Return how an operand of some axes as a whole is cut along the others.

    At its chunks, as many of them as fit; and anywhere, if one does not.  It
    changes no value, so it may follow from the memory that there is.
    """
    most = max(1, options.current().memory // (COPIES * max(1, itemsize)))
    grid = chunks or (1,) * len(shape)
    edges = list(Grid(shape, grid).axes)
    lengths = [n if axis in axes else edges[axis].longest for axis, n in enumerate(shape)]
    cut: list[int | tuple[int, ...]] = [max(1, n) for n in shape]
    for axis in range(len(shape)):
        if axis in axes:
            continue
        others = math.prod(n for other, n in enumerate(lengths) if other != axis)
        room = max(1, most // max(1, others))
        if lengths[axis] <= room and not isinstance(edges[axis], RegularEdges):
            cut[axis] = grid[axis]
            continue
        if lengths[axis] <= room:
            room = lengths[axis] * (room // max(1, lengths[axis]))
        lengths[axis] = min(shape[axis], room)
        cut[axis] = max(1, room)
    return Grid(shape, cut)
