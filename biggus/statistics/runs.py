"""Accumulating a block: its runs, one after the other, go to all aggregators.

A run is a box of the layout's dims, each of which joins neighbouring axes of the block.  A range
of a dim is one box of these axes if it consists of whole rows, and several boxes otherwise.
"""

from __future__ import annotations

import itertools
import math
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from biggus.indexing.grid import box_shape
from biggus.sources.byte_order import native_order
from biggus.statistics.layout import LONG, Run, RunLayout, layout_of
from biggus.statistics.missing import RunValues
from biggus.statistics.scratch import aligned, scratch
from biggus.statistics.values import AnyArray, ComputedParts, Partial, ReadableRuns, Values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from biggus.statistics.base import Accumulator, Aggregator

_Box: TypeAlias = tuple[slice, ...]


@lru_cache(1024)
def _parts(layout: RunLayout, number: int) -> list[tuple[_Box, _Box]]:
    """Return the boxes of a block in the run with a number, each with its place in the run."""
    run = layout.runs[number]
    along = [
        [(box, slice(first, first + size)) for box, first, size in _boxes(lengths, s.start, s.stop)]
        for lengths, s in zip(layout.joined, run.box, strict=True)
    ]
    parts = []
    for pieces in itertools.product(*along):
        inner = iter(itertools.chain(*[box for box, _ in pieces]))
        box = tuple([slice(0, 1, 1) if n == 1 else next(inner) for n in layout.block])
        parts.append((box, tuple([place for _, place in pieces])))
    return parts


