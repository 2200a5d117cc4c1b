"""The contract of statistics: what accumulates, and what becomes of it.

A block of values becomes a `Partial`; two of them are merged into one; a
`Statistic` turns the last into the result, or into what is to be accumulated in
another pass over the data.  Nothing here knows where values come from, in which
order blocks are read, or how many there are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.statistics.layout import COUNT, RUN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.statistics.layout import RunLayout
    from biggus.statistics.missing import Present, RunValues
    from biggus.statistics.values import AnyArray, Partial, Values


@dataclass(frozen=True)
class Aggregator(ABC):
    """A way of accumulating values: blocks to partials, partials to one.

    Families are immutable, and equal if they accumulate in the same way.
    """

    @property
    @abstractmethod
    def key(self) -> str:
        """What names this accumulation, its parameters and its version in a store."""

    @property
    @abstractmethod
    def nbytes_each(self) -> int:
        """The bytes that a partial has for each position of the result."""

    @property
    def nbytes_fixed(self) -> int:
        """The bytes that a partial has besides, whatever the positions."""
        return 64

    @property
    def placed(self) -> bool:
        """Whether a partial depends on where its block lies in the whole array."""
        return False

    @abstractmethod
    def scratch_bytes(self, masked: bool) -> int:
        """Return the most bytes that a thread needs to accumulate a block, besides the partial.

        Parameters
        ----------
        masked : bool
            Whether values may be masked.
        """

    def run_length(self, plain: bool) -> int:
        """Return about how many elements it takes at once.

        Parameters
        ----------
        plain : bool
            Whether no value can be masked, and all are in the machine's byte order.
        """
        return RUN

    def of_singles(self, values: AnyArray) -> Partial | None:
        """Return the partial of a block of which no two values are reduced to one.

        It may share the memory of the values, and says then that it is not to be written to.
        None: there is no quicker way than to accumulate them.
        """
        return None

    @abstractmethod
    def accumulator(self, layout: RunLayout, origin: tuple[int, ...]) -> Accumulator:
        """Return what takes the runs of one block, and gives its partial."""

    @abstractmethod
    def merge(self, left: Partial, right: Partial) -> Partial:
        """Merge two partials of the same positions, of which `left` comes first.

        Deterministic.  The memory of `left`, where it can be written to, may become
        that of the result; `right` is left alone.
        """

    @abstractmethod
    def identity(self, shape: tuple[int, ...]) -> Partial:
        """Return the partial of no values.

        Parameters
        ----------
        shape : tuple of int
            Of the block, with the reduced axes at length one.
        """

    @property
    def holders(self) -> tuple[Aggregator, ...]:
        """Other aggregators that are often accumulated, and serve this one."""
        return ()

    def serves(self, other: Aggregator) -> bool:
        """Return whether a partial of this aggregator holds one of the other, to the bit."""
        return self == other

    def restrict(self, partial: Partial, other: Aggregator) -> Partial:
        """Return the partial of another aggregator that this one's holds.

        It may share memory with `partial`: restrict what has been merged, or merge
        one of the two only.
        """
        assert self.serves(other)
        return partial

    def joined(self, other: Aggregator) -> Aggregator | None:
        """Return an aggregator that serves this one and another for less; None if there is none."""
        return None

    @property
    def parts(self) -> tuple[Aggregator, ...]:
        """The aggregators whose partials, together, are one of this; each is kept on its own."""
        return (self,)

    def composed(self, partials: Sequence[Partial]) -> Partial:
        """Return the partial of this aggregator that those of its parts are."""
        (partial,) = partials
        return partial


class Accumulator(ABC):
    """What takes the runs of a block, in their order, and gives its partial.

    Parameters
    ----------
    layout : RunLayout
        That of the block.
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
        """Take a run."""

    @abstractmethod
    def partial(self) -> Partial:
        """Return what has been accumulated."""

    def counted(self, part: RunValues, present: Present) -> AnyArray | int:
        """Return how many values of a run are valid at each position, and remember it."""
        size = part.run.size
        invalid = present.invalid
        if invalid is None and (present.values.size == size or not self._whole):
            return size
        layout = self.layout
        if self._counts is None:
            self._counts = layout.empty(COUNT)
            self._counts[...] = layout.sizes
            self._counts_each = layout.each(self._counts)
        found = self._counts_each[part.run.number]
        if invalid is None:
            found[...] = present.values.size
        else:
            np.add.reduce(invalid, axis=part.axes, dtype=COUNT, keepdims=True, out=found)
            np.subtract(size, found, out=found)
        return found

    def counts(self) -> AnyArray:
        """Return how many values of each piece are valid: all positions, or one for all."""
        return self.layout.sizes if self._counts is None else self._counts

    def total(self) -> AnyArray:
        """Return how many values of all pieces are valid: at all positions, or one for all."""
        total: AnyArray
        counts = self._counts
        total = self.layout.total if counts is None else np.add.reduce(counts, axis=0)
        return total

    def shaped(self, results: AnyArray) -> AnyArray:
        """Return results of all pieces in the shape of the block, or one for all positions."""
        shape = self.layout.shape
        return results.reshape((1,) * len(shape) if results.size == 1 else shape)


@dataclass(frozen=True)
class Statistic(ABC):
    """What is made of the values along some axes: immutable, hashable, picklable.

    Made by :func:`biggus.statistics.statistic`.
    """

    dtype: np.dtype[Any]
    """Of the result."""

    masked: bool
    """Whether elements of the result can be missing."""

    aggregator: Aggregator
    """What is accumulated in the next pass over the data."""

    @property
    def shape(self) -> tuple[int, ...]:
        """What the result has at each position: ``()``, or ``(bins,)`` of a histogram."""
        return ()

    @property
    def passes(self) -> int:
        """How many passes over the data there are still to be, at most."""
        return 1

    @abstractmethod
    def proceed(self, partial: Partial) -> Values | Statistic:
        """Finish, or say what is to be accumulated next.

        Parameters
        ----------
        partial : Partial
            That of all values: blocks merged, or the identity if there are none.

        Returns
        -------
        ndarray or MaskedArray
            The result, with the reduced axes at length one and `shape` at the end;
            a MaskedArray if and only if `masked`.
        Statistic
            What needs another pass over all values, with a `aggregator` of its own.

        Raises
        ------
        ValueError
            Where NumPy raises it of such values.
        """


def owned(arrays: Sequence[AnyArray]) -> list[AnyArray]:
    """Return arrays that can be written to: copies of those that cannot."""
    return [array if array.flags.writeable else array.copy() for array in arrays]


def nbytes_of(aggregators: Sequence[Aggregator], positions: int) -> int:
    """Return the bytes that one partial of each aggregator has.

    Parameters
    ----------
    aggregators : sequence of Aggregator
        Those that are accumulated together.
    positions : int
        How many elements the result has.
    """
    return sum(
        aggregator.nbytes_fixed + positions * aggregator.nbytes_each for aggregator in aggregators
    )
