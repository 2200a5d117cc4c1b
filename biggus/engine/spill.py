"""Spilling: values on their way that are too large for memory, in a file of their own.

The file is mapped for as long as a part of it is written or read, and no longer:
what is mapped counts as the memory of the process.
"""

from __future__ import annotations

import math
import os
import tempfile
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from biggus.nodes import Leaf
from biggus.source import Source, box_shape

if TYPE_CHECKING:
    from biggus.nodes import Node
    from biggus.source import Box, Values


class Spilled:
    """The values of a node, in a file; as a `Result` they are written in any order.

    Parameters
    ----------
    node : Node
        Whose values they are.
    """

    concurrent = True
    """Disjoint parts may be written from several threads at once."""

    def __init__(self, node: Node) -> None:
        handle, path = tempfile.mkstemp(prefix="biggus-")
        os.close(handle)
        self._source = SpilledSource(
            path, node.shape, node.dtype.newbyteorder("="), node.masked, node.fill_value
        )
        os.truncate(path, self._source.nbytes)
        weakref.finalize(self._source, _remove, path, os.getpid())

    def write(self, box: Box, values: Values) -> None:
        """Put the values of a box where they go."""
        data, mask = self._source.mapped("r+")
        data[box] = np.ma.getdata(values)
        if mask is not None:
            mask[box] = np.ma.getmaskarray(values)

    def leaf(self) -> Node:
        """Return the node of the values."""
        return Leaf(self._source, self._source.shape, self._source.dtype)


class SpilledSource(Source):
    """Values in a file of this machine, for as long as somebody needs them."""

    waits = False
    derived = True
    fresh = True
    name = "an intermediate result"

    def __init__(
        self, path: str, shape: tuple[int, ...], dtype: np.dtype[Any], masked: bool, fill: Any
    ) -> None:
        self.path = path
        self.shape = shape
        self.dtype = dtype
        self.masked = masked
        self.fill_value = fill

    @property
    def nbytes(self) -> int:
        """How long the file is."""
        return math.prod(self.shape) * (self.dtype.itemsize + self.masked)

    def mapped(self, mode: Any) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_] | None]:
        """Return the values and their mask, as they lie in the file."""
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
        """Return the most memory that a read takes: what is mapped, and its copy."""
        return 2 * math.prod(box_shape(box)) * (self.dtype.itemsize + self.masked)


def _remove(path: str, process: int) -> None:
    if os.getpid() == process:  # a forked child has the object too
        os.unlink(path)  # noqa: PTH108 - Path may be gone at the end of the interpreter
