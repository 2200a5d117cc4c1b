"""`cumsum`, `cumprod` and their like: long lines are accumulated in blocks, in two passes.

The first pass reduces whole blocks; the second accumulates each block from the result of those
before it.  The length of blocks, and so each bit of the results, depends on shape and chunks alone.
Products of floating values are computed by NumPy, in whole lines, unless these are very long.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from biggus.array import Array, implements
from biggus.expressions.cumulative import Running, wide_of
from biggus.functions.along import lined
from biggus.functions.elementwise import as_array, masked_elsewhere, valid_in_all, where
from biggus.functions.joining import concatenate
from biggus.functions.rearranging import along, along_or_flat, of_an_axis
from biggus.functions.reshaping import reshape
from biggus.functions.statistics import prod
from biggus.functions.statistics import sum as total
from biggus.graph import Blockwise, Reach
from biggus.indexing.grid import Grid, default_chunks
from biggus.sources.normal import normal_axis
from biggus.statistics.signatures import refuse

_BLOCK = 2**20
"""The approximate number of elements of a block."""

_LONG = 2**20
"""The longest line of floating values that is multiplied as a whole."""

_LEAST = 64
"""The least length of a block; the results of blocks are then small beside the array."""


def _running(name: str) -> Callable[..., Array]:
    function = getattr(np, name)
    product = name.endswith("cumprod")
    neutral = int(product)

    def run(a: Any, axis: int | None = None, dtype: Any = None, out: Any = None) -> Array:
        refuse(name, out=out)
        array, place = along_or_flat(*of_an_axis(a, axis))
        keywords = {} if dtype is None else {"dtype": np.dtype(dtype)}
        kind = function(np.ones(1, array.dtype), **keywords).dtype
        if array.dtype.kind not in "biufc" or kind.kind not in "biufc":
            of_masked = getattr(np.ma, name, None)
            return lined(array, place, function, keywords, of_masked=of_masked)
        values = array.filled(neutral)
        if name.startswith("nan") and array.dtype.kind in "fc":
            values = where(np.isnan(values), array.dtype.type(neutral), values)
        values = values.astype(kind)
        if product and kind.kind in "fc" and array.shape[place] <= _LONG:
            # After an overflow or a zero, products depend on the order of the factors.
            totals = lined(values, place, np.cumprod)
        else:
            totals = _accumulated(values, place, product)
        if array.masked:
            totals = masked_elsewhere(totals, valid_in_all(array))
        return totals

    return run


def _accumulated(array: Array, axis: int, product: bool) -> Array:
    """Return cumulative sums or products along an axis."""
    if not array.size:
        return array
    grid = list(array.grid or default_chunks(array.shape, array.itemsize))
    length = _length(array, grid, axis)
    before = -(-array.shape[axis] // length) - 1
    step = Running(product, axis, array.dtype)
    operands, reaches = [array], [[Reach(each) for each in range(array.ndim)]]
    if before:
        operands.append(_carried(array, axis, length, before, product))
        reaches.append(
            [Reach(each, pieces=1 if each == axis else None) for each in range(array.ndim)]
        )
    grid[axis] = length
    others = tuple([each for each in range(array.ndim) if each != axis])
    nodes = [one.node for one in operands]
    return Array.from_node(Blockwise(step, nodes, reaches, array.shape, tuple(grid), others))


def _length(array: Array, grid: Any, axis: int) -> int:
    """Return the length of blocks: whole chunks, or the whole axis if it is short."""
    longest = [max(1, edges.longest) for edges in Grid(array.shape, grid).axes]
    chunk = longest[axis]
    across = math.prod(n for other, n in enumerate(longest) if other != axis)
    room = max(_LEAST, _BLOCK // across)
    whole = room // chunk * chunk or room
    return array.shape[axis] if array.shape[axis] <= room else whole


def _carried(array: Array, axis: int, length: int, before: int, product: bool) -> Array:
    """Return the initial value of each block: the result of the blocks before it."""
    whole = along(array, axis, slice(before * length))
    shape = (*array.shape[:axis], before, length, *array.shape[axis + 1 :])
    wide = wide_of(array.dtype)
    each = (prod if product else total)(reshape(whole, shape), axis=axis + 1, dtype=wide)
    totals = _accumulated(each, axis, product)
    ones = (*array.shape[:axis], 1, *array.shape[axis + 1 :])
    none = -np.zeros((), wide) if wide.kind in "fc" else 0  # 0.0 would change negative zeros
    first = np.full((1,) * array.ndim, 1 if product else none, wide)
    return concatenate([np.broadcast_to(first, ones), totals], axis)


for _name in ("cumsum", "cumprod", "nancumsum", "nancumprod"):
    implements(getattr(np, _name))(_running(_name))


def _cumulative(name: str, neutral: int) -> Callable[..., Array]:
    run = _running(name)

    def accumulate(
        x: Any,
        /,
        *,
        axis: int | None = None,
        dtype: Any = None,
        out: Any = None,
        include_initial: bool = False,
    ) -> Array:
        array = as_array(x)
        if axis is None:
            if array.ndim > 1:
                raise ValueError("For arrays which have more than one dimension, axis is required")
            axis = 0
        array, axis = of_an_axis(array, axis)
        place = normal_axis(axis, array.ndim)
        totals = run(array, place, dtype, out)
        if not include_initial:
            return totals
        shape = tuple([1 if n == place else length for n, length in enumerate(totals.shape)])
        return concatenate([np.full(shape, neutral, totals.dtype), totals], place)

    return accumulate


if hasattr(np, "cumulative_sum"):  # since NumPy 2.1
    implements(np.cumulative_sum)(_cumulative("cumsum", 0))
    implements(np.cumulative_prod)(_cumulative("cumprod", 1))
