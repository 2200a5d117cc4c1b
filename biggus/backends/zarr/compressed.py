"""How the metadata of an array say that its chunks are compressed."""

from __future__ import annotations

from typing import Any

from biggus.sources.compression import Compression

_NAMES = {"zstd": "zstd", "gzip": "gzip", "zlib": "gzip", "lz4": "lz4"}


def compression_of(fields: dict[str, Any]) -> Compression | None:
    """Return how chunks are compressed; None if they are not, or in a way that is not known.

    Examples
    --------
    >>> compression_of({"compressor": {"id": "zstd", "level": 3}, "filters": None})
    Compression(name='zstd', level=3, shuffle=False)
    """
    found, shuffle = None, False
    for name, settings in _codecs(fields):
        if name == "sharding_indexed":
            return compression_of(settings)
        if name == "shuffle":
            shuffle = True
        elif name == "blosc":
            shuffled = settings.get("shuffle") not in (0, "noshuffle")
            inner = f"blosc:{settings.get('cname')}"
            found = Compression(inner, settings.get("clevel"), shuffled)
        elif name in _NAMES:
            found = Compression(_NAMES[name], settings.get("level", settings.get("acceleration")))
    return found and found._replace(shuffle=found.shuffle or shuffle)


def _codecs(fields: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the names and the settings of codecs, those that come first when writing first."""
    codecs: list[Any]
    if isinstance(fields.get("codecs"), list):  # format 3
        codecs = [codec for codec in fields["codecs"] if isinstance(codec, dict)]
        pairs = [(codec.get("name"), codec.get("configuration") or {}) for codec in codecs]
    else:
        codecs = [*(fields.get("filters") or ()), fields.get("compressor")]
        pairs = [(codec.get("id"), codec) for codec in codecs if isinstance(codec, dict)]
    return [(str(name).removeprefix("numcodecs."), settings) for name, settings in pairs]
