"""What is left of an array when some of its axes are reduced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from biggus.graph.view import select
from biggus.indexing.selection import ArrayMap, AxisMap, ConstantMap, DimensionMap, Selection

if TYPE_CHECKING:
    from collections.abc import Generator

    from biggus.graph.base import Node
    from biggus.sources.base import Chunks


def reduced_shape(shape: tuple[int, ...], axes: tuple[int, ...], keepdims: bool) -> tuple[int, ...]:
    """Return the shape of what a reduction leaves."""
    if keepdims:
        return tuple([1 if axis in axes else n for axis, n in enumerate(shape)])
    return tuple([n for axis, n in enumerate(shape) if axis not in axes])


def reduced_grid(
    operand: Node, axes: tuple[int, ...], keepdims: bool, further: tuple[int, ...]
) -> Chunks | None:
    """Return what is left of the grid of an operand, if axes are added at the end."""
    grid = operand.grid
    if grid is None:
        return None
    added = [max(1, n) for n in further]
    if keepdims:
        return (*[1 if axis in axes else cut for axis, cut in enumerate(grid)], *added)
    return (*[cut for axis, cut in enumerate(grid) if axis not in axes], *added)


def restricted(
    shape: tuple[int, ...], axes: tuple[int, ...], keepdims: bool, selection: Selection
) -> tuple[Selection | None, Selection]:
    """Return what of an operand a selection of its reduction needs.

    Returns
    -------
    wanted : Selection or None
        Of the same rank, with only those positions of the kept axes which are touched;
        None if these are all.
    rest : Selection
        What is then to be selected from its reduction.
    """
    maps: list[AxisMap] = [DimensionMap(axis, 0, 1) for axis in range(len(shape))]
    lengths = list(shape)
    rest = list(selection.maps)
    kept = [axis for axis in range(len(shape)) if axis not in axes]
    for number, axis in enumerate(kept):
        place = axis if keepdims else number
        found = _touched(selection.maps[place], selection, shape[axis])
        if found is not None:
            positions, rest[place] = found
            if isinstance(positions, slice):
                maps[axis] = DimensionMap(axis, positions.start, positions.step)
                lengths[axis] = len(range(positions.start, positions.stop, positions.step))
            else:
                maps[axis] = ArrayMap((axis,), positions)
                lengths[axis] = positions.size
    if tuple(lengths) == shape:
        return None, selection
    return Selection(tuple(lengths), tuple(maps)), Selection(selection.shape, tuple(rest))


class Reducing(Protocol):
    """A node that reduces another along axes."""

    axes: tuple[int, ...]
    keepdims: bool

    @property
    def operand(self) -> Node:
        """What is reduced."""

    def rebuild(self, children: tuple[Node, ...]) -> Node:
        """Return the same of another."""


def pushdown_reduced(node: Reducing, selection: Selection) -> Generator[Any, Node, Node]:
    """Hand a selection of a node that reduces an operand down to that: see `Node.pushdown`."""
    operand = node.operand
    wanted, rest = restricted(operand.shape, node.axes, node.keepdims, selection)
    if wanted is not None:
        # Where a reduced axis has no length there is nothing to be handed down.
        empty = 0 in wanted.shape
        operand = select(operand, wanted) if empty else (yield operand, wanted)
    return select(node.rebuild((operand,)), rest)


def _touched(
    m: AxisMap, selection: Selection, length: int
) -> tuple[slice | np.ndarray[tuple[int, ...], np.dtype[np.intp]], AxisMap] | None:
    """Return which positions of an axis a map touches, ascending, and the map to these.

    None if it is all of them.
    """
    if isinstance(m, ConstantMap):
        return None if length == 1 else (slice(m.index, m.index + 1, 1), ConstantMap(0))
    if isinstance(m, ArrayMap):
        positions, where = np.unique(m.index, return_inverse=True)
        if positions.size == length:
            return None
        return positions, ArrayMap(m.dims, where.reshape(m.index.shape))
    n = selection.shape[m.dim]
    if n == length and abs(m.step) == 1:
        return None
    low = min(m.start, m.start + m.step * (n - 1))
    forward = m.step > 0
    step = abs(m.step)
    return (
        slice(low, low + step * (n - 1) + 1, step),
        DimensionMap(m.dim, 0 if forward else n - 1, 1 if forward else -1),
    )
