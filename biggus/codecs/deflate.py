"""Deflate in a zlib stream (RFC 1950 and 1951), as HDF5's filter 1 stores it.

libdeflate, through the package ``deflate``, takes half the time of zlib with the same checks.
Without that package zlib of the standard library is used.  Both release the GIL.
"""

from __future__ import annotations

import functools
import importlib
import logging
import zlib
from collections.abc import Callable
from typing import Any, TypeAlias

from biggus.errors import MissingDependencyError
from biggus.support.extras import needing

_log = logging.getLogger("biggus.codecs")

Inflater: TypeAlias = Callable[[Any, int], Any]
"""Takes stored bytes and their decoded size; returns the decoded bytes, or raises ValueError."""


def inflate(data: Any, size: int) -> Any:
    """Return the `size` bytes that a zlib stream holds.

    Parameters
    ----------
    data : buffer
        The stream; bytes after its end are ignored, as by libhdf5.
    size : int
        The number of bytes that it holds.

    Raises
    ------
    ValueError
        If the stream is damaged, or holds another number of bytes.

    Examples
    --------
    >>> bytes(inflate(zlib.compress(b"values"), 6))
    b'values'
    """
    decoded = _inflater()(data, size)
    if len(decoded) != size:
        raise ValueError(f"it holds {len(decoded)} bytes and not {size}: damaged")
    return decoded


@functools.cache
def _inflater() -> Inflater:
    try:
        with needing("deflate", "hdf5", "to decode with libdeflate"):
            library = importlib.import_module("deflate")
    except MissingDependencyError as error:
        if error.failure is not None:
            _log.warning("%s; decoding with zlib", error)
        return _by_zlib
    return _by_libdeflate(library)


def _by_libdeflate(library: Any) -> Inflater:
    decompress, failure = library.zlib_decompress, library.DeflateError

    def inflater(data: Any, size: int) -> Any:
        try:
            return decompress(data, size)
        except failure as error:
            raise ValueError(
                f"its zlib stream is damaged, or holds more than {size} bytes"
            ) from error

    return inflater


def _by_zlib(data: Any, size: int) -> Any:
    stream = zlib.decompressobj()
    try:
        # One byte more, to notice longer streams and to let others reach their end.
        decoded = stream.decompress(data, size + 1)
    except zlib.error as error:
        raise ValueError(f"its zlib stream is damaged ({error})") from error
    if not stream.eof:
        raise ValueError(f"its zlib stream is cut short, or holds more than {size} bytes")
    return decoded
