"""Pictures: an array or a pyramid as an image with rows, columns and other axes."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from biggus.array import Array
from biggus.construct import ArrayAdapter
from biggus.pyramids import Pyramid
from biggus.pyramids.layout import CHANNELS, picture_axes
from biggus.pyramids.pyramid import attribution_of


@dataclass(frozen=True, eq=False)
class Plane:
    """One resolution of an image.

    Attributes
    ----------
    array : Array
        The array, of shape (rows, columns) or (rows, columns, 3 or 4).
    factors : tuple of float
        The number of rows and columns of the finest plane that an element covers.
    chunk_bytes : int
        The bytes of the largest chunk, which a read has to fetch as a whole; those of an
        element if there are no chunks.
    """

    array: Array
    factors: tuple[float, float]
    chunk_bytes: int


class Picture:
    """An array or a pyramid that is shown as an image.

    Parameters
    ----------
    shown : Array, Pyramid or anything that becomes an array
        The image, of at least two axes.  Rows and columns are those of a pyramid, or the last two
        axes of an array, before an axis of 1, 3 or 4 colours.  Along others one index is shown.
    levels : sequence of Array, optional
        The same image at coarser resolutions.

    Raises
    ------
    TypeError
        If the image has fewer axes, or `levels` are given for a pyramid.
    """

    def __init__(self, shown: Any, levels: Sequence[Any] | None = None) -> None:
        if isinstance(shown, Pyramid):
            if levels is not None:
                raise TypeError("a Pyramid has its own levels: `levels=` is for arrays")
            self.pyramid = shown
        else:
            self.pyramid = _pyramid_of(shown, levels)
        self.axes = self.pyramid.axes
        last = self.pyramid.ndim - 1
        self._channels = last not in self.axes and self.pyramid.shape[last] in CHANNELS
        image = {*self.axes, last} if self._channels else set(self.axes)
        self.others = tuple(axis for axis in range(last + 1) if axis not in image)

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of rows and columns of the finest level, and of colours if several."""
        rows, columns = (self.pyramid.shape[axis] for axis in self.axes)
        channels = self.pyramid.shape[-1] if self._channels else 1
        return (rows, columns) if channels == 1 else (rows, columns, channels)

    @property
    def coloured(self) -> bool:
        """Whether elements are colours instead of numbers."""
        return len(self.shape) == 3

    def normal_index(self, index: Any) -> tuple[int, ...]:
        """Return an index along the other axes with one non-negative number for each.

        Raises
        ------
        IndexError
            If the index is out of bounds, or has more numbers than there are other axes.
        """
        numbers = index if isinstance(index, tuple) else (index,)
        if len(numbers) > len(self.others):
            raise IndexError(
                f"{len(numbers)} indices for the {len(self.others)} axes that are not rows, "
                "columns or colours"
            )
        normal = []
        for axis, number in zip(self.others, map(operator.index, numbers), strict=False):
            length = self.pyramid.shape[axis]
            if not -length <= number < length:
                raise IndexError(f"index {number} is out of bounds for axis {axis} of {length}")
            normal.append(number % length)
        return (*normal, *(0 for _ in self.others[len(normal) :]))

    def planes(self, index: tuple[int, ...]) -> tuple[Plane, ...]:
        """Return the levels of the image at an index along the other axes, finest first."""
        return tuple(
            self._plane(level.array, level.factors, index) for level in self.pyramid.levels
        )

    def _plane(self, array: Array, factors: Sequence[float], index: tuple[int, ...]) -> Plane:
        key: list[Any] = [slice(None)] * array.ndim
        for axis, number in zip(self.others, index, strict=True):
            key[axis] = min(int(number / factors[axis]), array.shape[axis] - 1)
        rows, columns = self.axes
        if self._channels and not self.coloured:
            key[-1] = 0
        plane = array[tuple(key)]
        if rows > columns:
            plane = plane.transpose((1, 0, *range(2, plane.ndim)))
        return Plane(plane, (factors[rows], factors[columns]), _chunk_bytes(array))


def _pyramid_of(shown: Any, levels: Sequence[Any] | None) -> Pyramid:
    finest = shown if isinstance(shown, Array) else ArrayAdapter(shown)
    if finest.ndim < 2:
        raise TypeError(f"a picture has rows and columns, but the shape is {finest.shape}")
    coarser = (a if isinstance(a, Array) else ArrayAdapter(a) for a in levels or ())
    arrays = [finest, *coarser]
    levels_of = [(array, _factors(finest, array)) for array in arrays]
    return Pyramid(levels_of, picture_axes(finest.shape), attribution_of(finest))


def _factors(finest: Array, coarser: Array) -> tuple[float, ...]:
    """Return the coarsening factors of a level, whole numbers if they fit its shape."""
    if coarser.ndim != finest.ndim:
        raise TypeError(f"a level has {coarser.ndim} axes, but the array {finest.ndim}")
    factors = []
    for n, m in zip(finest.shape, coarser.shape, strict=True):
        nearest = max(1, round(n / max(1, m)))
        factors.append(float(nearest) if -(-n // nearest) == m else n / max(1, m))
    return tuple(factors)


def _chunk_bytes(array: Array) -> int:
    nbytes = array.itemsize
    for chunks in array.grid or ():
        nbytes *= chunks if isinstance(chunks, int) else max(chunks, default=1)
    return nbytes
