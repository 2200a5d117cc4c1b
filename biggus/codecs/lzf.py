"""LZF, as h5py's filter 32000 stores it, decoded by the package ``imagecodecs`` if installed.

h5py has a decoder, but only inside libhdf5.  No smaller maintained package has one.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
from typing import Any

import numpy as np
import numpy.typing as npt

from biggus.support.forks import between_forks

_log = logging.getLogger("biggus.codecs")


@functools.cache
def available() -> bool:
    """Return whether LZF can be decoded without libhdf5."""
    if importlib.util.find_spec("imagecodecs") is None:
        return False
    try:
        _decoder()
    except Exception as error:  # noqa: BLE001 - a broken package may raise anything
        _log.warning("imagecodecs cannot be imported, so libhdf5 decodes LZF: %s", error)
        return False
    return True


def decode_lzf(data: Any, size: int, out: npt.NDArray[np.uint8] | None = None) -> Any:
    """Return the `size` decompressed bytes, in `out` if it is given.

    Raises
    ------
    ValueError
        If the data are damaged, or hold another number of bytes.
    """
    target = np.empty(size, np.uint8) if out is None else out
    decode, failure = _decoder()
    try:
        decoded = decode(data, header=False, out=target)
    except failure as error:
        raise ValueError("its LZF data are damaged") from error
    if len(decoded) != size:
        raise ValueError(f"it holds {len(decoded)} bytes and not {size}: damaged")
    return target


@functools.cache
def _decoder() -> tuple[Any, type[Exception]]:
    with between_forks():
        library = importlib.import_module("imagecodecs")
    return library.lzf_decode, library.LzfError
