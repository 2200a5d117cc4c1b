"""Memory that a thread keeps for runs, so that none is asked of the system for each."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from biggus.statistics.values import AnyArray

_kept = threading.local()

_LINE = 64
"""Bytes of a line of a core's cache, or a multiple of it."""

LARGEST = 2**22
"""Bytes; what is larger than any run should be is not kept."""


def scratch(slot: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> AnyArray:
    """Return memory that this thread may write to until it asks for the same slot again.

    Parameters
    ----------
    slot : str
        What it is for: two arrays that are in use at the same time have two slots.
    shape : tuple of int
        Its shape; it is in C order.
    dtype : numpy.dtype
        Its dtype.
    """
    slots: dict[str, tuple[npt.NDArray[np.uint8], AnyArray]] = _kept.__dict__
    kept = slots.get(slot)
    if kept is not None:
        memory, found = kept
        if found.shape == shape and found.dtype == dtype:  # as of the last run, most often
            return found
    nbytes = math.prod(shape) * dtype.itemsize
    if dtype.hasobject or nbytes > LARGEST:
        return np.empty(shape, dtype)
    if kept is None or memory.nbytes < nbytes:
        memory = aligned(nbytes)
    found = memory[:nbytes].view(dtype).reshape(shape)
    slots[slot] = memory, found
    return found


def aligned(nbytes: int) -> npt.NDArray[np.uint8]:
    """Return bytes of no particular value, from the beginning of a line of the cache on.

    Elsewhere arithmetic takes a seventh more.
    """
    memory = np.empty(nbytes + _LINE, np.uint8)
    return memory[-memory.ctypes.data % _LINE :][:nbytes]
