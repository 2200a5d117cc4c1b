"""Reading boxes of an uncompressed array in C order from bytes at an offset.

A contiguous box is read straight into the result.  Pieces that are near each other are read
together, with the bytes between them, which are dropped; pieces that are far apart are read
one by one.  Beside the result this takes at most `MOST_TOGETHER` bytes.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from biggus.codecs.scratch import scratch
from biggus.indexing.grid import Box, flat_range, strides_of

MOST_TOGETHER = 2**20
"""The most bytes of a read of which some are dropped."""

_FAR = 2**14
"""Bytes; reading over a smaller gap costs less than another read."""


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
    first, stop = flat_range(box, shape)
    itemsize = out.itemsize
    start, span = offset + first * itemsize, (stop - first) * itemsize
    if span == out.nbytes and out.flags.c_contiguous:
        stored.read_into(out.reshape(-1).view(np.uint8).data, start)
        return
    axis = next((i for i, n in enumerate(out.shape) if n > 1), None)
    if axis is not None:
        strides = strides_of(shape)
        pace = box[axis].step * strides[axis] * itemsize
        inner = span - (out.shape[axis] - 1) * pace
        together = 1
        if inner <= MOST_TOGETHER and pace - inner <= _FAR:
            together = 1 + (MOST_TOGETHER - inner) // pace
        if together == 1 and out.flags.c_contiguous and inner * out.shape[axis] == out.nbytes:
            data = out.reshape(-1).view(np.uint8).data
            for number in range(out.shape[axis]):
                row = data[number * inner : (number + 1) * inner]
                stored.read_into(row, start + number * pace)
            return
        if together < out.shape[axis]:
            _read_in_parts(stored, offset, shape, box, out, axis, together)
            return
    room = scratch("plain", span)
    stored.read_into(room.data, start)
    steps = [s.step * n * itemsize for s, n in zip(box, strides_of(shape), strict=True)]
    out[...] = np.ndarray(out.shape, out.dtype, room, 0, steps)


def _read_in_parts(
    stored: Bytes,
    offset: int,
    shape: tuple[int, ...],
    box: Box,
    out: npt.NDArray[Any],
    axis: int,
    together: int,
) -> None:
    """Read `together` indices along `axis` at a time."""
    s = box[axis]
    for done in range(0, out.shape[axis], together):
        start = s.start + done * s.step
        stop = min(s.stop, start + together * s.step)
        piece = (*box[:axis], slice(start, stop, s.step), *box[axis + 1 :])
        where = (*(slice(None),) * axis, slice(done, done + together))
        read_plain(stored, offset, shape, piece, out[where])
