"""Reading contiguous datasets without libhdf5."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from biggus.backends.hdf5.direct import OpenForRead, Storage
from biggus.backends.pieces import piece_of
from biggus.backends.reading import MOST_TOGETHER, read_plain
from biggus.sources.base import Box, Source, Stream, box_shape


class ContiguousStorage(Storage):
    """The storage of a contiguous dataset, in C order.

    Parameters
    ----------
    shape, dtype
        The shape and dtype of the dataset.
    offset : int
        The offset of its first byte in the file.
    """

    chunks = None
    streams = True

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any], offset: int) -> None:
        super().__init__(shape, dtype)
        self.offset = offset

    def read(
        self, box: Box, opening: OpenForRead, out: npt.NDArray[Any] | None = None
    ) -> npt.NDArray[Any]:
        values = np.empty(box_shape(box), self.dtype) if out is None else out
        read_plain(opening.descriptor, self.offset, self.shape, box, values)
        opening.check()
        return values

    def stream(self, source: Source, box: Box, opening: OpenForRead) -> Stream | None:
        return piece_of(source, box, opening.descriptor, self.offset, opening.check)

    def peak_bytes(self, box: Box) -> int:
        return math.prod(box_shape(box)) * self.dtype.itemsize + MOST_TOGETHER
