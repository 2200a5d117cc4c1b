"""Stacks: small blocks of a task that are accumulated together.

The groups of a series, such as the 365 days of a year, are members of one shared scan, and each
of them has a few positions in a task.  Blocks of equal shape are selected at once, with a new
first axis, and one call accumulates them.  Each result position is accumulated as it would be
alone, so the partial results are the same to the bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus.indexing.selection import ArrayMap, DimensionMap, Selection, dims_of
from biggus.planning.schedule import past_views

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from biggus.graph import Node
    from biggus.indexing.selection import AxisMap, Positions
    from biggus.planning.jobs import Reduction
    from biggus.planning.tasks import Accumulation, TaskBlock

_MOST = 2**16
"""The most elements of a stack; the calls for larger blocks take little of the time."""


class _Spaced(NamedTuple):
    """What a small block selects from a shared node: spaced positions along one axis."""

    node: Node
    selection: Selection
    axis: int
    """The axis of the node along which the positions are spaced."""

    accumulation: Accumulation

    @property
    def positions(self) -> Positions:
        """The positions along that axis."""
        m = self.selection.maps[self.axis]
        if isinstance(m, ArrayMap):
            return m.index
        assert isinstance(m, DimensionMap)
        return m.start + m.step * np.arange(self.selection.shape[m.dim])

    @property
    def key(self) -> Any:
        """A key that is equal for blocks that differ in these positions alone."""
        maps = self.selection.maps
        others = [_map_key(m) for m in (*maps[: self.axis], *maps[self.axis + 1 :])]
        each = self.accumulation
        alike = id(self.node), self.axis, self.selection.shape, each.axes, each.aggregators
        return (*alike, each.plain, *others)


@dataclass(eq=False)
class Stack:
    """Blocks of a task that are accumulated together; or a single block.

    Parameters
    ----------
    places : list of int
        The numbers of the blocks in the task.
    spaced : list of _Spaced
        What each block selects; empty for a block that is computed alone.
    """

    places: list[int]
    spaced: list[_Spaced]

    @property
    def accumulation(self) -> Accumulation:
        """The accumulation of the first block; those of the others differ in places alone."""
        return self.spaced[0].accumulation

    @property
    def node(self) -> Node:
        """The node that all blocks select from."""
        return self.spaced[0].node

    @property
    def selection(self) -> Selection:
        """The selection of all blocks: its first dim is along the blocks."""
        first = self.spaced[0]
        maps = list(map(_behind, first.selection.maps))
        index = np.stack([each.positions for each in self.spaced])
        [dim] = dims_of(first.selection.maps[first.axis])
        maps[first.axis] = ArrayMap((0, dim + 1), index)
        return Selection((len(index), *first.selection.shape), tuple(maps))


def in_stacks(blocks: Sequence[TaskBlock], shared: Collection[int]) -> Iterator[Stack]:
    """Yield the blocks of a task in stacks, in the order of computing.

    A stack is computed in the place of its last block, so that no results wait longer than those
    of blocks that are computed one by one.

    Parameters
    ----------
    blocks : sequence of TaskBlock
    shared : collection of int
        The ids of the nodes that are read once for all blocks.
    """
    waiting: dict[Any, Stack] = {}
    for place, block in enumerate(blocks):
        spaced = _spaced(block, shared) if shared else None
        if spaced is None:
            yield Stack([place], [])
            continue
        key = spaced.key
        stack = waiting.setdefault(key, Stack([], []))
        stack.places.append(place)
        stack.spaced.append(spaced)
        if (len(stack.places) + 1) * block.size > _MOST:
            yield waiting.pop(key)
    yield from waiting.values()


def stack_bytes(reduction: Reduction, size: int) -> int:
    """Return the most bytes of a stack of a reduction's blocks of `size`, results aside."""
    if 2 * size > _MOST:
        return 0
    each = reduction.node.dtype.itemsize + reduction.node.masked
    return _MOST * (each + sum(one.nbytes_each for one in reduction.aggregators))


def _spaced(block: TaskBlock, shared: Collection[int]) -> _Spaced | None:
    """Return what a block selects, if it can be accumulated with others; else None."""
    if len(block.accumulations) != 1 or block.outputs or 2 * block.size > _MOST:
        return None
    [each] = block.accumulations
    alone = each.streamed or len(each.blocks) != 1 or each.blocks[0].box != block.box
    if alone or not all(one.by_position for one in each.aggregators):
        return None
    node, selection = past_views(each.node, block.selection)
    # The values of a single position are summed in another order beside those of others.
    kept = math.prod([n for axis, n in enumerate(selection.shape) if axis not in each.axes])
    if id(node) not in shared or kept < 2:
        return None
    axes = [
        axis
        for axis, m in enumerate(selection.maps)
        if isinstance(m, ArrayMap) or (isinstance(m, DimensionMap) and m.step != 1)
    ]
    if len(axes) != 1:
        return None
    m = selection.maps[axes[0]]
    if isinstance(m, ArrayMap) and len(m.dims) > 1:
        return None
    return _Spaced(node, selection, axes[0], each)


def _map_key(m: AxisMap) -> Any:
    return (m.dim, m.start) if isinstance(m, DimensionMap) else m.index


def _behind(m: AxisMap) -> AxisMap:
    """Return the same map with a new first dim before its own."""
    return DimensionMap(m.dim + 1, m.start, m.step) if isinstance(m, DimensionMap) else m
