"""The encoding of the chunks of Zarr arrays, also of those in shards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from biggus.backends.zarr.chunk import ChunkReader
from biggus.backends.zarr.decoding import ChunkDecoder, decoder_for, decoder_for_v2
from biggus.indexing.grid import Box, box_shape, whole
from biggus.sources.description import decode_dtype
from biggus.sources.encoding import Encoding


@dataclass(frozen=True)
class ZarrEncoding(Encoding):
    """Decodes chunks by the codecs of an array.

    Attributes
    ----------
    codecs : list or dict
        The codecs of a chunk from a document of format 3; or the fields ``order``,
        ``compressor`` and ``filters`` of a document of format 2.
    dtype : object
        The dtype of the values as a JSON value.
    shape : tuple of int
        The stored shape of all chunks.
    """

    codecs: Any
    dtype: Any
    shape: tuple[int, ...]

    def decode(self, box: Box, data: memoryview) -> npt.NDArray[Any]:
        """Return the values of a chunk, without the part beyond the edge of the array."""
        shape, dtype = box_shape(box), decode_dtype(self.dtype)
        decoder = decoder_of(self.codecs, tuple(self.shape), dtype)
        if decoder is None:
            raise ValueError("its codec is unknown")
        values = np.empty(shape, dtype)
        ChunkReader(decoder, seekable=False).place(data, whole(shape), values)
        return values


def decoder_of(codecs: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> ChunkDecoder | None:
    """Return the decoder of stored chunks of a shape; None if a codec is unknown."""
    decoder = decoder_for_v2 if isinstance(codecs, dict) else decoder_for
    return decoder(codecs, shape, dtype)
