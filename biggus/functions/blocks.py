"""Functions of blocks, as users of dask know them: chunk by chunk, and with what is around."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.array import Array
from biggus.expressions.apply import Slot
from biggus.expressions.blocks import OfBlocks
from biggus.functions.elementwise import as_array
from biggus.functions.surroundings import pad
from biggus.graph import Blockwise, Reach
from biggus.indexing.grid import Grid, default_chunks
from biggus.labels import numbered
from biggus.sources.normal import normal_axes, normal_axis

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from biggus.indexing.reduction_blocks import Lengths
    from biggus.sources.base import Chunks

_BOUNDARIES: Mapping[str, dict[str, Any]] = {
    "reflect": {"mode": "symmetric"},
    "periodic": {"mode": "wrap"},
    "nearest": {"mode": "edge"},
}
"""dask's words for what is beyond the ends of an array, and NumPy's."""


def map_blocks(
    function: Callable[..., Any],
    *arrays: Any,
    dtype: npt.DTypeLike | None = None,
    chunks: Sequence[int | Sequence[int]] | None = None,
    drop_axis: int | str | Sequence[int | str] = (),
    new_axis: int | Sequence[int] = (),
    **kwargs: Any,
) -> Array:
    """Apply a function to each block of arrays, as ``dask.array.map_blocks`` does.

    The blocks are the chunks of the first array of the whole shape, see `Array.grid`; they are
    others after `rechunk`.  Of an array without chunks they are of about 4 MiB.  A block is
    computed as a whole, of whole blocks, and only if something in it is wanted; so what comes
    of it does not depend on the selection.

    Parameters
    ----------
    function : callable
        Of an ndarray for each array (a MaskedArray, if values can be missing).  One that has a
        parameter `block_id` is told the number of its block along each axis.
    *arrays : Array or object
        Their last axes belong together, and are equally long or of length one.  What is no
        `Array` is handed on as it is.
    dtype : dtype, optional
        Of the results.  If it is not given, the function is tried on ones, one an axis.
    chunks : sequence, optional
        For each axis of the result the length of the blocks, or the lengths of all, if they
        are not as long as those that they are computed of.
    drop_axis : int or str or sequence of them, optional
        Axes, by number or name, that the results do not have; the function is given all of these.
    new_axis : int or sequence of int, optional
        Axes of the result that the arrays do not have; of length one, if `chunks` is not given.
    **kwargs
        What else the function takes.

    Returns
    -------
    Array
        Lazy, of as many blocks; masked if one of the arrays is.

    Raises
    ------
    TypeError
        If there is no array, or the function cannot be tried.
    ValueError
        If the shapes do not fit; and when it is read, if a block has another one than was said.

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
    kept: list[int | None] = [axis for axis in range(len(shape)) if axis not in dropped]
    added = sorted(np.atleast_1d(new_axis).astype(int).tolist())
    for axis in added:
        kept.insert(axis if axis >= 0 else len(kept) + 1 + axis, None)
    counts = [1 if axis is None else Grid(shape, grid).axes[axis].count for axis in kept]
    if chunks is None:
        cut: list[Lengths] = [1 if axis is None else grid[axis] for axis in kept]
        lengths = [1 if axis is None else shape[axis] for axis in kept]
    else:
        cut = [*map(_all_lengths, chunks, counts)] if len(chunks) == len(kept) else []
        if [len(one) for one in cut if isinstance(one, tuple)] != counts:
            raise ValueError(f"chunks={chunks!r} are to be lengths of {counts} blocks an axis")
        lengths = [sum(one) for one in cut if isinstance(one, tuple)]
    reaches = [_reaches(one.shape, shape, grid, kept, chunks is not None) for one in lazy]
    slots = iter(range(len(lazy)))
    given = [Slot(next(slots)) if isinstance(one, Array) else one for one in arrays]
    told = _takes_block_id(function)
    kind = _tried(function, arrays, kwargs, told, len(kept)) if dtype is None else dtype
    masked = any(one.masked for one in lazy)
    step = OfBlocks(function, given, kwargs, np.dtype(kind), masked, told)
    nodes = [one.node for one in lazy]
    return Array.from_node(Blockwise(step, nodes, reaches, tuple(lengths), tuple(cut)))


