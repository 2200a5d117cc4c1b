"""Scratches: values that are put down in the blocks they are read in, and taken up in others.

They lie in memory, and where that has no room for all in a file without a name, which is gone
when nobody has it open any more, however the process ends.  Writing and reading the file takes no
memory of the process.
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
from biggus.sources.base import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biggus.planning.rechunking import Rechunking
    from biggus.sources.base import Box, Values


class Scratch(Source):
    """The values of a rechunking: a writer that takes any boxes, and a source of bands.

    A band lies in one piece, its axes in an order in which blocks are written in long runs.

    Parameters
    ----------
    rechunking : Rechunking
    held : int
        How many bytes may lie in memory: the first bands that fit.  The others lie in a file.
    """

    concurrent = True
    io_bound = False
    derived = True
    name = "an intermediate result"
    grid = None
    """Any box may be written."""

    def __init__(self, rechunking: Rechunking, held: int) -> None:
        node = rechunking.node
        self.shape = node.shape
        self.dtype = node.dtype.newbyteorder("=")
        self.masked = node.masked
        self.fill_value = node.fill_value
        self.chunks = rechunking.chunks
        self._bands = rechunking.bands
        self._order = rechunking.order
        each = self.dtype.itemsize + self.masked
        size = math.prod(self.shape)
        in_memory = self._whole_bands(held // max(1, each))
        in_file = size - in_memory
        self._file = _File(in_file * each) if in_file else None
        self._data = _Values(self.dtype, in_memory, self._file, 0)
        if self.masked:
            self._mask = _Values(
                np.dtype(bool), in_memory, self._file, in_file * self.dtype.itemsize
            )

    def write(self, box: Box, values: Values) -> None:
        """Put the values of a box where they go."""
        for part in self._bands.parts(box):
            self._put(np.ma.getdata(values)[part.outer], part.chunk, part.inner, self._data)
            if self.masked:
                mask = np.ma.getmaskarray(values)[part.outer]
                self._put(mask, part.chunk, part.inner, self._mask)

    def __getitem__(self, box: Box) -> Values:
        data = self._taken(box, self._data)
        if not self.masked:
            return data
        return np.ma.MaskedArray(data, mask=self._taken(box, self._mask))

    def peak_bytes(self, box: Box) -> int:
        """Return the most memory that a read takes: the bands that it is in."""
        most = 1
        for edges, s in zip(self._bands.axes, box, strict=True):
            most *= edges.bounds(edges.find(s.stop - 1))[1] - edges.bounds(edges.find(s.start))[0]
        return most * (self.dtype.itemsize + self.masked)

    def _whole_bands(self, most: int) -> int:
        """Return how many values the first bands have, together no more than `most`."""
        found = 0
        for index in np.ndindex(*[edges.count for edges in self._bands.axes]):
            size = math.prod(box_shape(self._bands.chunk(index)))
            if found + size > most:
                break
            found += size
        return found

    def _begin(self, band: Box) -> int:
        """Return how many values lie before those of a band: bands lie in C order."""
        before, around = 0, math.prod(self.shape)
        for s, n in zip(band, self.shape, strict=True):
            around //= n
            before += s.start * around
            around *= s.stop - s.start
        return before

    def _turned(self, box: Box) -> Box:
        return tuple([box[axis] for axis in self._order])

    def _put(self, values: npt.NDArray[Any], band: Box, inner: Box, where: _Values) -> None:
        start, shape = self._begin(band), box_shape(self._turned(band))
        turned = values.transpose(self._order)
        lying = where.in_memory(start, shape)
        if lying is not None:
            lying[self._turned(inner)] = turned
            return
        for first, index in _runs(self._turned(inner), shape):
            where.write(start + first, np.ascontiguousarray(turned[index], where.dtype))

    def _taken(self, box: Box, where: _Values) -> npt.NDArray[Any]:
        parts = list(self._bands.parts(box))
        if len(parts) == 1:
            return self._part(parts[0].chunk, parts[0].inner, where)
        values = np.empty(box_shape(box), where.dtype)
        for part in parts:
            values[part.outer] = self._part(part.chunk, part.inner, where)
        return values

    def _part(self, band: Box, inner: Box, where: _Values) -> npt.NDArray[Any]:
        """Return some values of a band: of its slowest axis no others are read."""
        start, shape = self._begin(band), list(box_shape(self._turned(band)))
        key = list(self._turned(inner))
        if key:
            rows = key[0]
            start += rows.start * math.prod(shape[1:])
            shape[0] = rows.stop - rows.start
            key[0] = slice(0, shape[0], rows.step)
        values = where.in_memory(start, tuple(shape))
        if values is None:
            values = where.read(start, tuple(shape))
        else:
            values.flags.writeable = False
        return values[tuple(key)].transpose(np.argsort(self._order, kind="stable"))


def _runs(box: Box, shape: tuple[int, ...]) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Yield where each run of a box without strides lies in C order, and its index in the box.

    All values of the box that have this index along its first axes are one run.
    """
    lengths = box_shape(box)
    whole = len(shape)
    while whole and lengths[whole - 1] == shape[whole - 1]:
        whole -= 1
    outer = max(0, whole - 1)
    while outer and lengths[outer - 1] == 1:
        outer -= 1
    strides = strides_of(shape)
    begin = sum([s.start * n for s, n in zip(box, strides, strict=True)])
    for index in np.ndindex(*lengths[:outer]):
        yield begin + sum(i * n for i, n in zip(index, strides, strict=False)), index


class _Values:
    """Values of one dtype in a row: the first of them in memory, the others in a file.

    Parameters
    ----------
    dtype : dtype
    held : int
        How many are in memory.
    file : _File or None
        Where the others are.
    offset : int
        At which byte of the file these begin.
    """

    def __init__(self, dtype: np.dtype[Any], held: int, file: _File | None, offset: int) -> None:
        self.dtype = dtype
        self._memory: npt.NDArray[Any] = np.empty(held, dtype)
        self._file = file
        self._offset = offset - held * dtype.itemsize

    def in_memory(self, start: int, shape: tuple[int, ...]) -> npt.NDArray[Any] | None:
        """Return those that follow a place, writable; None if they are in the file."""
        if start >= self._memory.size:
            return None
        return self._memory[start : start + math.prod(shape)].reshape(shape)

    def write(self, start: int, values: npt.NDArray[Any]) -> None:
        """Write values, in C order, to a place in the file."""
        assert self._file is not None
        flat = values.reshape(-1).view(np.uint8)
        self._file.write(self._offset + start * self.dtype.itemsize, flat)

    def read(self, start: int, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        """Read values from a place in the file."""
        assert self._file is not None
        nbytes = math.prod(shape) * self.dtype.itemsize
        raw = self._file.read(self._offset + start * self.dtype.itemsize, nbytes)
        return raw.view(self.dtype).reshape(shape)


class _File:
    """Bytes in a file of no name."""

    def __init__(self, nbytes: int) -> None:
        self._nbytes = nbytes
        self._lock = threading.Lock()
        # A thread that still writes when another has failed holds it open.
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
