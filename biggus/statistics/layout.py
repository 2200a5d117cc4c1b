"""Layouts: blocks are cut into runs, which fit a core's cache.

A pass over a block that does not fit the cache takes as long as reading it from memory, so a run
is accumulated completely before the next is taken.  A run has the reduced axes whole, if they fit;
otherwise the results of the pieces of a reduced axis are merged at the end of the block.  Runs
follow from the shape, the axes and the aggregator alone.  Aggregators that need no scratch memory
have longer runs: fewer calls leave other threads more of the interpreter's time.
"""

from __future__ import annotations

import itertools
import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from biggus.statistics.values import AnyArray

COUNT = np.dtype(np.int64)
"""The dtype of counts."""

RUN = 2**18
"""The elements of a run: two megabytes in float64."""

LONG = 4 * RUN
"""The elements of a run for aggregators that need no scratch memory, such as extremes."""

_ROW = 512
"""The fewest elements of a run along a last axis that is kept, as short rows are slow."""

SHORT = 16
"""A last axis shorter than this comes first in a run, as NumPy's inner loop is along the last."""


class Run(NamedTuple):
    """A part of a block that is accumulated at once."""

    box: tuple[slice, ...]
    """Its box in the block, in the layout's dims."""

    place: tuple[int | slice, ...]
    """The index of its results: the number of the piece, and slices of the layout's dims."""

    size: int
    """The number of its elements that are reduced to one."""

    number: int
    """Its number in the layout."""


class RunLayout:
    """The runs of blocks of one shape, reduced along the same axes.

    Neighbouring axes that are both reduced, or both kept, are joined into one *dim*; so dims are
    alternately kept and reduced.

    Parameters
    ----------
    shape : tuple of int
        The shape of the block; no length is 0.
    axes : tuple of int
        The reduced axes.
    run : int
        About the number of elements of a run.

    Examples
    --------
    >>> layout = RunLayout((24, 181, 360), (0,))
    >>> layout.lengths, layout.axes, layout.runs[0].box
    ((24, 65160), (0,), (slice(0, 24, None), slice(0, 10922, None)))
    """

    def __init__(self, shape: tuple[int, ...], axes: tuple[int, ...], run: int = RUN) -> None:
        self.block = shape
        self.shape = tuple([1 if axis in axes else n for axis, n in enumerate(shape)])
        self.joined, reduced = _joined(shape, axes)
        """For each dim the lengths of the axes that it joins, without axes of length 1."""
        lengths = tuple([math.prod(each) for each in self.joined])
        self.lengths = lengths
        self.order: tuple[int, ...] | None = None
        """The order of the dims in a run; None if they are not transposed."""
        dims = list(range(len(lengths)))
        if len(lengths) > 1 and lengths[-1] < SHORT:
            dims = [dims[-1], *dims[:-1]]
            self.order = tuple(dims)
            run = RUN  # these are copied
        self.axes = tuple([place for place, dim in enumerate(dims) if reduced[dim]])
        """The reduced axes of a run."""
        cuts = [
            [slice(a, min(a + step, n)) for a in range(0, n, step)]
            for n, step in zip(lengths, _steps(lengths, reduced, run), strict=True)
        ]
        self.runs = _runs(cuts, reduced)
        self.pieces = math.prod(len(c) for c, r in zip(cuts, reduced, strict=True) if r)
        """The number of parts into which the elements of a result position are cut."""
        self.flat = len(lengths) == 1 and all(reduced)
        """Whether all elements are reduced to one."""
        self.kept = tuple([1 if r else n for n, r in zip(lengths, reduced, strict=True)])
        self.size = math.prod(n for n, r in zip(lengths, reduced, strict=True) if r)
        """The number of elements that are reduced to one."""
        self.sizes = np.empty((self.pieces,) + (1,) * len(lengths), np.int64)
        """The number for each piece."""
        for each in self.runs:
            self.sizes[each.place[0]] = each.size
        self.total = np.add.reduce(self.sizes, axis=0)
        """The number for all pieces, as an array."""
        self.sizes.flags.writeable = self.total.flags.writeable = False

    def empty(self, dtype: np.dtype[Any]) -> AnyArray:
        """Return an uninitialized array for the results of each piece at each position."""
        return np.empty((self.pieces, *self.kept), dtype)

    def each(self, results: AnyArray) -> list[AnyArray]:
        """Return the part of `results` for each run, its axes as in the run."""
        if len(self.runs) == self.pieces:  # each run has all positions
            parts = list(results)
        else:
            parts = [results[run.place] for run in self.runs]
        return parts if self.order is None else [part.transpose(self.order) for part in parts]

    def part(self, block: AnyArray, run: Run) -> AnyArray:
        """Return a run of a block that has been reshaped to the dims."""
        part = block[run.box]
        return part if self.order is None else part.transpose(self.order)


@lru_cache(64)
def layout_of(shape: tuple[int, ...], axes: tuple[int, ...], run: int) -> RunLayout:
    """Return the layout of blocks of a shape; blocks of one array mostly have the same."""
    return RunLayout(shape, axes, run)


def _joined(
    shape: tuple[int, ...], axes: tuple[int, ...]
) -> tuple[tuple[tuple[int, ...], ...], tuple[bool, ...]]:
    """Return for each dim the lengths of the axes that it joins, and which dims are reduced."""
    lengths: list[tuple[int, ...]] = []
    reduced: list[bool] = []
    for axis, n in enumerate(shape):
        if n == 1:
            continue
        if reduced and reduced[-1] == (axis in axes):
            lengths[-1] += (n,)
        else:
            lengths.append((n,))
            reduced.append(axis in axes)
    return (tuple(lengths), tuple(reduced)) if lengths else (((),), (False,))


def _steps(lengths: tuple[int, ...], reduced: tuple[bool, ...], run: int) -> list[int]:
    """Return the lengths of a run: as much of the reduced dims as fits, then of the others."""
    steps = [1] * len(lengths)
    if not reduced[-1]:
        steps[-1] = min(lengths[-1], _ROW)
    size = steps[-1]
    dims = list(reversed(range(len(lengths))))
    for dim in [d for d in dims if reduced[d]] + [d for d in dims if not reduced[d]]:
        size //= steps[dim]
        steps[dim] = max(1, min(lengths[dim], run // size))
        size *= steps[dim]
    return steps


def _runs(cuts: list[list[slice]], reduced: tuple[bool, ...]) -> tuple[Run, ...]:
    """Return all runs, in C order."""
    counts = [len(c) if r else 1 for c, r in zip(cuts, reduced, strict=True)]
    runs: list[Run] = []
    for numbers in itertools.product(*[range(len(c)) for c in cuts]):
        box = tuple([c[number] for c, number in zip(cuts, numbers, strict=True)])
        piece = 0
        size = 1
        for number, r, s, count in zip(numbers, reduced, box, counts, strict=True):
            if r:
                piece = piece * count + number
                size *= s.stop - s.start
        place = [slice(0, 1) if r else s for s, r in zip(box, reduced, strict=True)]
        runs.append(Run(box, (piece, *place), size, len(runs)))
    return tuple(runs)
