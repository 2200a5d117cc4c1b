"""Reusable buffers of a thread, as fresh memory costs as much as decoding."""

from __future__ import annotations

import threading

import numpy as np
import numpy.typing as npt

MOST_KEPT = 8 * 2**20
"""The most bytes of a buffer that is kept for reuse."""

_thread = threading.local()


def scratch(purpose: str, nbytes: int) -> npt.NDArray[np.uint8]:
    """Return a buffer of `nbytes` uninitialised bytes, for this thread alone.

    It is valid until this thread asks again for the same purpose.  A thread keeps one buffer
    for each purpose, of up to `MOST_KEPT` bytes.

    Examples
    --------
    >>> scratch("example", 5).shape
    (5,)
    """
    buffers: dict[str, npt.NDArray[np.uint8]] = _thread.__dict__
    buffer = buffers.get(purpose)
    if buffer is None or buffer.nbytes < nbytes:
        buffer = np.empty(nbytes, np.uint8)
        if nbytes <= MOST_KEPT:
            buffers[purpose] = buffer
    return buffer[:nbytes]
