"""Reading strided boxes without the strided reads of libnetcdf and libhdf5.

If any axis has a stride, these libraries read element by element, at ten to fifty times the
cost of an element in a run.  So for short strides the elements between are read too, in
runs, slab by slab, and dropped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from biggus.indexing.grid import Box, box_shape

MOST_WASTE = 32
"""The most elements that are read for each one that is wanted."""

_LEAST_RUN = 1024
"""The fewest elements of a run that is read by a call of its own."""

_SLAB_BYTES = 8 * 2**20
"""About how many bytes are read at once if most of them are dropped."""


def read_box(variable: Any, box: Box, dtype: np.dtype[Any], chunks: Sequence[int] | None) -> Any:
    """Return the values in `box` of a variable of a library.

    Parameters
    ----------
    variable : netCDF4.Variable or h5py.Dataset
        The variable, with all automatic conversions off.
    box : tuple of slice
        The box.
    dtype : dtype
        The dtype of the values that the library returns.
    chunks : sequence of int or None
        The chunks of the variable, if it has any.

    Returns
    -------
    ndarray or object
        The values; for a scalar variable of strings or ragged rows, its only element.
    """
    slabs = _slabs(box, dtype, chunks)
    if slabs is None:
        return variable[box or ...]
    values = np.empty(box_shape(box), dtype)
    _read_slabs(variable, box, values, slabs.axis, slabs.at_once)
    return values


def slab_bytes(box: Box, dtype: np.dtype[Any], chunks: Sequence[int] | None) -> int:
    """Return the memory that `read_box` takes beside its result."""
    slabs = _slabs(box, dtype, chunks)
    if slabs is None:
        return 0
    runs = [s.stop - s.start for s in box]
    runs[slabs.axis] = min(runs[slabs.axis], slabs.at_once * box[slabs.axis].step)
    # A slab is freed only after the next one is read.
    return int(2 * math.prod(runs) * dtype.itemsize)


class _Slabs(NamedTuple):
    """The axis along which a box is cut, and how many indices are read at once."""

    axis: int
    at_once: int


def _slabs(box: Box, dtype: np.dtype[Any], chunks: Sequence[int] | None) -> _Slabs | None:
    """Return the slabs in which to read a box; None if the library reads it well."""
    steps = [s.step if s.stop - s.start > s.step else 1 for s in box]
    if math.prod(steps) == 1 or dtype.hasobject:
        return None
    counts = box_shape(box)
    axis = next(i for i, n in enumerate(counts) if n > 1)
    chunk = chunks[axis] if chunks else 1
    inner = math.prod(counts[axis + 1 :]) if math.prod(steps[axis + 1 :]) == 1 else 0
    waste = math.prod(steps)
    if inner >= _LEAST_RUN and (chunk == 1 or waste > MOST_WASTE):
        return _Slabs(axis, 1)
    if waste > MOST_WASTE:
        return None
    per_index = max(1, waste * math.prod(counts) // counts[axis] * dtype.itemsize)
    # Avoid decoding a chunk for two slabs.
    return _Slabs(axis, max(1, _SLAB_BYTES // per_index, -(-chunk // steps[axis])))


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
