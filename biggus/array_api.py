"""The namespace of the Python array API standard for lazy arrays.

Functions that create arrays create lazy ones.  All others are NumPy's, which dispatch to biggus.
"""

from __future__ import annotations

import sys
from functools import wraps
from typing import Any, Literal

import numpy as np

from biggus.array import Array, implements
from biggus.array.handlers import handler
from biggus.construct import ArrayAdapter

__array_api_version__ = "2024.12"

_CREATING = frozenset(["arange", "asarray", "empty", "eye", "full", "ones", "zeros"])
"""Functions of NumPy's whose handlers create lazy arrays."""


@wraps(np.linspace)
def linspace(*arguments: Any, **keywords: Any) -> Array:
    """Return a lazy array of evenly spaced values."""
    return ArrayAdapter(np.linspace(*arguments, **keywords))


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Array:
    """Return a lazy array of an array of another library, by DLPack."""
    if isinstance(x, Array):
        return x
    # NumPy has these arguments since 2.1.
    options = {"device": device, "copy": copy}
    more = {name: value for name, value in options.items() if value is not None}
    return ArrayAdapter(np.from_dlpack(x, **more))


def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: str | None = None) -> Array:
    """Cast a lazy array to another dtype."""
    if device not in (None, "cpu"):
        raise ValueError(f"a lazy array is read into the memory of this machine, not {device!r}")
    array: Array = __getattr__("asarray")(x)
    return array.astype(dtype, copy=copy)


if hasattr(np, "astype"):  # since NumPy 2.1
    implements(np.astype)(astype)


def searchsorted(
    x1: Any, x2: Any, /, *, side: Literal["left", "right"] = "left", sorter: Any = None
) -> Any:
    """Find the indices where values belong in a sorted array, which is read at once."""
    known = np.asarray(x1)
    return np.searchsorted(known, x2, side, None if sorter is None else np.asarray(sorter))


def __getattr__(name: str) -> Any:
    function = getattr(np, name)
    return handler(function) if name in _CREATING else function


Array.namespace = sys.modules[__name__]
