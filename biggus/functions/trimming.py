"""`trim_zeros` and `real_if_close`: a pass over the data finds the shape or dtype when called."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from biggus.array import Array, implements
from biggus.functions.elementwise import as_array
from biggus.functions.statistics import any as some
from biggus.options import format_bytes
from biggus.sources.normal import normal_axes
from biggus.together import ndarrays

_log = logging.getLogger("biggus")


@implements(np.trim_zeros)
def _trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Array:
    array = as_array(filt)
    np.trim_zeros(np.zeros(1), trim)  # type: ignore[arg-type]  # may refuse
    axes = tuple(range(array.ndim)) if axis is None else normal_axes(axis, array.ndim)
    if not array.size:
        return array
    _log.info("trim_zeros of a lazy array: a pass over %s", format_bytes(array.nbytes))
    there = array.astype(bool)
    others = [tuple([one for one in range(array.ndim) if one != each]) for each in axes]
    lines = ndarrays([some(there, axis=each) for each in others])
    key = [slice(None)] * array.ndim
    for each, line in zip(axes, lines, strict=True):
        places = np.flatnonzero(line)
        if not places.size:
            key[each] = slice(0, 0)
            continue
        start = int(places[0]) if "f" in trim.lower() else 0
        stop = int(places[-1]) + 1 if "b" in trim.lower() else array.shape[each]
        key[each] = slice(start, stop)
    return array[tuple(key)]


@implements(np.real_if_close)
def _real_if_close(a: Any, tol: float = 100) -> Array:
    array = as_array(a)
    if array.dtype.kind != "c":
        return array
    _log.info("real_if_close of a lazy array: a pass over %s", format_bytes(array.nbytes))
    limit = np.finfo(array.dtype).eps * tol if tol > 1 else tol
    return array.real if bool((abs(array.imag) < limit).all()) else array
