"""Reading boxes of an uncompressed array in C order from bytes at an offset.

A contiguous box is read straight into the result.  Pieces that are near each other are read
together, with the bytes between them, which are dropped; pieces that are far apart are read
one by one.  Beside the result this takes at most `MOST_TOGETHER` bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from biggus.codecs.scratch import scratch

if TYPE_CHECKING:
    from biggus.indexing.grid import Box

MOST_TOGETHER = 2**20
"""The most bytes of a read that spans gaps, whose bytes are dropped."""

_FAR = 2**14
"""The most bytes of a gap that is read, because another read would cost more."""


class Bytes(Protocol):
    """Bytes that can be read at any offset."""

    def read_into(self, out: memoryview, offset: int) -> None:
        """Fill `out`, a buffer, with the bytes at `offset`; raise OSError if they are missing."""


def read_plain(
    stored: Bytes,
    offset: int,
    shape: tuple[int, ...],
    box: Box,
    out: npt.NDArray[Any],
) -> None:
    """Read a box of an array of `shape` that lies at `offset` into `out`.

    Parameters
    ----------
    stored : Bytes
        The bytes that hold the array.
    offset : int
        The offset of the array, in bytes.
    shape : tuple of int
        The shape of the array.
    box : tuple of slice
        The box.
    out : ndarray
        Of the shape of the box and the dtype of the values.

    Raises
    ------
    OSError
        If the values cannot be read, or are missing.
    """
    start = offset
    span = stride = out.itemsize
    steps = []
    for n, s, count in zip(shape[::-1], box[::-1], out.shape[::-1], strict=True):
        start += s.start * stride
        step = s.step * stride
        span += (count - 1) * step
        steps.append(step)
        stride *= n
    steps.reverse()
    _read_spread(stored, start, span, steps, out)


def _read_spread(
    stored: Bytes, start: int, span: int, steps: list[int], out: npt.NDArray[Any]
) -> None:
    """Read values that lie `steps` bytes apart along each axis, within `span` bytes at `start`."""
    if span == out.nbytes and out.flags.c_contiguous:
        stored.read_into(out.reshape(-1).view(np.uint8).data, start)
        return
    axis = next((i for i, n in enumerate(out.shape) if n > 1), None)
    if axis is not None:
        count, pace = out.shape[axis], steps[axis]
        inner = span - (count - 1) * pace
        together = 1
        if inner <= MOST_TOGETHER and pace - inner <= _FAR:
            together = 1 + (MOST_TOGETHER - inner) // pace
        if together == 1 and out.flags.c_contiguous and inner * count == out.nbytes:
            data = out.reshape(-1).view(np.uint8).data
            for number in range(count):
                row = data[number * inner : (number + 1) * inner]
                stored.read_into(row, start + number * pace)
            return
        if together < count:
            before = (slice(None),) * axis
            for first in range(0, count, together):
                part = out[(*before, slice(first, first + together))]
                part_span = inner + (part.shape[axis] - 1) * pace
                _read_spread(stored, start + first * pace, part_span, steps, part)
            return
    room = scratch("plain", span)
    stored.read_into(room.data, start)
    out[...] = np.ndarray(out.shape, out.dtype, room, 0, steps)
