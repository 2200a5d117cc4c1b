"""`map_blocks` and `map_overlap`: functions that are applied block by block."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from biggus.array import Array
from biggus.expressions.apply import Slot
from biggus.expressions.blocks import OfBlocks
from biggus.functions.elementwise import as_array
from biggus.functions.neighbours import pad
from biggus.graph import Blockwise, Reach
from biggus.indexing.grid import Chunks, Grid, Lengths, default_chunks
from biggus.labels import numbered
from biggus.sources.normal import normal_axes, normal_axis

_BOUNDARIES: Mapping[str, dict[str, Any]] = {
    "reflect": {"mode": "symmetric"},
    "periodic": {"mode": "wrap"},
    "nearest": {"mode": "edge"},
}
"""The arguments of `pad` for the boundaries of dask."""


def map_blocks(
    function: Callable[..., Any],
    *arrays: Any,
    dtype: npt.DTypeLike | None = None,
    chunks: Sequence[int | Sequence[int]] | None = None,
    drop_axis: int | str | Sequence[int | str] = (),
    new_axis: int | Sequence[int] = (),
    **kwargs: Any,
) -> Array:
    """Apply a function to each block of arrays, as ``dask.array.map_blocks``.

    Blocks are the chunks of the first array that has the full shape (see `Array.grid`), or those
    of its `rechunk`.  An array without chunks has blocks of about 4 MiB.  The function is always
    called with whole blocks, and only for blocks that are needed; so results do not depend on
    the selection that is read.

    Parameters
    ----------
    function : callable
        The function.  It takes an ndarray for each array, or a MaskedArray if values can be
        missing.  If it has a parameter `block_id`, it is passed the index of the block.
    *arrays : Array or object
        The arrays, which are broadcast together.  Other objects are passed unchanged.
    dtype : dtype, optional
        The dtype of the result.  By default, the function is called with arrays of ones, of
        length one along each axis, to find it.
    chunks : sequence, optional
        The lengths of the blocks of the result along each axis: one length, or the lengths of
        all blocks.  By default, the blocks have the lengths of the blocks of the arrays.
    drop_axis : int or str, or sequence of them, optional
        Axes, by number or name, that the result does not have.  Blocks are whole along them.
    new_axis : int or sequence of int, optional
        Axes that the result has in addition; they have length one unless `chunks` is given.
    **kwargs
        Further arguments of the function.

    Returns
    -------
    Array
        A lazy array, masked if one of the arrays is.

    Raises
    ------
    TypeError
        If there is no array, or `dtype` is not given and the function fails for ones.
    ValueError
        If the shapes do not fit; or, while reading, if a block has an unexpected shape.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> a = biggus.ArrayAdapter(np.arange(6), chunks=(3,))
    >>> biggus.map_blocks(lambda block: block - block.mean(), a).ndarray()
    array([-1.,  0.,  1., -1.,  0.,  1.])
    """
    lazy = [one for one in arrays if isinstance(one, Array)]
    if not lazy:
        raise TypeError("map_blocks takes at least one biggus.Array")
    shape = np.broadcast_shapes(*[one.shape for one in lazy])
    grid = _blocks_of(lazy, shape)
    whole = next((one for one in lazy if one.ndim == len(shape)), lazy[0])
    left_out = tuple(np.atleast_1d(np.asarray(drop_axis, object)).tolist())
    dropped = normal_axes(numbered(whole.node, left_out), len(shape)) if shape else ()
    origins: list[int | None] = [axis for axis in range(len(shape)) if axis not in dropped]
    added = sorted(np.atleast_1d(new_axis).astype(int).tolist())
    for axis in added:
        origins.insert(axis if axis >= 0 else len(origins) + 1 + axis, None)
    counts = [1 if axis is None else Grid(shape, grid).axes[axis].count for axis in origins]
    if chunks is None:
        cut: list[Lengths] = [1 if axis is None else grid[axis] for axis in origins]
        lengths = [1 if axis is None else shape[axis] for axis in origins]
    else:
        cut = [*map(_all_lengths, chunks, counts)] if len(chunks) == len(origins) else []
        if [len(one) for one in cut if isinstance(one, tuple)] != counts:
            raise ValueError(f"`chunks={chunks!r}` must give lengths of {counts} blocks per axis")
        lengths = [sum(one) for one in cut if isinstance(one, tuple)]
    reaches = [_reaches(one.shape, shape, grid, origins, chunks is not None) for one in lazy]
    slots = iter(range(len(lazy)))
    arguments = [Slot(next(slots)) if isinstance(one, Array) else one for one in arrays]
    with_id = _takes_block_id(function)
    kind = _tried(function, arrays, kwargs, with_id, len(origins)) if dtype is None else dtype
    masked = any(one.masked for one in lazy)
    step = OfBlocks(function, arguments, kwargs, np.dtype(kind), masked, with_id)
    nodes = [one.node for one in lazy]
    return Array.from_node(Blockwise(step, nodes, reaches, tuple(lengths), tuple(cut)))


def _blocks_of(arrays: Sequence[Array], shape: tuple[int, ...]) -> Chunks:
    """Return the chunks of the first array that has the shape and chunks, or default ones."""
    for one in arrays:
        if one.shape == shape and one.grid is not None:
            return one.grid
    return default_chunks(shape, max(one.itemsize for one in arrays))


def _all_lengths(lengths: int | Sequence[int], count: int) -> Lengths:
    return tuple(map(int, lengths)) if np.iterable(lengths) else (int(lengths),) * count


def _reaches(
    own: tuple[int, ...],
    shape: tuple[int, ...],
    grid: Chunks,
    origins: Sequence[int | None],
    resized: bool,
) -> list[Reach]:
    """Return how blocks of the result depend on each axis of an array."""
    reaches = []
    first = len(shape) - len(own)
    for axis, length in enumerate(own, first):
        if axis not in origins or (length == 1 != shape[axis]):
            reaches.append(Reach())
        else:
            pieces = grid[axis] if resized else None
            reaches.append(Reach(origins.index(axis), pieces=pieces))
    return reaches


def _takes_block_id(function: Callable[..., Any]) -> bool:
    try:
        return "block_id" in inspect.signature(function).parameters
    except (TypeError, ValueError):  # functions written in C have no signature
        return False


def _tried(
    function: Callable[..., Any],
    arrays: Sequence[Any],
    keywords: Mapping[str, Any],
    with_id: bool,
    ndim: int,
) -> np.dtype[Any]:
    """Return the dtype of a function, which is called with ones."""
    ones = [
        np.ones((1,) * one.ndim, one.dtype) if isinstance(one, Array) else one for one in arrays
    ]
    more = {"block_id": (0,) * ndim} if with_id else {}
    try:
        with np.errstate(all="ignore"):
            dtype: np.dtype[Any] = np.asanyarray(function(*ones, **keywords, **more)).dtype
    except Exception as error:
        raise TypeError(
            f"the function of blocks fails for ones: pass `dtype=` ({error})"
        ) from error
    return dtype


def map_overlap(
    function: Callable[..., Any],
    array: Any,
    *,
    depth: int | tuple[int, int] | Sequence[Any] | Mapping[int | str, Any] = 0,
    boundary: Any = None,
    dtype: npt.DTypeLike | None = None,
    **kwargs: Any,
) -> Array:
    """Apply a function to each block and its neighbourhood, as ``dask.array.map_overlap``.

    Blocks overlap by `depth` elements; the overlap is trimmed from the results.

    Parameters
    ----------
    function : callable
        The function.  It takes an ndarray, or a MaskedArray if values can be missing, and
        returns an array of the same shape.
    array : Array or array_like
        The array.  It is cut into blocks as by :func:`map_blocks`.
    depth : int, tuple or mapping
        The number of elements of the neighbourhood: one for all axes, one for each axis, or a
        mapping by the number or name of the axis.  A pair is for before and after.
    boundary : str, number or mapping, optional
        The values beyond the ends of the array: "reflect" (starting with the last value),
        "periodic", "nearest", a constant, or "none" or None for no values.  Like `depth`, it
        is given for all axes, for each axis, or by number or name.
    dtype : dtype, optional
        The dtype of the result.  By default, the function is called with an array of ones, of
        length one along each axis, to find it.
    **kwargs
        Further arguments of the function.

    Returns
    -------
    Array
        A lazy array of the shape of `array`.

    Raises
    ------
    ValueError
        If the boundary is unknown, or a depth is negative or exceeds the length of the axis;
        or, while reading, if the function changes the shape.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> a = biggus.ArrayAdapter(np.array([1, 1, 2, 3, 5, 8]), chunks=(3,))
    >>> smooth = lambda block: (np.roll(block, 1) + block + np.roll(block, -1)) / 3
    >>> biggus.map_overlap(smooth, a, depth=1, boundary="reflect").ndarray().round(2)
    array([1.  , 1.33, 2.  , 3.33, 5.33, 7.  ])
    """
    lazy = as_array(array)
    kind = _tried(function, [lazy], kwargs, False, lazy.ndim) if dtype is None else dtype
    grid = _blocks_of([lazy], lazy.shape)
    depths = [_pair(one) for one in _by_axis(depth, lazy, 0, "depth")]
    ends = _by_axis(boundary, lazy, "none", "boundary")
    padded = lazy
    for axis, (pair, end) in enumerate(zip(depths, ends, strict=True)):
        if any(n < 0 or n > lazy.shape[axis] for n in pair):
            raise ValueError(f"a depth of {pair} around an axis of {lazy.shape[axis]}")
        if not _is_none(end) and any(pair):
            widths = [pair if other == axis else (0, 0) for other in range(lazy.ndim)]
            padded = pad(padded, widths, **_padding(end))
    margins = [0 if _is_none(end) else pair[0] for pair, end in zip(depths, ends, strict=True)]
    reaches = [
        Reach(axis, before=before - margin, after=after + margin)
        for axis, ((before, after), margin) in enumerate(zip(depths, margins, strict=True))
    ]
    step = OfBlocks(function, [Slot(0)], kwargs, np.dtype(kind), lazy.masked, False, tuple(margins))
    return Array.from_node(Blockwise(step, [padded.node], [reaches], lazy.shape, grid))


def _by_axis(argument: Any, array: Array, default: Any, name: str) -> list[Any]:
    """Return an argument for each axis; it is given for all, for each, or by number or name."""
    ndim = array.ndim
    if isinstance(argument, dict):
        named = {normal_axis(numbered(array.node, n), ndim): one for n, one in argument.items()}
        return [named.get(axis, default) for axis in range(ndim)]
    if isinstance(argument, (tuple, list)):
        if len(argument) != ndim:
            raise ValueError(
                f"{name} must be given for all axes or for each of {ndim}: {argument!r}"
            )
        return list(argument)
    return [default if argument is None else argument] * ndim


def _pair(depth: Any) -> tuple[int, int]:
    before, after = depth if np.iterable(depth) else (depth, depth)
    return int(before), int(after)


def _is_none(boundary: Any) -> bool:
    return boundary is None or (isinstance(boundary, str) and boundary == "none")


def _padding(boundary: Any) -> dict[str, Any]:
    if not isinstance(boundary, str):
        return {"mode": "constant", "constant_values": boundary}
    if boundary not in _BOUNDARIES:
        names = ", ".join(map(repr, [*_BOUNDARIES, "none"]))
        raise ValueError(f"a boundary is {names} or a number, not {boundary!r}")
    return _BOUNDARIES[boundary]
