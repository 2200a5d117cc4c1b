"""`unique` and set functions: a pass over the data finds distinct values when they are called.

If there are too many for memory, sorted runs are written to files, and merged piece by piece when
the result is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from biggus.array import Array, implements
from biggus.engine.spill import Spilled
from biggus.errors import MemoryBudgetError
from biggus.functions.elementwise import as_array
from biggus.functions.joining import concatenate
from biggus.functions.nonzero import Finder, extract
from biggus.functions.reshaping import ravel, reshape
from biggus.functions.steps import FunctionStep
from biggus.graph import BlockPlace, Blockwise, Node, Reach
from biggus.options import format_bytes
from biggus.sources.base import Box, Values


class DistinctValues(NamedTuple):
    """Distinct values, with the index of the first occurrence, and the count, of each."""

    values: Any
    first: Any
    counts: Any

    @property
    def nbytes(self) -> int:
        """The number of bytes in memory."""
        return sum(one.nbytes for one in self)


def _merged(several: Sequence[DistinctValues], equal_nan: bool) -> DistinctValues:
    values, first, counts = (np.concatenate(parts) for parts in zip(*several, strict=True))
    order = np.argsort(first, kind="stable")  # of equal ones the first comes first
    each, places, inverse = np.unique(
        values[order], return_index=True, return_inverse=True, equal_nan=equal_nan
    )
    total = np.zeros(len(each), np.intp)
    np.add.at(total, inverse.reshape(-1), counts[order])
    return DistinctValues(each, first[order][places], total)


class _Distinct(Finder):
    """A pass over an array that finds its distinct values."""

    def __init__(self, array: Array, equal_nan: bool) -> None:
        if array.masked:
            raise TypeError(
                "unique of a lazy array whose values can be missing: "
                "call .masked_array() or .filled(...)"
            )
        self._equal_nan = equal_nan
        self._dtype = array.dtype
        nothing = np.empty(0, np.intp)
        self._unmerged = [DistinctValues(np.empty(0, array.dtype), nothing, nothing)]
        self._runs: list[DistinctValues] = []
        super().__init__(array, "unique")
        self._unmerged = [_merged(self._unmerged, equal_nan)]
        if self._runs and self._unmerged[0].values.size:
            self._put_down()
        self.known = None if self._runs else self._unmerged[0]
        """The distinct values, if they are in memory."""

    def find(self, box: Box, values: Values) -> None:
        each, first, counts = np.unique(
            values, return_index=True, return_counts=True, equal_nan=self._equal_nan
        )
        distinct = DistinctValues(each, self.places(box, first), counts)
        with self.adding:
            self._unmerged.append(distinct)
            if sum(one.nbytes for one in self._unmerged) > self.room:
                self._unmerged = [_merged(self._unmerged, self._equal_nan)]
                if self._unmerged[0].nbytes > self.room // 2:
                    self._put_down()

    def _put_down(self) -> None:
        [distinct] = self._unmerged
        if distinct.values.dtype.hasobject:
            raise MemoryBudgetError(
                f"unique finds more objects than fit into an eighth of the memory option, "
                f"{format_bytes(self.room)}: allow more, or cast them to strings of fixed length, "
                "with .astype"
            )
        self._runs.append(DistinctValues(*map(_spilled, distinct)))
        self._unmerged = [DistinctValues(*[one[:0] for one in distinct])]

    def result(self) -> DistinctValues:
        """Return the distinct values as lazy arrays."""
        found = (
            _of_runs(self._runs, self._equal_nan, self.room)
            if self.known is None
            else DistinctValues(*map(as_array, self.known))
        )
        return found._replace(values=found.values.astype(self._dtype))


def _spilled(values: Values) -> Node:
    spilled = Spilled(as_array(values).node)
    spilled.write((slice(0, len(values), 1),), values)
    return spilled.leaf()


def _merge_pieces(place: BlockPlace, *blocks: Values, equal_nan: bool) -> DistinctValues:
    """Return the distinct values of a piece of each run."""
    return _merged(
        [DistinctValues(*blocks[n : n + 3]) for n in range(0, len(blocks), 3)], equal_nan
    )


def _of_runs(runs: Sequence[DistinctValues], equal_nan: bool, room: int) -> DistinctValues:
    """Return the distinct values of runs; they are merged in pieces that fit into memory."""
    lines = [run.values.origin.mapped("r")[0] for run in runs]  # sorted values, in files
    size = max(1, room // (lines[0].itemsize + 16))
    step = max(1, size // (2 * len(lines)))
    samples = np.sort(np.concatenate([line[::step] for line in lines]))
    between = np.unique(samples[len(lines) :: len(lines)])
    cuts = [[0, *np.searchsorted(line, between).tolist(), len(line)] for line in lines]
    counts = []
    for number in range(len(between) + 1):
        parts = [line[cut[number] : cut[number + 1]] for line, cut in zip(lines, cuts, strict=True)]
        counts.append(np.unique(np.concatenate(parts), equal_nan=equal_nan).size)
    reaches = [[Reach(0, pieces=tuple(np.diff(cut).tolist()))] for cut in cuts for _ in range(3)]
    nodes = [node for run in runs for node in run]
    options = {"equal_nan": equal_nan}
    steps = [FunctionStep(_merge_pieces, node.dtype, options, n) for n, node in enumerate(runs[0])]
    columns = [Blockwise(step, nodes, reaches, (sum(counts),), (tuple(counts),)) for step in steps]
    return DistinctValues(*map(Array.from_node, columns))


@implements(np.unique)
def _unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
    sorted: bool = True,  # ignored: they always are
) -> Any:
    array = as_array(ar)
    if axis is not None:
        raise TypeError("unique along an axis of a lazy array: read it first, with .ndarray()")
    finder = _Distinct(array, equal_nan)
    distinct = finder.result()
    results: list[Any] = [distinct.values]
    if return_index:
        results.append(distinct.first)
    if return_inverse:
        results.append(_inverse(array, finder.known, equal_nan))
    if return_counts:
        results.append(distinct.counts)
    return results[0] if len(results) == 1 else tuple(results)


def _inverse(array: Array, distinct: DistinctValues | None, equal_nan: bool) -> Array:
    if distinct is None:
        raise MemoryBudgetError(
            "unique finds more values than fit into an eighth of the memory option, and then has "
            "no inverse: allow more, or do without"
        )
    values = distinct.values
    if not equal_nan and values.dtype.kind in "fcmM" and np.isnan(values[-1:]).any():
        raise TypeError("NaN that are unequal have no inverse: read it first, with .ndarray()")
    places: Any = np.searchsorted(values, array)
    return reshape(places, array.shape)


# Sets -----------------------------------------------------------------------------------------


class _Both(NamedTuple):
    """Two sets, and their union; its first indices are those in the concatenation of both."""

    sets: tuple[DistinctValues, DistinctValues]
    either: DistinctValues


def _both(ar1: Any, ar2: Any) -> _Both:
    first, second = [_Distinct(as_array(one), True).result() for one in (ar1, ar2)]
    # NaN of one set are not in the other.
    either = _Distinct(concatenate([first.values, second.values]), False).result()
    return _Both((first, second), either)


@implements(np.intersect1d)
def _intersect1d(
    ar1: Any,
    ar2: Any,
    assume_unique: bool = False,  # ignored
    return_indices: bool = False,
) -> Any:
    (first, second), either = _both(ar1, ar2)
    common = extract(either.counts == 2, either.values)
    if not return_indices:
        return common
    places = extract(either.counts == 2, either.first)
    others = np.searchsorted(second.values.ndarray(), common)
    return common, first.first[places], second.first[others]


@implements(np.setxor1d)
def _setxor1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    either = _both(ar1, ar2).either
    return extract(either.counts == 1, either.values)


@implements(np.setdiff1d)
def _setdiff1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    if assume_unique:  # then the order is kept
        return extract(np.isin(ravel(ar1), np.asarray(ar2), invert=True), ar1)
    (first, _), either = _both(ar1, ar2)
    alone = (either.counts == 1) & (either.first < first.values.size)
    return extract(alone, either.values).astype(first.values.dtype)
