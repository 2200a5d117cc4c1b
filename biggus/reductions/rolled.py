"""Statistics of sliding windows: of each block at once, and with no values standing in line.

A window view is its array as many times as a window is long, each time a place further on.  A
statistic of the windows goes over these shifted parts of one block with what is after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.graph import BaseStep, Blockwise, Mosaic, Node, Reach, Reduce, View
from biggus.indexing.grid import Grid, default_chunks
from biggus.indexing.reduction_blocks import longest_of
from biggus.indexing.selection import DimensionMap, Selection

if TYPE_CHECKING:
    from biggus.graph import BlockPlace
    from biggus.sources.base import Chunks, Values

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
    """A statistic of windows along one axis of a block, from that and what is after it."""

    name: str
    axis: int
    window: int
    """How long windows are."""

    dtype: np.dtype[Any]

    @property
    def key(self) -> str:
        """What is equal for steps that do the same, in any process."""
        return f"rolled {self.name} {self.axis} {self.window} {self.dtype!r}"

    def __call__(self, place: BlockPlace, *blocks: Values) -> Values:
        """Return the statistic at a place."""
        del place
        [block] = blocks
        join, axis = _JOINING[self.name], self.axis
        length = block.shape[axis] - self.window + 1
        parts = [
            block[(slice(None),) * axis + (slice(start, start + length),)]
            for start in range(self.window)
        ]
        with np.errstate(all="ignore"):
            found = parts[0].astype(self._wide(block.dtype))
            for part in parts[1:]:
                join(found, part, out=found)
            if self.name == "mean":
                found = np.true_divide(found, self.window)
            return found.astype(self.dtype, copy=False)

    def _wide(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """Return the dtype to accumulate in, that of sums for any block."""
        if self.name in ("min", "max"):
            return dtype
        if self.dtype.kind in "fc":
            return np.result_type(self.dtype, np.float64)
        return self.dtype


def rolled(found: Reduce) -> Node:
    """Return the same statistic, as one of blocks if it is of windows of what has no mask."""
    operand, name = found.operand, found.name
    axis = len(operand.shape) - 1
    plain = found.axes == (axis,) and not found.keepdims and found.parameters.keys() <= {"mdtol"}
    kinds = "biuf" if name in ("min", "max") else "biufc"
    known = name in _JOINING and operand.dtype.kind in kinds and not operand.masked
    if not known or not plain or 0 in operand.shape:
        return found
    seen = _windows(operand)
    if seen is None:
        return found
    base, along = seen
    window = operand.shape[-1]
    reaches = [Reach(n, after=window - 1 if n == along else 0) for n in range(axis)]
    step = Rolled(name, along, window, found.dtype)
    chunks = _chunks(base, found.shape, along, window)
    return Blockwise(step, [base], [reaches], found.shape, chunks, tuple(range(axis)))


def _windows(node: Node) -> tuple[Node, int] | None:
    """Return of what, and along which axis, a node is the windows; None if it is not."""
    while isinstance(node, View) and _is_identity(node.selection, node.base.shape):
        node = node.base
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


def _is_identity(selection: Selection, shape: tuple[int, ...]) -> bool:
    return selection.shape == shape and all(
        isinstance(m, DimensionMap) and (m.dim, m.start, m.step) == (axis, 0, 1)
        for axis, m in enumerate(selection.maps)
    )


def _chunks(base: Node, shape: tuple[int, ...], along: int, window: int) -> Chunks:
    """Return how the statistic is cut: as what it is of, and so that little is read twice."""
    grid = base.grid or default_chunks(base.shape, max(1, base.dtype.itemsize))
    lengths = list(map(longest_of, Grid(base.shape, grid).axes))
    lengths[along] *= max(1, -(-4 * (window - 1) // lengths[along]))
    return tuple(map(min, lengths, shape))
