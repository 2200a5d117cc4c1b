"""Moments: count, sum, and sum of squared deviations from the mean.

Sums are NumPy's own, pairwise where it adds pairwise.  Deviations are taken from
the mean of a run, never from a guess, and squared after; runs and partials are
merged as by Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm
for computing sample variances" (1979).  Their difference of two means cancels where
an offset is large; so what rounding took from a mean is kept beside it: the mean of
the deviations, which would be 0.  The same corrects the squares (Björck's two-pass
formula; in Chan, Golub and LeVeque, "Algorithms for computing the sample variance",
1983).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.statistics.base import Family, Partial, Plain, owned
from biggus.statistics.layout import RUN
from biggus.statistics.runs import Accumulator, Part
from biggus.statistics.scratch import scratch

if TYPE_CHECKING:
    from biggus.statistics.layout import Layout
    from biggus.statistics.missing import Present

_COUNT = np.dtype(np.int64)


@dataclass(frozen=True)
class Moments(Family):
    """The moments of values up to an order.

    A partial is the count; from order 1, the sum; for order 2, what rounding took
    from the mean, and the sum of squared deviations.
    """

    order: int
    """0, 1 or 2."""

    dtype: np.dtype[Any]
    """In which they are computed; of order 0, any."""

    skip: bool
    """Whether NaN are missing values."""

    @property
    def key(self) -> str:
        return f"moments-1:{self.order}:{self.dtype.str}:{int(self.skip)}"

    @property
    def real(self) -> np.dtype[Any]:
        """The dtype of squared deviations."""
        if self.dtype.kind != "c":
            return self.dtype
        return np.dtype(np.float64 if self.dtype.itemsize == 16 else np.longdouble)

    @property
    def nbytes_each(self) -> int:
        size = self.dtype.itemsize
        return _COUNT.itemsize + (0, size, 2 * size + self.real.itemsize)[self.order]

    @property
    def scratch_bytes(self) -> int:
        return RUN * (2 * self.dtype.itemsize + 32)

    def accumulator(self, layout: Layout, origin: tuple[int, ...]) -> MomentsAccumulator:  # noqa: ARG002
        return MomentsAccumulator(self, layout)

    def merge(self, left: Partial, right: Partial) -> Partial:
        if self.order == 0:
            return (left[0] + right[0],)
        if self.order == 1:
            with np.errstate(all="ignore"):
                (total,) = owned(left[1:])
                return left[0] + right[0], np.add(total, right[1], out=total)
        with np.errstate(all="ignore"):
            return _merged(left, right)

    def identity(self, shape: tuple[int, ...]) -> Partial:
        if self.order == 0:
            return (np.zeros(shape, _COUNT),)
        count = np.zeros((1,) * len(shape), _COUNT)
        if self.order == 1:
            return count, np.zeros(shape, self.dtype)
        return (
            count,
            np.zeros(shape, self.dtype),
            np.zeros(shape, self.dtype),
            np.zeros(shape, self.real),
        )

    def serves(self, other: Family) -> bool:
        return (
            isinstance(other, Moments)
            and other.order <= self.order
            and other.skip == self.skip
            and (other.order == 0 or other.dtype == self.dtype)
        )

    def restrict(self, partial: Partial, other: Family) -> Partial:
        assert isinstance(other, Moments)
        assert self.serves(other)
        if other.order == 0 < self.order:
            return (np.broadcast_to(partial[0], partial[1].shape).copy(),)
        return partial[: (1, 2, 4)[other.order]]


def _merged(left: Partial, right: Partial) -> Partial:
    """Merge two partials of order 2, the second into the first."""
    count_a, (sum_a, low_a, squares_a) = left[0], owned(left[1:])
    count_b, sum_b, low_b, squares_b = right
    count = count_a + count_b
    divisor = np.maximum(count, 1)
    mean_a = sum_a / np.maximum(count_a, 1)
    apart = sum_b / np.maximum(count_b, 1)
    if not count_a.all():
        # So that of the other's mean nothing is rounded away.
        np.copyto(mean_a, apart, where=count_a == 0)
    # The means differ by this; what rounding took from both included.
    apart -= mean_a
    apart += low_b
    apart -= low_a
    np.add(sum_a, sum_b, out=sum_a)
    mean_a -= sum_a / divisor
    shift = apart * count_b / divisor
    low_a += shift
    low_a += mean_a
    # So ordered, nothing times an overflow is nothing where one side has no values.
    squares_a += squares_b
    squares_a += _product(shift, count_a * apart)
    return count, sum_a, low_a, squares_a


def _product(one: Plain, other: Plain) -> Plain:
    """Return products of which each is a square times a number above 0."""
    if one.dtype.kind == "c":
        return one.real * other.real + one.imag * other.imag
    if one.dtype.kind == "O":
        other = np.conjugate(other)
    return one * other


class MomentsAccumulator(Accumulator):
    """The moments of the runs of a block."""

    def __init__(self, family: Moments, layout: Layout) -> None:
        super().__init__(layout, family.skip)
        self.family = family
        if family.order:
            self.sums = layout.empty(family.dtype)
        if family.order == 2:
            self.lows = layout.empty(family.dtype)
            self.squares = layout.empty(family.real)

    def add(self, part: Part) -> None:
        present = part.present(self.skip)
        count = self.counted(part, present)
        family = self.family
        if family.order == 0:
            return
        values = present.values
        if present.invalid is not None or values.dtype != family.dtype:
            values = scratch("block", values.shape, family.dtype)
            np.copyto(values, present.values, casting="unsafe")
            present.blank(values)
        total = self.layout.at(self.sums, part.run)
        np.add.reduce(values, axis=part.axes, keepdims=True, out=total)
        if family.order == 2:
            self._deviations(part, present, values, total, np.maximum(count, 1))

    def _deviations(
        self, part: Part, present: Present, values: Plain, total: Plain, count: Plain
    ) -> None:
        deviations = scratch("block", values.shape, self.family.dtype)
        np.subtract(values, total / count, out=deviations)
        present.blank(deviations)
        low = self.layout.at(self.lows, part.run)
        np.add.reduce(deviations, axis=part.axes, keepdims=True, out=low)
        squares = self.layout.at(self.squares, part.run)
        sum_of_squares(deviations, part.axes, squares)
        of_low = low / count
        squares -= _product(low, of_low)
        low[...] = of_low

    def partial(self) -> Partial:
        count = self.counts()
        layout = self.layout
        if self.family.order == 0:
            found = layout.empty(_COUNT)[0]
            found[...] = count.sum(axis=0)
            return (found.reshape(layout.shape),)
        if layout.pieces == 1:
            parts: tuple[Plain, ...] = (count, self.sums)
            if self.family.order == 2:
                parts = (count, self.sums, self.lows, self.squares)
            return tuple([self.shaped(part[0]) for part in parts])
        sums = np.add.reduce(self.sums, axis=0)
        total = count.sum(axis=0)
        if self.family.order == 1:
            return self.shaped(total), self.shaped(sums)
        divisor = np.maximum(total, 1)
        mean = sums / divisor
        apart = self.sums / np.maximum(count, 1) - mean + self.lows
        weighted = count * apart
        low = np.add.reduce(weighted, axis=0)
        squares = np.add.reduce(self.squares + _product(weighted, apart), axis=0)
        squares -= _product(low, low / divisor)
        return tuple([self.shaped(part) for part in (total, sums, low / divisor, squares)])


def sum_of_squares(deviations: Plain, axes: tuple[int, ...], out: Plain) -> None:
    """Add up the squares of deviations, which are lost."""
    kind = deviations.dtype.kind
    if kind == "c":
        pairs = deviations.view(out.dtype).reshape(*deviations.shape, 2)
        np.multiply(pairs, pairs, out=pairs)
        np.add.reduce(pairs, axis=(*axes, deviations.ndim), keepdims=True, out=out[..., None])
        return
    other = np.conjugate(deviations) if kind == "O" else deviations
    np.multiply(deviations, other, out=deviations)
    np.add.reduce(deviations, axis=axes, keepdims=True, out=out)


def wide(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return in which dtype values of one are added up: halves and singles in doubles."""
    if dtype.kind in "fc" and dtype.itemsize < (8 if dtype.kind == "f" else 16):
        return np.dtype(np.float64 if dtype.kind == "f" else np.complex128)
    return dtype
