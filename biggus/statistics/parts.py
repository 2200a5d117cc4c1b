"""The boxes of a block that make up a run.

A run is a box of the layout's dims, each of which joins neighbouring axes of the block.  A range of
a dim is one box of these axes if it consists of whole rows, and several boxes otherwise.
"""

from __future__ import annotations

import itertools
import math
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from biggus.statistics.scratch import scratch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biggus.statistics.layout import Run, RunLayout
    from biggus.statistics.values import AnyArray, ComputedParts

_Box: TypeAlias = tuple[slice, ...]


def computed_run(block: ComputedParts, layout: RunLayout, run: Run) -> AnyArray:
    """Return the values of a run, with the layout's axes, in scratch memory."""
    found = scratch("computed", tuple([s.stop - s.start for s in run.box]), block.dtype)
    for box, place in _parts(layout, run.number):
        part = block[box]
        part.compute_into(found[place].reshape(part.shape))
    return found if layout.order is None else found.transpose(layout.order)


@lru_cache(1024)
def _parts(layout: RunLayout, number: int) -> list[tuple[_Box, _Box]]:
    """Return the boxes of a block in the run with a number, each with its place in the run."""
    run = layout.runs[number]
    along = [
        [(box, slice(first, first + size)) for box, first, size in _boxes(lengths, s.start, s.stop)]
        for lengths, s in zip(layout.joined, run.box, strict=True)
    ]
    found = []
    for pieces in itertools.product(*along):
        inner = iter(itertools.chain(*[box for box, _ in pieces]))
        box = tuple([slice(0, 1, 1) if n == 1 else next(inner) for n in layout.block])
        found.append((box, tuple([place for _, place in pieces])))
    return found


def _boxes(lengths: tuple[int, ...], start: int, stop: int) -> Iterator[tuple[_Box, int, int]]:
    """Yield the boxes of axes that make up a range of flat indices.

    Each comes with its first index, relative to `start`, and its number of elements.
    """
    rest = lengths[1:]
    row = math.prod(rest)
    at = start
    while at < stop:
        index, begin = divmod(at, row)
        if begin or stop - at < row:
            end = min(stop, (index + 1) * row)
            for box, first, size in _boxes(rest, begin, end - index * row):
                yield (slice(index, index + 1, 1), *box), at - start + first, size
        else:
            end = stop // row * row
            box = (slice(index, stop // row, 1), *[slice(0, n, 1) for n in rest])
            yield box, at - start, end - at
        at = end
