"""The step of functions of core dimensions that xarray applies to blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from biggus.functions.steps import FunctionStep
from biggus.graph.pieces import spread


@dataclass(eq=False)
class CoreFunction(FunctionStep):
    """A function of blocks that have the axes of their arrays."""

    shapes: Sequence[tuple[int, ...]] = ()
    """The shapes of the arrays that the blocks are of."""

    cores: Sequence[int] = ()
    """The number of core axes of each array, the last ones; the others are loop axes."""

    @property
    def key(self) -> str | None:
        """The identity of the step, equal for equal functions; None if it is unknown."""
        key = super().key
        return None if key is None else f"{key} {list(self.shapes)}"

    def __call__(self, *blocks: Any) -> Any:
        """Return the result of the function for some blocks."""
        counts = [block.ndim - core for block, core in zip(blocks, self.cores, strict=True)]
        loops = [block.shape[:n] for block, n in zip(blocks, counts, strict=True)]
        loop = np.broadcast_shapes(*loops)
        own = [_own_axes(*each, loop) for each in zip(blocks, self.shapes, strict=True)]
        return super().__call__(*own)


def _own_axes(block: Any, shape: tuple[int, ...], loop: tuple[int, ...]) -> Any:
    """Return a block with the axes that its array has, as dask passes it to a function.

    Leading axes along which the array is broadcast are dropped.  Values that are repeated along
    an axis of the array come once, and are repeated here.
    """
    first = block.ndim - len(shape)
    block = np.reshape(block, block.shape[first:])
    own = loop[first:]
    repeated = [n if length > 1 else 1 for n, length in zip(own, shape, strict=False)]
    return spread(block, (*repeated, *block.shape[len(own) :]))
