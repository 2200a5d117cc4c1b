"""Parsing the header of a ``.npy`` file, of any version of the format, by NumPy.

Files with Python objects are refused, for these are stored as a pickle, which could run any
code.
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
"""The largest header in bytes; a record of ten thousand fields needs fewer."""


class FileLayout(NamedTuple):
    """The layout of the values in a file."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    """Whether the values are in Fortran order, and not in C order too."""

    offset: int
    """The offset of the values in bytes."""

    @property
    def nbytes(self) -> int:
        """The number of bytes of the values."""
        return math.prod(self.shape) * self.dtype.itemsize


def layout_of(descriptor: Descriptor) -> FileLayout:
    """Return the layout of an open file.

    Raises
    ------
    ValueError
        If it is not a ``.npy`` file, its header is damaged, its values are Python objects, or it
        is cut short.
    OSError
        If it cannot be read.
    """
    size = descriptor.signature().size
    file = _Reading(descriptor, size)
    shape, fortran, dtype = _header(file)
    if dtype.hasobject:
        raise ValueError(
            f"its values, of dtype {dtype}, are Python objects, stored as a pickle, which could "
            "run any code and is never read"
        )
    if math.prod(dtype.shape) == 1:
        dtype = dtype.base  # NumPy drops axes of length one in a dtype
    shape = _possible(shape, dtype)
    layout = FileLayout(shape, dtype, bool(fortran) and len(shape) > 1, file.at)
    if size < layout.offset + layout.nbytes:
        raise ValueError(
            f"it is cut short: it has {size - layout.offset} of {layout.nbytes} bytes of values"
        )
    return layout


class _Reading:
    """Reads the header of an open file, from the start up to the largest size."""

    def __init__(self, descriptor: Descriptor, size: int) -> None:
        self._descriptor = descriptor
        self._left = min(size, _LARGEST_HEADER)
        self.at = 0

    def read(self, n: int) -> bytes:
        """Return the next `n` bytes, or as many as are left."""
        out = bytearray(min(n, self._left))
        self._descriptor.read_into(memoryview(out), self.at)
        self.at += len(out)
        self._left -= len(out)
        return bytes(out)


def _possible(shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[int, ...]:
    """Return a shape as ints, having checked that such an array is possible."""
    problem = "" if dtype.subdtype is None else "the dtype adds axes"
    try:
        shape = np.broadcast_to(np.empty((), dtype), shape).shape
    except ValueError as error:
        problem = one_line(error)
    if problem:
        problem = f"there is no array of shape {shape} and dtype {dtype}: {problem}"
        raise ValueError(f"its header is damaged: {problem}")
    return shape


def _header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read the header of any file: shape, whether in Fortran order, and dtype."""
    try:
        version = np.lib.format.read_magic(file)
    except ValueError:
        raise ValueError("it does not begin like a .npy file") from None
    if version not in _VERSIONS:
        raise ValueError(f"it has version {version} of the format, which NumPy does not know")
    try:
        if version == (1, 0):
            return np.lib.format.read_array_header_1_0(file, _LARGEST_HEADER)
        if version == (3, 0):
            file = _in_ascii(file)
        return np.lib.format.read_array_header_2_0(file, _LARGEST_HEADER)
    except Exception as error:  # NumPy parses the header by `ast` and `tokenize`
        raise ValueError(f"its header is damaged or cut short: {one_line(error)}") from error


def _in_ascii(file: Any) -> io.BytesIO:
    """Convert a header of version 3 to version 2, for which NumPy has a function.

    They differ in their text encoding.  Only the names of fields can have other characters than
    ASCII, and these are Python literals, in which they can be escaped.
    """
    length = int.from_bytes(file.read(4), "little")
    text = file.read(length)
    if len(text) < length:
        raise ValueError(f"it has {len(text)} of {length} bytes")
    escaped = text.decode("utf-8").encode("ascii", "backslashreplace")
    return io.BytesIO(len(escaped).to_bytes(4, "little") + escaped)
