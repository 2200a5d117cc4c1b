"""An extra level between two others, which just fills a screen with the whole array.

Levels halve, so the one that fills a screen has up to four elements for each pixel: megabytes,
for a very large array, each time that all of it is shown.  An extra level of little more than one
element for each pixel costs next to nothing, as it is computed from an existing level.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from biggus.indexing.grid import Grid
from biggus.pyramids.blocks import EXACT_LEVELS
from biggus.sources import studying
from biggus.sources.base import Box, Source, Values, box_shape, read, whole
from biggus.sources.wrappers import DerivedSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.graph import Node
    from biggus.pyramids.layout import PyramidLayout
    from biggus.pyramids.overview import OverviewSource

SCREEN = (800, 1000)
"""The rows and columns of a window of usual size, in pixels."""

_FINER = 3
"""The extra level is computed from the level this many halvings finer than the one that fills
the screen, from blocks of 8 to 15 elements a side: so many sizes lie between two levels."""


def between_of(layout: PyramidLayout) -> tuple[int, int] | None:
    """Return the level that the extra one is computed from, and the side of its blocks.

    None if the array is so small that the extra level would be a large part of the work, or if
    a level just fills a screen already.

    Examples
    --------
    >>> from biggus.pyramids.layout import PyramidLayout
    >>> between_of(PyramidLayout.of((50_000, 100_000), (0, 1), None))
    (3, 12)
    >>> between_of(PyramidLayout.of((25_000, 50_000), (0, 1), None)) is None
    True
    """
    pairs = zip(layout.axes, SCREEN, strict=True)
    elements = max(layout.shape[axis] / pixels for axis, pixels in pairs)
    level = int(math.log2(max(1.0, elements))) - _FINER
    side = int(elements / 2**level) if level >= EXACT_LEVELS else 0
    return (level, side) if side > 1 << _FINER else None


class BetweenSource(DerivedSource):
    """A level of the averages of blocks of another level.

    Means are weighted by the number of elements that each covers, whether these are missing or
    not.
    """

    io_bound = False
    owns_data = True

    def __init__(self, level: OverviewSource, values: Source, side: int) -> None:
        self._level = level
        self._values = values
        self._side = side
        self._axes = level.reducer.layout.axes
        self.shape = tuple(
            -(-n // side) if axis in self._axes else n for axis, n in enumerate(level.shape)
        )
        self.dtype = level.dtype
        self.chunks = level.chunks
        self.masked = level.masked
        self.fill_value = level.fill_value
        self.name = f"{level.name}, {side} by {side}"
        self.remote = level.remote
        if level.token is not None:
            self.token = f"{level.token}|{side}"

    def __getitem__(self, box: Box) -> Values:
        shape = box_shape(box)
        values = np.ma.MaskedArray(np.empty(shape, self.dtype), mask=False, shrink=False)
        for part in Grid(shape, self._strip(shape)).parts(whole(shape)):
            values[part.chunk] = self._made(_moved(part.chunk, box))
        return values if self.masked else values.data

    def _strip(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Return the shape of the parts computed at once: of about a row of chunks of the level."""
        lengths = [max(1, n) if axis in self._axes else 1 for axis, n in enumerate(shape)]
        assert self.chunks is not None
        rows = self.chunks[self._axes[0]]
        assert isinstance(rows, int)
        lengths[self._axes[0]] = -(-rows // self._side)
        last = range(max(self._axes) + 1, len(lengths))
        for axis in last:
            lengths[axis] = max(1, shape[axis])
        return tuple(lengths)

    def _made(self, box: Box) -> Values:
        below, reducer = self._below(box), self._level.reducer
        sizes = reducer.layout.sizes(below, self._level.level)
        values = read(studying.to_read(self._values), below)
        return reducer.averaging.gathered(values, sizes, self._axes, self._side)

    def _below(self, box: Box) -> Box:
        """Return the box of the other level that a box covers."""
        slices = list(box)
        for axis in self._axes:
            s, length = box[axis], self._level.shape[axis]
            slices[axis] = slice(s.start * self._side, min(s.stop * self._side, length), 1)
        return tuple(slices)

    def made_of(self, box: Box) -> list[Node]:
        """Return the parts of the array that a box is computed from."""
        return self._level.made_of(self._below(box))

    def validator(self, box: Box) -> bytes | None:
        """Return the joined validators of all that is read for a box."""
        return self._level.validator(self._below(box))

    def revalidate(self, box: Box, validator: bytes) -> bytes | None:
        """Check whether all that was read for a box is still valid."""
        return self._level.revalidate(self._below(box), validator)

    def peak_bytes(self, box: Box) -> int:
        """Return the most memory that a read of `box` takes: that of a strip and the result."""
        strip = tuple(
            slice(s.start, min(s.stop, s.start + n), 1)
            for s, n in zip(box, self._strip(box_shape(box)), strict=True)
        )
        below = self._below(strip)
        count = math.prod(box_shape(below))
        summed = self._level.reducer.averaging.peak_bytes(count, self.dtype.itemsize)
        return super().peak_bytes(box) + self._values.peak_bytes(below) + summed


def _moved(part: Box, box: Box) -> Box:
    pairs = zip(part, box, strict=True)
    return tuple(slice(a.start + b.start, a.stop + b.start, 1) for a, b in pairs)
