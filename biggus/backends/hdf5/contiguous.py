"""Datasets that are stored in one piece."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.backends.hdf5.direct import Opening, Storage, failures_named
from biggus.backends.reading import MOST_TOGETHER, read_plain
from biggus.grid import flat_range
from biggus.source import Stream, box_shape
from biggus.stream import lies_flat

if TYPE_CHECKING:
    import numpy.typing as npt

    from biggus.source import Box, Source


class ContiguousStorage(Storage):
    """Values in C order, in one piece.

    Parameters
    ----------
    shape, dtype
        Of the dataset.
    offset : int
        Where they begin in the file, in bytes.
    """

    chunks = None
    streams = True

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any], offset: int) -> None:
        super().__init__(shape, dtype)
        self.offset = offset

    def read(  # noqa: D102 - as in Storage
        self, box: Box, opening: Opening, out: npt.NDArray[Any] | None = None
    ) -> npt.NDArray[Any]:
        values = np.empty(box_shape(box), self.dtype) if out is None else out
        read_plain(opening.descriptor, self.offset, self.shape, box, values)
        opening.check()
        return values

    def stream(  # noqa: D102 - as in Storage
        self, source: Source, box: Box, opening: Opening
    ) -> Stream | None:
        if not lies_flat(box, self.shape):
            return None
        first, _ = flat_range(box, self.shape)
        return _Piece(source, box, opening, self.offset + first * self.dtype.itemsize)

    def peak_bytes(self, box: Box) -> int:  # noqa: D102 - as in Storage
        return math.prod(box_shape(box)) * self.dtype.itemsize + MOST_TOGETHER


class _Piece(Stream):
    """Values that lie in one piece of a file.

    Parameters
    ----------
    source, box
        As in Stream.
    opening : Opening
        The file.
    offset : int
        Where they begin in it, in bytes.
    """

    def __init__(self, source: Source, box: Box, opening: Opening, offset: int) -> None:
        super().__init__(source, box)
        self._opening = opening
        self._offset = offset

    def read_into(self, start: int, out: npt.NDArray[Any]) -> None:
        offset = self._offset + start * out.itemsize
        with failures_named(self.name, self.box):
            self._opening.descriptor.read_into(out.view(np.uint8).data, offset)
            self._opening.check()
