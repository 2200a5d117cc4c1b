"""The namespace of lazy arrays by the Python array API standard: NumPy's, over biggus.

What makes arrays makes lazy ones; all else is NumPy's function, which hands lazy arrays over.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus import construct
from biggus.array import Array

if TYPE_CHECKING:
    from collections.abc import Callable

__array_api_version__ = "2024.12"


def asarray(
    obj: Any, /, *, dtype: Any = None, device: str | None = None, copy: bool | None = None
) -> Array:
    """Return a lazy array of anything that NumPy takes; of one that is lazy, itself."""
    _check_device(device)
    if isinstance(obj, Array):
        if copy is False and dtype is not None and np.dtype(dtype) != obj.dtype:
            raise ValueError("the dtype cannot be changed without a copy")
        return obj if dtype is None else obj.astype(dtype)
    return construct.ArrayAdapter(np.asarray(obj, dtype=dtype, copy=copy))


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Array:
    """Return a lazy array of what another library has in memory."""
    if isinstance(x, Array):
        return x
    # NumPy takes them since 2.1.
    given = {"device": device, "copy": copy}
    more = {name: value for name, value in given.items() if value is not None}
    return construct.ArrayAdapter(np.from_dlpack(x, **more))


def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: str | None = None) -> Array:
    """Cast a lazy array to another dtype, when it is read."""
    _check_device(device)
    return asarray(x).astype(dtype, copy=copy)


def _made(name: str) -> Callable[..., Array]:
    function = getattr(np, name)

    def make(*arguments: Any, device: str | None = None, **keywords: Any) -> Array:
        _check_device(device)
        return construct.ArrayAdapter(np.asarray(function(*arguments, **keywords)))

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"Return a lazy array of what :func:`numpy.{name}` gives."
    return make


arange = _made("arange")
linspace = _made("linspace")
eye = _made("eye")


def zeros(shape: Any, *, dtype: Any = None, device: str | None = None) -> Array:
    """Return a lazy array of zeros."""
    _check_device(device)
    return construct.zeros(shape, float if dtype is None else dtype)


def ones(shape: Any, *, dtype: Any = None, device: str | None = None) -> Array:
    """Return a lazy array of ones."""
    _check_device(device)
    return construct.ones(shape, float if dtype is None else dtype)


def empty(shape: Any, *, dtype: Any = None, device: str | None = None) -> Array:
    """Return a lazy array of zeros: what is never written to holds something nevertheless."""
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
