"""Compression of entries by the Blosc of numcodecs, where it saves enough."""

from __future__ import annotations

import importlib
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from biggus.errors import OptionError
from biggus.support.extras import needing

COMPRESSIONS = "lz4", "zstd"

RAW, BLOSC, ENCODED = 0, 1, 2
"""How an entry stores values; ``ENCODED`` is in the encoding of the source."""

_GAIN = 0.2
"""The share of bytes that must be saved to make up for the time of decoding."""
_LEVEL = 5
_SHUFFLED = 1, 2, 4, 8
_MOST_BYTES = 2**31 - 1 - 2**16
"""The most bytes that Blosc compresses at once."""


def check(compression: str | None) -> None:
    """Check that a compression, if not None, is known and installed.

    Raises
    ------
    OptionError
        If it is unknown.
    MissingDependencyError
        If numcodecs is not installed.
    """
    if compression is None:
        return
    if compression not in COMPRESSIONS:
        names = ", ".join(COMPRESSIONS)
        raise OptionError(f"compression must be one of {names} or None, not {compression!r}")
    _blosc()


def compressed(raw: memoryview, itemsize: int, compression: str) -> bytes | None:
    """Return the compressed bytes of elements of `itemsize`, or None if that saves too little."""
    if not 0 < len(raw) <= _MOST_BYTES:
        return None
    blosc = _blosc()
    # Blosc does not shuffle elements of other sizes.
    word = itemsize if itemsize in _SHUFFLED else 1
    codec = blosc(compression, _LEVEL, blosc.SHUFFLE)
    data: bytes = codec.encode(np.frombuffer(raw, f"u{word}"))
    return data if gains(len(data), len(raw)) else None


def gains(nbytes: int, of: int) -> bool:
    """Return whether storing `nbytes` in place of `of` bytes saves enough."""
    return nbytes <= (1 - _GAIN) * of


def decompressed(data: npt.NDArray[np.uint8], nbytes: int) -> npt.NDArray[np.uint8]:
    """Return the `nbytes` bytes that were compressed to `data`.

    Raises
    ------
    ValueError
        If `data` cannot be decompressed to that number of bytes.
    MissingDependencyError
        If numcodecs is not installed.
    """
    values = np.empty(nbytes, np.uint8)
    try:
        _blosc()().decode(data, out=values)
    except RuntimeError as error:
        raise ValueError(str(error)) from None
    return values


@lru_cache
def _blosc() -> Any:
    with needing("zarr", "zarr", "compressing what is cached"):
        return importlib.import_module("numcodecs").Blosc
