"""Statistics of sliding windows, computed from blocks instead of a view of the windows.

A window view has each value as many times as a window is long.  The statistic is computed from
shifted parts of a block and its margin instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from biggus.expressions.cumulative import around, slabs_of
from biggus.graph import (
    BaseStep,
    BlockPlace,
    Blockwise,
    Cast,
    Elementwise,
    Mosaic,
    Node,
    Reach,
    Reduce,
    View,
)
from biggus.indexing.grid import Grid, default_chunks
from biggus.indexing.selection import DimensionMap, Selection
from biggus.sources.base import Chunks, Values
from biggus.sources.byte_order import same_but_for_order

_JOINING: dict[str, np.ufunc] = {
    "sum": np.add,
    "mean": np.add,
    "min": np.minimum,
    "max": np.maximum,
    "any": np.logical_or,
    "all": np.logical_and,
}


@dataclass(eq=False)
class Rolled(BaseStep):
    """A statistic of windows along one axis of a block that has a margin after it."""

    name: str
    axis: int
    window: int
    """The length of a window."""

    dtype: np.dtype[Any]

    slabwise = True

    @property
    def key(self) -> str:
        """A text that equal steps share in any process."""
        return f"rolled {self.name} {self.axis} {self.window} {self.dtype!r}"

    def __call__(self, place: BlockPlace, *blocks: Values) -> Values:
        """Return the statistic at a place."""
        del place
        [block] = blocks
        shape = list(block.shape)
        shape[self.axis] -= self.window - 1
        results = np.empty(shape, self.dtype)
        values, out = around(block, self.axis), around(results, self.axis)
        wide = self._wide(block.dtype)
        with np.errstate(all="ignore"):
            for there in slabs_of(values.shape):
                joined = self._joined(values[there].astype(wide, copy=False))
                out[there] = np.true_divide(joined, self.window) if self.name == "mean" else joined
        return results

    def _joined(self, values: Any) -> Any:
        """Return the values of each window along the middle axis, combined by the ufunc.

        Windows are combined from parts whose lengths are powers of two, in O(log(window)) steps,
        and each in the same order wherever it lies in a block.
        """
        join, window = _JOINING[self.name], self.window
        length = values.shape[1] - window + 1
        joined, done, part, size = None, 0, values, 1
        while size <= window:
            if window & size:
                shifted = part[:, done : done + length]
                joined = shifted if joined is None else join(joined, shifted)
                done += size
            if 2 * size <= window:
                part = join(part[:, :-size], part[:, size:])
            size *= 2
        return joined

    def _wide(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """Return the dtype in which windows are combined."""
        if self.name in ("min", "max"):
            return dtype
        if self.name == "sum" and dtype.kind == "b":
            return np.min_scalar_type(self.window)  # the largest sum
        if self.dtype.kind in "fc":
            return np.result_type(self.dtype, np.float64)
        return self.dtype


def rolled(node: Reduce) -> Node:
    """Return a reduction; as a function of blocks, if it is of windows of unmasked values."""
    operand, name = node.operand, node.name
    axis = len(operand.shape) - 1
    plain = node.axes == (axis,) and not node.keepdims and node.parameters.keys() <= {"mdtol"}
    kinds = "biuf" if name in ("min", "max") else "biufc"
    known = name in _JOINING and operand.dtype.kind in kinds and not operand.masked
    if not known or not plain or 0 in operand.shape:
        return node
    seen = _windows(operand)
    if seen is None:
        return node
    base, along = seen
    window = operand.shape[-1]
    reaches = [Reach(n, after=window - 1 if n == along else 0) for n in range(axis)]
    step = Rolled(name, along, window, node.dtype)
    chunks = _chunks(base, node.shape, along, window)
    return Blockwise(step, [base], [reaches], node.shape, chunks, tuple(range(axis)))


def _windows(node: Node) -> tuple[Node, int] | None:
    """Return the node and the axis whose windows a node is, or None."""
    while _keeps_values(node):
        node = node.children[0]
    last = len(node.shape) - 1
    if not isinstance(node, Mosaic) or node.axis != last or len(node.tiles) != node.shape[-1]:
        return None
    first, along = node.tiles[0], None
    for number, tile in enumerate(node.tiles):
        if not isinstance(tile, View) or not isinstance(first, View) or tile.base is not first.base:
            return None
        maps = tile.selection.maps
        if len(maps) != last:
            return None
        for axis, m in enumerate(maps):
            if not isinstance(m, DimensionMap) or (m.dim, m.step) != (axis, 1):
                return None
            if m.start:
                along = axis if along is None else along
            if m.start != (number if axis == along else 0):
                return None
    return None if along is None or not isinstance(first, View) else (first.base, along)


def _keeps_values(node: Node) -> bool:
    """Tell whether a node has the values of its child, perhaps in another byte order."""
    if isinstance(node, Elementwise) and isinstance(node.step, Cast):
        return same_but_for_order(node.dtype, node.children[0].dtype)
    return isinstance(node, View) and _is_identity(node.selection, node.base.shape)


def _is_identity(selection: Selection, shape: tuple[int, ...]) -> bool:
    return selection.shape == shape and all(
        isinstance(m, DimensionMap) and (m.dim, m.start, m.step) == (axis, 0, 1)
        for axis, m in enumerate(selection.maps)
    )


def _chunks(base: Node, shape: tuple[int, ...], along: int, window: int) -> Chunks:
    """Return the chunks of the operand, joined until margins are small beside them."""
    grid = base.grid or default_chunks(base.shape, max(1, base.dtype.itemsize))
    lengths = list(Grid(base.shape, grid).longest)
    lengths[along] *= max(1, -(-4 * (window - 1) // lengths[along]))
    return tuple(map(min, lengths, shape))
