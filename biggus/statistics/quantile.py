"""Quantiles of all values: the values of certain ranks are found digit by digit.

The methods have NumPy's names; they are those of Hyndman and Fan, "Sample quantiles in
statistical packages" (1996), and simpler ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus.statistics.base import Statistic
from biggus.statistics.digits import Digits, values_of
from biggus.support.hidden_warnings import ALL_NAN, MEAN_OF_NONE, warn

if TYPE_CHECKING:
    from collections.abc import Callable

    from biggus.statistics.values import AnyArray, Partial, Values

_PLOTTING: dict[str, tuple[float, float]] = {
    "interpolated_inverted_cdf": (0, 1),
    "weibull": (0, 0),
    "hazen": (1 / 2, 1 / 2),
    "median_unbiased": (1 / 3, 1 / 3),
    "normal_unbiased": (3 / 8, 3 / 8),
}
"""The constants alpha and beta of methods that interpolate between plotting positions."""

_ROUNDED: dict[str, Callable[[AnyArray], AnyArray]] = {
    "lower": np.floor,
    "higher": np.ceil,
    "nearest": np.rint,
}
"""Methods that round the position between the first and the last value."""


_WHOLE = frozenset({*_ROUNDED, "inverted_cdf", "closest_observation"})
"""Methods that choose one of the values."""


class Between(NamedTuple):
    """The two ranks, from 0, between which each quantile lies, and the weight of the upper."""

    lower: AnyArray
    upper: AnyArray
    weight: AnyArray


def between(method: str, count: int, q: AnyArray) -> Between:
    """Return the ranks between which quantiles lie.

    Parameters
    ----------
    method : str
        As for :func:`numpy.quantile`.
    count : int
        The number of values; at least one.
    q : ndarray of floats
        From 0 to 1.

    Examples
    --------
    >>> between("linear", 10, np.array([0.25]))
    Between(lower=array([2]), upper=array([3]), weight=array([0.25]))
    """
    line = (count - 1) * q
    if method in _ROUNDED:
        return _at(_ROUNDED[method](line), count)
    if method == "inverted_cdf":
        return _at(np.ceil(count * q) - 1, count)
    if method == "closest_observation":
        return _at(np.rint(count * q) - 1, count)
    if method == "midpoint":
        position = (np.floor(line) + np.ceil(line)) / 2
    elif method == "averaged_inverted_cdf":
        position = count * q - 1
    elif method == "linear":
        position = line
    else:
        alpha, beta = _PLOTTING[method]
        # In NumPy's order: the result depends on it for quantiles of half precision.
        position = count * q + (alpha + q * (1 - alpha - beta)) - 1
    before = position < 0
    position = np.clip(position, 0, count - 1)
    lower = np.floor(position)
    upper = np.where(before, lower, np.minimum(lower + 1, count - 1))
    weight = position - lower
    if method == "averaged_inverted_cdf":
        # Half way at a step of the distribution, else at the next value.
        weight = np.where(weight == 0, 1 / 2, 1.0)
    return Between(lower.astype(np.int64), upper.astype(np.int64), weight)


def _at(position: AnyArray, count: int) -> Between:
    ranks = np.clip(position, 0, count - 1).astype(np.int64)
    return Between(ranks, ranks, np.zeros(ranks.shape))


def interpolated(
    lower: AnyArray, upper: AnyArray, weight: AnyArray, dtype: np.dtype[Any]
) -> AnyArray:
    """Return weighted means of lower and upper values, in the dtype of the result.

    As in NumPy, interpolation with infinite values can give NaN.
    """
    if dtype.kind == "f":
        lower, upper = lower.astype(np.float64), upper.astype(np.float64)
    elif not weight.any():
        return lower.astype(dtype)
    with np.errstate(all="ignore"):
        distance = np.subtract(upper, lower)
        # From the nearer end, so that the result is monotonic in the weight.
        values: AnyArray = np.where(
            weight < 0.5, lower + distance * weight, upper - distance * (1 - weight)
        )
        return values.astype(dtype)


class RankTarget(NamedTuple):
    """A value to find, by its rank."""

    prefix: int
    """The known digits of its rank key."""

    rank: int
    """Its rank among the values with these digits."""


@dataclass(frozen=True)
class Quantiles(Statistic):
    """Quantiles of all values, or their median."""

    dims: int
    """The number of axes of the values."""

    q: tuple[float, ...]
    """The quantiles, from 0 to 1."""

    q_shape: tuple[int, ...]
    """The shape in which the quantiles were given."""

    method: str
    """As for :func:`numpy.quantile`; ``"median"`` is the mean of the values in the middle."""

    q_dtype: np.dtype[Any]
    """The dtype of the quantiles, in which NumPy computes their ranks."""

    count: int = 0
    """The number of values; known after the first pass."""

    targets: tuple[RankTarget, ...] = ()
    """The values to find; known after the first pass."""

    @property
    def shape(self) -> tuple[int, ...]:
        return self.q_shape

    @property
    def passes(self) -> int:
        unknown = 8 * self.digits.dtype.itemsize - self.digits.known
        # The digits are shorter for many quantiles.
        return -(-unknown // self.digits.bits_of(2 * len(self.q)))

    @property
    def digits(self) -> Digits:
        """The aggregator."""
        assert isinstance(self.aggregator, Digits)
        return self.aggregator

    def proceed(self, partial: Partial) -> Values | Statistic:
        nans, table = partial
        digits = self.digits
        if digits.known:
            return self._further(self.targets, self.count, table)
        count = int(table.sum())
        if nans[0] or not count:
            if not nans[0] and not self.masked:
                warn(ALL_NAN if digits.skip else MEAN_OF_NONE)
            return self._none(not count and not nans[0])
        ranks = self._ranks(count)
        wanted = np.unique(np.concatenate([ranks.lower, ranks.upper]))
        return self._further(tuple([RankTarget(0, rank) for rank in wanted.tolist()]), count, table)

    def _ranks(self, count: int) -> Between:
        if self.method == "median":
            middle = np.array([(count - 1) // 2])
            return Between(middle, np.array([count // 2]), np.zeros(1))
        return between(self.method, count, np.array(self.q, self.q_dtype))

    def _further(
        self, targets: tuple[RankTarget, ...], count: int, table: AnyArray
    ) -> Values | Statistic:
        """Return the result, or the statistic that finds the next digit of each target."""
        digits = self.digits
        sums = np.cumsum(table, axis=1)
        narrowed = []
        for prefix, rank in targets:
            row = sums[digits.prefixes.index(prefix)]
            digit = int(np.searchsorted(row, rank, side="right"))
            before = int(row[digit - 1]) if digit else 0
            narrowed.append(RankTarget((prefix << digits.bits) + digit, rank - before))
        known = digits.known + digits.bits
        if known < 8 * digits.dtype.itemsize:
            prefixes = tuple(sorted({target.prefix for target in narrowed}))
            aggregator = replace(digits, prefixes=prefixes, known=known)
            return replace(self, aggregator=aggregator, count=count, targets=tuple(narrowed))
        keys = np.array([target.prefix for target in narrowed], np.uint64)
        return self._finished(values_of(keys, digits.dtype), count)

    def _finished(self, values: AnyArray, count: int) -> Values:
        """Return the results, from the values of all ranks between which they lie."""
        lower, upper, weight = self._ranks(count)
        wanted = np.unique(np.concatenate([lower, upper]))
        below, above = (values[np.searchsorted(wanted, ranks)] for ranks in (lower, upper))
        if self.method == "median":
            results = _mean_of_two(below, above, self.dtype)
        elif self.method in _WHOLE:
            results = below.astype(self.dtype)
        else:
            results = interpolated(below, above, weight, self.dtype)
        return self._shaped(results, False)

    def _none(self, missing: bool) -> Values:
        """Return the results if there are no values, or some of them are NaN."""
        results = np.zeros(len(self.q), self.dtype)
        if self.dtype.kind in "mM":
            results[...] = np.array("NaT", self.dtype)
        elif self.dtype.kind == "f":
            results[...] = np.nan
        return self._shaped(results, missing)

    def _shaped(self, results: AnyArray, missing: bool) -> Values:
        values = results.reshape((1,) * self.dims + self.q_shape)
        if not self.masked:
            return values
        return np.ma.MaskedArray(values, mask=np.full(values.shape, missing))


def _mean_of_two(one: AnyArray, other: AnyArray, dtype: np.dtype[Any]) -> AnyArray:
    if dtype.kind == "f":
        one, other = one.astype(np.float64), other.astype(np.float64)
        with np.errstate(all="ignore"):
            return np.where(one == other, one, (one + other) / 2).astype(dtype)
    return np.where(one == other, one, (one + other) / 2).astype(dtype)
