"""Histograms of all values: np.histogram of each run, added up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from biggus.statistics.base import Accumulator, Aggregator, Statistic
from biggus.statistics.layout import COUNT, RUN, RunLayout

if TYPE_CHECKING:
    from biggus.statistics.missing import RunValues
    from biggus.statistics.values import AnyArray, Partial, Values

Range: TypeAlias = tuple[Any, Any]


class BinEdges(NamedTuple):
    """Given edges of bins, ascending."""

    dtype: np.dtype[Any]
    raw: bytes
    """The edges, in memory order."""

    @classmethod
    def of(cls, values: AnyArray) -> BinEdges:
        """Return edges, given as an array of one axis."""
        return cls(values.dtype, values.tobytes())

    @property
    def values(self) -> AnyArray:
        """The edges."""
        return np.frombuffer(self.raw, self.dtype)

    def __repr__(self) -> str:
        # Part of cache keys: not to be changed.
        return f"Edges({self.dtype.str}, {self.raw.hex()})"


@dataclass(frozen=True)
class Bins:
    """The bins of a histogram: a number of them over a range, or their edges."""

    given: int | BinEdges
    range: Range | None

    @property
    def count(self) -> int:
        """The number of bins."""
        return self.given if isinstance(self.given, int) else self.given.values.size - 1

    @property
    def as_numpy(self) -> dict[str, Any]:
        """The keyword arguments of np.histogram."""
        if isinstance(self.given, BinEdges):
            return {"bins": self.given.values}
        return {"bins": self.given, "range": self.range}


@dataclass(frozen=True)
class Histogram(Aggregator):
    """Counts the values in each bin; over whole arrays only."""

    bins: Bins
    nbytes_each = 0

    @property
    def key(self) -> str:
        return f"histogram-1:{self.bins!r}"

    @property
    def nbytes_fixed(self) -> int:
        return COUNT.itemsize * self.bins.count

    def scratch_bytes(self, masked: bool) -> int:
        return RUN * 64 + 4 * self.nbytes_fixed

    def accumulator(self, layout: RunLayout, origin: tuple[int, ...]) -> HistogramAccumulator:
        return HistogramAccumulator(self, layout)

    def identity(self, shape: tuple[int, ...]) -> Partial:
        return (np.zeros(self.bins.count, COUNT),)


class HistogramAccumulator(Accumulator):
    """Counts the values of the runs of a block."""

    def __init__(self, aggregator: Histogram, layout: RunLayout) -> None:
        super().__init__(layout, skip=False)
        (self.table,) = aggregator.identity(())
        self.bins = aggregator.bins.as_numpy

    def add(self, part: RunValues) -> None:
        values = part.flat(self.skip)
        self.table += np.histogram(values.view(countable(values.dtype)), **self.bins)[0]

    def partial(self) -> Partial:
        return (self.table,)


@dataclass(frozen=True)
class HistogramCounts(Statistic):
    """The number of values in each bin, or their density."""

    dims: int
    """The number of axes of the values."""

    density: bool
    """Whether the result is the density."""

    edges: BinEdges
    """The edges of the bins."""

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.edges.values.size - 1,)

    def proceed(self, partial: Partial) -> Values:
        counts = partial[0]
        if self.density:
            with np.errstate(all="ignore"):
                counts = counts / np.diff(self.edges.values) / counts.sum()
        return counts.reshape((1,) * self.dims + self.shape)


@dataclass(frozen=True)
class HistogramOfRange(Statistic):
    """A histogram from the least value to the greatest, or its edges.

    The first pass finds these two values.
    """

    dims: int
    """The number of axes of the values."""

    count: int
    """The number of bins."""

    density: bool
    """Whether the result is the density."""

    edges: bool
    """Whether the result is the edges."""

    values_dtype: np.dtype[Any]
    """The dtype of the values."""

    @property
    def passes(self) -> int:
        return 1 if self.edges else 2

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.count + self.edges,)

    def proceed(self, partial: Partial) -> Values | Statistic:
        count, least, greatest = partial
        dtype = countable(self.values_dtype)
        ends = np.concatenate([least.reshape(-1), greatest.reshape(-1)]).view(dtype)
        if not count.any():
            ends = ends[:0]
        edges = np.histogram_bin_edges(ends, self.count)
        if self.edges:
            return edges.astype(self.dtype, copy=False).reshape((1,) * self.dims + self.shape)
        bins = Bins(self.count, (ends[0], ends[1]) if ends.size else (0, 1))
        aggregator = Histogram(bins)
        return HistogramCounts(
            self.dtype, False, aggregator, self.dims, self.density, BinEdges.of(edges)
        )


def countable(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype as which values are counted: integers for booleans, else their own."""
    return np.dtype(np.uint8) if dtype.kind == "b" else dtype
