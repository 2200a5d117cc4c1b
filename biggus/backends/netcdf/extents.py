"""Variables that end before their dimensions do.

An unlimited dimension is as long as the longest of its variables.  What another
one lacks is its fill value, and is stored nowhere.  The netCDF library (to 4.10.1)
puts as many as it believes are missing behind what is stored of a box; so they
are in the wrong places unless the axis that ends is the first that is longer
than one, too few where several dimensions are unlimited, and too many, until
4.9.3, where there is a stride.

So it is asked for no more than is stored, where that is known: `Ended`.  Where
only the library can tell, it is asked for such boxes as come right: `Unsure`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus.backends.hdf5.direct import Storage
from biggus.backends.strided import MOST_WASTE
from biggus.sources.base import box_shape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import numpy.typing as npt

    from biggus.backends.hdf5.direct import OpenForRead
    from biggus.sources.base import Box


class End(NamedTuple):
    """Where a variable ends.

    Attributes
    ----------
    extent : tuple of int
        Along each axis.
    fill : ndarray or None
        What lies beyond, an array of one value; None if it ends where its dimensions do.
    """

    extent: tuple[int, ...]
    fill: npt.NDArray[Any] | None

    def inside(self, box: Box) -> Box | None:
        """Return what of a box is stored; None if nothing is."""
        inside = tuple(
            slice(s.start, min(s.stop, n), s.step) for s, n in zip(box, self.extent, strict=True)
        )
        return inside if all(s.start < s.stop for s in inside) else None


def end_of(variable: Callable[[], Any], shape: tuple[int, ...], extent: tuple[int, ...]) -> End:
    """Return where a variable of a shape ends, `extent`, and what lies beyond.

    The caller holds the lock; what `variable` gives has all its automatic conversions off.
    It is not asked for its shape, for which the library looks at all variables of its
    dimensions.
    """
    lacks = [n < length for n, length in zip(extent, shape, strict=True)]
    if not any(lacks) or 0 in shape:
        return End(extent, None)
    # Asked for one value alone the library gives the right one, whatever the type.
    beyond = tuple(
        slice(n, n + 1, 1) if lacking else slice(0, 1, 1)
        for n, lacking in zip(extent, lacks, strict=True)
    )
    return End(extent, np.asarray(variable()[beyond]))


class Ended:
    """A netCDF4 variable of which it is known where it ends; `dtype` is what it gives."""

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
    """The storage of a variable, and what lies beyond its end.

    Parameters
    ----------
    stored : Storage
        How it is stored, as far as it goes.
    shape : tuple of int
        The lengths of its dimensions.
    end : End
        Where it ends.
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
    """A netCDF4 variable of strings or ragged rows, which not all libraries read with strides."""

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
        # No further than the last one: what else is in a run might not come right.
        lasts = (s.start + (n - 1) * s.step for s, n in zip(box, counts, strict=True))
        runs = tuple(slice(s.start, last + 1, 1) for s, last in zip(box, lasts, strict=True))
        return self.variable[runs][tuple(slice(None, None, s.step) for s in box)]


class Unsure:
    """A netCDF4 variable of which it is not known where it ends.

    Boxes that come right are those that are longer than one along one unlimited
    axis at most, and it the last of them, without a stride, and along no axis before
    it.  What is read of one that may end there along a later axis is all that is stored
    of it, and for the rest the fill value, in whatever order.  So where nothing but the
    last value of all is at its end, it does not matter what is stored of that; and before
    that the variable does not end.

    Parameters
    ----------
    variable : netCDF4.Variable
        With all its automatic conversions off.
    unlimited : sequence of int
        Its unlimited axes.
    dtype : dtype
        What it gives.
    """

    def __init__(self, variable: Any, unlimited: Sequence[int], dtype: np.dtype[Any]) -> None:
        self.variable = variable
        self.unlimited = unlimited
        self.last = unlimited[-1]
        self.dtype = dtype

    def __getitem__(self, box: Box) -> Any:
        apart = self._apart(box)
        counts = box_shape(box)
        if all(counts[axis] == 1 for axis in apart):
            return self._read(box)
        values = np.empty(counts, self.dtype)
        for piece, where in _one_by_one(box, apart):
            values[where] = self._read(piece)
        return values

    def _apart(self, box: Box) -> Sequence[int]:
        """Return the axes along which indices are read one by one."""
        counts = box_shape(box)
        if counts[self.last] > 1 and box[self.last].step == 1:
            if self.dtype.kind in "iufS":
                return self.unlimited[:-1]
            before = range(self.last)  # other values are not compared
            if _product(counts, before) < _product(counts, self.unlimited):
                return before
        return self.unlimited

    def _read(self, box: Box) -> Any:
        """Read a box that is longer than one along the last of the unlimited axes alone."""
        counts = box_shape(box)
        if counts[self.last] == 1 or _product(counts, range(self.last)) == 1:
            return self.variable[box]
        # One value alone comes right.
        fill = self.variable[tuple(slice(s.stop - 1, s.stop, 1) for s in box)]
        extent = [s.stop for s in box]
        extent[self.last] = box[self.last].start + self._other_count(box, fill)
        return Ended(self.variable, End(tuple(extent), fill), self.dtype)[box]

    def _other_count(self, box: Box, fill: npt.NDArray[Any]) -> int:
        """Return up to where along the last unlimited axis there is another value than `fill`."""
        high, step, found = box_shape(box)[self.last], 1, False
        while high and step:
            first = max(0, high - step)
            if self._is_all(fill, self._part(box, first, high)):
                high = first
            else:
                found = True
            step = step // 2 if found else 2 * step
        return high

    def _is_all(self, fill: npt.NDArray[Any], box: Box) -> bool:
        """Tell whether a box holds nothing but one value, bit by bit."""
        bits = np.dtype(f"V{self.dtype.itemsize}")
        return bool((self.variable[box].view(bits) == fill.view(bits)).all())

    def _part(self, box: Box, first: int, stop: int) -> Box:
        start = box[self.last].start
        part = slice(start + first, start + stop, 1)
        return (*box[: self.last], part, *box[self.last + 1 :])


def _one_by_one(box: Box, axes: Sequence[int]) -> Iterator[tuple[Box, Box]]:
    """Yield parts of a box, of one index along each of some axes, and where they go."""
    counts = box_shape(box)
    for index in np.ndindex(*(counts[axis] for axis in axes)):
        piece, where = list(box), [slice(0, n) for n in counts]
        for axis, i in zip(axes, index, strict=True):
            start = box[axis].start + i * box[axis].step
            piece[axis], where[axis] = slice(start, start + 1, 1), slice(i, i + 1)
        yield tuple(piece), tuple(where)


def _product(counts: tuple[int, ...], axes: Iterable[int]) -> int:
    return math.prod(counts[axis] for axis in axes)
