"""How the chunks of Zarr arrays are stored: those of a shard, too, each by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.backends.zarr.chunk import ChunkReader
from biggus.backends.zarr.decoding import decoder_for, decoder_for_v2
from biggus.indexing.grid import whole
from biggus.sources.base import box_shape
from biggus.sources.description import decode_dtype
from biggus.sources.encoding import Encoding

if TYPE_CHECKING:
    import numpy.typing as npt

    from biggus.backends.zarr.decoding import ChunkDecoder
    from biggus.sources.base import Box


@dataclass(frozen=True)
class ZarrEncoding(Encoding):
    """The codecs of an array.

    Attributes
    ----------
    codecs : list or dict
        The codecs of a chunk, as documents of format 3 say them; or what of a document of
        format 2 says how chunks are stored.
    dtype : object
        The dtype of the values, as JSON can say it.
    shape : tuple of int
        That of all chunks, as they are stored.
    """

    codecs: Any
    dtype: Any
    shape: tuple[int, ...]

    def decode(self, box: Box, data: memoryview) -> npt.NDArray[Any]:
        """Return the values of a chunk, of those at an edge without what lies beyond."""
        shape, dtype = box_shape(box), decode_dtype(self.dtype)
        decoder = decoder_of(self.codecs, tuple(self.shape), dtype)
        if decoder is None:
            raise ValueError("by a codec that is not known here")
        values = np.empty(shape, dtype)
        ChunkReader(decoder, seekable=False).place(data, whole(shape), values)
        return values


def decoder_of(codecs: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> ChunkDecoder | None:
    """Return what decodes a stored chunk of a shape; None if something is not known."""
    decoder = decoder_for_v2 if isinstance(codecs, dict) else decoder_for
    return decoder(codecs, shape, dtype)
