"""Streams: the values in a box, in C order, one run after the other.

A computation that passes over a block once, such as a mean, needs no memory for all of it, and
finds each run in the processor's cache.
"""

from __future__ import annotations

import itertools
import math
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.indexing.grid import flat_range
from biggus.sources.base import Box, Source, Stream, box_shape, call, read

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from biggus.indexing.selection import Positions

SLAB = 2**18
"""About how many elements `Slabs` reads at once."""


class AnyOrderStream(Stream):
    """A stream whose runs may be read in any order, and some not at all.

    The argument `start` of `read_into` is the place of a run in the stream.
    """

    @abstractmethod
    def read_at_hand(self, starts: Positions, counts: Positions, out: npt.NDArray[Any]) -> bool:
        """Read several runs, one behind the other, if the system has them all in memory.

        Parameters
        ----------
        starts, counts : ndarray
            The place in the stream and the number of values of each run.
        out : ndarray
            One-dimensional, of the source's dtype, as long as all runs together.

        Returns
        -------
        bool
            Whether the values are in `out`; if not, `out` may hold anything.

        Raises
        ------
        SourceError
            If the values cannot be read, or have changed since the first were read.
        """


class Slabs(Stream):
    """A stream of any source, which reads boxes of a few rows each."""

    def __init__(self, source: Source, box: Box) -> None:
        super().__init__(source, box)
        self._source = source
        self._boxes = slabs(box, SLAB)
        self._left: npt.NDArray[Any] = np.empty(0, source.dtype)

    def read_into(self, start: int, out: npt.NDArray[Any]) -> None:
        done = 0
        while done < out.size:
            if not self._left.size:
                self._left = np.asarray(read(self._source, next(self._boxes))).reshape(-1)
            part = self._left[: out.size - done]
            out[done : done + part.size] = part
            self._left = self._left[part.size :]
            done += part.size


def streamed(source: Source, box: Box, shape: tuple[int, ...] | None = None) -> Stream:
    """Return a stream of the values in a box that is not empty.

    Parameters
    ----------
    source : Source
        A source that is not `masked`; it need not be one that `streams`.
    box : tuple of slice
        The box.
    shape : tuple of int, optional
        The shape of the values without axes that were indexed by integers; if not given, the
        shape of the box.

    Raises
    ------
    SourceError
        If the source cannot be read.
    """
    stream = call(source, box, source.stream, box)
    if stream is None:
        stream = Slabs(source, box)
    if shape is not None:
        stream.shape = shape
    return stream


def slabs(box: Box, most: int) -> Iterator[Box]:
    """Yield parts of a box in C order, of at most `most` elements each.

    Examples
    --------
    >>> list(slabs((slice(0, 3, 1), slice(2, 6, 2)), 4))
    [(slice(0, 2, 1), slice(2, 6, 2)), (slice(2, 3, 1), slice(2, 6, 2))]
    """
    shape = box_shape(box)
    axis = next((at for at in range(len(box)) if math.prod(shape[at + 1 :]) <= most), None)
    if axis is None:
        yield box
        return
    step = max(1, most // max(1, math.prod(shape[axis + 1 :])))
    outer = [[slice(i, i + 1, 1) for i in range(s.start, s.stop, s.step)] for s in box[:axis]]
    s = box[axis]
    cuts = [
        slice(start, min(s.stop, start + step * s.step), s.step)
        for start in range(s.start, s.stop, step * s.step)
    ]
    for place in itertools.product(*outer, cuts):
        yield (*place, *box[axis + 1 :])


def lies_flat(box: Box, shape: tuple[int, ...]) -> bool:
    """Return whether a box of an array in C order is contiguous.

    Examples
    --------
    >>> lies_flat((slice(1, 2, 1), slice(0, 2, 1), slice(0, 5, 1)), (4, 3, 5))
    True
    >>> lies_flat((slice(0, 2, 1), slice(0, 2, 1), slice(0, 5, 1)), (4, 3, 5))
    False
    """
    first, stop = flat_range(box, shape)
    return stop - first == math.prod(box_shape(box))
