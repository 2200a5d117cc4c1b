"""Moments: count, sum, and sum of squared deviations from the mean.

The sum of a run is NumPy's (pairwise) sum.  The rounding error of merging sums is kept beside
them (Knuth's two-sum), so that the result does not depend on the number of parts.

Deviations are taken from the mean of a run, and then squared; runs and partials are merged by the
formulas of Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing
sample variances" (1979).  The difference of two means cancels if they have a large offset, so the
rounding error of each mean is kept as well: it is the mean of the deviations, which is 0 in exact
arithmetic.  It also corrects the squares (Björck's two-pass formula; in Chan, Golub and LeVeque,
"Algorithms for computing the sample variance", 1983).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.sources.byte_order import native_order
from biggus.statistics.base import Accumulator, Aggregator
from biggus.statistics.layout import COUNT, RUN, RunLayout
from biggus.statistics.scratch import scratch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.statistics.missing import Present, RunValues
    from biggus.statistics.values import AnyArray, Partial

_MERGED = 2**14
"""How many positions are merged at once: so few that they fit a core's cache."""


@dataclass(frozen=True)
class Moments(Aggregator):
    """Accumulates the moments of values up to an order.

    A partial is the count; from order 1, the sum and its rounding error; for order 2, the
    rounding error of the mean, and the sum of squared deviations.
    """

    order: int
    """0, 1 or 2."""

    dtype: np.dtype[Any]
    """The dtype of the computation; any for order 0."""

    skip: bool
    """Whether NaN are missing values."""

    by_position = True

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
        errors = np.broadcast_to(np.array(-0.0, self.dtype), values.shape)
        return (np.ones((1,) * values.ndim, COUNT), sums, errors)

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
        # Arrays with one element become scalars, which are faster; but not objects.
        single = slice(None) if self.dtype.kind == "O" else 0
        with np.errstate(all="ignore"):
            for start in range(0, entries[0].size, _MERGED):
                there = slice(start, start + _MERGED)
                part = [a[there] if a.size > 1 else a[single] for a in flat]
                merged = _merged(part[: len(left)], part[len(left) :])
                for entry, own, values in zip(flat[1:], part[1:], merged, strict=False):
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
        # Only floating values have squared deviations in the same dtype.
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
    """Return a flat array; with one element, if the array is broadcast along all axes."""
    return array.reshape(-1) if any(array.strides) else array.reshape(-1)[:1]


def total(partial: Partial) -> AnyArray:
    """Return the sum, corrected by its rounding error where that is finite."""
    _, sums, errors, *_ = partial
    if errors.dtype.kind not in "fc":
        return sums
    # NumPy's sum of a single -0.0 is 0.0.
    return np.where(np.isfinite(errors), sums + errors, sums) + 0.0


def _merged(left: list[Any], right: list[Any]) -> tuple[Any, ...]:
    """Return the merge of two partials without the count, as arrays or scalars.

    Arrays of the left may be overwritten by the result.
    """
    count_a, sum_a, errors, *squares = left
    count_b, sum_b, rest_b, *_ = right
    errors += rest_b
    sums, errors = _exact_sum(sum_a, errors, sum_b)
    if not squares:
        return sums, errors
    low, deviations = squares
    _, _, _, low_b, deviations_b = right
    mean = sum_a / np.maximum(count_a, 1)
    # The difference of the means, corrected by the rounding errors of both.
    difference = sum_b / np.maximum(count_b, 1)
    if not count_a.all():
        # So that the mean of the other side is not rounded.
        mean = np.where(count_a == 0, difference, mean)
    difference -= mean
    difference += low_b
    difference -= low
    count = np.maximum(count_a + count_b, 1)
    shift = difference * count_b / count
    mean -= sums / count
    low += shift
    low += mean
    # In this order, 0 times an overflow is 0 where one side has no values.
    between = product(shift, count_a * difference)
    between += deviations_b
    deviations += between
    return sums, errors, low, deviations


def _exact_sum(sums: Any, errors: Any, added: Any) -> tuple[Any, Any]:
    """Return the sum of two values, and `rest`, which may be modified, less the rounding error."""
    total = sums + added
    if total.dtype.kind not in "fc":
        return total, errors
    errors -= _rounded(total, sums, added)
    return total, errors


def _rounded(total: Any, one: Any, other: Any) -> Any:
    """Return the rounding error of a sum of two values (Knuth's two-sum)."""
    of_other = total - one
    of_one = total - of_other
    of_one -= one
    of_other -= other
    of_other += of_one
    return of_other


def product(one: AnyArray, other: AnyArray) -> AnyArray:
    """Return the products of numbers with numbers of the same complex direction, as reals."""
    products: AnyArray
    if one.dtype.kind == "c":
        products = one.real * other.real + one.imag * other.imag
        return products
    products = one * (np.conjugate(other) if one.dtype.kind == "O" else other)
    return products


