"""Reading boxes of a netCDF variable with strides, without the library's strided path.

As soon as one axis has a stride the netCDF library goes element by element
(classic files) or selects points one by one (NetCDF-4): about fifty times the
cost of an element in a run.  So where strides are short, all between them
is read in runs, slab by slab, and what is not wanted dropped.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from biggus.source import Box

_MOST_WASTE = 32
"""Up to so many elements are read for one that is wanted."""

_LEAST_RUN = 1024
"""Runs of so many elements are worth a call each."""

_SLAB_BYTES = 8 * 2**20
"""About how much is read at once, to drop most of it."""


def read_box(variable: Any, box: Box) -> Any:
    """Return the values in `box` of a netCDF4 variable, as the variable gives them.

    Parameters
    ----------
    variable : netCDF4.Variable
        Of any type, with all automatic conversions off.
    box : tuple of slice
        In bounds and of full rank.

    Returns
    -------
    ndarray or object
        A scalar variable of strings or ragged rows gives what it holds.
    """
    steps = [s.step if s.stop - s.start > s.step else 1 for s in box]
    if math.prod(steps) == 1 or np.dtype(variable.dtype).hasobject:
        return variable[box or ...]
    counts = [len(range(s.start, s.stop, s.step)) for s in box]
    axis = next(i for i, n in enumerate(counts) if n > 1)
    chunks = variable.chunking()
    chunk = chunks[axis] if isinstance(chunks, list) else 1
    inner = math.prod(counts[axis + 1 :]) if math.prod(steps[axis + 1 :]) == 1 else 0
    waste = math.prod(steps)
    if inner >= _LEAST_RUN and (chunk == 1 or waste > _MOST_WASTE):
        at_once = 1
    elif waste <= _MOST_WASTE:
        per_index = waste * math.prod(counts) // counts[axis] * np.dtype(variable.dtype).itemsize
        # A chunk is better not decoded for two slabs.
        at_once = max(1, _SLAB_BYTES // per_index, -(-chunk // steps[axis]))
    else:
        return variable[box]
    return _read_slabs(variable, box, counts, axis, at_once)


def _read_slabs(variable: Any, box: Box, counts: list[int], axis: int, at_once: int) -> Any:
    values = np.empty(counts, variable.dtype)
    thin = tuple(slice(None, None, s.step) for s in box)
    runs = [slice(s.start, s.stop, 1) for s in box]
    step = box[axis].step
    for first in range(0, counts[axis], at_once):
        last = min(first + at_once, counts[axis]) - 1
        start = box[axis].start + first * step
        runs[axis] = slice(start, start + (last - first) * step + 1, 1)
        slab = variable[tuple(runs)]
        values[(slice(None),) * axis + (slice(first, last + 1),)] = slab[thin]
    return values
