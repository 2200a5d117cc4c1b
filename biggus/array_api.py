"""The namespace of the Python array API standard for lazy arrays.

Functions that create arrays create lazy ones.  All others are NumPy's, which dispatch to biggus.
"""

from __future__ import annotations

import sys
from typing import Any, Literal

import numpy as np

from biggus import construct
from biggus.array import Array

__array_api_version__ = "2024.12"


def asarray(
    obj: Any, /, *, dtype: Any = None, device: str | None = None, copy: bool | None = None
) -> Array:
    """Return a lazy array of an array_like object; a lazy array is returned unchanged."""
    _check_device(device)
    if isinstance(obj, Array):
        if copy is False and dtype is not None and np.dtype(dtype) != obj.dtype:
            raise ValueError("the dtype cannot be changed without a copy")
        return obj if dtype is None else obj.astype(dtype)
    return construct.ArrayAdapter(np.asarray(obj, dtype=dtype, copy=copy))


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Array:
    """Return a lazy array of an array of another library, by DLPack."""
    if isinstance(x, Array):
        return x
    # NumPy has these arguments since 2.1.
    options = {"device": device, "copy": copy}
    more = {name: value for name, value in options.items() if value is not None}
    return construct.ArrayAdapter(np.from_dlpack(x, **more))


def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: str | None = None) -> Array:
    """Cast a lazy array to another dtype."""
    _check_device(device)
    return asarray(x).astype(dtype, copy=copy)


def arange(
    start: Any,
    /,
    stop: Any = None,
    step: Any = 1,
    *,
    dtype: Any = None,
    device: str | None = None,
) -> Array:
    """Return a lazy array of evenly spaced values, as :func:`numpy.arange`."""
    _check_device(device)
    ends: tuple[Any, Any] = (0, start) if stop is None else (start, stop)
    return construct.ArrayAdapter(np.arange(*ends, step, dtype=dtype))


def linspace(
    start: Any,
    stop: Any,
    /,
    num: int,
    *,
    dtype: Any = None,
    device: str | None = None,
    endpoint: bool = True,
) -> Array:
    """Return a lazy array of evenly spaced values, as :func:`numpy.linspace`."""
    _check_device(device)
    return construct.ArrayAdapter(np.linspace(start, stop, num, endpoint, dtype=dtype))


def eye(
    n_rows: int,
    n_cols: int | None = None,
    /,
    *,
    k: int = 0,
    dtype: Any = None,
    device: str | None = None,
) -> Array:
    """Return a lazy array with ones on a diagonal and zeros elsewhere."""
    _check_device(device)
    return construct.ArrayAdapter(np.eye(n_rows, n_cols, k, float if dtype is None else dtype))


def searchsorted(
    x1: Any, x2: Any, /, *, side: Literal["left", "right"] = "left", sorter: Any = None
) -> Any:
    """Find the indices where values belong in a sorted array, which is read at once."""
    known = np.asarray(x1)
    return np.searchsorted(known, x2, side, None if sorter is None else np.asarray(sorter))


def zeros(shape: Any, *, dtype: Any = None, device: str | None = None) -> Array:
    """Return a lazy array of zeros."""
    _check_device(device)
    return construct.zeros(shape, float if dtype is None else dtype)


def ones(shape: Any, *, dtype: Any = None, device: str | None = None) -> Array:
    """Return a lazy array of ones."""
    _check_device(device)
    return construct.ones(shape, float if dtype is None else dtype)


def empty(shape: Any, *, dtype: Any = None, device: str | None = None) -> Array:
    """Return a lazy array of zeros: a lazy array cannot be uninitialised."""
    return zeros(shape, dtype=dtype, device=device)


def full(shape: Any, fill_value: Any, *, dtype: Any = None, device: str | None = None) -> Array:
    """Return a lazy array of one value."""
    _check_device(device)
    return construct.full(shape, fill_value, dtype)


def _check_device(device: str | None) -> None:
    if device not in (None, "cpu"):
        raise ValueError(f"a lazy array is read into the memory of this machine, not {device!r}")


def __getattr__(name: str) -> Any:
    return getattr(np, name)


Array.namespace = sys.modules[__name__]
