"""Computing fused steps: slab by slab, each while it is in the core's cache."""

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
    """Return the values of a fused entry from the values of its operands.

    No value can be missing; operands may have length 1 along a dim, and broadcast.
    """
    shape = entry.selection.shape
    found = np.empty(shape, entry.node.dtype)
    for box in _slabs(shape):
        parts = [_part(block, box) for block in blocks]
        results: list[Values] = []
        for node, operands in entry.steps:
            given = [results[~number] if number < 0 else parts[number] for number in operands]
            results.append(node.computed(given))
        found[box] = results[-1]
    return found


def _slabs(shape: tuple[int, ...]) -> Iterator[Box]:
    """Yield boxes of at most `SLAB` elements that make up a block, each contiguous in C order."""
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
