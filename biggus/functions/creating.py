"""Functions that create arrays: lazy ones, if their argument ``like`` is a lazy array.

NumPy calls a handler with all arguments but `like`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
import numpy.typing as npt

from biggus.array import Array, implements
from biggus.construct import ArrayAdapter, full


def _created(function: Callable[..., Any]) -> Callable[..., Array]:
    """Return a handler that adapts the array that NumPy creates."""

    @wraps(function)
    def create(*arguments: Any, **keywords: Any) -> Array:
        return ArrayAdapter(np.asarray(function(*arguments, **keywords)))

    return create


for _function in (
    *(np.arange, np.eye, np.identity, np.tri, np.fromfunction, np.fromiter, np.frombuffer),
    *(np.fromfile, np.fromstring, np.loadtxt, np.genfromtxt),
):
    implements(_function)(_created(_function))


def _converted(function: Callable[..., Any]) -> Callable[..., Array]:
    """Return a handler that adapts an array_like object; a lazy array stays lazy."""

    @wraps(function)
    def convert(a: Any, dtype: Any = None, *arguments: Any, **keywords: Any) -> Array:
        if not isinstance(a, Array):
            return ArrayAdapter(function(a, dtype, *arguments, **keywords))
        # NumPy checks the arguments, and tells the dtype and the number of axes.
        one = function(np.empty((0,) * a.ndim, a.dtype), dtype, *arguments, **keywords)
        return a.astype(one.dtype)[(None,) * (one.ndim - a.ndim)]

    return convert


for _conversion in (
    *(np.array, np.asarray, np.asanyarray),
    *(np.ascontiguousarray, np.asfortranarray, np.require),
):
    implements(_conversion)(_converted(_conversion))


def _constant(function: Callable[..., Any]) -> Callable[..., Array]:
    """Return a handler for arrays of one value, which take no memory."""

    @wraps(function)
    def create(shape: Any, *arguments: Any, **keywords: Any) -> Array:
        one = function((), *arguments, **keywords)
        return full(shape, one[()], one.dtype)

    return create


implements(np.zeros, np.empty)(_constant(np.zeros))  # a lazy array cannot be uninitialised
implements(np.ones)(_constant(np.ones))


@implements(np.full)
@wraps(np.full)
def _full(
    shape: Any, fill_value: Any, dtype: npt.DTypeLike | None = None, *more: Any, **keywords: Any
) -> Array:
    np.full(0, 0, None, *more, **keywords)  # checks the order and the device
    return full(shape, fill_value, dtype)
