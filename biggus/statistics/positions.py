"""The position of the least or the greatest value: the first in C order, if several are equal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.statistics.base import Accumulator, Aggregator, Statistic, owned
from biggus.statistics.combining import neutral
from biggus.statistics.layout import RUN, RunLayout
from biggus.support.indexable import indexable

if TYPE_CHECKING:
    from biggus.statistics.missing import RunValues
    from biggus.statistics.values import AnyArray, Partial

_INDEX = np.dtype(np.int64)


@dataclass(frozen=True)
class Positions(Aggregator):
    """Finds the position of an extreme along one axis, or in the flattened array.

    A partial is the value, and its position in the whole array; -1 if there is none.
    """

    greatest: bool
    """Whether it finds the greatest value."""

    dtype: np.dtype[Any]
    """The dtype of the values."""

    skip: bool
    """Whether NaN are missing values; otherwise the first NaN is the extreme."""

    axis: int | None
    """The axis; None for positions in the flattened array."""

    shape: tuple[int, ...]
    """The shape of the whole array, if `axis` is None; else ()."""

    placed = True

    @property
    def key(self) -> str:
        name = "greatest" if self.greatest else "least"
        return f"positions-1:{name}:{self.dtype.str}:{int(self.skip)}:{self.axis}:{self.shape}"

    @property
    def nbytes_each(self) -> int:
        return self.dtype.itemsize + _INDEX.itemsize

    def scratch_bytes(self, masked: bool) -> int:
        return RUN * (3 * self.dtype.itemsize + 32)

    def accumulator(self, layout: RunLayout, origin: tuple[int, ...]) -> PositionsAccumulator:
        return PositionsAccumulator(self, layout, origin)

    def merge(self, left: Partial, right: Partial) -> Partial:
        values, places = owned(left)
        right_values, right_places = right
        replaced = np.less(places, 0)
        both = np.nonzero(~replaced & (right_places >= 0))
        sides = (indexable(values)[both], indexable(right_values)[both])
        earlier = right_places[both] < places[both]
        replaced[both] = self._precedes(sides[1], sides[0], earlier)
        np.copyto(values, right_values, where=replaced)
        np.copyto(places, right_places, where=replaced)
        return values, places

    def _precedes(self, one: AnyArray, other: AnyArray, earlier: AnyArray) -> AnyArray:
        """Return where `one` is more extreme than `other`, or equal to it and earlier."""
        beyond = np.greater if self.greatest else np.less
        precedes = beyond(one, other) | (np.equal(one, other) & earlier)
        if self.dtype.kind not in "fcmM":
            return precedes.astype(bool)
        one_nan, other_nan = np.isnan(one), np.isnan(other)
        return (one_nan & (~other_nan | earlier)) | (~other_nan & precedes)

    def identity(self, shape: tuple[int, ...]) -> Partial:
        return np.zeros(shape, self.dtype), np.full(shape, -1, _INDEX)

    def first(self, values: AnyArray, invalid: AnyArray | None, axis: int) -> AnyArray:
        """Return the positions of the extremes along an axis, which is kept; -1 for none."""
        find = np.argmax if self.greatest else np.argmin
        positions: AnyArray
        if invalid is None:
            positions = find(values, axis=axis, keepdims=True)
            return positions
        if self.dtype.kind not in "biufcmMO":
            values = values.astype(object)
        fill = neutral("maximum" if self.greatest else "minimum", values.dtype)
        filled = values.copy()
        np.copyto(filled, fill, where=invalid)
        positions = find(filled, axis=axis, keepdims=True)
        lost = np.take_along_axis(invalid, positions, axis)
        if lost.any():
            # All valid values equal the fill value, or there are none.
            valid = ~invalid
            there = np.argmax(valid, axis=axis, keepdims=True)
            there[~valid.any(axis=axis, keepdims=True)] = -1
            positions = np.where(lost, there, positions)
        return positions


class PositionsAccumulator(Accumulator):
    """Finds the extremes of the runs of a block, and their positions."""

    def __init__(self, aggregator: Positions, layout: RunLayout, origin: tuple[int, ...]) -> None:
        super().__init__(layout, aggregator.skip)
        self.aggregator = aggregator
        self.origin = origin
        self.values = layout.empty(aggregator.dtype)
        self.places = layout.empty(_INDEX)
        self._each = list(zip(layout.each(self.values), layout.each(self.places), strict=True))

    def add(self, part: RunValues) -> None:
        present = part.masked(self.skip)
        values, invalid = present.values, present.invalid
        out, places = self._each[part.run.number]
        if not part.axes:
            out[...] = values
            places[...] = 0 if invalid is None else np.where(invalid, -1, 0)
            return
        (axis,) = part.axes
        positions = self.aggregator.first(values, invalid, axis)
        out[...] = np.take_along_axis(indexable(values), positions, axis)
        dim = axis if self.layout.order is None else self.layout.order[axis]
        places[...] = np.where(positions < 0, -1, positions + part.run.box[dim].start)

    def partial(self) -> Partial:
        values, places = self.values, self.places
        if self.layout.pieces > 1:
            lost = places < 0
            positions = self.aggregator.first(values, lost if lost.any() else None, 0)
            values = np.take_along_axis(indexable(values), positions, 0)
            values = values.astype(self.aggregator.dtype, copy=False)
            places = np.take_along_axis(places, positions, 0)
        shape = self.layout.shape
        return values.reshape(shape), self._in_whole(places.reshape(shape))

    def _in_whole(self, places: AnyArray) -> AnyArray:
        """Return positions in the whole array from those in the block."""
        if self.aggregator.axis is not None:
            positions = places + self.origin[self.aggregator.axis]
        else:
            indices = np.unravel_index(np.maximum(places, 0), self.layout.block)
            there = [index + start for index, start in zip(indices, self.origin, strict=True)]
            positions = np.ravel_multi_index(there, self.aggregator.shape)
        return np.where(places < 0, -1, positions)


@dataclass(frozen=True)
class Position(Statistic):
    """The position of an extreme."""

    def proceed(self, partial: Partial) -> AnyArray:
        places = partial[1]
        if self.aggregator.skip and (places < 0).any():  # type: ignore[attr-defined]
            raise ValueError("All-NaN slice encountered")
        # If all values are masked it is 0, as in np.ma.  A ufunc of a 0-d array returns a scalar.
        return np.asarray(np.maximum(places, 0), self.dtype)
