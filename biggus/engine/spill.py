"""Intermediate results, in memory or, if they are too large, spilled to temporary files.

A file is mapped only while a part of it is written or read, because mapped pages count as memory
of the process.
"""

from __future__ import annotations

import errno
import hashlib
import math
import os
import tempfile
import weakref
from typing import Any

import numpy as np
import numpy.typing as npt

from biggus.errors import OutputError
from biggus.graph import Leaf, Node
from biggus.options import format_bytes
from biggus.sources.base import Box, Chunks, Source, Values, box_shape
from biggus.sources.byte_order import native_order
from biggus.sources.memory import MemorySource
from biggus.support.once import once

_ZEROS = 2**20
"""The bytes that are written at once to reserve space."""

NAME = "an intermediate result"
"""The name of these sources in errors."""


class IntermediateSource(MemorySource):
    """A source of computed values.

    Its token is a digest of the values.  They are the same to the bit whenever they are computed
    again, so results that are computed from them can be cached.
    """

    name = NAME

    def __init__(self, array: npt.NDArray[Any], chunks: Chunks | None = None) -> None:
        super().__init__(array)
        self.chunks = chunks

    @once
    def token(self) -> str | None:
        """A digest of the values, computed on first use; None for objects."""
        if self.dtype.hasobject:
            return None
        content = hashlib.blake2b(digest_size=20)
        for part in (np.ma.getdata(self.array), np.ma.getmask(self.array)):
            content.update(np.ascontiguousarray(part).view(np.uint8).data)
        return f"values:{content.hexdigest()}"

    def state(self) -> bytes | None:
        """Return the validator, which never changes."""
        return b"final"


class Spilled(Source):
    """The values of a node in a temporary file of this machine: a target, and then a source.

    Like a `Result`, it is written in any order of boxes.
    """

    concurrent = True
    """Disjoint parts may be written from several threads at once."""

    io_bound = False
    derived = True
    owns_data = True
    name = NAME

    def __init__(self, node: Node) -> None:
        self.shape = node.shape
        self.dtype = native_order(node.dtype)
        self.masked = node.masked
        self.fill_value = node.fill_value
        handle, self.path = tempfile.mkstemp(prefix="biggus-")
        weakref.finalize(self, _remove, self.path, os.getpid())
        try:
            reserve(handle, 0, self.nbytes)
        except OSError as error:
            folder = os.path.dirname(self.path)  # noqa: PTH120 - a text
            raise no_room(self.nbytes, folder, error) from error
        finally:
            os.close(handle)

    def write(self, box: Box, values: Values) -> None:
        """Write the values of a box."""
        data, mask = self.mapped("r+")
        data[box] = np.ma.getdata(values)
        if mask is not None:
            mask[box] = np.ma.getmaskarray(values)

    def leaf(self, grid: Chunks | None = None) -> Node:
        """Return a node of the values, with the given chunks."""
        self.chunks = grid
        return Leaf(self, self.shape, self.dtype)

    @property
    def nbytes(self) -> int:
        """The length of the file."""
        return math.prod(self.shape) * (self.dtype.itemsize + self.masked)

    def mapped(self, mode: Any) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_] | None]:
        """Return memory maps of the values and of their mask."""
        data: Any = np.memmap(self.path, self.dtype, mode, 0, self.shape)
        mask: Any = None
        if self.masked:
            offset = math.prod(self.shape) * self.dtype.itemsize
            mask = np.memmap(self.path, bool, mode, offset, self.shape)
        return data, mask

    def __getitem__(self, box: Box) -> Values:
        data, mask = self.mapped("r")
        values = np.array(data[box])
        if mask is None:
            return values
        return np.ma.MaskedArray(values, mask=np.array(mask[box]))

    def peak_bytes(self, box: Box) -> int:
        """Return the most memory that a read takes: the mapped pages, and their copy."""
        return 2 * math.prod(box_shape(box)) * (self.dtype.itemsize + self.masked)


def no_room(nbytes: int, folder: str, error: OSError) -> OutputError:
    """Return the error of a temporary file that cannot be written."""
    return OutputError(
        f"an intermediate result of {format_bytes(nbytes)} has no room in {folder}: "
        f"{error.strerror or error}; let temporary files go elsewhere with TMPDIR, or allow more "
        "memory"
    )


def _remove(path: str, process: int) -> None:
    if os.getpid() == process:  # a forked child has the object too
        os.unlink(path)  # noqa: PTH108 - Path may be gone at the end of the interpreter


def allocated(file: int, start: int, nbytes: int) -> bool:
    """Allocate space of a file; return whether the system can do so without writing."""
    if not nbytes or not hasattr(os, "posix_fallocate"):
        return False
    room = os.fstatvfs(file)
    if nbytes > room.f_bavail * room.f_frsize:
        # The system would take all that is free before it fails, from other programs as well.
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    try:
        os.posix_fallocate(file, start, nbytes)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            raise
        return False
    return True


def reserve(file: int, start: int, nbytes: int) -> None:
    """Allocate space of a file, or raise OSError if the disk is full.

    Writing to a memory map of an unallocated file would kill the process instead.
    """
    if not nbytes or allocated(file, start, nbytes):
        return
    os.lseek(file, start, os.SEEK_SET)
    zeros = bytes(min(nbytes, _ZEROS))
    while nbytes:
        nbytes -= os.write(file, zeros[:nbytes])
