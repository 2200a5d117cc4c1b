"""Results of statistics, computed from partial results as NumPy would."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from biggus.statistics.base import Statistic
from biggus.statistics.moments import total
from biggus.support.hidden_warnings import ALL_NAN, MEAN_OF_NONE, TOO_FEW, warn

if TYPE_CHECKING:
    from biggus.statistics.values import AnyArray, Partial, Values


@dataclass(frozen=True)
class OfCounted(Statistic):
    """A statistic whose partial has, as its first entry, the number of values not missing."""

    length: int
    """The number of values that are reduced to one."""

    tolerance: float
    """The part of these that may be masked before the result is; if all are, it always is."""

    def proceed(self, partial: Partial) -> Values:
        count, shape = partial[0], partial[-1].shape
        if count.shape != shape:
            count = np.broadcast_to(count, shape)
        with np.errstate(all="ignore"):
            results = self.values((count, *partial[1:]))
            # Ufuncs of 0-d arrays return scalars.
            values = np.empty(np.shape(results), self.dtype)
            np.copyto(values, results, casting="unsafe")
        if not self.masked:
            return values
        missing = np.empty(values.shape, bool)
        missing[...] = self.missing(count)
        return np.ma.MaskedArray(values, mask=missing)

    @abstractmethod
    def values(self, partial: Partial) -> AnyArray:
        """Return the results; any value where a result is missing."""

    def missing(self, count: AnyArray) -> AnyArray:
        """Return where results are missing, from the numbers of values that are not."""
        if self.tolerance >= 1:
            return np.equal(count, 0)
        return np.equal(count, 0) | (self.length - count > self.tolerance * self.length)

    def warn(self, doubtful: AnyArray, message: str) -> None:
        """Warn like NumPy if a result is NaN because there are not enough values."""
        if not self.masked and doubtful.any():
            warn(message)


@dataclass(frozen=True)
class Count(OfCounted):
    """The number of values that are not missing."""

    def values(self, partial: Partial) -> AnyArray:
        return partial[0]


@dataclass(frozen=True)
class Sum(OfCounted):
    """The sum."""

    def values(self, partial: Partial) -> AnyArray:
        return total(partial)


@dataclass(frozen=True)
class Combined(OfCounted):
    """A statistic whose result is an entry of the partial, such as a product."""

    def values(self, partial: Partial) -> AnyArray:
        return partial[1]


@dataclass(frozen=True)
class Extreme(Combined):
    """The least or the greatest value."""

    def values(self, partial: Partial) -> AnyArray:
        return self.of_some(partial[1], partial[0])

    def of_some(self, values: AnyArray, count: AnyArray) -> AnyArray:
        """Return values, with NaN or NaT where there were none."""
        none = count == 0
        if self.masked or not none.any():
            return values
        self.warn(none, ALL_NAN)
        nan = np.array("NaT" if self.dtype.kind in "mM" else np.nan, values.dtype)
        return np.where(none, nan, values)


@dataclass(frozen=True)
class Range(Extreme):
    """The greatest value less the least."""

    def values(self, partial: Partial) -> AnyArray:
        count, least, greatest = partial
        if not count.all():
            # The difference of the neutral values would overflow.
            greatest = np.where(count == 0, least, greatest)
        return self.of_some(np.subtract(greatest, least), count)


@dataclass(frozen=True)
class Mean(OfCounted):
    """The arithmetic mean."""

    def values(self, partial: Partial) -> AnyArray:
        count = partial[0]
        self.warn(count == 0, MEAN_OF_NONE)
        sums = total(partial)
        if sums.dtype.kind == "O":
            count = np.maximum(count, 1)  # objects are not divided by zero
        if sums.dtype.kind in "biu":
            sums = sums.astype(self.dtype)  # merged sums may be wider; NumPy's overflow
        return np.true_divide(sums, count)


@dataclass(frozen=True)
class Spread(OfCounted):
    """The variance, or the standard deviation."""

    ddof: float
    """Subtracted from the count to give the divisor."""

    root: bool
    """Whether the result is the standard deviation."""

    def values(self, partial: Partial) -> AnyArray:
        freedom = partial[0] - self.ddof
        self.warn(freedom <= 0, TOO_FEW)
        squares = partial[4]
        least = 1 if squares.dtype.kind == "O" else 0  # objects are not divided by zero
        variance = np.true_divide(squares, np.maximum(freedom, least))
        if self.aggregator.skip:  # type: ignore[attr-defined]
            # NumPy's nan-functions never return an infinite variance.
            variance = np.where(freedom <= 0, np.nan, variance)
        return np.sqrt(variance) if self.root else variance

    def missing(self, count: AnyArray) -> AnyArray:
        return super().missing(count) | (count - self.ddof <= 0)
