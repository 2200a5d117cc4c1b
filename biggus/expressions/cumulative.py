"""Running totals and products of blocks, which continue the totals of earlier blocks.

Totals of floating values are compensated for rounding (Neumaier's sum), so a total of 10^9 values
is as exact as one of ten.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from biggus.graph import SLAB, BaseStep, BlockPlace
from biggus.sources.base import Box, Values


@dataclass(eq=False)
class Running(BaseStep):
    """Accumulates the values along an axis of a block, starting from a total before it."""

    product: bool
    """Whether values are multiplied; otherwise they are added."""

    axis: int
    dtype: np.dtype[Any]

    slabwise = True

    @property
    def key(self) -> str:
        """A text that equal steps share."""
        return f"running {'product' if self.product else 'sum'} {self.axis} {self.dtype!r}"

    def __call__(self, place: BlockPlace, *blocks: Values) -> Values:
        """Return the running results of a block, continuing a total if one is given."""
        block, *carried = blocks
        totals = np.empty(block.shape, self.dtype)
        values, out = around(block, self.axis), around(totals, self.axis)
        start = around(carried[0], self.axis) if carried else None
        # Overflow gives infinity, as in NumPy.
        with np.errstate(all="ignore"):
            for there in slabs_of(values.shape):
                base = None if start is None else start[there]
                out[there] = self.of_slab(values[there], base)
        return totals

    def of_slab(self, values: Any, base: Any) -> Any:
        """Return the running results along the middle axis."""
        wide = wide_of(self.dtype)
        if self.product:
            first = values[:, :1].astype(wide)
            first = first if base is None else first * base
            whole = np.concatenate([first, values[:, 1:].astype(wide)], 1)
            return np.multiply.accumulate(whole, axis=1)
        values = values.astype(wide, copy=False)
        if wide.kind not in "fc":
            total = np.add.accumulate(values, axis=1, dtype=wide)
            return total if base is None else total + base
        if wide.kind == "c":
            totals = np.empty(values.shape, wide)
            totals.real = compensated(values.real, None if base is None else base.real)
            totals.imag = compensated(values.imag, None if base is None else base.imag)
            return totals
        return compensated(values, base)


def around(values: Any, axis: int) -> Any:
    """Return values reshaped to three axes: those before an axis, the axis, and those after."""
    shape = values.shape
    return values.reshape(math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :]))


def slabs_of(shape: tuple[int, int, int]) -> Iterator[Box]:
    """Yield boxes that have the middle axis whole, and fit a core's cache."""
    before, length, after = shape
    rows = max(1, SLAB // max(1, length * after))
    width = max(1, SLAB // max(1, length * rows))
    for i in range(0, before, rows):
        for k in range(0, after, width):
            yield slice(i, i + rows), slice(None), slice(k, k + width)


def wide_of(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype in which results of a dtype are accumulated: at least double precision."""
    if dtype.kind in "fc":
        return np.result_type(dtype, np.float64)
    return dtype


def compensated(values: Any, base: Any) -> Any:
    """Return running totals along the middle axis, compensated for rounding."""
    total = np.add.accumulate(values, axis=1)
    before = np.zeros_like(total)
    before[:, 1:] = total[:, :-1]
    lost = _lost(before, values, total)
    errors = np.add.accumulate(lost, axis=1)
    if base is not None:
        whole = base + total
        errors += _lost(base, total, whole)
        total = whole
    return np.add(total, errors, out=total, where=errors != 0)  # keeps negative zeros


def _lost(one: Any, other: Any, total: Any) -> Any:
    """Return the rounding errors of sums (Knuth's two-sum); 0 for sums that are not finite."""
    part = total - one
    lost = (one - (total - part)) + (other - part)
    lost[~np.isfinite(lost)] = 0
    return lost
