"""The parts in which large uncompressed chunks are read."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from biggus.indexing.grid import DEFAULT_CHUNK_BYTES, Box, Chunks, default_chunks

LARGEST = 2 * DEFAULT_CHUNK_BYTES
"""The most bytes of an uncompressed chunk that is read as a whole."""


def is_all(box: Box, shape: tuple[int, ...]) -> bool:
    """Return whether a box selects all elements of an array of `shape`."""
    for s, n in zip(box, shape, strict=True):
        if s.start or s.stop != n or (s.step != 1 and n != 1):
            return False
    return True


def view_of(values: npt.NDArray[Any], box: Box) -> npt.NDArray[Any]:
    """Return a box of an array as an array, also of a zero-dimensional one."""
    key: Any = (*box, ...)
    view: npt.NDArray[Any] = values[key]
    return view


def finer_chunks(chunks: tuple[int, ...], shape: tuple[int, ...], itemsize: int) -> Chunks:
    """Return `chunks` cut into contiguous parts if they are large.

    Parameters
    ----------
    chunks, shape : tuple of int
        The shape of a chunk and of the array.
    itemsize : int
        The number of bytes of a value.

    Examples
    --------
    >>> finer_chunks((64, 1024, 1024), (100, 2048, 2048), 4)
    (1, 1024, 1024)
    """
    if math.prod(chunks) * itemsize <= LARGEST:
        return chunks
    parts = default_chunks(chunks, itemsize)
    return tuple(
        n if n == part else _cut(n, part, length)
        for n, part, length in zip(chunks, parts, shape, strict=True)
    )


def _cut(n: int, part: int, length: int) -> int | tuple[int, ...]:
    """Cut chunks of length `n` into parts of about `part`, aligned with the chunks' ends."""
    divisor = next(m for m in range(part, 0, -1) if n % m == 0)
    if 2 * divisor >= part:
        return divisor
    return cut_lengths([n] * -(-length // n), part, length)


def cut_lengths(lengths: Sequence[int], part: int, end: int) -> tuple[int, ...]:
    """Cut each of the chunks along an axis into parts, the last of which may be shorter.

    Examples
    --------
    >>> cut_lengths([5, 3], part=2, end=7)
    (2, 2, 1, 2)
    """
    starts = (0, *itertools.accumulate(lengths))
    return tuple(
        min(start + part, stop) - start
        for begin, chunk_end in itertools.pairwise(starts)
        for stop in (min(chunk_end, end),)
        for start in range(begin, stop, part)
    )
