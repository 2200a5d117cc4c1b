"""Lazy arrays in keys: which positions they say is read when the key is given."""

from __future__ import annotations

import logging
import math
from typing import Any

from biggus import options
from biggus.adapt import Lazy
from biggus.errors import MemoryBudgetError
from biggus.options import format_bytes

_log = logging.getLogger("biggus")

_KINDS = "biu"
"""Of which dtypes are keys: masks and integers."""


def is_large_mask(key: Any, shape: tuple[int, ...]) -> bool:
    """Tell whether a key is a mask of all values of an array that is not to be read at once."""
    if not isinstance(key, Lazy):
        return False
    node = key.node
    if node.dtype.kind != "b" or node.masked or node.shape != shape:
        return False
    return math.prod(shape) > options.current().memory


def in_memory(key: Any) -> Any:
    """Return a key with the values of all lazy arrays in it, at any depth.

    Raises
    ------
    IndexError
        If they are neither integers nor a mask.
    MemoryBudgetError
        If there are more of them than the memory option allows; then nothing is read.
    """
    if isinstance(key, Lazy):
        return _read(key)
    if type(key) is slice:
        parts = (key.start, key.stop, key.step)
        return slice(*map(in_memory, parts)) if any(map(_holds, parts)) else key
    if isinstance(key, (tuple, list)) and _holds(key):
        return type(key)(map(in_memory, key))
    return key


def _holds(key: Any) -> bool:
    """Tell whether there is a lazy array in a key."""
    if isinstance(key, Lazy):
        return True
    if type(key) is slice:
        return any(map(_holds, (key.start, key.stop, key.step)))
    if not isinstance(key, (tuple, list)):
        return False
    # By type: an index list may have 10^6 elements.
    if not any(issubclass(kind, (Lazy, tuple, list, slice)) for kind in set(map(type, key))):
        return False
    return any(map(_holds, key))


def _read(array: Any) -> Any:
    if array.dtype.kind not in _KINDS:
        raise IndexError("arrays used as indices must be of integer (or boolean) type")
    limit = options.current().memory
    if array.nbytes > limit:
        raise MemoryBudgetError(
            f"not reading {format_bytes(array.nbytes)} of a key (the memory option is "
            f"{format_bytes(limit)}): cut it, or say biggus.where(mask, a, ...), or a[i:j][key]"
        )
    _log.info("a lazy array as a key: %s are read", format_bytes(array.nbytes))
    values = array.ndarray()  # of a missing one it says so
    return values if values.ndim else values[()]
