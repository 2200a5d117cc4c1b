"""Decoding chunks by a codec pipeline of zarr-python, if biggus does not know dtype or codecs.

The pipeline is the one that the user has configured.  Pipelines may also read from stores, but here
they only decode.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.backends.zarr.arrays import quietly
from biggus.backends.zarr.decoding import check_blosc
from biggus.support.forks import between_forks

if TYPE_CHECKING:
    import numpy.typing as npt

    from biggus.backends.zarr.decoding import Buffer


class ZarrPythonDecoder:
    """Decodes the stored bytes of a chunk by zarr-python.

    It can take the place of a `ChunkDecoder`.

    Parameters
    ----------
    metadata : ArrayV2Metadata or ArrayV3Metadata
        The metadata of an array with such chunks.
    shape : tuple of int
        The shape of a chunk.
    is_blosc : bool
        Whether the stored bytes are a Blosc frame.
    pipeline : type, optional
        The class of the codec pipeline; by default the configured one.
    """

    plain = False
    copies = 3

    def __init__(
        self,
        metadata: Any,
        shape: tuple[int, ...],
        is_blosc: bool,
        pipeline: type[Any] | None = None,
    ) -> None:
        with between_forks():
            from zarr.core.array import create_codec_pipeline
            from zarr.core.array_spec import ArrayConfig, ArraySpec
            from zarr.core.buffer import default_buffer_prototype

        self.shape = shape
        self.dtype = dtype_of(metadata)
        self.nbytes = math.prod(shape) * self.dtype.itemsize
        with quietly():
            self._pipeline = create_codec_pipeline(metadata)
            if pipeline is not None:
                codecs = iter(self._pipeline)  # type: ignore[call-overload] # it lists its codecs
                self._pipeline = pipeline.from_codecs(list(codecs))
        self._spec = ArraySpec(
            shape,
            metadata.dtype,
            metadata.fill_value,
            # Format 2 has the order of values in its metadata, format 3 in its codecs.
            ArrayConfig.from_dict({"order": getattr(metadata, "order", "C")}),
            default_buffer_prototype(),
        )
        self._is_blosc = is_blosc

    def decode_into(self, data: Buffer, out: npt.NDArray[Any]) -> bool:
        """Return False, as zarr-python decodes into arrays of its own."""
        return False

    def values(self, data: Buffer) -> npt.NDArray[Any]:
        """Return the values of the chunk, perhaps read-only."""
        with between_forks():
            from zarr.core.sync import sync

        if self._is_blosc:
            check_blosc(data)  # zarr-python does not notice truncated frames
        stored = self._spec.prototype.buffer.from_bytes(data)
        decoded: list[Any] = list(sync(self._pipeline.decode([(stored, self._spec)])))
        values: npt.NDArray[Any] = np.asarray(decoded[0].as_numpy_array())
        return values.astype(self.dtype, copy=False)


def dtype_of(metadata: Any) -> np.dtype[Any]:
    """Return the dtype of values; variable-length strings are objects."""
    dtype: np.dtype[Any] = metadata.dtype.to_native_dtype()
    return np.dtype(object) if isinstance(dtype, np.dtypes.StringDType) else dtype


def fill_of(metadata: Any) -> Any:
    """Return the value of chunks that were never written."""
    if metadata.fill_value is None:
        return metadata.dtype.default_scalar()
    return metadata.fill_value
