"""How a block is cut into runs: parts that fit a core's cache.

Every pass over a block that does not fit the cache costs as much as reading
memory does; so all that is to be done to a run is done before the next is taken.
A run holds whole lengths of the reduced axes where they fit; otherwise what the
pieces of a reduced axis give is put together at the end of the block.  The runs
follow from the shape, the axes and the aggregator alone: one that writes nothing takes
several as one, for each call waits for the interpreter, of which there is one for all threads.
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
"""Elements of a run: two megabytes in float64."""

LONG = 4 * RUN
"""Elements of a run for those that need no memory of their own, such as the least value."""

_ROW = 512
"""Elements; of a last axis that is kept so many are taken at least: shorter rows cost calls."""

SHORT = 16
"""A last axis shorter than this comes first in a run: NumPy's inner loops run along the last."""


class Run(NamedTuple):
    """A part of a block."""

    box: tuple[slice, ...]
    """Where it lies in the block, in the layout's dims."""

    place: tuple[int | slice, ...]
    """Where its results lie: the number of the piece, and the layout's dims."""

    size: int
    """How many of its elements are reduced to one."""

    number: int
    """Which of the runs it is."""


class RunLayout:
    """The runs of blocks of one shape, reduced along the same axes.

    Neighbouring axes that are both reduced, or both kept, are taken as one: what
    is left are the *dims*, in turn kept and reduced.

    Parameters
    ----------
    shape : tuple of int
        Of the block; no length is 0.
    axes : tuple of int
        The reduced axes.
    run : int
        About how many elements a run has.

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
        """For each dim the lengths of the axes that it joins, which are not 1."""
        lengths = tuple([math.prod(each) for each in self.joined])
        self.lengths = lengths
        self.order: tuple[int, ...] | None = None
        """How the dims of a run are transposed; None if they are not."""
        dims = list(range(len(lengths)))
        if len(lengths) > 1 and lengths[-1] < SHORT:
            dims = [dims[-1], *dims[:-1]]
            self.order = tuple(dims)
            run = RUN  # these are copied
        self.axes = tuple([place for place, dim in enumerate(dims) if reduced[dim]])
        """Which axes of a run are reduced."""
        cuts = [
            [slice(a, min(a + step, n)) for a in range(0, n, step)]
            for n, step in zip(lengths, _steps(lengths, reduced, run), strict=True)
        ]
        self.runs = _runs(cuts, reduced)
        self.pieces = math.prod(len(c) for c, r in zip(cuts, reduced, strict=True) if r)
        """Into how many parts the reduced elements of a position are cut."""
        self.flat = len(lengths) == 1 and all(reduced)
        """Whether all elements are reduced to one."""
        self.kept = tuple([1 if r else n for n, r in zip(lengths, reduced, strict=True)])
        self.size = math.prod(n for n, r in zip(lengths, reduced, strict=True) if r)
        """How many elements are reduced to one."""
        self.sizes = np.empty((self.pieces,) + (1,) * len(lengths), np.int64)
        """The same for each piece."""
        for each in self.runs:
            self.sizes[each.place[0]] = each.size
        self.total = np.add.reduce(self.sizes, axis=0)
        """Of all pieces."""
        self.sizes.flags.writeable = self.total.flags.writeable = False

    def empty(self, dtype: np.dtype[Any]) -> AnyArray:
        """Return memory for what each piece gives at each position."""
        return np.empty((self.pieces, *self.kept), dtype)

    def each(self, results: AnyArray) -> list[AnyArray]:
        """Return the part of `results` for each run, its axes as in the run."""
        if len(self.runs) == self.pieces:  # each has all positions
            parts = list(results)
        else:
            parts = [results[run.place] for run in self.runs]
        return parts if self.order is None else [part.transpose(self.order) for part in parts]

    def part(self, block: AnyArray, run: Run) -> AnyArray:
        """Return a run of a block, which has been given the shape of the dims."""
        found = block[run.box]
        return found if self.order is None else found.transpose(self.order)


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
