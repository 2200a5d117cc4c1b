"""The codecs and the compression of an array, from its metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from biggus.sources.compression import Compression

_NAMES = {"zstd": "zstd", "gzip": "gzip", "zlib": "gzip", "lz4": "lz4"}


def compression_of(fields: dict[str, Any]) -> Compression | None:
    """Return the compression of chunks; None if there is none, or it is unknown.

    Examples
    --------
    >>> compression_of({"compressor": {"id": "zstd", "level": 3}, "filters": None})
    Compression(name='zstd', level=3, shuffle=False)
    """
    compression, shuffle = None, False
    for name, settings in codecs_of(fields):
        if name == "sharding_indexed":
            return compression_of(settings)
        if name == "shuffle":
            shuffle = True
        elif name == "blosc":
            shuffled = settings.get("shuffle") not in (0, "noshuffle")
            inner = f"blosc:{settings.get('cname')}"
            compression = Compression(inner, settings.get("clevel"), shuffled)
        elif name in _NAMES:
            compression = Compression(
                _NAMES[name], settings.get("level", settings.get("acceleration"))
            )
    return compression and compression._replace(shuffle=compression.shuffle or shuffle)


def codecs_of(fields: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the names and settings of codecs, in the order of encoding."""
    codecs: Any = fields.get("codecs")
    if isinstance(codecs, list):  # format 3
        dicts = [codec for codec in codecs if isinstance(codec, dict)]
        pairs = [(codec.get("name"), codec.get("configuration") or {}) for codec in dicts]
    else:
        filters = fields.get("filters")
        codecs = [*(filters if isinstance(filters, list) else ()), fields.get("compressor")]
        pairs = [(codec.get("id"), codec) for codec in codecs if isinstance(codec, dict)]
    return [
        (str(name).removeprefix("numcodecs."), settings if isinstance(settings, dict) else {})
        for name, settings in pairs
    ]
