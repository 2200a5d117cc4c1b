"""Functions that count: `bincount`, `histogramdd`, `searchsorted`; counts of blocks are added."""

from __future__ import annotations

import logging
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from biggus import reductions
from biggus.array import Array, implements
from biggus.construct import zeros
from biggus.functions.elementwise import as_array, refuse_missing
from biggus.functions.reshaping import ravel, reshape
from biggus.functions.statistics import sum as total
from biggus.functions.steps import FunctionStep
from biggus.graph import BlockPlace, Blockwise, Reach
from biggus.indexing.grid import Grid, Lengths
from biggus.indexing.reduction_blocks import reduction_blocks
from biggus.options import format_bytes
from biggus.together import ndarrays

_log = logging.getLogger("biggus")


def _added_up(
    function: Callable[..., Any],
    lines: Sequence[Array],
    others: Sequence[Array],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    keywords: Mapping[str, Any],
) -> Array:
    """Return the sum over all blocks of a function of blocks.

    Parameters
    ----------
    function : callable
        The function.  It takes a block of each of `lines`, the whole of each of `others`, and
        the keywords, and returns an array of `shape`.
    lines : sequence of Array
        Arrays of one axis and of the same length, which are cut into blocks.
    others : sequence of Array
        Arrays that are passed as a whole.
    """
    size = lines[0].size
    if not size:
        return zeros(shape, dtype)
    refuse_missing(function.__name__, *lines, *others)
    lengths = pieces_of(*lines)
    count = Grid((size,), (lengths,)).axes[0].count
    reaches = [[Reach(0, pieces=lengths)]] * len(lines) + [[Reach()] * one.ndim for one in others]
    nodes = [one.node for one in [*lines, *others]]
    step = FunctionStep(_part, dtype, {"function": function, **keywords})
    cut = (1, *[max(1, n) for n in shape])
    parts = Blockwise(step, nodes, reaches, (count, *shape), cut)
    return total(Array.from_node(parts), axis=0, dtype=dtype)


def pieces_of(*lines: Array) -> Lengths:
    """Return the lengths of the blocks of arrays of one axis."""
    if not lines[0].size:
        return 1
    grids = [one.grid for one in lines if one.grid is not None]
    (lengths,) = reduction_blocks(lines[0].shape, grids[0] if grids else None).lengths
    return lengths


def _part(place: BlockPlace, *blocks: Any, function: Callable[..., Any], **keywords: Any) -> Any:
    """Return the result of a function of blocks, with a new first axis."""
    return np.asarray(function(*blocks, **keywords))[None]


# By their own values ----------------------------------------------------------------------


@implements(np.bincount)
def _bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Array:
    array = as_array(x)
    if array.ndim != 1:
        raise ValueError("object of too small depth or too deep for desired array: give one axis")
    np.bincount(np.zeros(0, array.dtype), minlength=minlength)  # may refuse
    count = operator.index(minlength)
    lines = [array]
    if weights is not None:
        lines.append(as_array(weights).astype(np.float64, casting="safe"))
        if lines[1].shape != array.shape:
            raise ValueError("The weights and list don't have the same length.")
    if array.size:
        _log.info("bincount of a lazy array: a pass over %s", format_bytes(array.nbytes))
        least, most = ndarrays([array.min(), array.max()])
        if least < 0:
            raise ValueError("'list' argument must have no negative elements")
        count = max(count, int(most) + 1)
    dtype = np.dtype(np.float64 if weights is not None and array.size else np.intp)
    return _added_up(np.bincount, lines, [], (count,), dtype, {"minlength": count})


# By edges ---------------------------------------------------------------------------------


@implements(np.histogramdd)
def _histogramdd(
    sample: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> tuple[Array, Any]:
    if hasattr(sample, "shape"):
        array = as_array(sample)
        if array.ndim > 2:
            raise ValueError("too many values to unpack: a sample is of at most two axes")
        lines = [array[:, n] for n in _range(array.shape[1])] if array.ndim == 2 else [ravel(array)]
    else:
        lines = [as_array(one) for one in sample]
    dims = len(lines)
    # NumPy is called with one sample, to check the bins and to find known edges.
    probe = np.stack([np.zeros(min(1, one.size), one.dtype) for one in lines], -1)
    several = list(bins) if np.iterable(bins) else [bins] * dims
    known: Any
    counts, known = np.histogramdd(probe, bins, range, density=False)
    ranges = [None] * dims if range is None else list(range)
    edges: list[Array] = []
    for line, each, extent, some in zip(lines, several, ranges, known, strict=True):
        if np.iterable(each) or extent is not None or not line.size:
            edges.append(as_array(some))
        else:
            by = reductions.histogram_edges(line.astype(probe.dtype).node, each)
            edges.append(Array.from_node(by).astype(some.dtype))
    given_lines = [one.astype(probe.dtype) for one in lines]
    if weights is not None:
        given_lines.append(as_array(weights))
        if given_lines[-1].shape != lines[0].shape:
            raise ValueError("The weights and list don't have the same length.")
    options = {"dims": dims}
    histogram = _added_up(histogram_counts, given_lines, edges, counts.shape, counts.dtype, options)
    if density:
        whole = total(histogram)
        for axis, each in enumerate(edges):
            widths = each[1:] - each[:-1]
            histogram = histogram / widths[(slice(None),) + (None,) * (dims - axis - 1)]
        histogram = histogram / whole
    return histogram, type(known)(edges)


_range = range


def histogram_counts(*blocks: Any, dims: int) -> Any:
    """Return a histogram; the arguments are the coordinates, optional weights, and the edges."""
    weights = blocks[dims] if len(blocks) > 2 * dims else None
    return np.histogramdd(np.stack(blocks[:dims], -1), list(blocks[-dims:]), weights=weights)[0]


# Among values in order ------------------------------------------------------------------------


def counted_before(a: Array, v: Any, side: str) -> Array:
    """Find the indices of values in a lazy sorted array, as :func:`numpy.searchsorted`.

    The index of a value is the number of smaller elements, which is added up over blocks.
    """
    if a.ndim != 1:
        raise ValueError("object too deep for desired array")
    values = as_array(v)
    np.searchsorted(np.zeros(0, a.dtype), np.zeros(0, values.dtype), side)  # type: ignore[call-overload] # any dtype
    dtype = np.dtype(np.intp)
    counts = _added_up(np.searchsorted, [a], [ravel(values)], (values.size,), dtype, {"side": side})
    return reshape(counts, values.shape)
