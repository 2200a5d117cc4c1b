"""Counts of values that are not zero, not empty and not false."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from biggus.statistics.base import Accumulator, Aggregator
from biggus.statistics.layout import COUNT, RUN, RunLayout

if TYPE_CHECKING:
    from biggus.statistics.missing import RunValues
    from biggus.statistics.values import Partial


@dataclass(frozen=True)
class NonZero(Aggregator):
    """Counts values that are not zero and not missing."""

    key = "nonzero-1"
    nbytes_each = COUNT.itemsize

    def scratch_bytes(self, masked: bool) -> int:
        return RUN * 48

    def accumulator(self, layout: RunLayout, origin: tuple[int, ...]) -> NonZeroAccumulator:
        return NonZeroAccumulator(layout)

    def identity(self, shape: tuple[int, ...]) -> Partial:
        return (np.zeros(shape, COUNT),)


class NonZeroAccumulator(Accumulator):
    """Counts the runs of a block."""

    def __init__(self, layout: RunLayout) -> None:
        super().__init__(layout, skip=False)
        self.nonzero = layout.empty(COUNT)
        self._each = layout.each(self.nonzero)

    def add(self, part: RunValues) -> None:
        present = part.present(self.skip)
        out = self._each[part.run.number]
        if present.invalid is None:
            whole = len(part.axes) == present.values.ndim
            axes = None if whole else part.axes  # counting along all axes is faster
            out[...] = np.count_nonzero(present.values, axis=axes, keepdims=True)
        else:
            each = np.count_nonzero(present.values, axis=())
            np.copyto(each, 0, where=present.invalid)
            np.add.reduce(each, axis=part.axes, keepdims=True, out=out)

    def partial(self) -> Partial:
        return (np.add.reduce(self.nonzero, axis=0).reshape(self.layout.shape),)
