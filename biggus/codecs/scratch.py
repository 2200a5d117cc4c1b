"""Buffers that a thread uses again: fresh memory costs as much as decoding does."""

from __future__ import annotations

import threading

import numpy as np
import numpy.typing as npt

MOST_KEPT = 8 * 2**20
"""Bytes; a buffer that is larger lives only as long as it is used."""

_thread = threading.local()


def scratch(purpose: str, nbytes: int) -> npt.NDArray[np.uint8]:
    """Return `nbytes` bytes of no particular value, for this thread alone.

    They are the caller's until this thread asks again for the same purpose.
    A thread keeps one buffer a purpose, of up to `MOST_KEPT` bytes.

    Examples
    --------
    >>> scratch("example", 5).shape
    (5,)
    """
    kept: dict[str, npt.NDArray[np.uint8]] = _thread.__dict__
    buffer = kept.get(purpose)
    if buffer is None or buffer.nbytes < nbytes:
        buffer = np.empty(nbytes, np.uint8)
        if nbytes <= MOST_KEPT:
            kept[purpose] = buffer
    return buffer[:nbytes]
