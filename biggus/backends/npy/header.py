"""What a ``.npy`` file says of its values, and where they begin.

NumPy reads the header, of all versions of the format.  Python objects lie in such a
file as a pickle, which could run anything: it is refused, and never looked at.
"""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus.backends.pieces import one_line

if TYPE_CHECKING:
    from biggus.backends.descriptor import Descriptor

MARK = b"\x93NUMPY"

_VERSIONS = ((1, 0), (2, 0), (3, 0))
_LARGEST_HEADER = 2**20
"""Bytes of a header; a record of ten thousand fields needs fewer."""


class FileLayout(NamedTuple):
    """How values lie in a file."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    """Whether the first axis is the one whose values are neighbours, and that matters."""

    offset: int
    """Where they begin, in bytes."""

    @property
    def nbytes(self) -> int:
        """How many bytes they take."""
        return math.prod(self.shape) * self.dtype.itemsize


def layout_of(descriptor: Descriptor) -> FileLayout:
    """Return how the values of an open file lie.

    Raises
    ------
    ValueError
        If it is no ``.npy`` file, its header is damaged, its values are Python objects,
        or it ends before they do.
    OSError
        If it cannot be read.
    """
    size = descriptor.signature().size
    file = _Reading(descriptor, size)
    shape, fortran, dtype = _told(file)
    if dtype.hasobject:
        raise ValueError(
            f"its values, of dtype {dtype}, are Python objects, which lie there as a pickle: "
            "that could run anything, and is never read"
        )
    if math.prod(dtype.shape) == 1:
        dtype = dtype.base  # axes of one, which NumPy does away with
    shape = _possible(shape, dtype)
    layout = FileLayout(shape, dtype, bool(fortran) and len(shape) > 1, file.at)
    if size < layout.offset + layout.nbytes:
        raise ValueError(
            f"it is cut short: {layout.nbytes} bytes of values were to be there, "
            f"and {size - layout.offset} are"
        )
    return layout


class _Reading:
    """Reads an open file from its start on, as far as a header may reach."""

    def __init__(self, descriptor: Descriptor, size: int) -> None:
        self._descriptor = descriptor
        self._left = min(size, _LARGEST_HEADER)
        self.at = 0

    def read(self, n: int) -> bytes:
        """Return the next `n` bytes, or what is left of them."""
        out = bytearray(min(n, self._left))
        self._descriptor.read_into(memoryview(out), self.at)
        self.at += len(out)
        self._left -= len(out)
        return bytes(out)


def _possible(shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[int, ...]:
    """Return the shape of an array as ints, if there can be such an array."""
    problem = "" if dtype.subdtype is None else "the dtype adds axes"
    try:
        shape = np.broadcast_to(np.empty((), dtype), shape).shape
    except ValueError as error:
        problem = one_line(error)
    if problem:
        problem = f"there is no array of shape {shape} and dtype {dtype}: {problem}"
        raise ValueError(f"its header is damaged: {problem}")
    return shape


def _told(file: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read a header; it may be anything."""
    try:
        version = np.lib.format.read_magic(file)
    except ValueError:
        raise ValueError("it does not begin as a .npy file does") from None
    if version not in _VERSIONS:
        raise ValueError(f"it is of version {version} of the format, which NumPy does not know")
    try:
        if version == (1, 0):
            return np.lib.format.read_array_header_1_0(file, _LARGEST_HEADER)
        if version == (3, 0):
            file = _in_ascii(file)
        return np.lib.format.read_array_header_2_0(file, _LARGEST_HEADER)
    except Exception as error:  # what is there is parsed as Python, by `ast` and `tokenize`
        raise ValueError(f"its header is damaged or cut short: {one_line(error)}") from error


def _in_ascii(file: Any) -> io.BytesIO:
    """Return a header of version 3 as one of version 2, for which NumPy has a function.

    They differ in how they are encoded.  What is not ASCII is in the names of fields,
    and those are literals of Python.
    """
    length = int.from_bytes(file.read(4), "little")
    text = file.read(length)
    if len(text) < length:
        raise ValueError(f"{length} bytes were to be there, and {len(text)} are")
    escaped = text.decode("utf-8").encode("ascii", "backslashreplace")
    return io.BytesIO(len(escaped).to_bytes(4, "little") + escaped)
