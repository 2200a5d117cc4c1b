"""Scratches: values are written in some blocks, and read in others.

A scratch lies in memory, or in a file without a name, which the system removes however the process
ends.  The file is written and read by system calls, so it does not count as memory.
"""

from __future__ import annotations

import math
import os
import tempfile
import threading
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from biggus.engine.spill import allocated, no_room
from biggus.errors import OutputError
from biggus.indexing.grid import box_shape, strides_of
from biggus.sources.base import Box, Source, Values
from biggus.sources.byte_order import native_order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biggus.planning.rechunking import Rechunking


class Scratch(Source):
    """The values of a rechunking: a writer of any boxes, and then a source.

    A band is contiguous, its axes in an order in which runs that are written are long.

    Parameters
    ----------
    rechunking : Rechunking
    held : bool
        Whether the values are kept in memory.
    """

    concurrent = True
    io_bound = False
    derived = True
    name = "an intermediate result"
    grid = None
    """Any box may be written."""

    def __init__(self, rechunking: Rechunking, held: bool) -> None:
        node = rechunking.node
        self.shape = node.shape
        self.dtype = native_order(node.dtype)
        self.masked = node.masked
        self.fill_value = node.fill_value
        self.chunks = rechunking.chunks
        self._bands = rechunking.bands
        self._order = rechunking.order
        self._store: _Memory | _File = (_Memory if held else _File)(rechunking.nbytes)

    def write(self, box: Box, values: Values) -> None:
        """Write the values of a box."""
        for part in self._bands.parts(box):
            self._put(np.ma.getdata(values)[part.outer], part.chunk, part.inner, 0)
            if self.masked:
                mask = np.ma.getmaskarray(values)[part.outer]
                self._put(mask, part.chunk, part.inner, self._masks)

    def __getitem__(self, box: Box) -> Values:
        data = self._taken(box, self.dtype, 0)
        if not self.masked:
            return data
        return np.ma.MaskedArray(data, mask=self._taken(box, np.dtype(bool), self._masks))

    def peak_bytes(self, box: Box) -> int:
        """Return the most memory that a read takes: that of the bands it touches."""
        most = 1
        for edges, s in zip(self._bands.axes, box, strict=True):
            most *= edges.bounds(edges.find(s.stop - 1))[1] - edges.bounds(edges.find(s.start))[0]
        return most * (self.dtype.itemsize + self.masked)

    @property
    def _masks(self) -> int:
        """The offset of the masks."""
        return math.prod(self.shape) * self.dtype.itemsize

    def _begin(self, band: Box) -> int:
        """Return the number of values before those of a band; bands are in C order."""
        before, around = 0, math.prod(self.shape)
        for s, n in zip(band, self.shape, strict=True):
            around //= n
            before += s.start * around
            around *= s.stop - s.start
        return before

    def _turned(self, box: Box) -> Box:
        return tuple([box[axis] for axis in self._order])

    def _put(self, values: npt.NDArray[Any], band: Box, inner: Box, start: int) -> None:
        dtype = np.dtype(bool) if start else self.dtype
        turned = values.transpose(self._order)
        start += self._begin(band) * dtype.itemsize
        for first, index in _runs(self._turned(inner), box_shape(self._turned(band))):
            run = np.ascontiguousarray(turned[index], dtype).reshape(-1).view(np.uint8)
            self._store.write(start + first * dtype.itemsize, run)

    def _taken(self, box: Box, dtype: np.dtype[Any], start: int) -> npt.NDArray[Any]:
        parts = list(self._bands.parts(box))
        if len(parts) == 1:
            return self._part(parts[0].chunk, parts[0].inner, dtype, start)
        values = np.empty(box_shape(box), dtype)
        for part in parts:
            values[part.outer] = self._part(part.chunk, part.inner, dtype, start)
        return values

    def _part(self, band: Box, inner: Box, dtype: np.dtype[Any], start: int) -> npt.NDArray[Any]:
        """Return values of a band; only the needed rows along its slowest axis are read."""
        shape = list(box_shape(self._turned(band)))
        key = list(self._turned(inner))
        start += self._begin(band) * dtype.itemsize
        if key:
            rows, each = key[0], math.prod(shape[1:]) * dtype.itemsize
            start += rows.start * each
            shape[0] = rows.stop - rows.start
            key[0] = slice(0, shape[0], rows.step)
        raw = self._store.read(start, math.prod(shape) * dtype.itemsize)
        values = raw.view(dtype).reshape(shape)[tuple(key)]
        return values.transpose(np.argsort(self._order))


def _runs(box: Box, shape: tuple[int, ...]) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Yield the flat position of each run of a box without strides, and its index in the box.

    The values of the box with this index along its first axes are contiguous: they are the run.
    """
    lengths = box_shape(box)
    whole = len(shape)
    while whole and lengths[whole - 1] == shape[whole - 1]:
        whole -= 1
    outer = max(0, whole - 1)
    if all(n == 1 for n in lengths[:outer]):
        outer = 0
    strides = strides_of(shape)
    begin = sum([s.start * n for s, n in zip(box, strides, strict=True)])
    for index in np.ndindex(*lengths[:outer]):
        yield begin + sum(i * n for i, n in zip(index, strides, strict=False)), index


class _Memory:
    """Bytes in memory."""

    def __init__(self, nbytes: int) -> None:
        self._bytes = np.empty(nbytes, np.uint8)

    def write(self, start: int, values: npt.NDArray[np.uint8]) -> None:
        self._bytes[start : start + values.size] = values

    def read(self, start: int, nbytes: int) -> npt.NDArray[np.uint8]:
        found = self._bytes[start : start + nbytes]
        found.flags.writeable = False
        return found


class _File:
    """Bytes in a file of no name."""

    def __init__(self, nbytes: int) -> None:
        self._nbytes = nbytes
        self._lock = threading.Lock()
        # A thread that is still writing when another fails keeps the file open.
        self._file = file = tempfile.TemporaryFile(prefix="biggus-", buffering=0)  # noqa: SIM115
        weakref.finalize(self, file.close)
        try:
            allocated(self._file.fileno(), 0, nbytes)
        except OSError as error:
            raise self._full(error) from error

    def write(self, start: int, values: npt.NDArray[np.uint8]) -> None:
        """Write at a place; from any thread."""
        left = values.data
        try:
            while left:
                done = self._write(left, start)
                left, start = left[done:], start + done
        except OSError as error:
            raise self._full(error) from error

    def read(self, start: int, nbytes: int) -> npt.NDArray[np.uint8]:
        """Read from a place; from any thread."""
        values = np.empty(nbytes, np.uint8)
        left = values.data
        while left:
            done = self._read(left, start)
            if not done:
                raise OutputError("the file of an intermediate result has been cut short")
            left, start = left[done:], start + done
        return values

    if hasattr(os, "pwrite"):

        def _write(self, values: memoryview, start: int) -> int:
            return os.pwrite(self._file.fileno(), values, start)

    else:

        def _write(self, values: memoryview, start: int) -> int:
            with self._lock:
                self._file.seek(start)
                return self._file.write(values)

    if hasattr(os, "preadv"):

        def _read(self, values: memoryview, start: int) -> int:
            return os.preadv(self._file.fileno(), [values], start)

    else:

        def _read(self, values: memoryview, start: int) -> int:
            with self._lock:
                self._file.seek(start)
                return self._file.readinto(values)

    def _full(self, error: OSError) -> OutputError:
        return no_room(self._nbytes, tempfile.gettempdir(), error)
