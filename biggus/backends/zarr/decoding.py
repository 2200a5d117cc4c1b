"""Decoding the stored bytes of a chunk in the calling thread.

The codecs are those of numcodecs and zlib, which release the GIL.
"""

from __future__ import annotations

import functools
import gzip
import importlib
import math
import struct
import zlib
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from biggus.codecs.pipeline import Pipeline, Room, Stage, Undo
from biggus.support.forks import between_forks

Buffer: TypeAlias = Any
"""Bytes, or a flat array of bytes."""

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_CRC_BYTES = 4


class ChunkDecoder:
    """Decodes the stored bytes of a chunk.

    Parameters
    ----------
    shape : tuple of int
        The shape of a chunk.
    dtype : dtype
        The dtype of the stored values, with their byte order.
    axes : tuple of int
        For each stored axis the axis of the chunk.
    stages : list of Stage
        The codecs between the bytes of the stored values and those of the chunk, in the order
        in which they were applied.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        axes: tuple[int, ...],
        stages: list[Stage],
    ) -> None:
        self.shape = shape
        self.dtype = dtype
        self.nbytes = math.prod(shape) * dtype.itemsize
        self._stored_shape = tuple(shape[axis] for axis in axes)
        self._back = tuple(axes.index(axis) for axis in range(len(axes)))
        self._in_order = self._back == tuple(range(len(axes)))
        self._pipeline = Pipeline(stages, self.nbytes)
        # With several codecs the length between them is unknown: buffers grow, and are joined.
        self.copies = 1 if len(stages) < 2 else 6
        """How many times the bytes of its values decoding a chunk takes."""

    @property
    def plain(self) -> bool:
        """Whether the stored bytes are the values, in C order."""
        return self._in_order and not self._pipeline.stages

    def decode_into(self, data: Buffer, out: npt.NDArray[Any]) -> bool:
        """Decode a whole chunk straight into an array, if possible; return whether it was."""
        straight = self._in_order and self.dtype == out.dtype
        if not (straight and self._pipeline.stages and out.flags.c_contiguous):
            return False
        self._pipeline.decode(data, 0, out.reshape(-1).view(np.uint8))
        return True

    def values(self, data: Buffer) -> npt.NDArray[Any]:
        """Return the values of a chunk, valid until this thread decodes another, perhaps read-only.

        Raises
        ------
        OSError, ValueError, RuntimeError, zlib.error
            If the bytes are damaged.
        """
        array = np.ndarray(self._stored_shape, self.dtype, self._pipeline.decode(data))
        return array if self._in_order else array.transpose(self._back)


def decoder_for(codecs: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> ChunkDecoder | None:
    """Return the decoder of a chain of codecs of format 3, or None if one is unknown."""
    if dtype.kind not in "biufcMmSUV" or dtype.names or not isinstance(codecs, list):
        return None
    axes = tuple(range(len(shape)))
    stages: list[Stage] = []
    stored: np.dtype[Any] | None = None
    for codec in codecs:
        if not isinstance(codec, dict):
            return None
        name, settings = codec.get("name"), codec.get("configuration") or {}
        if stored is None and name == "transpose":
            order = settings.get("order")
            if not isinstance(order, list) or sorted(order) != list(range(len(shape))):
                return None
            axes = tuple(axes[i] for i in order)
        elif stored is None and name == "bytes":
            stored = _stored_dtype(dtype, settings.get("endian"))
        elif stored is not None and name in _STAGES_3:
            stages.append(_STAGES_3[name])
        else:
            return None
    return None if stored is None else ChunkDecoder(shape, stored, axes, stages)


def _stored_dtype(dtype: np.dtype[Any], endian: Any) -> np.dtype[Any] | None:
    if dtype.kind in "bSV" or dtype.itemsize == 1:
        return dtype
    order = {"little": "<", "big": ">"}.get(endian)
    return None if order is None else dtype.newbyteorder(order)  # type: ignore[arg-type]


def decoder_for_v2(
    fields: dict[str, Any], shape: tuple[int, ...], dtype: np.dtype[Any]
) -> ChunkDecoder | None:
    """Return the decoder of an array of format 2, or None if a codec is unknown."""
    if dtype.kind not in "biufcMmSUV" or dtype.names or fields.get("order") not in ("C", "F"):
        return None
    stages: list[Stage] = []
    for codec in fields.get("filters") or []:
        if codec.get("id") not in _NUMCODECS:
            return None
        stages.append(Stage(_undo_of_numcodecs(codec)))
    compressor = fields.get("compressor")
    if compressor is not None:
        name = compressor.get("id")
        if name in _STAGES_2:
            stages.append(_STAGES_2[name])
        elif name in _NUMCODECS:
            stages.append(Stage(_undo_of_numcodecs(compressor)))
        else:
            return None
    axes = tuple(range(len(shape)))
    return ChunkDecoder(shape, dtype, axes if fields["order"] == "C" else axes[::-1], stages)


def _undo_of_numcodecs(config: dict[str, Any]) -> Undo:
    with between_forks():
        codec = importlib.import_module("numcodecs").get_codec(dict(config))

    def undo(data: Buffer, size: int | None, out: Room) -> Buffer:  # noqa: ARG001 - an Undo
        decoded = codec.decode(data)
        if isinstance(decoded, np.ndarray):
            decoded = np.ascontiguousarray(decoded).reshape(-1).view(np.uint8)
        return decoded

    return undo


def _blosc(data: Buffer, size: int | None, out: Room) -> Buffer:
    check_blosc(data)
    (length,) = struct.unpack_from("<I", data, 4)
    if size is not None and length != size:
        raise OSError(f"a chunk of {size} bytes is a Blosc frame of {length}")
    return _native("blosc")(data, out if size is not None else None)


def _zstd(data: Buffer, size: int | None, out: Room) -> Buffer:
    decompress = _native("zstd")
    if out is not None and size is not None and _zstd_length(data) == size:
        # The decoder raises an error if the frame has another length than its header says.
        return decompress(data, out)
    return decompress(data)


def _zstd_length(data: Buffer) -> int | None:
    """Return the decoded length of a frame from its header; None if it has none.

    The layout is that of RFC 8878, section 3.1.1.1.
    """
    if bytes(data[:4]) != _ZSTD_MAGIC or len(data) < 18:
        return None
    descriptor = data[4]
    single = descriptor >> 5 & 1
    at = 5 + (0 if single else 1) + (0, 1, 2, 4)[descriptor & 3]
    flag = descriptor >> 6
    if flag == 0 and not single:
        return None
    length = int.from_bytes(bytes(data[at : at + (1, 2, 4, 8)[flag]]), "little")
    return length + 256 if flag == 1 else length


def _lz4(data: Buffer, size: int | None, out: Room) -> Buffer:
    if len(data) < 4:
        raise OSError("an LZ4 chunk without its length")
    if size is not None and int.from_bytes(bytes(data[:4]), "little") != size:
        raise OSError(f"a chunk of {size} bytes has another length in its header: damaged")
    return _native("lz4")(data, out if size is not None else None)


def _gzip(data: Buffer, size: int | None, out: Room) -> Buffer:  # noqa: ARG001 - an Undo
    if size is not None:
        decoded = zlib.decompress(data, 31, max(1, size))
        if len(decoded) == size:
            return decoded
    return gzip.decompress(data)  # it may have several members


def _zlib(data: Buffer, size: int | None, out: Room) -> Buffer:  # noqa: ARG001 - an Undo
    return zlib.decompress(data, bufsize=max(1, size or zlib.DEF_BUF_SIZE))


def _crc32c(data: Buffer, size: int | None, out: Room) -> Buffer:  # noqa: ARG001 - an Undo
    stored = bytes(data[-_CRC_BYTES:])
    inner = memoryview(data)[:-_CRC_BYTES]
    if crc32c(inner).to_bytes(_CRC_BYTES, "little") != stored:
        raise OSError("the checksum (crc32c) does not match: damaged")
    return inner


def crc32c(data: Buffer) -> int:
    """Return the CRC-32C (Castagnoli) of some bytes."""
    return int(_crc32c_function()(np.frombuffer(data, np.uint8)))


@functools.lru_cache(maxsize=1)
def _crc32c_function() -> Callable[[Any], int]:
    with between_forks():
        try:
            return importlib.import_module("google_crc32c").value  # type: ignore[no-any-return]
        except ImportError:  # earlier zarr-python depends on another package
            return importlib.import_module("crc32c").crc32c  # type: ignore[no-any-return]


@functools.lru_cache(maxsize=8)
def _native(name: str) -> Callable[..., Buffer]:
    with between_forks():
        decompress = importlib.import_module(f"numcodecs.{name}").decompress

    def call(data: Buffer, out: Any = None) -> Buffer:
        if out is None:
            return decompress(data)
        decompress(data, out)
        return out

    return call


_STAGES_3 = {
    "blosc": Stage(_blosc, fills=True),
    "zstd": Stage(_zstd, fills=True),
    "gzip": Stage(_gzip),
    "crc32c": Stage(_crc32c, longer=_CRC_BYTES, copies=False),
}
_STAGES_2 = {
    "blosc": _STAGES_3["blosc"],
    "zstd": _STAGES_3["zstd"],
    "gzip": _STAGES_3["gzip"],
    "zlib": Stage(_zlib),
    "lz4": Stage(_lz4, fills=True),
}
_NUMCODECS = frozenset({"bz2", "lzma", "shuffle", "delta", "fixedscaleoffset", "fletcher32"})
"""Codecs of format 2 that numcodecs decodes."""


_HEADER = 16


def check_blosc(data: Buffer) -> None:
    """Raise an OSError for a Blosc frame that is not as long as it says.

    A Blosc frame holds its length, and the decoder trusts that more than the bytes it is given: a
    truncated frame decodes to whatever follows it in memory.
    """
    if len(data) < _HEADER:
        raise OSError(f"a Blosc frame has at least {_HEADER} bytes, not {len(data)}")
    (length,) = struct.unpack_from("<I", data, 12)
    if length != len(data):
        raise OSError(f"a Blosc frame of {length} bytes has {len(data)}: damaged or cut short")
