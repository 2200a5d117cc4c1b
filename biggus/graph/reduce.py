"""Reductions: statistics of a node along some of its axes, and what they share with other nodes."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np

from biggus import statistics
from biggus.graph.base import Node, OfOne
from biggus.graph.view import select
from biggus.indexing.selection import ArrayMap, AxisMap, ConstantMap, DimensionMap, Selection
from biggus.sources.base import Chunks
from biggus.support.hidden_warnings import hidden_messages


class Reducing(OfOne):
    """A node whose operand is reduced along some axes.

    Parameters
    ----------
    operand : Node
    axes : tuple of int
        The reduced axes, ascending.
    keepdims : bool
        Whether the result has these axes, at length one.
    further : tuple of int
        The lengths of the axes that are added at the end.
    dtype, masked, fill_value, combined
        As for :class:`Derived`.
    """

    __slots__ = ("axes", "further", "keepdims")

    def __init__(
        self,
        operand: Node,
        axes: tuple[int, ...],
        keepdims: bool,
        further: tuple[int, ...],
        dtype: np.dtype[Any],
        masked: bool | None,
        fill_value: Any = None,
        combined: bool = False,
    ) -> None:
        self.axes = axes
        self.keepdims = keepdims
        self.further = further
        shape = self._reduced(operand.shape) + further
        super().__init__((operand,), shape, dtype, masked, fill_value, combined)

    def _reduced(self, lengths: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return lengths of the axes of the operand as those of the result."""
        if self.keepdims:
            return tuple([1 if axis in self.axes else n for axis, n in enumerate(lengths)])
        return tuple([n for axis, n in enumerate(lengths) if axis not in self.axes])

    def natural_grid(self) -> Chunks | None:
        grid = self.operand.grid
        return None if grid is None else (*self._reduced(grid), *[max(1, n) for n in self.further])

    def pushdown(self, selection: Selection) -> Generator[Any, Node, Node] | None:
        # A result with axes of its own, such as a histogram, is computed as a whole.
        whole = len(self.axes) == len(self.operand.shape) and self.further
        return None if whole else self._pushdown(selection)

    def _pushdown(self, selection: Selection) -> Generator[Any, Node, Node]:
        operand = self.operand
        wanted, remaining = restricted(operand.shape, self.axes, self.keepdims, selection)
        if wanted is not None:
            # A selection without elements cannot be pushed down.
            empty = 0 in wanted.shape
            operand = select(operand, wanted) if empty else (yield operand, wanted)
        return select(self.rebuild((operand,)), remaining)


class Reduce(Reducing):
    """A statistic of a node along some of its axes.

    It is computed block by block in a pass over the data, and has no pieces: its values replace it
    before anything that uses it is read.

    Parameters
    ----------
    operand : Node
    name : str
        The name of the statistic in :mod:`biggus.statistics`.
    axes : tuple of int
        The reduced axes, ascending.
    keepdims : bool
        Whether the result has these axes, at length one.
    **parameters
        The parameters of the statistic.

    Raises
    ------
    TypeError, ValueError
        If NumPy raises them for such an array.
    """

    __slots__ = ("hidden", "name", "parameters", "statistic")

    def __init__(
        self,
        operand: Node,
        name: str,
        axes: tuple[int, ...],
        keepdims: bool = False,
        **parameters: Any,
    ) -> None:
        self.name = name
        self.parameters = parameters
        self.hidden = hidden_messages()
        self.statistic = statistics.statistic(
            name, operand.dtype, operand.masked, operand.shape, axes, **parameters
        )
        dtype = self.statistic.dtype
        fill_value = operand.fill_value if dtype == operand.dtype else None
        further, masked = self.statistic.shape, self.statistic.masked
        super().__init__(operand, axes, keepdims, further, dtype, masked, fill_value)
        self.needs_reduction = True

    def rebuild(self, children: tuple[Node, ...]) -> Node:
        reduction = Reduce(children[0], self.name, self.axes, self.keepdims, **self.parameters)
        reduction.hidden = self.hidden
        return reduction

    @property
    def signature(self) -> Any:
        return (Reduce, self.statistic, self.axes, self.keepdims)


def restricted(
    shape: tuple[int, ...], axes: tuple[int, ...], keepdims: bool, selection: Selection
) -> tuple[Selection | None, Selection]:
    """Return the selection of an operand that a selection of its reduction needs.

    Returns
    -------
    wanted : Selection or None
        A selection of the same rank, of the touched positions of the kept axes; None if all are.
    rest : Selection
        The selection of the reduction of `wanted` that gives the same values.
    """
    maps: list[AxisMap] = [DimensionMap(axis, 0, 1) for axis in range(len(shape))]
    lengths = list(shape)
    remaining = list(selection.maps)
    kept_axes = [axis for axis in range(len(shape)) if axis not in axes]
    for number, axis in enumerate(kept_axes):
        place = axis if keepdims else number
        touched = _touched(selection.maps[place], selection, shape[axis])
        if touched is not None:
            positions, remaining[place] = touched
            if isinstance(positions, slice):
                maps[axis] = DimensionMap(axis, positions.start, positions.step)
                lengths[axis] = len(range(positions.start, positions.stop, positions.step))
            else:
                maps[axis] = ArrayMap((axis,), positions)
                lengths[axis] = positions.size
    if tuple(lengths) == shape:
        return None, selection
    return Selection(tuple(lengths), tuple(maps)), Selection(selection.shape, tuple(remaining))


def _touched(
    m: AxisMap, selection: Selection, length: int
) -> tuple[slice | np.ndarray[tuple[int, ...], np.dtype[np.intp]], AxisMap] | None:
    """Return the positions of an axis that a map touches, ascending, and the map from these.

    None if it touches all positions.
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
