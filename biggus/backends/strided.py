"""Reading boxes with strides, without the strided paths of libnetcdf and libhdf5.

As soon as one axis has a stride these libraries go element by element, or
select points one by one: ten to fifty times the cost of an element in a run.
So where strides are short, all between them is read in runs, slab by slab, and
what is not wanted dropped.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from biggus.source import Box

_MOST_WASTE = 32
"""Up to so many elements are read for one that is wanted."""

_LEAST_RUN = 1024
"""Runs of so many elements are worth a call each."""

_SLAB_BYTES = 8 * 2**20
"""About how much is read at once, to drop most of it."""


def read_box(variable: Any, box: Box, dtype: np.dtype[Any], chunks: Sequence[int] | None) -> Any:
    """Return the values in `box` of a variable of a library, as it gives them.

    Parameters
    ----------
    variable : netCDF4.Variable or h5py.Dataset
        Of any type, with all automatic conversions off.
    box : tuple of slice
        In bounds and of full rank.
    dtype : dtype
        What the library gives.
    chunks : sequence of int or None
        Its chunks, if it has any.

    Returns
    -------
    ndarray or object
        A scalar variable of strings or ragged rows gives what it holds.
    """
    steps = [s.step if s.stop - s.start > s.step else 1 for s in box]
    if math.prod(steps) == 1 or dtype.hasobject:
        return variable[box or ...]
    counts = [len(range(s.start, s.stop, s.step)) for s in box]
    axis = next(i for i, n in enumerate(counts) if n > 1)
    chunk = chunks[axis] if chunks else 1
    inner = math.prod(counts[axis + 1 :]) if math.prod(steps[axis + 1 :]) == 1 else 0
    waste = math.prod(steps)
    if inner >= _LEAST_RUN and (chunk == 1 or waste > _MOST_WASTE):
        at_once = 1
    elif waste <= _MOST_WASTE:
        per_index = waste * math.prod(counts) // counts[axis] * dtype.itemsize
        # A chunk is better not decoded for two slabs.
        at_once = max(1, _SLAB_BYTES // per_index, -(-chunk // steps[axis]))
    else:
        return variable[box]
    values = np.empty(counts, dtype)
    _read_slabs(variable, box, values, axis, at_once)
    return values


def _read_slabs(variable: Any, box: Box, values: npt.NDArray[Any], axis: int, at_once: int) -> None:
    thin = tuple(slice(None, None, s.step) for s in box)
    runs = [slice(s.start, s.stop, 1) for s in box]
    step = box[axis].step
    count = values.shape[axis]
    for first in range(0, count, at_once):
        last = min(first + at_once, count) - 1
        start = box[axis].start + first * step
        runs[axis] = slice(start, start + (last - first) * step + 1, 1)
        slab = variable[tuple(runs)]
        values[(slice(None),) * axis + (slice(first, last + 1),)] = slab[thin]
