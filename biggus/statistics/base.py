"""The base classes of statistics: aggregators, their accumulators, and statistics.

An `Aggregator` accumulates a block of values into a `Partial`, and merges two of these.  A
`Statistic` turns the last partial into the result, or into a statistic that is accumulated in
another pass over the data.  Nothing here depends on where values come from, in which order blocks
are read, or how many there are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from biggus.statistics.layout import COUNT, RUN, RunLayout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.statistics.missing import Present, RunValues
    from biggus.statistics.values import AnyArray, Partial, Values


@dataclass(frozen=True)
class Aggregator(ABC):
    """Accumulates blocks of values into partials, and merges these.

    Aggregators are immutable, and equal if they accumulate in the same way.
    """

    placed: ClassVar[bool] = False
    """Whether a partial depends on the place of its block in the whole array."""

    by_position: ClassVar[bool] = False
    """Whether each entry of a partial has one element for each position, or one for all; and
    several positions, not all axes reduced, are accumulated one like the other."""

    @property
    @abstractmethod
    def key(self) -> str:
        """A text that identifies the aggregator, its parameters and its version in a cache."""

    @property
    @abstractmethod
    def nbytes_each(self) -> int:
        """The bytes of a partial for each result position."""

    @property
    def nbytes_fixed(self) -> int:
        """The bytes of a partial besides these."""
        return 64

    @abstractmethod
    def scratch_bytes(self, masked: bool) -> int:
        """Return the most bytes that accumulating a block takes, besides the partial.

        Parameters
        ----------
        masked : bool
            Whether values may be masked.
        """

    def run_length(self, plain: bool) -> int:
        """Return about how many elements are accumulated at once.

        Parameters
        ----------
        plain : bool
            Whether no value can be masked, and all are in native byte order.
        """
        return RUN

    def of_singles(self, values: AnyArray) -> Partial | None:
        """Return the partial of a block in which the reduced axes have length one.

        It may be a read-only view of the values.  None if accumulating them is as quick.
        """
        return None

    @abstractmethod
    def accumulator(self, layout: RunLayout, origin: tuple[int, ...]) -> Accumulator:
        """Return the accumulator of a block, which starts at `origin` in the whole array."""

    def merge(self, left: Partial, right: Partial) -> Partial:
        """Return the merge of two partials of the same positions; `left` comes first.

        By default, entries are added.  It is deterministic.  The memory of `left`, if writable,
        may be used for the result; `right` is not modified.
        """
        pairs = zip(owned(left), right, strict=True)
        return tuple([np.add(one, other, out=one) for one, other in pairs])

    @abstractmethod
    def identity(self, shape: tuple[int, ...]) -> Partial:
        """Return the partial of no values.

        Parameters
        ----------
        shape : tuple of int
            The shape of the block, with the reduced axes at length one.
        """

    @property
    def holders(self) -> tuple[Aggregator, ...]:
        """Other aggregators that serve this one, and whose partials are likely to be cached."""
        return ()

    def serves(self, other: Aggregator) -> bool:
        """Return whether partials of this one contain the partials of another, to the bit."""
        return self == other

    def restrict(self, partial: Partial, other: Aggregator) -> Partial:
        """Return the partial of another aggregator, which this one serves.

        It may share memory with `partial`, so only one of the two may be merged afterwards.
        """
        assert self.serves(other)
        return partial

    def joined(self, other: Aggregator) -> Aggregator | None:
        """Return an aggregator that serves both at a lower cost; None if there is none."""
        return None

    @property
    def parts(self) -> tuple[Aggregator, ...]:
        """The aggregators whose partials make up a partial of this one; each is cached."""
        return (self,)

    def composed(self, partials: Sequence[Partial]) -> Partial:
        """Return the partial of this aggregator from the partials of its `parts`."""
        (partial,) = partials
        return partial


class Accumulator(ABC):
    """Takes the runs of a block, in order, and returns the partial of the block.

    Parameters
    ----------
    layout : RunLayout
        The layout of the block.
    skip : bool
        Whether NaN are missing values.
    """

    def __init__(self, layout: RunLayout, skip: bool) -> None:
        self.layout = layout
        self.skip = skip
        self._whole = len(layout.axes) == len(layout.lengths)
        self._counts: AnyArray | None = None
        self._counts_each: list[AnyArray] = []

    @abstractmethod
    def add(self, part: RunValues) -> None:
        """Accumulate a run."""

    @abstractmethod
    def partial(self) -> Partial:
        """Return the partial of all runs."""

    def counted(self, part: RunValues, present: Present) -> AnyArray | int:
        """Return the number of valid values of a run at each position, and remember it."""
        size = part.run.size
        invalid = present.invalid
        if invalid is None and (present.values.size == size or not self._whole):
            return size
        layout = self.layout
        if self._counts is None:
            self._counts = layout.empty(COUNT)
            self._counts[...] = layout.sizes
            self._counts_each = layout.each(self._counts)
        counts = self._counts_each[part.run.number]
        if invalid is None:
            counts[...] = present.values.size
        else:
            np.add.reduce(invalid, axis=part.axes, dtype=COUNT, keepdims=True, out=counts)
            np.subtract(size, counts, out=counts)
        return counts

    def counts(self) -> AnyArray:
        """Return the number of valid values of each piece: at each position, or one for all."""
        return self.layout.sizes if self._counts is None else self._counts

    def total(self) -> AnyArray:
        """Return the number of valid values of all pieces: at each position, or one for all."""
        total: AnyArray
        counts = self._counts
        total = self.layout.total if counts is None else np.add.reduce(counts, axis=0)
        return total

    def shaped(self, results: AnyArray) -> AnyArray:
        """Return results in the shape of the block; or with one element, if they have only one."""
        shape = self.layout.shape
        return results.reshape((1,) * len(shape) if results.size == 1 else shape)


@dataclass(frozen=True)
class Statistic(ABC):
    """A statistic of the values along some axes: immutable, hashable, picklable.

    Made by :func:`biggus.statistics.statistic`.
    """

    dtype: np.dtype[Any]
    """The dtype of the result."""

    masked: bool
    """Whether elements of the result can be missing."""

    aggregator: Aggregator
    """The aggregator of the next pass over the data."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the result at each position: ``()``, or ``(bins,)`` of a histogram."""
        return ()

    @property
    def passes(self) -> int:
        """The most passes over the data that are still needed."""
        return 1

    @abstractmethod
    def proceed(self, partial: Partial) -> Values | Statistic:
        """Return the result, or the statistic to accumulate in another pass.

        Parameters
        ----------
        partial : Partial
            The partial of all values.

        Returns
        -------
        ndarray or MaskedArray
            The result, with the reduced axes at length one and `shape` at the end;
            a MaskedArray if and only if `masked`.
        Statistic
            A statistic with an `aggregator` of its own, which needs another pass over all values.

        Raises
        ------
        ValueError
            If NumPy raises it for such values.
        """


def owned(arrays: Sequence[AnyArray]) -> list[AnyArray]:
    """Return writable arrays: copies of those that are read-only."""
    return [array if array.flags.writeable else array.copy() for array in arrays]


def nbytes_of(aggregators: Sequence[Aggregator], positions: int) -> int:
    """Return the bytes of one partial of each aggregator, for a number of result positions."""
    return sum(
        aggregator.nbytes_fixed + positions * aggregator.nbytes_each for aggregator in aggregators
    )
