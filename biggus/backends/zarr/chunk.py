"""Reading parts of one stored chunk.

A chunk that is wanted whole, and is contiguous in the result, is decoded into it.  Of an
uncompressed chunk only the bytes from the first wanted value to the last are read, in pieces if
these are many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.backends.plain import is_all
from biggus.backends.reading import MOST_TOGETHER, read_plain
from biggus.backends.zarr.record import refuse_short
from biggus.backends.zarr.store import WHOLE, Get, Span
from biggus.indexing.grid import Box, flat_range, strides_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from biggus.backends.zarr.decoding import Buffer, ChunkDecoder
    from biggus.backends.zarr.pipelines import ZarrPythonDecoder


class ChunkReader:
    """Reads parts of chunks of one shape.

    Parameters
    ----------
    decoder : ChunkDecoder or ZarrPythonDecoder
        The decoder of such chunks.
    seekable : bool
        Whether many small reads of an object are cheap.
    """

    def __init__(self, decoder: ChunkDecoder | ZarrPythonDecoder, seekable: bool) -> None:
        self.decoder = decoder
        self.seekable = seekable

    def span(self, inner: Box, offset: int | None = None, length: int = 0) -> Span:
        """Return the span of an object to read for a part of a chunk.

        Parameters
        ----------
        inner : tuple of slice
            The part.
        offset, length : int, optional
            The place of the chunk in the object, if it is not the whole object.

        Raises
        ------
        OSError
            If a chunk cannot have that length.
        """
        decoder = self.decoder
        if not decoder.plain or is_all(inner, decoder.shape):
            return WHOLE if offset is None else (offset, offset + length)
        if offset is not None and length != decoder.nbytes:
            raise OSError(f"a chunk of {decoder.nbytes} bytes has {length}")
        first, stop = flat_range(inner, decoder.shape)
        itemsize, offset = decoder.dtype.itemsize, offset or 0
        return offset + first * itemsize, offset + stop * itemsize

    def in_pieces(self, span: Span) -> bool:
        """Return whether a span is so long that it is better read in pieces."""
        if span == WHOLE or not self.seekable or not self.decoder.plain:
            return False
        start, stop = span
        return start is not None and stop is not None and stop - start > MOST_TOGETHER

    def read_pieces(
        self, get: Get, key: str, offset: int, inner: Box, out: npt.NDArray[Any]
    ) -> None:
        """Read a part of an uncompressed chunk at `offset` in an object."""
        decoder = self.decoder
        stored = _Spans(get, key)
        if decoder.dtype == out.dtype:
            read_plain(stored, offset, decoder.shape, inner, out)
            return
        values = np.empty(out.shape, decoder.dtype)
        read_plain(stored, offset, decoder.shape, inner, values)
        out[...] = values

    def place(self, data: Buffer, inner: Box, out: npt.NDArray[Any]) -> None:
        """Decode a part of a chunk into an array.

        Parameters
        ----------
        data : bytes
            The bytes of the `span` of `inner`.
        inner : tuple of slice
            The part.
        out : ndarray
            The array for its values.
        """
        decoder = self.decoder
        if is_all(inner, decoder.shape):
            if not decoder.decode_into(data, out):
                out[...] = decoder.values(data)
        elif decoder.plain:
            item = decoder.dtype.itemsize
            strides = [s.step * n for s, n in zip(inner, strides_of(decoder.shape), strict=True)]
            out[...] = np.ndarray(out.shape, decoder.dtype, data, 0, [item * n for n in strides])
        else:
            out[...] = decoder.values(data)[inner]


class _Spans:
    """An object that is read at an offset, in pieces of limited size."""

    def __init__(self, get: Get, key: str) -> None:
        self._get = get
        self._key = key

    def read_into(self, out: memoryview, offset: int) -> None:
        for start in range(0, len(out), MOST_TOGETHER):
            stop = min(start + MOST_TOGETHER, len(out))
            span = (offset + start, offset + stop)
            fetched = self._get(span)
            if fetched is None:
                raise OSError(f"{self._key} appeared or disappeared while it was read")
            refuse_short(self._key, fetched.data, span)
            out[start:stop] = fetched.data
