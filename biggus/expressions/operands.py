"""Operands of functions: nodes, and constants that become part of a step."""

from __future__ import annotations

from typing import Any

import numpy as np

from biggus.adapt import Lazy, adapted
from biggus.sources.foreign import library_of

_SCALARS = frozenset({bool, int, float, complex, str, bytes})
_OWN_METHOD = object()


def operand(obj: Any) -> Any:
    """Return an object as a node, or as a scalar.

    Python's numbers stay so, because NumPy promotes them differently from its own.
    """
    if isinstance(obj, Lazy):
        return obj.node
    if type(obj) in _SCALARS or isinstance(obj, np.generic):
        return obj
    if not isinstance(obj, np.ndarray):
        if hasattr(obj, "shape") and hasattr(obj, "dtype") and hasattr(obj, "__getitem__"):
            return adapted(obj)
        obj = np.asanyarray(obj)
    if type(obj) is not np.ndarray and isinstance(obj, np.ma.MaskedArray):
        # np.ma.masked is a constant object: a copy of it is an array like any other.
        return adapted(np.ma.MaskedArray(obj.data, obj.mask) if obj is np.ma.masked else obj)
    if obj.ndim:
        return adapted(obj)
    # Elements of these dtypes are no NumPy scalars, or lose a part of the dtype.
    return obj.copy() if obj.dtype.kind in "OTV" else obj[()]


def defers(kind: type) -> bool:
    """Return whether operators of lazy arrays leave objects of a type to the type's own operators.

    By NumPy's rule: if the type defines ``__array_ufunc__``, or sets it to None.  Arrays of dask
    define it, but in turn leave operations with unknown arrays to those, so they are excepted.
    """
    if issubclass(kind, Lazy) or library_of(kind) == "dask":
        return False
    own = getattr(kind, "__array_ufunc__", _OWN_METHOD)
    return own is not _OWN_METHOD and own is not np.ndarray.__array_ufunc__
