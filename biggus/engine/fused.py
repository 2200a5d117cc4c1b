"""Carrying out steps that are fused: slab by slab, each while it is in the core's cache."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.graph import SLAB
from biggus.indexing.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from biggus.planning.entries import ScheduleEntry
    from biggus.sources.base import Box, Values


def fused(entry: ScheduleEntry, blocks: Sequence[Values]) -> np.ndarray[Any, Any]:
    """Return what comes of steps that are fused, from the values that they are computed of.

    None of it can be missing; blocks may be of length 1 along a dim.
    """
    shape = entry.selection.shape
    found = np.empty(shape, entry.node.dtype)
    for box in _slabs(shape):
        parts = [_part(block, box) for block in blocks]
        made: list[Values] = []
        for node, operands in entry.steps:
            of = [made[~number] if number < 0 else parts[number] for number in operands]
            made.append(node.computed(of))
        found[box] = made[-1]
    return found


def _slabs(shape: tuple[int, ...]) -> Iterator[Box]:
    """Yield parts of a block that lie in one piece each, if they have more than one row."""
    lengths = list(shape)
    for axis, n in enumerate(shape):
        rest = math.prod(shape[axis + 1 :])
        lengths[axis] = min(n, max(1, SLAB // rest))
        if rest <= SLAB:
            break
    grid = Grid(shape, lengths)
    for number in itertools.product(*[range(edges.count) for edges in grid.axes]):
        yield grid.chunk(number)


def _part(block: Values, box: Box) -> Values:
    values: Values = block[
        tuple([s if n > 1 else slice(None) for s, n in zip(box, block.shape, strict=True)])
    ]
    return values