class MomentsAccumulator(Accumulator):
    """Accumulates the moments of the runs of a block."""

    def __init__(self, aggregator: Moments, layout: RunLayout) -> None:
        super().__init__(layout, aggregator.skip)
        self.aggregator = aggregator
        self._exact: bool | None = None
        dtypes = [aggregator.dtype] * (0, 1, 3)[aggregator.order]
        if aggregator.order == 2:
            dtypes.append(aggregator.dtypes[-1])
        self._entries = [layout.empty(dtype) for dtype in dtypes]
        """The sums of all pieces; for order 2, also means, their rounding errors, and squares."""
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
        own = values is present.values  # otherwise they are scratch memory, and can be overwritten
        deviations = scratch("block", values.shape, self.aggregator.dtype) if own else values
        np.subtract(values, means, out=deviations)
        if present.invalid is not None:
            present.blank(deviations)
        if self._exact is None:
            # Sums of values with so few digits are exact, or nearly so.
            self._exact = present.values.dtype.itemsize <= 4 and deviations.dtype == np.float64
        if not self._exact:
            np.add.reduce(deviations, axis=part.axes, keepdims=True, out=lows)
        _add_squares(deviations, part.axes, squares)

    def partial(self) -> Partial:
        count = self.total()
        if self.aggregator.order == 0:
            counts = np.empty(self.layout.kept, COUNT)
            counts[...] = count
            return (counts.reshape(self.layout.shape),)
        return tuple([self.shaped(entry) for entry in (count, *self._joined(count))])

    def _joined(self, total: AnyArray) -> Sequence[AnyArray]:
        """Return the entries of all pieces merged, without the count."""
        pieces = self.layout.pieces
        arrays = [a.reshape(pieces, -1) for a in (self.counts(), *self._entries)]
        if pieces == 1 and self.aggregator.order == 1:
            return _added(arrays[1])
        positions = arrays[1].shape[1]
        step = max(1, _MERGED // pieces)
        if positions <= step:
            return self._joined_at(total.reshape(-1), *arrays)
        entries = [np.empty(positions, dtype) for dtype in self.aggregator.dtypes[1:]]
        arrays.append(total.reshape(1, -1))
        for start in range(0, positions, step):
            there = slice(start, start + step)
            *part, of_all = [a if a.shape[1] == 1 else a[:, there] for a in arrays]
            for entry, values in zip(entries, self._joined_at(of_all[0], *part), strict=True):
                entry[there] = values
        return entries

    def _joined_at(
        self, total: AnyArray, count: AnyArray, sums: AnyArray, *others: AnyArray
    ) -> tuple[AnyArray, ...]:
        """Return the same for some positions, from arrays of pieces and positions."""
        added, errors = _added(sums)
        if not others:
            return added, errors
        means, lows, squares = others
        several = np.maximum(count, 1)
        deviations = _left(sums, several, means) if self._exact else lows
        lows = deviations / several
        squares = squares - product(deviations, lows)
        if len(sums) == 1:
            return added, errors, lows[0], squares[0]
        total = np.maximum(total, 1)
        difference = means - added / total
        difference += lows
        weighted = count * difference
        squares += product(weighted, difference)
        low = np.add.reduce(weighted, axis=0)
        of_low = low / total
        square = np.add.reduce(squares, axis=0)
        square -= product(low, of_low)
        return added, errors, of_low, square


def _added(sums: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Return the sum of all pieces, and its rounding error."""
    if sums.dtype.kind not in "fc":
        return np.add.reduce(sums, axis=0), np.zeros(sums.shape[1:], sums.dtype)
    if len(sums) == 1:
        return sums[0], np.negative(np.zeros(sums.shape[1:], sums.dtype))
    running = np.add.accumulate(sums, axis=0)
    errors = _rounded(running[1:], running[:-1], sums[1:])
    return running[-1], np.negative(np.add.reduce(errors, axis=0))


def _left(sums: AnyArray, count: AnyArray, mean: AnyArray) -> AnyArray:
    """Return the exact value of ``sums - count * mean``, the sum of the deviations.

    The product of either half of the mean's digits and a count below 2^24 is exact (Dekker,
    "A floating-point technique for extending the available precision", 1971), and so is the
    difference of two numbers that are close to one another.
    """
    high = (mean.view(np.uint64) & np.uint64(0xFFFF_FFFF_E000_0000)).view(np.float64)
    return (sums - count * high) - count * (mean - high)


def _add_squares(deviations: AnyArray, axes: tuple[int, ...], out: AnyArray) -> None:
    """Add up the squares of deviations, which are overwritten."""
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
    """Return the dtype in which values of a dtype are added up: at least double precision."""
    if dtype.kind in "fc" and dtype.itemsize < (8 if dtype.kind == "f" else 16):
        return np.dtype(np.float64 if dtype.kind == "f" else np.complex128)
    return native_order(dtype)
