"""Compression of entries: by Blosc, which numcodecs has, and only where it gains enough."""

from __future__ import annotations

import importlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.errors import OptionError
from biggus.support.extras import needing

if TYPE_CHECKING:
    import numpy.typing as npt

COMPRESSIONS = "lz4", "zstd"

RAW, BLOSC, ENCODED = 0, 1, 2
"""How the values of an entry lie in it; the last: as the source has them."""

_GAIN = 0.2
"""Of the bytes: what gains less is kept as it is, for it takes longer to read."""
_LEVEL = 5
_SHUFFLED = 1, 2, 4, 8
_MOST_BYTES = 2**31 - 1 - 2**16
"""Blosc takes no more at once."""


def check(compression: str | None) -> None:
    """Look whether there is such a compression here, or None, which is none.

    Raises
    ------
    OptionError
        If it is no name of one.
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
    """Return the bytes of elements of a size in fewer bytes, or None if that gains too little."""
    if not 0 < len(raw) <= _MOST_BYTES:
        return None
    blosc = _blosc()
    # Larger elements are beyond what it shuffles.
    word = itemsize if itemsize in _SHUFFLED else 1
    codec = blosc(compression, _LEVEL, blosc.SHUFFLE)
    found: bytes = codec.encode(np.frombuffer(raw, f"u{word}"))
    return found if gains(len(found), len(raw)) else None


def gains(nbytes: int, of: int) -> bool:
    """Tell whether so many bytes in the place of others are so few that it is worth it."""
    return nbytes <= (1 - _GAIN) * of


def decompressed(data: npt.NDArray[np.uint8], nbytes: int) -> npt.NDArray[np.uint8]:
    """Return the `nbytes` bytes that were compressed to `data`.

    Raises
    ------
    ValueError
        If it is not so.
    MissingDependencyError
        If numcodecs is not installed.
    """
    found = np.empty(nbytes, np.uint8)
    try:
        _blosc()().decode(data, out=found)
    except RuntimeError as error:
        raise ValueError(str(error)) from None
    return found


@lru_cache
def _blosc() -> Any:
    with needing("zarr", "zarr", "compressing what is cached"):
        return importlib.import_module("numcodecs").Blosc
