"""Checks of stored bytes that zarr-python and its codecs do not make.

Truncated Blosc frames go unnoticed (see `biggus.backends.zarr.decoding`), and so does a truncated
shard whose index is at its start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from biggus.backends.zarr.decoding import check_blosc
from biggus.backends.zarr.sharding import NOT_WRITTEN, Sharding, shardings

if TYPE_CHECKING:
    from collections.abc import Callable

    from biggus.backends.zarr.store import Span


def check_for(fields: dict[str, Any], zarr_format: int) -> Callable[[bytes, Span], None] | None:
    """Return the check of the stored bytes of an array's chunks, or None if there is none.

    The check is called with bytes from the store and their span in the object, and raises an
    OSError if they are incomplete.
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


def _shard_check(fields: dict[str, Any], settings: dict[str, Any]) -> Callable[[bytes, Span], None]:
    blosc = _is_blosc((settings.get("codecs") or [{}])[-1])
    at_start = settings.get("index_location") == "start"
    shard = tuple(fields["chunk_grid"]["configuration"]["chunk_shape"])
    sharding = shardings(fields, tuple(settings["chunk_shape"]))(shard)

    def check(data: bytes, span: Span) -> None:
        start, stop = span
        if start is None:
            if sharding is not None:
                _check_shard(data, sharding, blosc)
        elif blosc and stop is not None and not (at_start and start == 0):
            # A chunk, and not the index, which is read from the end or from 0.
            check_blosc(data, span)

    return check


def _check_shard(data: bytes, sharding: Sharding, blosc: bool) -> None:
    """Check that a shard has all chunks of its index, and that their Blosc frames are complete."""
    index = data[slice(*sharding.span)]
    if len(index) < sharding.index_bytes:
        raise OSError(f"a shard of {len(data)} bytes is too short for its index")
    places = sharding.parsed(index).reshape(-1, 2)
    for offset, length in places[places[:, 0] != NOT_WRITTEN].tolist():
        if offset + length > len(data):
            raise OSError("the shard is cut short: a chunk lies beyond its end")
        if blosc:
            check_blosc(data[offset : offset + length])
