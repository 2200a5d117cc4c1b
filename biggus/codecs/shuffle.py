"""The byte shuffle: all first bytes of the elements, then all second ones, and so on.

HDF5's filter 2.  It is undone by merging planes in pairs: two planes of bytes to one of 16-bit
numbers, two of these to one of 32-bit numbers, and so on.  Each merge is a cast, a shift and
an or, for which NumPy uses SIMD instructions; copying byte by byte takes four times as long.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from biggus.codecs.scratch import scratch

_BLOCK_BYTES = 2**19
"""The bytes that are merged at a time: few enough to fit the processor's cache, and enough to keep
threads from contending for the GIL."""

_LEAST_BYTES = 2**13
"""Below this a transposed copy is faster than merging."""


def unshuffle(data: Any, width: int, out: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Undo the shuffle of elements of `width` bytes.

    Parameters
    ----------
    data : buffer
        The shuffled bytes; bytes at the end that do not fill an element are copied.
    width : int
        The number of bytes of an element.
    out : ndarray of uint8
        A contiguous array for the result, as long as `data` and no part of it.

    Returns
    -------
    ndarray of uint8
        `out`.

    Examples
    --------
    >>> unshuffle(b"acebdf!", 2, np.empty(7, "u1")).tobytes()
    b'abcdef!'
    """
    source = np.frombuffer(data, np.uint8)
    if source.size != out.size:
        raise ValueError(f"{source.size} shuffled bytes do not fill {out.size}")
    count = source.size // width if width > 0 else 0
    if width < 2 or count < 2:
        out[:] = source
        return out
    length = count * width
    planes = source[:length].reshape(width, count)
    target = out[:length]
    if length < _LEAST_BYTES:
        target.reshape(count, width)[...] = planes.T
    elif width in (2, 4, 8):
        _merge_all(planes, target.view(f"u{width}"))
    else:
        elements = target.reshape(count, width)
        for byte, plane in enumerate(planes):
            elements[:, byte] = plane
    out[length:] = source[length:]
    return out


def _merge_all(planes: npt.NDArray[np.uint8], out: npt.NDArray[Any]) -> None:
    """Merge planes of bytes, the lowest byte first, block by block."""
    width = out.itemsize
    if sys.byteorder == "big":
        planes = planes[::-1]
    block = _BLOCK_BYTES // width
    room = scratch("shuffle", 2 * _BLOCK_BYTES)
    for start in range(0, out.size, block):
        target = out[start : start + block]
        _merge(planes[:, start : start + block], target, room)


def _merge(planes: npt.NDArray[Any], out: npt.NDArray[Any], room: npt.NDArray[np.uint8]) -> None:
    """Merge planes of numbers into `out` in pairs; `room` is a buffer of twice its size."""
    low, high = planes[0], planes[1]
    half = len(planes) // 2
    if half > 1:
        nbytes = out.nbytes // 2
        kind = f"u{out.itemsize // 2}"
        low, high = room[:nbytes].view(kind), room[nbytes : 2 * nbytes].view(kind)
        _merge(planes[:half], low, room[2 * nbytes :])
        _merge(planes[half:], high, room[2 * nbytes :])
        room = room[2 * nbytes :]
    np.copyto(out, high)
    np.left_shift(out, 4 * out.itemsize, out=out)
    wide = room[: out.nbytes].view(out.dtype)
    np.copyto(wide, low)
    np.bitwise_or(out, wide, out=out)