def _blocks_of(arrays: Sequence[Array], shape: tuple[int, ...]) -> Chunks:
    """Return how arrays of a shape are cut: as the first of them is that has it, and chunks."""
    for one in arrays:
        if one.shape == shape and one.grid is not None:
            return one.grid
    return default_chunks(shape, max(one.itemsize for one in arrays))


def _all_lengths(given: int | Sequence[int], count: int) -> Lengths:
    return tuple(map(int, given)) if np.iterable(given) else (int(given),) * count


def _reaches(
    own: tuple[int, ...],
    shape: tuple[int, ...],
    grid: Chunks,
    kept: Sequence[int | None],
    resized: bool,
) -> list[Reach]:
    """Return which parts of the axes of an array the blocks of the result are computed of."""
    found = []
    first = len(shape) - len(own)
    for axis, length in enumerate(own, first):
        if axis not in kept or (length == 1 != shape[axis]):
            found.append(Reach())
        else:
            pieces = grid[axis] if resized else None
            found.append(Reach(kept.index(axis), pieces=pieces))
    return found


def _takes_block_id(function: Callable[..., Any]) -> bool:
    try:
        return "block_id" in inspect.signature(function).parameters
    except (TypeError, ValueError):  # of what is written in C
        return False


def _tried(
    function: Callable[..., Any],
    arrays: Sequence[Any],
    keywords: Mapping[str, Any],
    told: bool,
    ndim: int,
) -> np.dtype[Any]:
    """Return the dtype of what a function gives of ones."""
    ones = [
        np.ones((1,) * one.ndim, one.dtype) if isinstance(one, Array) else one for one in arrays
    ]
    more = {"block_id": (0,) * ndim} if told else {}
    try:
        with np.errstate(all="ignore"):
            found: np.dtype[Any] = np.asanyarray(function(*ones, **keywords, **more)).dtype
    except Exception as error:
        raise TypeError(
            f"a function of blocks cannot be tried on ones: give dtype= ({error})"
        ) from error
    return found


def map_overlap(
    function: Callable[..., Any],
    array: Any,
    *,
    depth: int | tuple[int, int] | Sequence[Any] | Mapping[int | str, Any] = 0,
    boundary: Any = None,
    dtype: npt.DTypeLike | None = None,
    **kwargs: Any,
) -> Array:
    """Apply a function to each block with what is around it, as ``dask.array.map_overlap``.

    What the function gives of the surroundings is cut off again.

    Parameters
    ----------
    function : callable
        Of an ndarray (a MaskedArray, if values can be missing); it keeps the shape.
    array : Array
        Or anything that becomes one.  Its blocks are those of :func:`map_blocks`.
    depth : int, tuple or mapping
        How far around a block values are taken: one number for all axes, one for each, or by
        the number or name of the axis; a pair is for before and after.
    boundary : str, number or mapping, optional
        What is beyond the ends: "reflect" (the last value first), "periodic", "nearest", a
        value, or "none" for nothing, which None is, too; one for all axes, one for each, or by
        the number or name of the axis.
    dtype : dtype, optional
        Of the results.  If it is not given, the function is tried on ones, one an axis.
    **kwargs
        What else the function takes.

    Returns
    -------
    Array
        Lazy, of the shape of `array`.

    Raises
    ------
    ValueError
        If there is no such boundary, or a depth is negative or greater than the axis is long;
        and when it is read, if the function does not keep the shape.

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


def _by_axis(given: Any, array: Array, default: Any, what: str) -> list[Any]:
    """Return what is given for all axes, for each, or for some by number or name, for each."""
    ndim = array.ndim
    if isinstance(given, dict):
        named = {normal_axis(numbered(array.node, n), ndim): one for n, one in given.items()}
        return [named.get(axis, default) for axis in range(ndim)]
    if isinstance(given, (tuple, list)):
        if len(given) != ndim:
            raise ValueError(f"{what} is one for all axes, or for each of {ndim}: {given!r}")
        return list(given)
    return [default if given is None else given] * ndim


def _pair(given: Any) -> tuple[int, int]:
    before, after = given if np.iterable(given) else (given, given)
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
