"""The namespace of lazy arrays for xarray: functions of NumPy's, and a few of dask's."""

from __future__ import annotations

from typing import Any

import numpy as np

from biggus import construct
from biggus.array import Array


def full(shape: Any, fill_value: Any, dtype: Any = None, chunks: Any = None) -> Array:  # noqa: ARG001
    """Return a lazy array of one value."""
    return construct.full(shape, fill_value, dtype)


def from_array(values: Any, chunks: Any = None, **_: Any) -> Array:  # noqa: ARG001 - as in dask
    """Return a lazy array of values; a lazy array is returned unchanged."""
    return values if isinstance(values, Array) else construct.ArrayAdapter(values)


def __getattr__(name: str) -> Any:
    return getattr(np, name)
