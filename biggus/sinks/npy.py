"""NumPy's own files."""

from __future__ import annotations

import errno
import math
import os
from typing import TYPE_CHECKING

import numpy as np

from biggus.errors import OutputError
from biggus.sinks.new import NewArray, NewStore

if TYPE_CHECKING:
    from pathlib import Path

    from biggus.engine import Writer
    from biggus.source import Box, Chunks, Values

_ZEROS = 2**20


class NpyStore(NewStore):
    """A new ``.npy`` file."""

    named = False
    marks = ""

    def create(self, new: NewArray) -> Writer:
        """Write the header, and take up the room for the values."""
        if new.dtype.hasobject:
            raise OutputError(f"a .npy file has no place for values of dtype {new.dtype}")
        header = {
            "descr": np.lib.format.dtype_to_descr(new.dtype),
            "fortran_order": False,
            "shape": new.shape,
        }
        with self.path.open("wb") as file:
            np.lib.format.write_array_header_2_0(file, header)
            file.flush()
            start = file.tell()
            _reserve(file.fileno(), start, math.prod(new.shape) * new.dtype.itemsize)
        return _Windows(self.path, start, new)

    def close(self) -> None:
        """Do nothing: no file is open."""


class _Windows:
    """Writes blocks through a map of the rows that they lie in.

    Not one map of the whole file: what has been written would count as
    memory of this process until the end.
    """

    grid: Chunks | None = None
    concurrent = True

    def __init__(self, path: Path, start: int, new: NewArray) -> None:
        self.shape = new.shape
        self._path = path
        self._start = start
        self._dtype = new.dtype
        self._plain = new.plain
        self._row = math.prod(new.shape[1:]) * new.dtype.itemsize

    def write(self, box: Box, values: Values) -> None:
        """Write a block where it belongs."""
        plain = self._plain(values)
        if not self._dtype.itemsize:
            return
        first = box[0].start if box else 0
        lengths = (box[0].stop - first, *self.shape[1:]) if box else ()
        window = np.memmap(self._path, self._dtype, "r+", self._start + first * self._row, lengths)
        window[(slice(None), *box[1:]) if box else ()] = plain


def _reserve(file: int, start: int, nbytes: int) -> None:
    """Take up room on the disk: where there is none, it is known now.

    A map of a file can only kill the process when the disk is full.
    """
    if not nbytes:
        return
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(file, start, nbytes)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                raise
        else:
            return
    os.lseek(file, start, os.SEEK_SET)
    zeros = bytes(min(nbytes, _ZEROS))
    while nbytes:
        nbytes -= os.write(file, zeros[:nbytes])
