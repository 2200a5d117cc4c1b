"""Decoding the stored bytes of a chunk in the calling thread.

A chain of steps undoes the codecs of a chunk, the last one first.  The slow steps are those of
numcodecs and zlib, which release the GIL.  Every step knows the number of bytes of its result, if
that follows from the chunk, and any other number is an error, so that no buffer is left partly
filled.
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

from biggus.support.forks import between_forks

Buffer: TypeAlias = Any
"""Bytes, or a flat array of bytes."""

Step: TypeAlias = Callable[[Buffer, "int | None", "npt.NDArray[np.uint8] | None"], Buffer]
"""Undoes one codec: takes encoded bytes, the decoded size, and an array for the result."""

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
    codecs : list of (callable, int or None)
        The steps in order, each with the number of bytes that its input is longer than its
        result; None if that varies.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        axes: tuple[int, ...],
        codecs: list[tuple[Step, int | None]],
    ) -> None:
        self.shape = shape
        self.dtype = dtype
        self.nbytes = math.prod(shape) * dtype.itemsize
        self._stored_shape = tuple(shape[axis] for axis in axes)
        self._back = tuple(axes.index(axis) for axis in range(len(axes)))
        self.in_order = self._back == tuple(range(len(axes)))
        size: int | None = self.nbytes
        steps = []
        for step, longer in reversed(codecs):
            steps.append((step, size))
            size = None if size is None or longer is None else size + longer
        self.steps = steps[::-1]
        self.fills = bool(codecs) and codecs[-1][0] in (_blosc, _zstd, _lz4)
        """Whether values are decoded into a given buffer."""

        # With several steps the length between them is unknown: buffers grow, and are joined.
        self.copies = 1 if len(steps) < 2 else 6
        """How many times the bytes of its values decoding a chunk takes."""

        self.stored_nbytes = size
        """The number of stored bytes; None if it varies."""

    @property
    def plain(self) -> bool:
        """Whether the stored bytes are the values, in C order."""
        return self.in_order and not self.steps

    def into(self, data: Buffer, out: npt.NDArray[np.uint8] | None) -> Buffer:
        """Return the bytes of the stored values, in `out` or in another buffer.

        Raises
        ------
        OSError, ValueError, RuntimeError, zlib.error
            If they are damaged.
        """
        if self.stored_nbytes is not None and len(data) != self.stored_nbytes:
            raise OSError(f"a chunk of {self.stored_nbytes} bytes has {len(data)}")
        last = len(self.steps) - 1
        for i, (step, size) in enumerate(self.steps):
            data = step(data, size, out if i == last else None)
        return data

    def decode_into(self, data: Buffer, out: npt.NDArray[Any]) -> bool:
        """Decode a whole chunk straight into an array, if possible; return whether it was."""
        straight = self.in_order and self.dtype == out.dtype
        if not (straight and self.steps and out.flags.c_contiguous):
            return False
        target = out.reshape(-1).view(np.uint8)
        decoded = self.into(data, target)
        if decoded is not target:
            target[:] = np.frombuffer(decoded, np.uint8)
        return True

    def values(self, data: Buffer, scratch: npt.NDArray[np.uint8] | None) -> npt.NDArray[Any]:
        """Return the values of the chunk, perhaps in `scratch`, perhaps read-only."""
        data = self.into(data, scratch)
        array = np.ndarray(self._stored_shape, self.dtype, data)
        return array if self.in_order else array.transpose(self._back)


def decoder_for(codecs: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> ChunkDecoder | None:
    """Return the decoder of a chain of codecs of format 3, or None if one is unknown."""
    if dtype.kind not in "biufcMmSUV" or dtype.names or not isinstance(codecs, list):
        return None
    axes = tuple(range(len(shape)))
    steps: list[tuple[Step, int | None]] = []
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
        elif stored is not None and name in _STEPS_3:
            steps.insert(0, _STEPS_3[name])
        else:
            return None
    return None if stored is None else ChunkDecoder(shape, stored, axes, steps)


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
    steps: list[tuple[Step, int | None]] = []
    compressor = fields.get("compressor")
    if compressor is not None:
        name = compressor.get("id")
        if name in _STEPS_2:
            steps.append(_STEPS_2[name])
        elif name in _NUMCODECS:
            steps.append((_numcodecs_step(compressor), None))
        else:
            return None
    for codec in reversed(fields.get("filters") or []):
        if codec.get("id") not in _NUMCODECS:
            return None
        steps.append((_numcodecs_step(codec), None))
    axes = tuple(range(len(shape)))
    return ChunkDecoder(shape, dtype, axes if fields["order"] == "C" else axes[::-1], steps)


def _numcodecs_step(config: dict[str, Any]) -> Step:
    with between_forks():
        codec = importlib.import_module("numcodecs").get_codec(dict(config))

    def step(data: Buffer, size: int | None, out: Any) -> Buffer:  # noqa: ARG001 - a Step
        found = codec.decode(data)
        if isinstance(found, np.ndarray):
            found = np.ascontiguousarray(found).reshape(-1).view(np.uint8)
        return _sized(found, size)

    return step


def _sized(data: Buffer, size: int | None) -> Buffer:
    if size is not None and len(data) != size:
        raise OSError(f"a chunk of {size} bytes decoded to {len(data)}: damaged")
    return data


def _blosc(data: Buffer, size: int | None, out: Any) -> Buffer:
    check_blosc(data)
    (length,) = struct.unpack_from("<I", data, 4)
    if size is not None and length != size:
        raise OSError(f"a chunk of {size} bytes is a Blosc frame of {length}")
    return _native("blosc")(data, out if size is not None else None)


def _zstd(data: Buffer, size: int | None, out: Any) -> Buffer:
    decompress = _native("zstd")
    if out is not None and size is not None and _zstd_length(data) == size:
        # The decoder raises an error if the frame has another length than its header says.
        return decompress(data, out)
    return _sized(decompress(data), size)


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


def _lz4(data: Buffer, size: int | None, out: Any) -> Buffer:
    if len(data) < 4:
        raise OSError("an LZ4 chunk without its length")
    if size is not None and int.from_bytes(bytes(data[:4]), "little") != size:
        raise OSError(f"a chunk of {size} bytes has another length in its header: damaged")
    return _native("lz4")(data, out if size is not None else None)


def _gzip(data: Buffer, size: int | None, out: Any) -> Buffer:  # noqa: ARG001 - a Step
    if size is not None:
        found = zlib.decompress(data, 31, max(1, size))
        if len(found) == size:
            return found
    return _sized(gzip.decompress(data), size)  # it may have several members


def _zlib(data: Buffer, size: int | None, out: Any) -> Buffer:  # noqa: ARG001 - a Step
    return _sized(zlib.decompress(data, bufsize=max(1, size or zlib.DEF_BUF_SIZE)), size)


def _crc32c(data: Buffer, size: int | None, out: Any) -> Buffer:  # noqa: ARG001 - a Step
    stored = bytes(data[-_CRC_BYTES:])
    inner = memoryview(data)[:-_CRC_BYTES]
    if crc32c(inner).to_bytes(_CRC_BYTES, "little") != stored:
        raise OSError("the checksum (crc32c) does not match: damaged")
    return _sized(inner, size)


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


_STEPS_3: dict[Any, tuple[Step, int | None]] = {
    "blosc": (_blosc, None),
    "zstd": (_zstd, None),
    "gzip": (_gzip, None),
    "crc32c": (_crc32c, _CRC_BYTES),
}
_STEPS_2: dict[Any, tuple[Step, int | None]] = {
    "blosc": (_blosc, None),
    "zstd": (_zstd, None),
    "gzip": (_gzip, None),
    "zlib": (_zlib, None),
    "lz4": (_lz4, None),
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
