"""Reshaping: the same values in C order, with axes of other lengths."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from biggus import options
from biggus.graph.along import COPIES, BlockFunction
from biggus.graph.base import Node, OfOne
from biggus.graph.identifying import Identifier, text_of
from biggus.graph.pieces import Combination, Piece, Steps, take
from biggus.graph.view import select
from biggus.indexing.grid import Edges, Grid, box_shape, strides_of
from biggus.indexing.resolve import split_all
from biggus.indexing.selection import Selection
from biggus.sources.base import Chunks, Values

_RUN_BYTES = 2**24
"""The most bytes that are read at once, unless single chunks are larger."""


class _Group(NamedTuple):
    """Neighbouring axes of the operand, and the axes of the result with the same values."""

    before: tuple[int, ...]
    after: tuple[int, ...]


class Reshape(OfOne):
    """The values of a node in C order, with axes of other lengths.

    Along axes that both shapes share, only the selected positions are read; along the others,
    runs in C order.

    Parameters
    ----------
    operand : Node
    shape : tuple of int
        A shape of as many values, at least one.
    """

    __slots__ = ("groups",)

    def __init__(self, operand: Node, shape: tuple[int, ...]) -> None:
        super().__init__((operand,), shape, operand.dtype, combined=True)
        self.fill_value = operand.fill_value
        self.groups = _groups(operand.shape, shape)

    def rebuild(self, children: tuple[Node, ...]) -> Node:
        return Reshape(children[0], self.shape)

    @property
    def signature(self) -> Any:
        return (Reshape, self.shape)

    def pushdown(self, selection: Selection) -> Node:
        return select(self, selection)

    def identifiers(self, selection: Selection) -> Iterator[Identifier]:
        yield f"reshape {self.shape} {text_of(selection)}"
        yield self.operand, Selection.identity(self.operand.shape)

    def natural_grid(self) -> Chunks | None:
        if self.operand.grid is None:
            return None
        return self._cut(_RUN_BYTES)

    def _cut(self, nbytes: int) -> Chunks:
        """Return the blocks of the result that are read at once: whole chunks, if they fit."""
        operand = self.operand
        grid = Grid(operand.shape, operand.grid or (1,) * len(operand.shape)).axes
        most = max(1, nbytes // max(1, operand.dtype.itemsize))
        blocks: list[int | tuple[int, ...]] = [1] * len(self.shape)
        for before, after in reversed(self.groups):
            if (axis := self._same(before, after)) is not None:
                length = min(grid[axis].longest, most)
                whole = length == grid[axis].longest and operand.grid is not None
                blocks[after[0]] = operand.grid[axis] if whole else length  # type: ignore[index]
            else:
                lengths = [operand.shape[axis] for axis in before]
                run = min(_row_of_chunks([grid[axis] for axis in before], lengths), most)
                if operand.grid is None:
                    run = min(math.prod(lengths), most)
                sizes = _sizes([self.shape[axis] for axis in after], run)
                for axis, size in zip(after, sizes, strict=True):
                    blocks[axis] = size
                length = math.prod(sizes)
            most = max(1, most // max(1, length))
        return tuple(blocks)

    def _same(self, before: Sequence[int], after: Sequence[int]) -> int | None:
        """Return the axis of the operand, if a group is one axis that both shapes share."""
        return before[0] if len(before) == len(after) == 1 else None

    def parts(
        self, selection: Selection, out_selection: Selection, steps: Steps = None
    ) -> Iterator[Piece]:
        grid = Grid(self.shape, self._cut(min(_RUN_BYTES, options.current().memory // COPIES)))
        cuts: list[tuple[int, Edges]] = list(enumerate(grid.axes))
        for part, part_out in split_all(selection, out_selection, cuts):
            box, local = part.bounding_box()
            around: list[slice] = [slice(0, 1, 1)] * len(self.operand.shape)
            runs, picks = [], []
            for before, after in self.groups:
                cover, run, pick = self._covering(before, after, [box[axis] for axis in after])
                for axis, s in zip(before, cover, strict=True):
                    around[axis] = s
                runs.append(run)
                picks.append(pick)
            function = _Reshaped(self, tuple(runs), tuple(picks), box_shape(box), local)
            needed = Selection.of_box(tuple(around))
            yield Combination(function, ((self.operand, needed),), part_out, steps)

    def _covering(
        self, before: Sequence[int], after: Sequence[int], box: Sequence[slice]
    ) -> tuple[Sequence[slice], int, Any]:
        """Return the part of a group of axes of the operand that holds a box of the result.

        Returns
        -------
        cover : sequence of slice
            The positions along each axis of the operand.
        run : int
            The number of values in it.
        pick : slice or ndarray
            The flat positions of the values of the box in it.
        """
        if self._same(before, after) is not None:
            [s] = box
            return box, len(range(s.start, s.stop, s.step)), slice(None)
        inner = strides_of(tuple([self.shape[axis] for axis in after]))
        first = sum(s.start * stride for s, stride in zip(box, inner, strict=True))
        ends = [range(s.start, s.stop, s.step)[-1] for s in box]
        last = sum(end * stride for end, stride in zip(ends, inner, strict=True))
        cover, start = _cover(first, last, tuple([self.operand.shape[axis] for axis in before]))
        places = np.arange(1, dtype=np.intp)
        for s, stride in zip(box, inner, strict=True):
            along = np.arange(s.start, s.stop, s.step, dtype=np.intp) * stride
            places = (places[:, None] + along).reshape(-1)
        run = math.prod([s.stop - s.start for s in cover])
        if len(places) == last - first + 1:
            return cover, run, slice(first - start, last - start + 1)
        return cover, run, places - start


@dataclass(eq=False)
class _Reshaped(BlockFunction):
    """Gives a block of the operand the axes of the result, and selects from it."""

    runs: tuple[int, ...]
    picks: tuple[Any, ...]
    lengths: tuple[int, ...]
    local: Selection

    def __call__(self, block: Values) -> Values:
        values: Any = block.reshape(self.runs)
        for axis, pick in enumerate(self.picks):
            values = values[(slice(None),) * axis + (pick,)]
        return take(self.local, values.reshape(self.lengths))


def _groups(before: tuple[int, ...], after: tuple[int, ...]) -> tuple[_Group, ...]:
    """Return the smallest groups of axes of two shapes that hold the same values.

    Examples
    --------
    >>> _groups((5, 4, 6), (5, 24))
    (_Group(before=(0,), after=(0,)), _Group(before=(1, 2), after=(1,)))
    """
    groups = []
    i = j = 0
    while i < len(before) or j < len(after):
        start = i, j
        ours = theirs = 1
        if i < len(before):
            ours, i = before[i], i + 1
        if j < len(after):
            theirs, j = after[j], j + 1
        while ours != theirs:
            if ours < theirs:
                ours, i = ours * before[i], i + 1
            else:
                theirs, j = theirs * after[j], j + 1
        groups.append(_Group(tuple(range(start[0], i)), tuple(range(start[1], j))))
    return tuple(groups)


def _row_of_chunks(edges: Sequence[Edges], lengths: Sequence[int]) -> int:
    """Return the number of values, in C order, of a row of whole chunks."""
    for place, edge in enumerate(edges):
        if edge.longest > 1 or place == len(edges) - 1:
            return edge.longest * math.prod(lengths[place + 1 :])
    return 1


def _sizes(lengths: Sequence[int], run: int) -> list[int]:
    """Return the part of each axis that a run of values in C order covers.

    Examples
    --------
    >>> _sizes([9, 4, 6], 30)
    [1, 4, 6]
    >>> _sizes([9, 4, 6], 50)
    [2, 4, 6]
    """
    sizes = [1] * len(lengths)
    for axis in reversed(range(len(lengths))):
        sizes[axis] = max(1, min(lengths[axis], run))
        if sizes[axis] < lengths[axis]:
            break
        run //= lengths[axis]
    return sizes


def _cover(first: int, last: int, lengths: tuple[int, ...]) -> tuple[list[slice], int]:
    """Return the smallest box, contiguous in C order, of two flat indices; and its first index."""
    low, high = np.unravel_index(first, lengths), np.unravel_index(last, lengths)
    box = []
    for axis, (start, stop) in enumerate(zip(low, high, strict=True)):
        box.append(slice(int(start), int(stop) + 1, 1))
        if start != stop:
            box += [slice(0, n, 1) for n in lengths[axis + 1 :]]
            break
    strides = strides_of(lengths)
    return box, sum(s.start * stride for s, stride in zip(box, strides, strict=True))
