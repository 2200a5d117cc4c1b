"""Grids of chunks, and boxes: which chunks a box touches, and which part of each.

A grid has one :class:`Edges` for each axis, for the chunks of a source as for the tiles of a
mosaic.  A regular axis takes no memory for its pieces, and finds a piece in O(1); an irregular
one in O(log n).

Pure: knows no source and reads nothing.
"""

from __future__ import annotations

import itertools
import math
import operator
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Box: TypeAlias = tuple[slice, ...]
"""A full-rank tuple of in-bounds slices of positive step, all three fields given."""

Lengths: TypeAlias = int | tuple[int, ...]
"""The regular chunk length along an axis, or the lengths of all its chunks."""

Chunks: TypeAlias = tuple[Lengths, ...]
"""The lengths of the chunks along each axis."""

Index: TypeAlias = tuple[int, ...]
"""The number of a chunk, or the position of an element, along each axis."""

DEFAULT_CHUNK_BYTES = 4 * 2**20
"""The approximate size of chunks that biggus makes where a source has none."""


class Edges(ABC):
    """The edges at which an axis is cut into pieces; pieces may be empty."""

    __slots__ = ()

    length: int
    """The length of the axis."""

    count: int
    """The number of pieces."""

    offsets: Sequence[int]
    """Where each piece starts, and where the last stops."""

    @property
    def lengths(self) -> int | tuple[int, ...]:
        """The lengths of all pieces; or their one length, where only the last may be shorter."""
        return tuple(self._lengths())

    @property
    def longest(self) -> int:
        """The length of the longest piece; 0 if there is none."""
        return max(self._lengths(), default=0)

    def _lengths(self) -> Iterator[int]:
        return map(operator.sub, self.offsets[1:], self.offsets)

    def touching(self, s: slice) -> range:
        """Return the numbers of the pieces from the first to the last position of a slice."""
        return range(self.find(s.start), self.find(s.stop - 1) + 1)

    @abstractmethod
    def find(self, position: int) -> int:
        """Return the number of the piece that holds `position`."""

    @abstractmethod
    def find_all(self, positions: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """Return the numbers of the pieces that hold `positions`."""

    @abstractmethod
    def bounds(self, piece: int) -> tuple[int, int]:
        """Return where a piece starts and stops."""


@dataclass(slots=True, eq=False)
class RegularEdges(Edges):
    """Edges of pieces of one size; the last piece may be shorter.

    Examples
    --------
    >>> edges = RegularEdges(length=10, size=4)
    >>> edges.count, edges.find(9), edges.bounds(2)
    (3, 2, (8, 10))
    """

    length: int
    size: int

    @property
    def count(self) -> int:  # type: ignore[override]
        """The number of pieces."""
        return -(-self.length // self.size)

    @property
    def lengths(self) -> int:
        return self.size

    @property
    def longest(self) -> int:
        return min(self.size, self.length)

    @property
    def offsets(self) -> Sequence[int]:  # type: ignore[override]
        """Where each piece starts, and where the last stops."""
        return [*range(0, self.length, self.size), self.length]

    def find(self, position: int) -> int:
        return position // self.size

    def find_all(self, positions: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        return positions // self.size

    def bounds(self, piece: int) -> tuple[int, int]:
        start = piece * self.size
        stop = start + self.size
        return start, stop if stop < self.length else self.length  # noqa: FURB136 - quicker


class IrregularEdges(Edges):
    """Edges of pieces of any lengths, given by their offsets.

    Examples
    --------
    >>> edges = IrregularEdges.of_lengths([3, 0, 4])
    >>> edges.count, edges.find(3), edges.bounds(2)
    (3, 2, (3, 7))
    """

    __slots__ = ("_array", "offsets")

    def __init__(self, offsets: Sequence[int]) -> None:
        self.offsets = offsets
        self._array: npt.NDArray[Any] | None = None

    def __reduce__(self) -> tuple[type[IrregularEdges], tuple[Sequence[int]]]:
        return IrregularEdges, (self.offsets,)

    @classmethod
    def of_lengths(cls, lengths: Sequence[int]) -> IrregularEdges:
        """Make edges from the lengths of the pieces."""
        return cls([0, *itertools.accumulate(lengths)])

    @property
    def length(self) -> int:  # type: ignore[override]
        """The length of the axis."""
        return self.offsets[-1]

    @property
    def count(self) -> int:  # type: ignore[override]
        """The number of pieces."""
        return len(self.offsets) - 1

    def find(self, position: int) -> int:
        return bisect_right(self.offsets, position) - 1

    def find_all(self, positions: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        if self._array is None:  # once: there may be 2^18 offsets, and two positions
            self._array = np.asarray(self.offsets)
        numbers = np.searchsorted(self._array, positions, side="right") - 1
        return numbers.astype(np.intp, copy=False)

    def bounds(self, piece: int) -> tuple[int, int]:
        return self.offsets[piece], self.offsets[piece + 1]


def edges_of(length: int, chunks: int | Sequence[int]) -> Edges:
    """Return the edges of an axis from its chunk length or all its chunk lengths.

    Lengths that are all the same (the last may be shorter) become regular.
    """
    if isinstance(chunks, int):
        return RegularEdges(length, chunks)
    lengths = tuple(chunks)
    if lengths and 0 < lengths[-1] <= lengths[0] and all(n == lengths[0] for n in lengths[:-1]):
        return RegularEdges(length, lengths[0])
    return IrregularEdges.of_lengths(lengths)


class ChunkPart(NamedTuple):
    """The part of one chunk that a box wants."""

    number: Index
    """The number of the chunk along each axis."""

    chunk: Box
    """All of the chunk, in the coordinates of the array."""

    inner: Box
    """The wanted part, in the coordinates of the chunk."""

    outer: Box
    """Where that part goes, in the coordinates of the box's values."""


class Grid:
    """The chunks of an array.

    Parameters
    ----------
    shape : tuple of int
        The shape of the array.
    chunks : sequence
        For each axis the regular chunk length, or the lengths of all its chunks.

    Examples
    --------
    >>> grid = Grid((10, 10), (4, 10))
    >>> [part.number for part in grid.parts((slice(3, 9, 1), slice(0, 1, 1)))]
    [(0, 0), (1, 0), (2, 0)]
    """

    __slots__ = ("axes", "shape")

    def __init__(self, shape: tuple[int, ...], chunks: Sequence[int | Sequence[int]]) -> None:
        self.shape = shape
        self.axes = tuple(edges_of(n, c) for n, c in zip(shape, chunks, strict=True))

    @property
    def count(self) -> int:
        """The number of chunks."""
        return math.prod(axis.count for axis in self.axes)

    @property
    def lengths(self) -> tuple[int | tuple[int, ...], ...]:
        """For each axis the regular length, or all lengths, of the chunks."""
        return tuple([axis.lengths for axis in self.axes])

    @property
    def longest(self) -> tuple[int, ...]:
        """For each axis the length of the longest chunk."""
        return tuple([axis.longest for axis in self.axes])

    def chunk(self, index: Index) -> Box:
        """Return the box of the chunk of that number along each axis."""
        return tuple([slice(*axis.bounds(i), 1) for axis, i in zip(self.axes, index, strict=True)])

    def parts(self, box: Box) -> Iterator[ChunkPart]:
        """Yield the part of each chunk in which `box` has an element, in C order.

        Chunks that a stride steps over cost nothing.
        """
        per_axis = [axis_parts(axis, s) for axis, s in zip(self.axes, box, strict=True)]
        for combination in itertools.product(*per_axis):
            yield ChunkPart(*(zip(*combination, strict=True) if combination else ((),) * 4))

    def touching(self, box: Box) -> list[range]:
        """Return for each axis the numbers of the chunks from the first to the last of a box."""
        return [axis.touching(s) for axis, s in zip(self.axes, box, strict=True)]


def axis_parts(edges: Edges, s: slice) -> list[tuple[int, slice, slice, slice]]:
    """Return the entries of a `ChunkPart` along one axis, for each piece that a slice touches."""
    position, done, step = s.start, 0, s.step
    parts = []
    while position < s.stop:
        piece = edges.find(position)
        start, stop = edges.bounds(piece)
        last = min(stop, s.stop)
        n = -(-(last - position) // step)
        inner = slice(position - start, last - start, step)
        parts.append((piece, slice(start, stop, 1), inner, slice(done, done + n, 1)))
        done += n
        position += n * step
    return parts


def default_chunks(
    shape: tuple[int, ...], itemsize: int, target: int = DEFAULT_CHUNK_BYTES
) -> tuple[int, ...]:
    """Return the lengths of chunks of about `target` bytes, long along the last axes.

    The last axes are taken whole as long as they fit; the first that does
    not is cut, and those before it have length one.  The lengths follow from the
    shape and the item size alone.

    Examples
    --------
    >>> default_chunks((1000, 721, 1440), 4)
    (1, 721, 1440)
    >>> default_chunks((1000, 10, 10), 8, target=8000)
    (10, 10, 10)
    """
    chunks = [1] * len(shape)
    room = max(1, target // max(1, itemsize))
    for axis in reversed(range(len(shape))):
        chunks[axis] = max(1, min(shape[axis], room))
        room //= chunks[axis]
        if chunks[axis] < shape[axis]:
            break
    return tuple(chunks)


def strides_of(shape: tuple[int, ...]) -> list[int]:
    """Return the strides of a C-order array, in elements.

    Examples
    --------
    >>> strides_of((2, 3, 4))
    [12, 4, 1]
    """
    strides = list(itertools.accumulate(reversed(shape), operator.mul, initial=1))
    return strides[-2::-1]


def flat_range(box: Box, shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the flat index, in C order, of the first value of a box, and of the last plus one.

    Examples
    --------
    >>> flat_range((slice(1, 2, 1), slice(0, 4, 2)), (2, 4))
    (4, 7)
    """
    first = last = 0
    for s, n in zip(box, strides_of(shape), strict=True):
        first += s.start * n
        last += (s.start + (s.stop - 1 - s.start) // s.step * s.step) * n
    return first, last + 1


def box_shape(box: Box) -> tuple[int, ...]:
    """Return the shape of the values in `box`.

    Examples
    --------
    >>> box_shape((slice(0, 10, 3), slice(2, 4, 1)))
    (4, 2)
    """
    return tuple([len(range(s.start, s.stop, s.step)) for s in box])


def within(box: Box, outer: Box) -> Box:
    """Return a box relative to the start of another box, which holds it and has no strides.

    Examples
    --------
    >>> within((slice(12, 20, 3),), (slice(10, 30, 1),))
    (slice(2, 10, 3),)
    """
    pairs = zip(box, outer, strict=True)
    return tuple([slice(s.start - o.start, s.stop - o.start, s.step) for s, o in pairs])


def holds(outer: Box, inner: Box) -> bool:
    """Return whether a box without strides holds all of another."""
    pairs = zip(outer, inner, strict=True)
    return all(o.start <= i.start and i.stop <= o.stop for o, i in pairs)


def around(boxes: Iterable[Box]) -> Box:
    """Return the smallest box without strides that holds all of several.

    Examples
    --------
    >>> around([(slice(0, 2, 1),), (slice(6, 8, 1),)])
    (slice(0, 8, 1),)
    """
    axes = zip(*boxes, strict=True)
    return tuple([slice(min(s.start for s in a), max(s.stop for s in a), 1) for a in axes])


def whole(shape: tuple[int, ...]) -> Box:
    """Return the box that holds all of an array of `shape`."""
    return tuple(slice(0, n, 1) for n in shape)
