"""Fletcher's checksum as HDF5's filter 3 stores it, in four bytes after the data.

The data are big-endian 16-bit numbers.  The first sum is that of the numbers, the second that
of all intermediate values of the first, both modulo 65535.  In the second sum each number
counts as often as there are numbers from it to the end.  With the numbers in rows it follows
from the sums of rows and of columns, which NumPy computes with SIMD instructions.  Swapping
the bytes of a number multiplies it by 256 modulo 65535, so only the sums are swapped.

The definition is in the HDF5 file format specification; the algorithm is that
of J. Fletcher, "An Arithmetic Checksum for Serial Transmissions" (1982).
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

BYTES = 4
"""The bytes of a checksum."""

_MODULUS = 65535
_ROW = 4096
_MOST_ROWS = 2**16  # the sum of so many 16-bit numbers fits 32 bits


def fletcher32(data: Any) -> int:
    """Return the checksum of some bytes.

    Examples
    --------
    >>> hex(fletcher32(bytes([0, 1, 0, 2])))
    '0x40003'
    """
    source = np.frombuffer(data, np.uint8)
    even = source.size // 2 * 2
    words = source[:even].view(np.uint16)
    first = second = 0
    for start in range(0, words.size, _ROW * _MOST_ROWS):
        part = words[start : start + _ROW * _MOST_ROWS]
        once, often = _sums(part)
        second += part.size * first + often
        first += once
    if sys.byteorder == "little":
        first, second = 256 * first, 256 * second
    if even < source.size:  # as if a zero followed
        first += int(source[-1]) << 8
        second += first
    return _reduced(second) << 16 | _reduced(first)


def _sums(words: npt.NDArray[np.uint16]) -> tuple[int, int]:
    """Return the sum of the words, and that of the intermediate sums."""
    rows = words.size // _ROW
    table = words[: rows * _ROW].reshape(rows, _ROW)
    of_rows = table.sum(axis=1, dtype=np.uint32).tolist()
    of_columns = table.sum(axis=0, dtype=np.uint32).astype(np.uint64)
    tail = words[rows * _ROW :].astype(np.uint64)
    once = sum(of_rows) + int(tail.sum())
    often = int((tail * np.arange(tail.size, 0, -1, dtype=np.uint64)).sum())
    often += sum((words.size - row * _ROW) * total for row, total in enumerate(of_rows))
    often -= int((of_columns * np.arange(_ROW, dtype=np.uint64)).sum())
    return once, often


def _reduced(total: int) -> int:
    """Return the sum modulo 65535, as 65535 in place of 0 unless all numbers are zero."""
    return total % _MODULUS or (_MODULUS if total else 0)


def verified(data: Any) -> memoryview:
    """Return `data` without the checksum at its end, having verified it.

    HDF5 before 1.6.3 stored the two bytes of each half in the other order on little-endian
    machines; both orders are accepted, as by libhdf5.

    Raises
    ------
    ValueError
        If the checksum does not match.

    Examples
    --------
    >>> list(verified(bytes([0, 1, 0, 2, 3, 0, 4, 0])))
    [0, 1, 0, 2]
    """
    view = memoryview(data).cast("B")
    if len(view) < BYTES:
        raise ValueError("it is too short to hold a checksum: damaged")
    body, stored = view[:-BYTES], bytes(view[-BYTES:])
    computed = fletcher32(body).to_bytes(BYTES, "little")
    swapped = bytes((computed[1], computed[0], computed[3], computed[2]))
    if stored not in (computed, swapped):
        raise ValueError("its checksum (fletcher32) does not match: damaged")
    return body
