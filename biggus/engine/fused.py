"""Computing fused steps: slab by slab, each while it is in the core's cache."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from biggus.engine.rows import Rows
from biggus.graph import SLAB
from biggus.indexing.grid import Grid, box_shape
from biggus.statistics.values import AnyArray, ComputedParts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from biggus.planning.schedule import FusedStep
    from biggus.sources.base import Box, Values


class FusedBlock(ComputedParts):
    """A block of values that steps compute on demand, each time anew.

    Parameters
    ----------
    shape : tuple of int
        The shape of the block.
    steps : sequence of FusedStep
        The steps, which compute no value that can be missing.
    blocks : sequence of ndarray or Rows
        The values that the steps are computed from; they may have length 1 along a dim.
    """

    def __init__(
        self, shape: tuple[int, ...], steps: Sequence[FusedStep], blocks: Sequence[Values | Rows]
    ) -> None:
        self.shape = shape
        self.dtype = steps[-1].node.dtype
        self._steps = steps
        self._blocks = blocks

    def __getitem__(self, box: Box) -> FusedBlock:
        """Return the part of the block in a box."""
        parts = [
            each.within(box) if isinstance(each, Rows) else _part(each, box)
            for each in self._blocks
        ]
        return FusedBlock(box_shape(box), self._steps, parts)

    def compute_into(self, out: AnyArray, box: Box) -> None:
        """Compute the values in a box into an array of its shape and of the block's dtype."""
        blocks = [_part(each, box) for each in self._blocks]
        for slab in _slabs(out.shape):
            parts = [_part(block, slab) for block in blocks]
            results: list[Values] = []
            for node, operands in self._steps:
                given = [results[~number] if number < 0 else parts[number] for number in operands]
                results.append(node.computed(given))
            out[slab] = results[-1]


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


def _part(block: Values | Rows, box: Box) -> Values:
    values: Values = block[
        tuple([s if n > 1 else slice(None) for s, n in zip(box, block.shape, strict=True)])
    ]
    return values
