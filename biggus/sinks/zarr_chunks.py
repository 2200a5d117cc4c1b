"""Writing the chunks of a new Zarr array of format 2, each to a file, in the calling thread.

zarr-python passes every chunk between threads, compares all of it with the fill value, and copies
it, which takes longer than to compress it with a fast codec.
"""

from __future__ import annotations

import importlib
import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.codecs.scratch import scratch
from biggus.indexing.grid import Grid
from biggus.support.forks import between_forks

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from biggus.indexing.grid import ChunkPart
    from biggus.sources.base import Box, Values


class ChunkFiles:
    """A thread-safe writer of blocks that consist of whole chunks.

    Parameters
    ----------
    path : Path
        The folder of the array, with its metadata.
    fill : scalar or None
        The value of chunks without a file; None for zeros, or NaT.
    """

    def __init__(self, path: Path, fill: Any) -> None:
        document = json.loads((path / ".zarray").read_bytes())
        self._path = path
        self._dtype = np.dtype(document["dtype"])
        # Times have no buffer interface.
        times = self._dtype.kind in "mM"
        self._plain = np.dtype(f"{self._dtype.byteorder}i8") if times else self._dtype
        self._chunks = tuple(document["chunks"])
        self._grid = Grid(tuple(document["shape"]), self._chunks)
        self._separator = document.get("dimension_separator", ".")
        named = [*(document["filters"] or ()), document["compressor"]]
        with between_forks():
            get_codec = importlib.import_module("numcodecs").get_codec
        self._codecs = [get_codec(each) for each in named if each is not None]
        self._fill = np.zeros((), self._dtype)
        if times or fill is not None:
            self._fill[...] = "NaT" if fill is None else fill
        self._fill_bytes = np.frombuffer(self._fill.tobytes(), np.uint8)

    def __setitem__(self, box: Box, values: Values) -> None:
        for part in self._grid.parts(box):
            self._write(part, self._whole(part, values))

    def _whole(self, part: ChunkPart, values: Values) -> Any:
        """Return a whole chunk in C order, filled beyond the edge of the array."""
        key: Any = (*part.outer, ...)
        found: Any = values[key]
        if found.shape == self._chunks and found.flags.c_contiguous and found.dtype == self._dtype:
            return found
        nbytes = math.prod(self._chunks) * self._dtype.itemsize
        chunk: Any = scratch("chunk", nbytes).view(self._dtype).reshape(self._chunks)
        if found.shape != self._chunks:
            chunk[...] = self._fill
        chunk[(*part.inner, ...)] = found
        return chunk

    def _write(self, part: ChunkPart, chunk: npt.NDArray[Any]) -> None:
        path = self._path / (self._separator.join(map(str, part.number)) or "0")
        if self._is_empty(chunk):
            path.unlink(missing_ok=True)
            return
        encoded: Any = chunk.view(self._plain)
        for codec in self._codecs:
            encoded = codec.encode(encoded)
        if self._separator == "/":
            path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded)

    def _is_empty(self, chunk: npt.NDArray[Any]) -> bool:
        """Tell whether a chunk is equal to the fill value to the bit, so that it is not stored."""
        values = chunk.reshape(-1).view(np.uint8).reshape(-1, self._dtype.itemsize)
        # For most chunks the first value suffices.
        return all(bool((part == self._fill_bytes).all()) for part in (values[:1], values))
