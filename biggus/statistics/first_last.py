"""The first or the last value along an axis that is not missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.sources.byte_order import native_order
from biggus.statistics.base import Accumulator, Aggregator, Statistic, owned
from biggus.statistics.layout import COUNT, RUN, RunLayout
from biggus.statistics.results import Combined
from biggus.support.indexable import indexable

if TYPE_CHECKING:
    from biggus.statistics.makers import ArrayKind
    from biggus.statistics.missing import RunValues
    from biggus.statistics.values import AnyArray, Partial


@dataclass(frozen=True)
class FirstLast(Aggregator):
    """Finds the first or the last value.

    A partial is a count, 1 if there is a value and 0 if not, and the value.
    """

    last: bool
    dtype: np.dtype[Any]
    skip: bool
    """Whether NaN are missing values."""

    @property
    def key(self) -> str:
        return f"ends-1:{int(self.last)}:{self.dtype.str}:{int(self.skip)}"

    @property
    def nbytes_each(self) -> int:
        return COUNT.itemsize + self.dtype.itemsize

    def scratch_bytes(self, masked: bool) -> int:
        return RUN * (2 * self.dtype.itemsize + 16)

    def accumulator(self, layout: RunLayout, origin: tuple[int, ...]) -> FirstLastAccumulator:
        return FirstLastAccumulator(self, layout)

    def merge(self, left: Partial, right: Partial) -> Partial:
        there, values = owned(left)
        replaced = right[0] > 0 if self.last else there == 0
        np.copyto(values, right[1], where=replaced)
        return np.maximum(there, right[0]), values

    def identity(self, shape: tuple[int, ...]) -> Partial:
        values = np.zeros(shape, self.dtype)
        if self.dtype.kind in "fcmM":
            values[...] = np.nan if self.dtype.kind in "fc" else "NaT"
        return np.zeros(shape, COUNT), values


class FirstLastAccumulator(Accumulator):
    """Finds the first or last values of the runs of a block."""

    def __init__(self, aggregator: FirstLast, layout: RunLayout) -> None:
        super().__init__(layout, aggregator.skip)
        self.aggregator = aggregator
        self.entries = aggregator.identity((layout.pieces, *layout.kept))
        self._each = list(zip(*[layout.each(entry) for entry in self.entries], strict=True))

    def add(self, part: RunValues) -> None:
        present = part.masked(self.skip)
        there, values = self._each[part.run.number]
        ends, invalid = present.values, present.invalid
        for axis in part.axes:
            place = self._place(ends.shape[axis], invalid, axis)
            ends = np.take_along_axis(indexable(ends), place, axis)
            invalid = None if invalid is None else np.take_along_axis(invalid, place, axis)
        valid = True if invalid is None else ~invalid
        np.copyto(values, ends, where=valid)
        there[...] = valid

    def _place(self, length: int, invalid: AnyArray | None, axis: int) -> AnyArray:
        """Return the position along an axis of the first or last value that is not missing."""
        place: AnyArray
        if invalid is None:
            ndim = len(self.layout.lengths)
            place = np.full((1,) * ndim, length - 1 if self.aggregator.last else 0)
        elif self.aggregator.last:
            place = length - 1 - np.argmin(np.flip(invalid, axis), axis, keepdims=True)
        else:
            place = np.argmin(invalid, axis, keepdims=True)
        return place

    def partial(self) -> Partial:
        there, values = [entry[:1] for entry in self.entries]
        for piece in range(1, self.layout.pieces):
            other = tuple([entry[piece : piece + 1] for entry in self.entries])
            there, values = self.aggregator.merge((there, values), other)
        return there.reshape(self.layout.shape), values.reshape(self.layout.shape)


def ends(array: ArrayKind) -> Statistic:
    """Make `first` and `last`."""
    if len(array.axes) > 1:
        raise ValueError(f"{array.name} takes one axis, not {array.axes}")
    last = array.name.endswith("last")
    aggregator = FirstLast(last, native_order(array.dtype), array.skip)
    return Combined(array.dtype, array.masked, aggregator, array.length, 1.0)
