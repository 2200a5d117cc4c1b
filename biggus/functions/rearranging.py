"""Functions that rearrange the values of an array, or repeat some of them."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from biggus.array import Array, implements
from biggus.construct import broadcast_to, zeros
from biggus.functions.axes import moveaxis
from biggus.functions.elementwise import as_array, where
from biggus.functions.joining import concatenate
from biggus.functions.reshaping import ravel, reshape
from biggus.sources.normal import normal_axis
from biggus.statistics.signatures import refuse

_BACK = slice(None, None, -1)

_MOST_COPIES = 2**20
"""The most copies with an index or a tile for each; for more, these would fill the memory."""


def along(array: Array, axis: int, key: Any) -> Array:
    """Index an array along one axis."""
    return array[(slice(None),) * axis + (key,)]


def along_or_flat(a: Any, axis: int | None) -> tuple[Array, int]:
    """Return an array and a normalised axis; without an axis, the flattened array and 0."""
    if axis is None:
        return ravel(a), 0
    array = as_array(a)
    return array, normal_axis(axis, array.ndim)


def of_an_axis(a: Any, axis: int | None) -> tuple[Any, int | None]:
    """Return the arguments with a zero-dimensional array flattened, if an axis is given."""
    return (a, axis) if axis is None or np.ndim(a) else (ravel(a), axis)


# Turned and shifted ------------------------------------------------------------------


@implements(np.fliplr)
def _fliplr(m: Any) -> Array:
    if m.ndim < 2:
        raise ValueError("Input must be >= 2-d.")
    return along(m, 1, _BACK)


@implements(np.flipud)
def _flipud(m: Any) -> Array:
    if m.ndim < 1:
        raise ValueError("Input must be >= 1-d.")
    return along(m, 0, _BACK)


@implements(np.rot90)
def _rot90(m: Any, k: int = 1, axes: Sequence[int] = (0, 1)) -> Array:
    if len(axes) != 2:
        raise ValueError("len(axes) must be 2.")
    first, second = [normal_axis(axis, m.ndim) for axis in axes]
    if first == second:
        raise ValueError("Axes must be different.")
    order = list(range(m.ndim))
    order[first], order[second] = second, first
    match k % 4:
        case 1:
            return along(m, second, _BACK).transpose(order)
        case 2:
            return along(along(m, first, _BACK), second, _BACK)
        case 3:
            return along(m.transpose(order), second, _BACK)
        case _:
            return m[...]  # type: ignore[no-any-return]  # an array, as `m` is


@implements(np.matrix_transpose)
def _matrix_transpose(x: Any, /) -> Array:
    return as_array(x).mT


@implements(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> Array:
    """Roll values along axes, as :func:`numpy.roll`."""
    array = as_array(a)
    if axis is None:
        return reshape(roll(ravel(array), shift, 0), array.shape)
    numbers = axis if np.iterable(axis) else (axis,)
    shifts, places = np.broadcast_arrays(shift, [normal_axis(one, array.ndim) for one in numbers])
    if shifts.ndim > 1:
        raise ValueError("'shift' and 'axis' should be scalars or 1D sequences")
    for by, place in zip(shifts.tolist(), places.tolist(), strict=True):
        length = array.shape[place]
        cut = -operator.index(by) % length if length else 0
        if cut:
            parts = along(array, place, slice(cut, None)), along(array, place, slice(cut))
            array = concatenate(parts, place, dtype=array.dtype)
    return array[...]


# Repeated ----------------------------------------------------------------------------


@implements(np.repeat)
def _repeat(a: Any, repeats: Any, axis: int | None = None) -> Array:
    array, place = along_or_flat(*of_an_axis(a, axis))
    length, counts = array.shape[place], np.asarray(repeats)
    total = sum(map(int, np.broadcast_to(counts, length))) if counts.ndim else length * int(counts)
    if total <= _MOST_COPIES or (counts.size and counts.min() < 0):
        return along(array, place, np.repeat(np.arange(length), repeats))
    if counts.ndim == 0:
        return _repeated(array, place, int(counts), place + 1)
    parts = [along(array, place, slice(n, n + 1)) for n in range(length)]
    each = zip(parts, map(int, np.broadcast_to(counts, length)), strict=True)
    return concatenate([_repeated(part, place, count, place) for part, count in each], place)


@implements(np.tile)
def _tile(A: Any, reps: Any) -> Array:  # noqa: N803 - NumPy's name
    array = as_array(A)
    times = tuple(reps) if np.iterable(reps) else (reps,)
    ndim = max(len(times), array.ndim)
    array = array[(None,) * (ndim - array.ndim) + (...,)]
    for axis, count in enumerate((1,) * (ndim - len(times)) + times):
        number = max(0, operator.index(count))
        if number > _MOST_COPIES:
            array = _repeated(array, axis, number, axis)
        else:
            array = concatenate([array] * number, axis) if number else along(array, axis, slice(0))
    return array.astype(as_array(A).dtype)


def _repeated(array: Array, axis: int, count: int, new: int) -> Array:
    """Repeat values along an axis without an index of each.

    Parameters
    ----------
    array : Array
        The array.
    axis : int
        The axis.
    count : int
        How many times the values come.
    new : int
        The place of a new axis of this length, which is merged with `axis`: behind it, each
        value is repeated; at its place, the whole axis is.
    """
    shape = list(array.shape)
    shape.insert(new, count)
    merged = (*array.shape[:axis], array.shape[axis] * count, *array.shape[axis + 1 :])
    return reshape(broadcast_to(along(array, new, None), tuple(shape)), merged)


# Left out and put between --------------------------------------------------------------


@implements(np.compress)
def _compress(condition: Any, a: Any, axis: int | None = None, out: None = None) -> Array:
    array, place = along_or_flat(*of_an_axis(a, axis))
    if np.ndim(condition) != 1:
        raise ValueError("condition must be a 1-d array")
    refuse("compress", out=out)
    return along(array, place, np.flatnonzero(condition))


@implements(np.delete)
def _delete(arr: Any, obj: Any, axis: int | None = None) -> Array:
    array, place = along_or_flat(arr, axis)
    return along(array, place, np.delete(np.arange(array.shape[place]), obj))


@implements(np.insert)
def _insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Array:
    array, place = along_or_flat(arr, axis)
    length = array.shape[place]
    added = as_array(values).astype(array.dtype)
    scalar = np.ndim(obj) == 0 and not isinstance(obj, slice)
    count = len(np.insert(np.arange(length), obj, -1)) - length
    if scalar and added.ndim:
        # At a single position, NumPy inserts the values along the axis.
        added = moveaxis(added[(None,) * (array.ndim - added.ndim) + (...,)], 0, place)
        count = added.shape[place]
    shape = tuple([count if axis == place else n for axis, n in enumerate(array.shape)])
    added = broadcast_to(added, shape)
    where = np.repeat(obj, count) if scalar else obj
    order = np.insert(np.arange(length), where, np.arange(length, length + count))
    return along(concatenate([array, added], place, dtype=array.dtype), place, order)


# Diagonals -----------------------------------------------------------------------------


@implements(np.diagonal)
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """Return a diagonal, as :func:`numpy.diagonal`."""
    array = as_array(a)
    if array.ndim < 2:
        raise ValueError("diag requires an array of at least two dimensions")
    first, second = normal_axis(axis1, array.ndim), normal_axis(axis2, array.ndim)
    if first == second:
        raise ValueError("axis1 and axis2 cannot be the same")
    array = moveaxis(array, (first, second), (-2, -1))
    rows, columns = array.shape[-2:]
    start = max(0, -offset), max(0, offset)
    length = max(0, min(rows - start[0], columns - start[1]))
    run = np.arange(length)
    return array[..., run + start[0], run + start[1]]


@implements(np.diag)
def _diag(v: Any, k: int = 0) -> Array:
    array = as_array(v)
    if array.ndim == 1:
        return _diagflat(array, k)
    if array.ndim != 2:
        raise ValueError("Input must be 1- or 2-d.")
    return diagonal(array, k)


@implements(np.diagflat)
def _diagflat(v: Any, k: int = 0) -> Array:
    array = ravel(v)
    rows = array.size + abs(k)
    on_diagonal = np.arange(rows)[:, None] + k == np.arange(rows)
    start = max(0, -k)
    line = concatenate([zeros(start, array.dtype), array, zeros(max(0, k), array.dtype)])
    return where(on_diagonal, line[:, None], zeros((), array.dtype)).astype(array.dtype)


@implements(np.tril)
def _tril(m: Any, k: int = 0) -> Array:
    array, below = _triangle(m, k)
    return where(below, array, zeros((), array.dtype))


@implements(np.triu)
def _triu(m: Any, k: int = 0) -> Array:
    array, below = _triangle(m, k - 1)
    return where(below, zeros((), array.dtype), array)


def _triangle(m: Any, k: int) -> tuple[Array, Any]:
    """Return an array of two axes at least, and where it is below a diagonal."""
    array = as_array(m)
    if array.ndim == 0:
        raise TypeError("a triangle is of an array of at least one dimension")
    if array.ndim == 1:
        array = broadcast_to(array, (array.size, array.size))
    rows, columns = array.shape[-2:]
    numbers = Array.from_node(as_array(np.arange(rows)).node)
    return array, numbers[:, None] + k >= np.arange(columns)


@implements(np.trace)
def _trace(
    a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: None = None
) -> Array:
    refuse("trace", out=out)
    return diagonal(a, offset, axis1, axis2).sum(axis=-1, dtype=dtype)
