"""Results: what is made of what has been accumulated, as NumPy would give it."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from biggus.statistics.base import Statistic
from biggus.statistics.moments import total

if TYPE_CHECKING:
    from biggus.statistics.values import AnyArray, Partial, Values


@dataclass(frozen=True)
class OfCounted(Statistic):
    """A statistic that counts, as its first entry, the values that are not missing."""

    length: int
    """How many values are reduced to one."""

    tolerance: float
    """Which part of them may be masked; a result of which all are is always masked."""

    def proceed(self, partial: Partial) -> Values:
        count, shape = partial[0], partial[-1].shape
        if count.shape != shape:
            count = np.broadcast_to(count, shape)
        with np.errstate(all="ignore"):
            found = self.values((count, *partial[1:]))
            # Of no axes, ufuncs give scalars.
            values = np.empty(np.shape(found), self.dtype)
            np.copyto(values, found, casting="unsafe")
        if not self.masked:
            return values
        missing = np.empty(values.shape, bool)
        missing[...] = self.missing(count)
        return np.ma.MaskedArray(values, mask=missing)

    @abstractmethod
    def values(self, partial: Partial) -> AnyArray:
        """Return the results, where there is one."""

    def missing(self, count: AnyArray) -> AnyArray:
        """Return where there is none, by how many values are not missing."""
        if self.tolerance >= 1:
            return np.equal(count, 0)
        return np.equal(count, 0) | (self.length - count > self.tolerance * self.length)

    def warn(self, doubtful: AnyArray, message: str) -> None:
        """Warn as NumPy does if some result is not a number for want of values."""
        if not self.masked and doubtful.any():
            warnings.warn(message, RuntimeWarning, stacklevel=3)


@dataclass(frozen=True)
class Count(OfCounted):
    """How many values are not missing."""

    def values(self, partial: Partial) -> AnyArray:
        return partial[0]


@dataclass(frozen=True)
class Sum(OfCounted):
    """The sum."""

    def values(self, partial: Partial) -> AnyArray:
        return total(partial)


@dataclass(frozen=True)
class Combined(OfCounted):
    """A product, an extreme: what has been accumulated is the result."""

    def values(self, partial: Partial) -> AnyArray:
        return partial[1]


@dataclass(frozen=True)
class Extreme(Combined):
    """The least or the greatest value."""

    def values(self, partial: Partial) -> AnyArray:
        return self.of_some(partial[1], partial[0])

    def of_some(self, values: AnyArray, count: AnyArray) -> AnyArray:
        """Return values, NaN or NaT where there was none."""
        none = count == 0
        if self.masked or not none.any():
            return values
        self.warn(none, "All-NaN slice encountered")
        nan = np.array("NaT" if self.dtype.kind in "mM" else np.nan, values.dtype)
        return np.where(none, nan, values)


@dataclass(frozen=True)
class Range(Extreme):
    """How far the greatest value is from the least."""

    def values(self, partial: Partial) -> AnyArray:
        count, least, greatest = partial
        if not count.all():
            # What stands for the extremes of nothing is too far apart.
            greatest = np.where(count == 0, least, greatest)
        return self.of_some(np.subtract(greatest, least), count)


@dataclass(frozen=True)
class Mean(OfCounted):
    """The arithmetic mean."""

    def values(self, partial: Partial) -> AnyArray:
        count = partial[0]
        self.warn(count == 0, "Mean of empty slice")
        sums = total(partial)
        if sums.dtype.kind == "O":
            count = np.maximum(count, 1)  # objects are not divided by zero
        casting = {"casting": "unsafe"} if sums.dtype.kind in "biu" else {}
        return np.true_divide(sums, count, **casting)  # type: ignore[call-overload, no-any-return]


@dataclass(frozen=True)
class Spread(OfCounted):
    """The variance, or the standard deviation."""

    ddof: float
    """What is taken from the count before it divides."""

    root: bool
    """Whether it is the standard deviation."""

    def values(self, partial: Partial) -> AnyArray:
        freedom = partial[0] - self.ddof
        self.warn(freedom <= 0, "Degrees of freedom <= 0 for slice")
        squares = partial[4]
        least = 1 if squares.dtype.kind == "O" else 0  # objects are not divided by zero
        found = np.true_divide(squares, np.maximum(freedom, least))
        if self.aggregator.skip:  # type: ignore[attr-defined]
            # Where NumPy skips NaN, it has no infinite variance.
            found = np.where(freedom <= 0, np.nan, found)
        return np.sqrt(found) if self.root else found

    def missing(self, count: AnyArray) -> AnyArray:
        return super().missing(count) | (count - self.ddof <= 0)