def _boxes(lengths: tuple[int, ...], start: int, stop: int) -> Iterator[tuple[_Box, int, int]]:
    """Yield the boxes of axes that make up a range of flat indices.

    Each comes with its first index, relative to `start`, and its number of elements.
    """
    inner = lengths[1:]
    row = math.prod(inner)
    at = start
    while at < stop:
        index, begin = divmod(at, row)
        if begin or stop - at < row:
            end = min(stop, (index + 1) * row)
            for box, first, size in _boxes(inner, begin, end - index * row):
                yield (slice(index, index + 1, 1), *box), at - start + first, size
        else:
            end = stop // row * row
            box = (slice(index, stop // row, 1), *[slice(0, n, 1) for n in inner])
            yield box, at - start, end - at
        at = end


_Taken: TypeAlias = "Callable[[RunLayout, Run], tuple[AnyArray, AnyArray | None]]"
"""A function that returns the values of a run, and where they are masked; None if none is."""


def partials(
    aggregators: Sequence[Aggregator],
    values: Values | ReadableRuns | ComputedParts,
    axes: tuple[int, ...],
    origin: tuple[int, ...],
    plain: bool = False,
) -> list[Partial]:
    """Return the partial result of a block of each of several aggregators.

    Together they take less time: those with the same runs use these while they are in the cache.

    Parameters
    ----------
    aggregators : sequence of Aggregator
    values : ndarray, MaskedArray, ReadableRuns or ComputedParts
        The block, in C order; it is not modified.  ReadableRuns are reduced along all axes.
    axes : tuple of int
        The reduced axes, ascending.
    origin : tuple of int
        The position of the block in the whole array.
    plain : bool
        Whether no value of the whole array can be masked, and all are in native byte order.  The
        length of runs, and so rounding, depends on it.
    """
    shape = values.shape
    if 0 in shape:
        shape = tuple([1 if axis in axes else n for axis, n in enumerate(shape)])
        return [aggregator.identity(shape) for aggregator in aggregators]
    if all(shape[axis] == 1 for axis in axes) and isinstance(values, ComputedParts):
        values = values.values()
    singles = _of_singles(aggregators, values, axes)
    remaining = [
        aggregator
        for aggregator, single in zip(aggregators, singles, strict=True)
        if single is None
    ]
    others = iter(_accumulated(remaining, values, axes, origin, plain) if remaining else ())
    return [next(others) if single is None else single for single in singles]


def runs_alike(aggregators: Sequence[Aggregator], plain: bool) -> bool:
    """Return whether all aggregators have the same runs, so that each run is computed once."""
    return len({aggregator.run_length(plain) for aggregator in aggregators}) == 1


def _accumulated(
    aggregators: Sequence[Aggregator],
    values: Values | ReadableRuns | ComputedParts,
    axes: tuple[int, ...],
    origin: tuple[int, ...],
    plain: bool,
) -> list[Partial]:
    shape = values.shape
    layouts = [layout_of(shape, axes, aggregator.run_length(plain)) for aggregator in aggregators]
    accumulators = [
        aggregator.accumulator(layout, origin)
        for aggregator, layout in zip(aggregators, layouts, strict=True)
    ]
    alike: dict[RunLayout, list[Accumulator]] = {}
    for accumulator in accumulators:
        alike.setdefault(accumulator.layout, []).append(accumulator)
    if isinstance(values, np.ndarray):
        values_of = _of_block(values)
    else:
        values_of = _of_parts(values) if isinstance(values, ComputedParts) else _of_stream(values)
    # Overflow and NaN show in the result.
    with np.errstate(all="ignore"):
        for layout, run in _in_turn(tuple(alike)):
            part = RunValues(run, layout.axes, *values_of(layout, run))
            for accumulator in alike[layout]:
                accumulator.add(part)
        return [accumulator.partial() for accumulator in accumulators]


def _of_singles(
    aggregators: Sequence[Aggregator],
    values: Values | ReadableRuns | ComputedParts,
    axes: tuple[int, ...],
) -> list[Partial | None]:
    """Return partials of a block without missing values whose reduced axes have length one."""
    none: list[Partial | None] = [None] * len(aggregators)
    if not isinstance(values, np.ndarray) or any(values.shape[axis] > 1 for axis in axes):
        return none
    mask = np.ma.getmask(values)
    if mask is not np.ma.nomask and mask.any():
        return none
    return [aggregator.of_singles(np.ma.getdata(values)) for aggregator in aggregators]


@lru_cache(64)
def _in_turn(layouts: tuple[RunLayout, ...]) -> list[tuple[RunLayout, Run]]:
    """Return the runs of all layouts, overlapping ones one after the other if possible."""
    turns = [(layout, run) for layout in layouts for run in layout.runs]
    if all(layout.flat for layout in layouts):
        # Long runs consist of short ones.
        turns.sort(key=lambda turn: turn[1].box[0].start)
    return turns


def _of_block(values: Values) -> _Taken:
    """Return a function that returns a run of a block in memory."""
    block = np.ascontiguousarray(np.ma.getdata(values))
    mask = np.ma.getmask(values)
    masked = None if mask is np.ma.nomask else np.ascontiguousarray(mask)

    def taken(layout: RunLayout, run: Run) -> tuple[AnyArray, AnyArray | None]:
        invalid = None
        if masked is not None:
            part = layout.part(masked.reshape(layout.lengths), run)
            invalid = part if part.any() else None
        run_values = layout.part(block.reshape(layout.lengths), run)
        return _native(run_values, layout.order is None), invalid

    return taken


def _of_parts(block: ComputedParts) -> _Taken:
    """Return a function that computes runs of a block, in scratch memory."""

    def taken(layout: RunLayout, run: Run) -> tuple[AnyArray, None]:
        values = scratch("computed", tuple([s.stop - s.start for s in run.box]), block.dtype)
        for box, place in _parts(layout, run.number):
            block.compute_into(values[place].reshape(box_shape(box)), box)
        turned = values if layout.order is None else values.transpose(layout.order)
        return _native(turned, layout.order is None), None

    return taken


def _of_stream(stream: ReadableRuns) -> _Taken:
    """Return a function that reads runs of a stream, in order.

    `LONG` elements are read at once, because each call waits for the interpreter.
    """
    size = math.prod(stream.shape)
    # No scratch memory: a source may compute statistics itself to provide its values.
    window = aligned(min(size, LONG) * stream.dtype.itemsize).view(stream.dtype)
    begin = end = 0

    def taken(_: RunLayout, run: Run) -> tuple[AnyArray, None]:
        nonlocal begin, end
        (place,) = run.box
        if place.start >= end:
            begin, end = end, min(size, end + LONG)
            stream.read_into(begin, window[: end - begin])
        return _native(window[place.start - begin : place.stop - begin], True), None

    return taken


def _native(values: AnyArray, in_order: bool) -> AnyArray:
    """Return values in C order and native byte order; if need be, in scratch memory."""
    if in_order and values.dtype.isnative:
        return values
    native = scratch("values", values.shape, native_order(values.dtype))
    np.copyto(native, values)
    return native
