"""Lazy arrays of one value: `zeros`, `ones`, `full` and `ConstantArray`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from biggus.adapt import leaf_of
from biggus.array import Array
from biggus.construct.views import broadcast_to
from biggus.graph import View
from biggus.indexing.selection import Selection
from biggus.sources.memory import MemorySource
from biggus.sources.normal import given_shape


def ConstantArray(
    shape: int | Sequence[int],
    value: Any = 0.0,
    dtype: npt.DTypeLike | None = None,
) -> Array:
    """Return a lazy array in which every element has the same value.

    Parameters
    ----------
    shape : int or tuple of int
        The shape of the array.
    value : scalar, optional
        The value of every element.
    dtype : dtype, optional
        The dtype; by default the dtype of `value`.

    Returns
    -------
    Array
        A lazy array, which stores one element.

    Raises
    ------
    ValueError
        If `value` is not a scalar.

    Examples
    --------
    >>> import biggus
    >>> biggus.ConstantArray((2**40, 2**20), 273.15).nbytes
    9223372036854775808
    """
    lengths = given_shape(shape)
    scalar = _filled(value, dtype)
    if scalar.ndim:
        raise ValueError(f"the value of a ConstantArray is a scalar, not of shape {scalar.shape}")
    leaf = leaf_of(MemorySource(scalar))
    return Array.from_node(View(leaf, Selection.broadcast((), lengths)))


def zeros(shape: int | Sequence[int], dtype: npt.DTypeLike = float) -> Array:
    """Return a lazy array of zeros, as :func:`numpy.zeros`.

    Parameters
    ----------
    shape : int or tuple of int
        The shape of the array.
    dtype : dtype, optional
        The dtype.

    Returns
    -------
    Array
        A lazy array, which stores one element.

    Examples
    --------
    >>> import biggus
    >>> biggus.zeros((2, 2)).ndarray()
    array([[0., 0.],
           [0., 0.]])
    """
    return ConstantArray(shape, np.zeros((), dtype)[()], dtype)


def ones(shape: int | Sequence[int], dtype: npt.DTypeLike = float) -> Array:
    """Return a lazy array of ones, as :func:`numpy.ones`.

    Parameters
    ----------
    shape : int or tuple of int
        The shape of the array.
    dtype : dtype, optional
        The dtype.

    Returns
    -------
    Array
        A lazy array, which stores one element.

    Examples
    --------
    >>> import biggus
    >>> biggus.ones((2, 2)).ndarray()
    array([[1., 1.],
           [1., 1.]])
    """
    return ConstantArray(shape, np.ones((), dtype)[()], dtype)


def full(shape: int | Sequence[int], fill_value: Any, dtype: npt.DTypeLike | None = None) -> Array:
    """Return a lazy array of `fill_value`, as :func:`numpy.full`.

    Parameters
    ----------
    shape : int or tuple of int
        The shape of the array.
    fill_value : scalar or array_like
        The value; an array is broadcast to `shape`.
    dtype : dtype, optional
        The dtype; by default the dtype of `fill_value`.

    Returns
    -------
    Array
        A lazy array, which stores `fill_value` alone.

    Raises
    ------
    ValueError
        If `fill_value` cannot be broadcast to `shape`.

    Examples
    --------
    >>> import biggus
    >>> biggus.full((2, 3), [1, 2, 3]).ndarray()
    array([[1, 2, 3],
           [1, 2, 3]])
    """
    values = _filled(fill_value, dtype)
    return broadcast_to(values, shape) if values.ndim else ConstantArray(shape, values)


def _filled(value: Any, dtype: npt.DTypeLike | None) -> npt.NDArray[Any]:
    """Return a new ndarray of `value`, cast as :func:`numpy.full` casts."""
    if dtype is None:
        return np.array(value)
    new = np.dtype(dtype)
    if new.itemsize == 0 or (new.names is not None and isinstance(value, tuple)):
        return np.array(value, new)  # of the length that the value needs; one record
    return np.full(np.shape(value), value, new)
