"""Functions that move, add, remove, reverse and broadcast axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from biggus.array import Array, implements
from biggus.construct import broadcast_to, transpose
from biggus.functions.elementwise import as_array
from biggus.functions.reshaping import ravel
from biggus.labels import numbered
from biggus.sources.normal import normal_axes, normal_axis
from biggus.statistics.signatures import refuse

ALL = slice(None)


@implements(np.transpose)
def _transpose(a: Any, axes: Sequence[int] | None = None) -> Array:
    return transpose(a, axes)


@implements(np.swapaxes)
def _swapaxes(a: Array, axis1: int | str, axis2: int | str) -> Array:
    order = list(range(a.ndim))
    one, other = [normal_axis(numbered(a.node, axis), a.ndim) for axis in (axis1, axis2)]
    order[one], order[other] = order[other], order[one]
    return a.transpose(order)


@implements(np.moveaxis)
def moveaxis(a: Array, source: Any, destination: Any) -> Array:
    """Move axes to other places, as :func:`numpy.moveaxis`."""
    sources = normal_axes(numbered(a.node, source), a.ndim, "source")
    places = normal_axes(destination, a.ndim, "destination")
    if len(sources) != len(places):
        raise ValueError("source and destination name as many axes as one another")
    order = [axis for axis in range(a.ndim) if axis not in sources]
    for place, axis in sorted(zip(places, sources, strict=True)):
        order.insert(place, axis)
    return a.transpose(order)


@implements(np.expand_dims)
def _expand_dims(a: Array, axis: int | tuple[int, ...]) -> Array:
    numbers = axis if isinstance(axis, (tuple, list)) else (axis,)
    ndim = a.ndim + len(numbers)
    added = normal_axes(numbers, ndim)
    return a[tuple([None if place in added else ALL for place in range(ndim)])]


@implements(np.squeeze)
def _squeeze(a: Array, axis: int | tuple[int, ...] | None = None) -> Array:
    if axis is None:
        dropped = tuple([place for place, n in enumerate(a.shape) if n == 1])
    else:
        # NumPy squeezes axis 0 of an array without axes.
        dropped = () if not a.ndim and axis in (0, -1, ()) else normal_axes(axis, a.ndim)
    if any(a.shape[place] != 1 for place in dropped):
        raise ValueError("cannot squeeze an axis whose length is not one")
    return a[tuple([0 if place in dropped else ALL for place in range(a.ndim)])]


@implements(np.flip)
def _flip(m: Array, axis: int | tuple[int, ...] | None = None) -> Array:
    axes = range(m.ndim) if axis is None else normal_axes(axis, m.ndim)
    return m[tuple([slice(None, None, -1) if n in axes else ALL for n in range(m.ndim)])]


@implements(np.take)
def _take(
    a: Any, indices: Any, axis: int | None = None, out: None = None, mode: str = "raise"
) -> Array:
    refuse("take", out=out)
    np.take(np.zeros(1), 0, mode=mode)  # type: ignore[call-overload]  # may refuse
    array = as_array(a)
    array = ravel(array) if axis is None or not array.ndim else array
    place = 0 if axis is None else normal_axis(axis, array.ndim)
    if isinstance(indices, np.ndarray):
        index = indices.astype(np.intp, casting="same_kind")
    else:
        index = np.asarray(indices, np.intp)
    length = array.shape[place]
    if mode != "raise" and index.size and not length:
        raise IndexError("cannot do a non-empty take from an empty axes.")
    if mode == "wrap":
        index = index % max(1, length)
    elif mode == "clip":
        index = np.clip(index, 0, max(0, length - 1))
    return array[(ALL,) * place + (index,)]


@implements(np.broadcast_to)
def _broadcast_to(array: Any, shape: Any, subok: bool = False) -> Array:
    return broadcast_to(array, shape)


@implements(np.broadcast_arrays)
def _broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Array, ...]:
    arrays = [as_array(one if hasattr(one, "shape") else np.asarray(one)) for one in args]
    shape = np.broadcast_shapes(*[one.shape for one in arrays])
    return tuple([broadcast_to(one, shape) for one in arrays])
