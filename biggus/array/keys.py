"""Lazy arrays as indices: their values are read when the array is indexed."""

from __future__ import annotations

import logging
import math
from typing import Any

from biggus import options
from biggus.adapt import Lazy
from biggus.errors import MemoryBudgetError
from biggus.options import format_bytes

_log = logging.getLogger("biggus")


def is_large_mask(key: Any, shape: tuple[int, ...]) -> bool:
    """Tell whether a key is a lazy mask of a whole array that is too large to read at once."""
    if not isinstance(key, Lazy):
        return False
    node = key.node
    if node.dtype.kind != "b" or node.masked or node.shape != shape:
        return False
    return math.prod(shape) > options.current().memory


def in_memory(key: Any) -> Any:
    """Return a key with its lazy arrays, at any depth, replaced by their values.

    Raises
    ------
    IndexError
        If a lazy array is neither of integers nor a mask.
    MemoryBudgetError
        If a lazy array is larger than the memory option; it is not read then.
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
    """Tell whether a key contains a lazy array."""
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
    if array.dtype.kind not in "biu":
        raise IndexError("arrays used as indices must be of integer (or boolean) type")
    limit = options.current().memory
    if array.nbytes > limit:
        raise MemoryBudgetError(
            f"not reading {format_bytes(array.nbytes)} of a key (the memory option is "
            f"{format_bytes(limit)}): slice it, or use biggus.where(mask, a, ...), or a[i:j][key]"
        )
    _log.info("a lazy array as a key: %s are read", format_bytes(array.nbytes))
    values = array.ndarray()  # raises an error if a value is missing
    return values if values.ndim else values[()]
