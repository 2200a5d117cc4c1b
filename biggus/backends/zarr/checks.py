"""Checks of stored bytes that zarr-python and its codecs leave out.

A Blosc frame says how long it is, but the decoder believes the frame and not
the bytes that it is given: one that was cut short decodes to whatever lies
behind it in memory.  A shard whose index is at its start has an index that is
sound when the rest of it is cut off.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.backends.zarr.objects import WHOLE, Span

if TYPE_CHECKING:
    from collections.abc import Callable

_BLOSC_HEADER = 16
_NOWHERE = 2**64 - 1


def check_for(fields: dict[str, Any], zarr_format: int) -> Callable[[bytes, Span], None] | None:
    """Return what checks the stored bytes of an array's chunks, or None if nothing does.

    The check is called with bytes as they came from the store, and the span
    of the object that they are; it raises OSError for what cannot be whole.
    """
    if zarr_format == 2:
        compressor = fields.get("compressor") or {}
        return check_blosc if compressor.get("id") == "blosc" else None
    codecs = fields.get("codecs") or [{}]
    last = codecs[-1]
    if _is_blosc(last):
        return check_blosc
    if len(codecs) == 1 and last.get("name") == "sharding_indexed":
        return _shard_check(fields, last.get("configuration") or {})
    return None


def _is_blosc(codec: dict[str, Any]) -> bool:
    return codec.get("name") in ("blosc", "numcodecs.blosc")


def check_blosc(data: bytes, span: Span = WHOLE) -> None:  # noqa: ARG001 - of all spans
    """Refuse a Blosc frame that is not as long as it says."""
    if len(data) < _BLOSC_HEADER:
        raise OSError(f"a Blosc frame has at least {_BLOSC_HEADER} bytes, not {len(data)}")
    (length,) = struct.unpack_from("<I", data, 12)
    if length != len(data):
        raise OSError(f"a Blosc frame of {length} bytes is here of {len(data)}: damaged or cut")


def _shard_check(fields: dict[str, Any], sharding: dict[str, Any]) -> Callable[[bytes, Span], None]:
    blosc = _is_blosc((sharding.get("codecs") or [{}])[-1])
    at_start = sharding.get("index_location") == "start"
    shard = fields["chunk_grid"]["configuration"]["chunk_shape"]
    inner = sharding["chunk_shape"]
    count = math.prod(n // m for n, m in zip(shard, inner, strict=True))
    names = [codec.get("name") for codec in sharding.get("index_codecs") or []]
    plain = names in (["bytes"], ["bytes", "crc32c"])
    index_codec = (sharding.get("index_codecs") or [{}])[0].get("configuration") or {}
    dtype = ">u8" if index_codec.get("endian") == "big" else "<u8"

    def check_whole(data: bytes) -> None:
        at = 0 if at_start else len(data) - 16 * count - 4 * (len(names) - 1)
        if at < 0 or len(data) < 16 * count:
            raise OSError(f"a shard of {len(data)} bytes is too short for its index")
        index = np.frombuffer(data, dtype, 2 * count, at).reshape(count, 2)
        for offset, length in index[index[:, 0] != _NOWHERE].tolist():
            if offset + length > len(data):
                raise OSError("the shard is cut short: a chunk lies beyond its end")
            if blosc:
                check_blosc(data[offset : offset + length], WHOLE)

    def check(data: bytes, span: Span) -> None:
        start, stop = span
        if start is None:
            if plain:
                check_whole(data)
        elif blosc and stop is not None and not (at_start and start == 0):
            # Not the index, which is read from the end or from 0.
            check_blosc(data, span)

    return check
