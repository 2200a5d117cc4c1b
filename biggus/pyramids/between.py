"""The level between two others that just fills a screen with all of an array.

Levels halve, so of the one that fills a screen there are up to four elements a pixel: of a very
large array megabytes, each time that all of it is looked at.  One level more, of little more than
an element a pixel, costs next to nothing: it is made of a level that is there already.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from biggus.indexing.grid import Grid
from biggus.pyramids.blocks import EXACT_LEVELS
from biggus.sources import studying
from biggus.sources.base import box_shape, read
from biggus.sources.derived import DerivedSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.graph import Node
    from biggus.pyramids.layout import PyramidLayout
    from biggus.pyramids.overview import OverviewSource
    from biggus.sources.base import Box, Source, Values

SCREEN = (800, 1000)
"""Rows and columns of pixels, of a window of usual size."""

_FINER = 3
"""It is made of blocks of 8 to 15 elements a side of the level that many halvings finer than the
one that fills the screen: there are that many choices between two levels."""


def between_of(layout: PyramidLayout) -> tuple[int, int] | None:
    """Return of which level one more is made, and of how many elements a side.

    None if the array is not so large that this is a small part of the work, or a level just
    fills a screen already.

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
    """A level of blocks of some elements of another.

    Of means, weighed by how many elements each stands for; if some of those are missing, as if
    none were.
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
        values = np.ma.MaskedArray(np.empty(box_shape(box), self.dtype), mask=False, shrink=False)
        for part in Grid(box_shape(box), self._strip(box_shape(box))).parts(_all(box_shape(box))):
            values[part.chunk] = self._made(_moved(part.chunk, box))
        return values if self.masked else values.data

    def _strip(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Return the shape of what is made at once: of about a row of chunks of the level."""
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
        """Return the box of the other level that a box stands for."""
        found = list(box)
        for axis in self._axes:
            s, length = box[axis], self._level.shape[axis]
            found[axis] = slice(s.start * self._side, min(s.stop * self._side, length), 1)
        return tuple(found)

    def made_of(self, box: Box) -> list[Node]:
        """Return the parts of the array of which all that is read for a box is made."""
        return self._level.made_of(self._below(box))

    def validator(self, box: Box) -> bytes | None:
        """Return the states of all that is read for a box."""
        return self._level.validator(self._below(box))

    def revalidate(self, box: Box, validator: bytes) -> bytes | None:
        """Tell whether all that was read for a box is as it was."""
        return self._level.revalidate(self._below(box), validator)

    def peak_bytes(self, box: Box) -> int:
        """Return the most memory that a read of `box` takes: that of a strip, beside the result."""
        strip = tuple(
            slice(s.start, min(s.stop, s.start + n), 1)
            for s, n in zip(box, self._strip(box_shape(box)), strict=True)
        )
        below = self._below(strip)
        count = math.prod(box_shape(below))
        summed = self._level.reducer.averaging.peak_bytes(count, self.dtype.itemsize)
        return super().peak_bytes(box) + self._values.peak_bytes(below) + summed


def _all(shape: Sequence[int]) -> Box:
    return tuple(slice(0, n, 1) for n in shape)


def _moved(part: Box, box: Box) -> Box:
    pairs = zip(part, box, strict=True)
    return tuple(slice(a.start + b.start, a.stop + b.start, 1) for a, b in pairs)
