"""Statistics of groups: another statistic, computed for the values of each label.

A run is sorted by label.  The values of all labels that occur equally often become one block with
an axis of labels, which one call accumulates.  So any aggregator can be used, with its own
exactness, and many labels take few calls.  A partial has only the labels of its block.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.statistics.base import Accumulator, Aggregator, Statistic
from biggus.statistics.layout import RUN, SHORT, Run, RunLayout
from biggus.statistics.registry import ENTRIES
from biggus.statistics.runs import partials
from biggus.support.similar import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.statistics.makers import ArrayKind
    from biggus.statistics.missing import RunValues
    from biggus.statistics.values import AnyArray, Partial, Values

_NUMBER = np.dtype(np.intp)


class Groups:
    """The group of each position along the reduced axes: immutable, with equality by value.

    Parameters
    ----------
    numbers : ndarray of int
        The number of the group of each position, from 0; the number of labels for no group.
    axes : tuple of int
        The axes of the array that the axes of `numbers` are.
    labels : ndarray
        The label of each group, which has no part in equality.
    name : str, optional
        The name of the labels.
    """

    __slots__ = ("axes", "count", "digest", "labels", "name", "numbers")

    def __init__(
        self, numbers: AnyArray, axes: tuple[int, ...], labels: AnyArray, name: str = ""
    ) -> None:
        self.labels = labels
        self.name = name
        count = len(labels)
        # NumPy sorts short integers in linear time.
        self.numbers = np.ascontiguousarray(numbers, np.uint16 if count < 2**16 else _NUMBER)
        self.axes = axes
        self.count = count
        digest = hashlib.blake2b(f"{numbers.shape} {axes} {count}".encode(), digest_size=20)
        digest.update(self.numbers.tobytes())
        self.digest = digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Groups) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(self) -> Any:
        return Groups, (self.numbers, self.axes, self.labels, self.name)

    def of_block(self, layout: RunLayout, origin: tuple[int, ...]) -> AnyArray:
        """Return the numbers of a block, with the dims of the layout; kept ones have length one."""
        box = [slice(origin[axis], origin[axis] + layout.block[axis]) for axis in self.axes]
        reduced = [dim if layout.order is None else layout.order[dim] for dim in layout.axes]
        lengths = [n if dim in reduced else 1 for dim, n in enumerate(layout.lengths)]
        return self.numbers[tuple(box)].reshape(lengths)


@dataclass(frozen=True)
class Grouped(Aggregator):
    """Accumulates the values of each group with another aggregator.

    A partial is the numbers of the groups in the block, ascending, and the entries of the other's
    partial, with an axis of these groups first.
    """

    inner: Aggregator
    groups: Groups
    placed = True

    @property
    def key(self) -> str:
        return f"grouped-1:{self.groups.digest}:{self.inner.key}"

    @property
    def nbytes_each(self) -> int:
        return self.groups.count * self.inner.nbytes_each

    @property
    def nbytes_fixed(self) -> int:
        return self.inner.nbytes_fixed + self.groups.count * _NUMBER.itemsize

    def scratch_bytes(self, masked: bool) -> int:
        return 3 * self.inner.scratch_bytes(masked) + RUN * 4 * _NUMBER.itemsize

    def accumulator(self, layout: RunLayout, origin: tuple[int, ...]) -> GroupedAccumulator:
        return GroupedAccumulator(self, layout, origin)

    def identity(self, shape: tuple[int, ...]) -> Partial:
        return (np.empty(0, _NUMBER), *[entry[:0] for entry in self.nothing(1, shape)])

    def nothing(self, count: int, shape: tuple[int, ...]) -> list[AnyArray]:
        """Return the entries of a number of empty groups."""
        whole = (count, *shape)
        return [np.broadcast_to(entry, whole).copy() for entry in self.inner.identity(whole)]

    def merge(self, left: Partial, right: Partial) -> Partial:
        if np.array_equal(left[0], right[0]):
            return (left[0], *self.inner.merge(left[1:], right[1:]))
        # If both have a number, the left one comes first.
        tagged = np.concatenate([left[0] * 2, right[0] * 2 + 1])
        tagged.sort(kind="stable")  # in linear time, as both are sorted
        numbers, of_right = tagged >> 1, (tagged & 1).astype(bool)
        new = np.append(True, numbers[1:] != numbers[:-1])
        places, twice = np.cumsum(new) - 1, np.flatnonzero(~new)
        in_left, in_right = (np.cumsum(which)[twice] - 1 for which in (~of_right, of_right))
        merged = self.inner.merge(
            tuple([entry[in_left] for entry in left[1:]]),
            tuple([entry[in_right] for entry in right[1:]]),
        )
        numbers = numbers[new]
        entries = []
        for one, other, of_both in zip(left[1:], right[1:], merged, strict=True):
            entry = np.empty((len(numbers), *one.shape[1:]), one.dtype)
            entry[places[~of_right]] = one
            entry[places[of_right]] = other
            entry[places[twice]] = of_both
            entries.append(entry)
        return (numbers, *entries)

    def serves(self, other: Aggregator) -> bool:
        return (
            isinstance(other, Grouped)
            and other.groups == self.groups
            and self.inner.serves(other.inner)
        )

    def restrict(self, partial: Partial, other: Aggregator) -> Partial:
        assert isinstance(other, Grouped)
        return (partial[0], *self.inner.restrict(partial[1:], other.inner))

    def joined(self, other: Aggregator) -> Aggregator | None:
        if not isinstance(other, Grouped) or other.groups != self.groups:
            return None
        inner = self.inner.joined(other.inner)
        return None if inner is None else replace(self, inner=inner)

    @property
    def holders(self) -> tuple[Aggregator, ...]:
        return tuple([replace(self, inner=inner) for inner in self.inner.holders])

    @property
    def parts(self) -> tuple[Aggregator, ...]:
        return tuple([replace(self, inner=inner) for inner in self.inner.parts])

    def composed(self, partials: Sequence[Partial]) -> Partial:
        return (partials[0][0], *self.inner.composed([partial[1:] for partial in partials]))


class GroupedAccumulator(Accumulator):
    """Accumulates the runs of a block, group by group."""

    def __init__(self, aggregator: Grouped, layout: RunLayout, origin: tuple[int, ...]) -> None:
        super().__init__(layout, skip=False)
        self.aggregator = aggregator
        self._numbers = aggregator.groups.of_block(layout, origin)
        self._pieces: list[list[AnyArray]] = [[] for _ in range(layout.pieces)]
        self._sorted: tuple[int, _InGroups] | None = None

    def add(self, part: RunValues) -> None:
        present = part.masked(False)
        there = self._sorted_of(part.run)
        shape = present.values.shape
        lengths = [1 if axis in part.axes else n for axis, n in enumerate(shape)]
        # All blocks are taken first, because accumulating may use the scratch memory of the run.
        blocks = [
            (which, _taken(present.values, present.invalid, part.axes, places, len(which)))
            for which, places in there.together
        ]
        entries = self._entries(part.run, len(there.numbers), there.numbers)
        inner = self.aggregator.inner
        for which, block in blocks:
            partial = partials([inner], block, (1,), (0,) * block.ndim)[0]
            for entry, values in zip(entries, partial, strict=True):
                whole = np.broadcast_to(values, (len(which), 1, *block.shape[2:]))
                entry[which] = whole.reshape(len(which), *lengths)

    def _entries(self, run: Run, count: int, numbers: AnyArray) -> list[AnyArray]:
        """Return the entries of a run, with its order of dims, to be filled."""
        piece, *places = run.place
        assert isinstance(piece, int)
        if not self._pieces[piece]:
            kinds = self.aggregator.inner.identity(self.layout.shape[:0])
            shape = (count, *self.layout.kept)
            self._pieces[piece] = [numbers, *[np.empty(shape, each.dtype) for each in kinds]]
        order = self.layout.order
        entries = [entry[(slice(None), *places)] for entry in self._pieces[piece][1:]]
        if order is None:
            return entries
        return [entry.transpose(0, *[1 + dim for dim in order]) for entry in entries]

    def _sorted_of(self, run: Run) -> _InGroups:
        piece = run.place[0]
        assert isinstance(piece, int)
        if self._sorted is None or self._sorted[0] != piece:
            numbers = self._numbers[
                tuple(
                    [
                        slice(0, 1) if n == 1 else s
                        for n, s in zip(self._numbers.shape, run.box, strict=True)
                    ]
                )
            ]
            if self.layout.order is not None:
                numbers = numbers.transpose(self.layout.order)
            count = self.aggregator.groups.count
            self._sorted = piece, _InGroups(numbers.reshape(-1), count)
        return self._sorted[1]

    def partial(self) -> Partial:
        merged: Partial | None = None
        for numbers, *entries in self._pieces:
            shaped = [entry.reshape(len(numbers), *self.layout.shape) for entry in entries]
            piece = (numbers, *shaped)
            merged = piece if merged is None else self.aggregator.merge(merged, piece)
        assert merged is not None
        return merged


class _InGroups:
    """The positions of a run by group.

    Attributes
    ----------
    numbers : ndarray of int
        The numbers of the groups in the run, ascending.
    together : list of (ndarray of int, ndarray of int or slice)
        For each number of positions, the indices in `numbers` of the groups that have so many;
        and their positions, group by group.
    """

    def __init__(self, numbers: AnyArray, end: int) -> None:
        if numbers.dtype.itemsize == _NUMBER.itemsize:
            # NumPy sorts long integers much faster than it does a stable argsort.
            bits = len(numbers).bit_length()
            both = np.sort((numbers << bits) | np.arange(len(numbers)))
            order, in_order = both & ((1 << bits) - 1), both >> bits
        else:
            order = np.argsort(numbers, kind="stable")
            in_order = numbers[order].astype(_NUMBER)
        in_order = in_order[: np.searchsorted(in_order, end)]
        starts = np.flatnonzero(np.diff(in_order, prepend=-1))
        self.numbers = in_order[starts]
        counts = np.diff(starts, append=len(in_order))
        self.together = []
        for count in np.unique(counts):
            which = np.flatnonzero(counts == count)
            places: Any = order[(starts[which][:, None] + np.arange(count)).reshape(-1)]
            if (np.diff(places) == 1).all():
                places = slice(places[0], places[-1] + 1)
            self.together.append((which, places))


def _taken(
    values: AnyArray,
    invalid: AnyArray | None,
    axes: tuple[int, ...],
    places: AnyArray | slice,
    count: int,
) -> Values:
    """Return the values of groups of equal size, with axes: groups, values, and kept axes."""
    if invalid is not None:
        return np.ma.MaskedArray(
            _taken(values, None, axes, places, count), _taken(invalid, None, axes, places, count)
        )
    flat = np.moveaxis(values, axes, range(len(axes)))
    others = flat.shape[len(axes) :]
    rows = flat.reshape(-1, *others)
    if not isinstance(places, slice):
        taken: AnyArray = rows.take(places, axis=0)
    else:
        # Later, short rows are transposed into scratch memory, which may hold these values now.
        taken = rows[places] if others and others[-1] >= SHORT else rows[places].copy()
    return taken.reshape(count, -1, *others)


@dataclass(frozen=True)
class OfGroups(Statistic):
    """A statistic of each group, along a last axis of groups."""

    inner: Statistic
    groups: Groups

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.groups.count,)

    def proceed(self, partial: Partial) -> Values:
        numbers, *entries = partial
        assert isinstance(self.aggregator, Grouped)
        if len(numbers) < self.groups.count:
            some = entries
            entries = self.aggregator.nothing(self.groups.count, entries[0].shape[1:])
            for entry, values in zip(entries, some, strict=True):
                entry[numbers] = values
        results = self.inner.proceed(tuple(entries))
        assert not isinstance(results, Statistic)
        return np.moveaxis(results, 0, -1)


def grouped(array: ArrayKind, groups: Groups, func: str, **parameters: Any) -> Statistic:
    """Make a statistic of each group."""
    row = ENTRIES.get(func)
    if row is None:
        hint = did_you_mean(func, ENTRIES) or "; the statistics are mean, sum, max and their like"
        raise ValueError(f"there is no statistic {func!r}{hint}")
    inner = None
    if not row.ranked and row.name != array.name:
        # There is a value in each group, even if there are no groups.
        shape = tuple([n or int(axis in array.axes) for axis, n in enumerate(array.shape)])
        inner = row.make(array._replace(name=func, shape=shape), **parameters)
    if inner is None or inner.shape or inner.passes > 1 or inner.aggregator.placed:
        raise ValueError(f"{func!r} of groups cannot be computed in one pass")
    aggregator = Grouped(inner.aggregator, groups)
    return OfGroups(inner.dtype, inner.masked, aggregator, inner, groups)
