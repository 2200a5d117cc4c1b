"""Moments: count, sum, and sum of squared deviations from the mean.

The sum of a run is NumPy's own, pairwise where it adds pairwise.  What rounding takes
when sums are merged is kept beside them (Knuth's two-sum), so that it makes no difference
in how many parts the values came.

Deviations are taken from the mean of a run, never from a guess, and squared after; runs
and partials are merged as by Chan, Golub and LeVeque, "Updating formulae and a pairwise
algorithm for computing sample variances" (1979).  Their difference of two means cancels
where an offset is large; so what rounding took from a mean is kept as well: the mean of
the deviations, which would be 0.  The same corrects the squares (Björck's two-pass formula;
in Chan, Golub and LeVeque, "Algorithms for computing the sample variance", 1983).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.statistics.base import Accumulator, Aggregator
from biggus.statistics.layout import COUNT, RUN
from biggus.statistics.scratch import scratch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.statistics.layout import RunLayout
    from biggus.statistics.missing import Present, RunValues
    from biggus.statistics.values import AnyArray, Partial

_MERGED = 2**14
"""Positions that are merged at once: what that needs fits the cache."""


@dataclass(frozen=True)
class Moments(Aggregator):
    """The moments of values up to an order.

    A partial is the count; from order 1, the sum and what rounding took from it; for
    order 2, what rounding took from the mean, and the sum of squared deviations.
    """

    order: int
    """0, 1 or 2."""

    dtype: np.dtype[Any]
    """In which they are computed; of order 0, any."""

    skip: bool
    """Whether NaN are missing values."""

    @property
    def key(self) -> str:
        return f"moments-2:{self.order}:{self.dtype.str}:{int(self.skip)}"

    @property
    def dtypes(self) -> tuple[np.dtype[Any], ...]:
        """The dtypes of the entries of a partial."""
        wide = self.dtype
        if self.order < 2:
            return (COUNT, wide, wide)[: 1 + 2 * self.order]
        real = wide
        if wide.kind == "c":
            real = np.dtype(np.float64 if wide.itemsize == 16 else np.longdouble)
        return COUNT, wide, wide, wide, real

    @property
    def nbytes_each(self) -> int:
        return sum(dtype.itemsize for dtype in self.dtypes)

    def scratch_bytes(self, masked: bool) -> int:
        missing = 32 if masked or self.skip else 0
        return RUN * (2 * self.dtype.itemsize + missing)

    def of_singles(self, values: AnyArray) -> Partial | None:
        exact = values.dtype.kind in "biufc" and np.can_cast(values.dtype, self.dtype)
        if self.order != 1 or self.skip or not exact:
            return None
        sums = np.asarray(values, order="C").view()
        sums.flags.writeable = False
        rest = np.broadcast_to(np.array(-0.0, self.dtype), values.shape)
        return (np.ones((1,) * values.ndim, COUNT), sums, rest)

    def accumulator(self, layout: RunLayout, origin: tuple[int, ...]) -> MomentsAccumulator:
        return MomentsAccumulator(self, layout)

    def merge(self, left: Partial, right: Partial) -> Partial:
        count = left[0] + right[0]
        if self.order == 0:
            return (count,)
        entries = [
            entry if entry.flags.writeable else entry.astype(dtype, order="C")
            for entry, dtype in zip(left[1:], self.dtypes[1:], strict=True)
        ]
        flat = [_flat(part) for part in (left[0], *entries, *right)]
        # Where there is one position, and in a count that holds for all, numbers cost
        # less than arrays; objects NumPy computes with in arrays alone.
        single = slice(None) if self.dtype.kind == "O" else 0
        with np.errstate(all="ignore"):
            for start in range(0, entries[0].size, _MERGED):
                there = slice(start, start + _MERGED)
                part = [a[there] if a.size > 1 else a[single] for a in flat]
                found = _merged(part[: len(left)], part[len(left) :])
                for entry, own, values in zip(flat[1:], part[1:], found, strict=False):
                    if values is not own:
                        entry[there] = values
        return (count, *entries)

    def identity(self, shape: tuple[int, ...]) -> Partial:
        if self.order == 0:
            return (np.zeros(shape, COUNT),)
        count = np.zeros((1,) * len(shape), COUNT)
        return (count, *[np.zeros(shape, dtype) for dtype in self.dtypes[1:]])

    @property
    def holders(self) -> tuple[Aggregator, ...]:
        # Deviations are of floating values alone.
        return (replace(self, order=2),) if self.order == 1 and self.dtype.kind in "fc" else ()

    def serves(self, other: Aggregator) -> bool:
        return (
            isinstance(other, Moments)
            and other.order <= self.order
            and other.skip == self.skip
            and (other.order == 0 or other.dtype == self.dtype)
        )

    def restrict(self, partial: Partial, other: Aggregator) -> Partial:
        assert isinstance(other, Moments)
        assert self.serves(other)
        if other.order == 0 < self.order:
            return (np.broadcast_to(partial[0], partial[1].shape).copy(),)
        return partial[: len(other.dtypes)]


def _flat(array: AnyArray) -> AnyArray:
    """Return an array in one dimension; one that is the same at all positions has one element."""
    return array.reshape(-1) if any(array.strides) else array.reshape(-1)[:1]


def total(partial: Partial) -> AnyArray:
    """Return the sum, with what rounding took from it where that is known; it may overflow."""
    _, sums, rest, *_ = partial
    if rest.dtype.kind not in "fc":
        return sums
    # One value alone may be -0.0, where NumPy's sum of it is 0.0.
    return np.where(np.isfinite(rest), sums + rest, sums) + 0.0


def _merged(left: list[Any], right: list[Any]) -> tuple[Any, ...]:
    """Return two partials merged, but for the count: arrays, or the numbers of one position.

    The memory of arrays of the left may become that of the result.
    """
    count_a, sum_a, rest, *squares = left
    count_b, sum_b, rest_b, *_ = right
    rest += rest_b
    sums, rest = _exact_sum(sum_a, rest, sum_b)
    if not squares:
        return sums, rest
    low, deviations = squares
    _, _, _, low_b, deviations_b = right
    mean = sum_a / np.maximum(count_a, 1)
    # The means differ by this; what rounding took from both included.
    apart = sum_b / np.maximum(count_b, 1)
    if not count_a.all():
        # So that of the other's mean nothing is rounded away.
        mean = np.where(count_a == 0, apart, mean)
    apart -= mean
    apart += low_b
    apart -= low
    count = np.maximum(count_a + count_b, 1)
    shift = apart * count_b / count
    mean -= sums / count
    low += shift
    low += mean
    # So ordered, nothing times an overflow is nothing where one side has no values.
    between = product(shift, count_a * apart)
    between += deviations_b
    deviations += between
    return sums, rest, low, deviations


def _exact_sum(sums: Any, rest: Any, added: Any) -> tuple[Any, Any]:
    """Return the sum of two, and the rest, which may be changed, without what rounding takes."""
    found = sums + added
    if found.dtype.kind not in "fc":
        return found, rest
    rest -= _rounded(found, sums, added)
    return found, rest


def _rounded(found: Any, one: Any, other: Any) -> Any:
    """Return how much more was found as the sum of two than there is (Knuth's two-sum)."""
    of_other = found - one
    of_one = found - of_other
    of_one -= one
    of_other -= other
    of_other += of_one
    return of_other


def product(one: AnyArray, other: AnyArray) -> AnyArray:
    """Return the real products of numbers with such as have the same direction."""
    found: AnyArray
    if one.dtype.kind == "c":
        found = one.real * other.real + one.imag * other.imag
        return found
    found = one * (np.conjugate(other) if one.dtype.kind == "O" else other)
    return found


class MomentsAccumulator(Accumulator):
    """The moments of the runs of a block."""

    def __init__(self, aggregator: Moments, layout: RunLayout) -> None:
        super().__init__(layout, aggregator.skip)
        self.aggregator = aggregator
        self._exact: bool | None = None
        dtypes = [aggregator.dtype] * (0, 1, 3)[aggregator.order]
        if aggregator.order == 2:
            dtypes.append(aggregator.dtypes[-1])
        self._entries = [layout.empty(dtype) for dtype in dtypes]
        """Of all pieces the sums; for order 2 the means, what rounding took, and the squares."""
        self._each = list(zip(*[layout.each(entry) for entry in self._entries], strict=True))

    def add(self, part: RunValues) -> None:
        present = part.present(self.skip)
        count = self.counted(part, present)
        aggregator = self.aggregator
        if aggregator.order == 0:
            return
        values = present.values
        if present.invalid is not None or values.dtype != aggregator.dtype:
            values = scratch("block", values.shape, aggregator.dtype)
            values[...] = present.values
            if present.invalid is not None:
                present.blank(values)
        sums, *others = self._each[part.run.number]
        np.add.reduce(values, axis=part.axes, keepdims=True, out=sums)
        if others:
            means, lows, squares = others
            several = count if isinstance(count, int) else np.maximum(count, 1)
            np.divide(sums, several, out=means)
            self._deviations(part, present, values, means, lows, squares)

    def _deviations(
        self,
        part: RunValues,
        present: Present,
        values: AnyArray,
        means: AnyArray,
        lows: AnyArray,
        squares: AnyArray,
    ) -> None:
        own = values is present.values  # else they are in scratch memory, and not needed any more
        deviations = scratch("block", values.shape, self.aggregator.dtype) if own else values
        np.subtract(values, means, out=deviations)
        if present.invalid is not None:
            present.blank(deviations)
        if self._exact is None:
            # Sums of so few digits each are as good as exact.
            self._exact = present.values.dtype.itemsize <= 4 and deviations.dtype == np.float64
        if not self._exact:
            np.add.reduce(deviations, axis=part.axes, keepdims=True, out=lows)
        _add_squares(deviations, part.axes, squares)

    def partial(self) -> Partial:
        count = self.total()
        if self.aggregator.order == 0:
            found = np.empty(self.layout.kept, COUNT)
            found[...] = count
            return (found.reshape(self.layout.shape),)
        return tuple([self.shaped(entry) for entry in (count, *self._joined(count))])

    def _joined(self, total: AnyArray) -> Sequence[AnyArray]:
        """Return what all pieces have given together, but for the count."""
        pieces = self.layout.pieces
        given = [a.reshape(pieces, -1) for a in (self.counts(), *self._entries)]
        if pieces == 1 and self.aggregator.order == 1:
            return _added(given[1])
        positions = given[1].shape[1]
        step = max(1, _MERGED // pieces)
        if positions <= step:
            return self._joined_at(total.reshape(-1), *given)
        found = [np.empty(positions, dtype) for dtype in self.aggregator.dtypes[1:]]
        given.append(total.reshape(1, -1))
        for start in range(0, positions, step):
            there = slice(start, start + step)
            *part, of_all = [a if a.shape[1] == 1 else a[:, there] for a in given]
            for entry, values in zip(found, self._joined_at(of_all[0], *part), strict=True):
                entry[there] = values
        return found

    def _joined_at(
        self, total: AnyArray, count: AnyArray, sums: AnyArray, *others: AnyArray
    ) -> tuple[AnyArray, ...]:
        """Return the same of some positions; arrays of pieces and positions."""
        added, rest = _added(sums)
        if not others:
            return added, rest
        means, lows, squares = others
        several = np.maximum(count, 1)
        left = _left(sums, several, means) if self._exact else lows
        lows = left / several
        squares = squares - product(left, lows)
        if len(sums) == 1:
            return added, rest, lows[0], squares[0]
        total = np.maximum(total, 1)
        apart = means - added / total
        apart += lows
        weighted = count * apart
        squares += product(weighted, apart)
        low = np.add.reduce(weighted, axis=0)
        of_low = low / total
        square = np.add.reduce(squares, axis=0)
        square -= product(low, of_low)
        return added, rest, of_low, square


def _added(sums: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Return the sum of all pieces, and what rounding took from it."""
    if sums.dtype.kind not in "fc":
        return np.add.reduce(sums, axis=0), np.zeros(sums.shape[1:], sums.dtype)
    if len(sums) == 1:
        return sums[0], np.negative(np.zeros(sums.shape[1:], sums.dtype))
    running = np.add.accumulate(sums, axis=0)
    taken = _rounded(running[1:], running[:-1], sums[1:])
    return running[-1], np.negative(np.add.reduce(taken, axis=0))


def _left(sums: AnyArray, count: AnyArray, mean: AnyArray) -> AnyArray:
    """Return exactly what is left of sums when the mean is taken from them so many times.

    So nothing needs to be added up again.  Either half of the mean's digits, times a
    count below 2^24, is exact (Dekker, "A floating-point technique for extending the
    available precision", 1971); and so is the difference of numbers close to one another.
    """
    high = (mean.view(np.uint64) & np.uint64(0xFFFF_FFFF_E000_0000)).view(np.float64)
    return (sums - count * high) - count * (mean - high)


def _add_squares(deviations: AnyArray, axes: tuple[int, ...], out: AnyArray) -> None:
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
    return dtype.newbyteorder("=")
