"""Writing ``.npy`` files."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.engine.spill import reserve
from biggus.errors import OutputError
from biggus.sinks.new import NewArray, NewStore

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from biggus.engine import Writer
    from biggus.sources.base import Box, Chunks, Values

_WINDOW = 2**23
"""The most bytes of a file that are mapped at once."""


class NpyStore(NewStore):
    """A new ``.npy`` file."""

    named = False
    marks = ""
    format = "a .npy file"
    chunked = False

    def stored(self, dtype: np.dtype[Any], masked: bool) -> np.dtype[Any]:
        if dtype.hasobject:
            raise OutputError(f"a .npy file cannot store values of dtype {dtype}")
        return super().stored(dtype, masked)

    def problem(self, dtype: np.dtype[Any]) -> str:
        others = " (.zarr, .h5 and .nc can)" if dtype.kind in "biu" else ""
        return f"{super().problem(dtype)}{others}"

    def create(self, new: NewArray) -> Writer:
        """Write the header, and reserve space for the values."""
        header = {
            "descr": _Escaped(np.lib.format.dtype_to_descr(new.dtype)),
            "fortran_order": False,
            "shape": new.shape,
        }
        with self.path.open("wb") as file:
            np.lib.format.write_array_header_2_0(file, header)
            file.flush()
            start = file.tell()
            reserve(file.fileno(), start, math.prod(new.shape) * new.dtype.itemsize)
        return _Windows(self.path, start, new)

    def close(self) -> None:
        """Do nothing: no file is open."""


class _Escaped:
    """A value of a header whose representation is ASCII; names of fields may not be."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __repr__(self) -> str:
        return ascii(self._value)


class _Windows:
    """A writer of blocks that maps small parts of the file.

    Mapped memory counts as memory of this process, even if only a few columns are written.
    """

    grid: Chunks | None = None
    concurrent = True

    def __init__(self, path: Path, start: int, new: NewArray) -> None:
        self.shape = new.shape
        self._path = path
        self._start = start
        self._dtype = new.dtype
        inner = [math.prod(new.shape[axis + 1 :]) for axis in range(len(new.shape))]
        self._strides = tuple([n * new.dtype.itemsize for n in inner])

    def write(self, box: Box, values: Values) -> None:
        """Write a block."""
        if values.size and self._dtype.itemsize:
            before = sum(s.start * n for s, n in zip(box, self._strides, strict=True))
            self._write(self._start + before, values)

    def _write(self, start: int, values: npt.NDArray[Any]) -> None:
        """Write values, the first at a byte of the file, part by part."""
        steps = zip(values.shape, self._strides, strict=True)
        span = sum((n - 1) * stride for n, stride in steps) + self._dtype.itemsize
        axis = next((axis for axis, n in enumerate(values.shape) if n > 1), None)
        if axis is None or span <= _WINDOW:
            window = np.memmap(self._path, np.uint8, "r+", start, (span,))
            there: npt.NDArray[Any] = np.ndarray(
                values.shape, self._dtype, window.data, 0, self._strides
            )
            there[...] = values
            return
        stride = self._strides[axis]
        most = max(1, _WINDOW // stride)
        for first in range(0, values.shape[axis], most):
            part = (slice(None),) * axis + (slice(first, first + most),)
            self._write(start + first * stride, values[part])
