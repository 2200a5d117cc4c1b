"""Operands: what of an expression is a node, and what a constant."""

from __future__ import annotations

from typing import Any

import numpy as np

from biggus.adapt import Lazy, adapted
from biggus.sources.foreign import library_of

_SCALARS = frozenset({bool, int, float, complex, str, bytes})
_OWN_METHOD = object()


def operand(obj: Any) -> Any:
    """Return a node, or a scalar that is part of whatever is computed with it.

    Python's numbers stay what they are, for NumPy treats them unlike its own.
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
        # Of np.ma.masked a copy is one like any other.
        return adapted(np.ma.MaskedArray(obj.data, obj.mask) if obj is np.ma.masked else obj)
    return adapted(obj) if obj.ndim else _scalar(obj)


def _scalar(array: np.ndarray[Any, Any]) -> Any:
    # Of these dtypes an element is not, or does not say, what the array does.
    return array.copy() if array.dtype.kind in "OTV" else array[()]


def defers(kind: type) -> bool:
    """Tell whether objects of a type compute for themselves, also with a lazy array.

    As NumPy has it: they have a way of their own with ufuncs, or want none.  Arrays of
    dask have, but leave it to any array that they do not know: to defer to them would be
    to have nobody compute.
    """
    if issubclass(kind, Lazy) or library_of(kind) == "dask":
        return False
    own = getattr(kind, "__array_ufunc__", _OWN_METHOD)
    return own is not _OWN_METHOD and own is not np.ndarray.__array_ufunc__
