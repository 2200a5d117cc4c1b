"""Variables that are shorter than their dimensions.

An unlimited dimension is as long as the longest of its variables.  The missing values of shorter
variables are their fill value, and are not stored.  The netCDF library (to 4.10.1) appends as many
fill values as it believes are missing to the stored values of a box.  So they are in wrong places
unless the short axis is the first that is longer than one; they are too few if several dimensions
are unlimited; and, until 4.9.3, they are too many with a stride.

So if the end of a variable is known, the library is asked for stored values only: `Ended`.  If
only the library knows it, it is asked for boxes that it reads correctly: `Unsure`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from biggus.backends.hdf5.direct import OpenForRead, Storage
from biggus.backends.strided import MOST_WASTE
from biggus.sources.base import Box, box_shape


class End(NamedTuple):
    """The end of a variable.

    Attributes
    ----------
    extent : tuple of int
        Its stored length along each axis.
    fill : ndarray or None
        The value beyond, an array of one element; None if it is as long as its dimensions.
    """

    extent: tuple[int, ...]
    fill: npt.NDArray[Any] | None

    def inside(self, box: Box) -> Box | None:
        """Return the stored part of a box; None if there is none."""
        inside = tuple(
            slice(s.start, min(s.stop, n), s.step) for s, n in zip(box, self.extent, strict=True)
        )
        return inside if all(s.start < s.stop for s in inside) else None


def end_of(variable: Callable[[], Any], shape: tuple[int, ...], extent: tuple[int, ...]) -> End:
    """Return the end of a variable of stored length `extent`, and the value beyond.

    The caller holds the lock.  `variable` returns the variable, with all automatic conversions
    off.  Its shape is given, for the library would look at all variables of its dimensions.
    """
    lacks = [n < length for n, length in zip(extent, shape, strict=True)]
    if not any(lacks) or 0 in shape:
        return End(extent, None)
    # The library returns a single value correctly, whatever its type.
    beyond = tuple(
        slice(n, n + 1, 1) if lacking else slice(0, 1, 1)
        for n, lacking in zip(extent, lacks, strict=True)
    )
    return End(extent, np.asarray(variable()[beyond]))


class Ended:
    """A netCDF4 variable whose end is known; the library gives values of `dtype`."""

    def __init__(self, variable: Any, end: End, dtype: np.dtype[Any]) -> None:
        self.variable = variable
        self.end = end
        self.dtype = dtype

    def __getitem__(self, box: Box) -> Any:
        inside = self.end.inside(box)
        if inside == box:
            return self.variable[box]
        values = np.empty(box_shape(box), self.dtype)
        values[...] = self.end.fill
        if inside is not None:
            values[_corner(inside)] = self.variable[inside]
        return values


class Lengthened(Storage):
    """The storage of a variable that is shorter than its dimensions.

    Parameters
    ----------
    stored : Storage
        The storage of the stored values.
    shape : tuple of int
        The lengths of its dimensions.
    end : End
        The end of the variable.
    """

    def __init__(self, stored: Storage, shape: tuple[int, ...], end: End) -> None:
        super().__init__(shape, stored.dtype)
        self.stored = stored
        self.end = end
        self.chunks = stored.chunks

    def read(
        self, box: Box, opening: OpenForRead, out: npt.NDArray[Any] | None = None
    ) -> npt.NDArray[Any]:
        inside = self.end.inside(box)
        if inside == box:
            return self.stored.read(box, opening, out)
        values = np.empty(box_shape(box), self.dtype) if out is None else out
        values[...] = self.end.fill
        if inside is not None:
            self.stored.read(inside, opening, values[_corner(inside)])
        return values

    def peak_bytes(self, box: Box) -> int:
        inside = self.end.inside(box)
        lacking = math.prod(box_shape(box))
        if inside is None:
            return lacking * self.dtype.itemsize
        lacking -= math.prod(box_shape(inside))
        return lacking * self.dtype.itemsize + self.stored.peak_bytes(inside)


def _corner(inside: Box) -> tuple[slice, ...]:
    return tuple(slice(0, n) for n in box_shape(inside))


class Unstrided:
    """A netCDF4 variable of strings or ragged rows; some libraries fail to read it with strides."""

    def __init__(self, variable: Any) -> None:
        self.variable = variable

    def __getitem__(self, box: Box) -> Any:
        counts = box_shape(box)
        strided = [axis for axis, n in enumerate(counts) if n > 1 and box[axis].step > 1]
        if math.prod(box[axis].step for axis in strided) > MOST_WASTE:
            values = np.empty(counts, object)
            for piece, where in _one_by_one(box, strided):
                values[where] = self[piece]
            return values
        # Not beyond the last wanted value: further values might be read wrongly.
        lasts = (s.start + (n - 1) * s.step for s, n in zip(box, counts, strict=True))
        runs = tuple(slice(s.start, last + 1, 1) for s, last in zip(box, lasts, strict=True))
        return self.variable[runs][tuple(slice(None, None, s.step) for s in box)]


class Unsure:
    """A netCDF4 variable whose end is unknown.

    The library correctly reads boxes that are longer than one along no unlimited axis; or along
    the last of them alone, without a stride, and along no axis before it.  So other boxes are read
    in such parts.

    Parameters
    ----------
    variable : netCDF4.Variable
        The variable, with all automatic conversions off.
    unlimited : sequence of int
        Its unlimited axes.
    dtype : dtype
        The dtype of the library's values.
    """

    def __init__(self, variable: Any, unlimited: Sequence[int], dtype: np.dtype[Any]) -> None:
        self.variable = variable
        self.unlimited = unlimited
        self.dtype = dtype

    def __getitem__(self, box: Box) -> Any:
        counts = box_shape(box)
        single_axes, last = self.unlimited, self.unlimited[-1]
        before = range(last)
        if box[last].step == 1 and _product(counts, before) < _product(counts, self.unlimited):
            single_axes = before
        if _product(counts, single_axes) == 1:
            return self.variable[box]
        values = np.empty(counts, self.dtype)
        for piece, where in _one_by_one(box, single_axes):
            values[where] = self.variable[piece]
        return values


def _one_by_one(box: Box, axes: Sequence[int]) -> Iterator[tuple[Box, Box]]:
    """Yield parts of a box with one index along some axes, and their place in the result."""
    counts = box_shape(box)
    for index in np.ndindex(*(counts[axis] for axis in axes)):
        piece, where = list(box), [slice(0, n) for n in counts]
        for axis, i in zip(axes, index, strict=True):
            start = box[axis].start + i * box[axis].step
            piece[axis], where[axis] = slice(start, start + 1, 1), slice(i, i + 1)
        yield tuple(piece), tuple(where)


def _product(counts: tuple[int, ...], axes: Iterable[int]) -> int:
    return math.prod(counts[axis] for axis in axes)
