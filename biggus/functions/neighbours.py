"""`pad` and `gradient`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from biggus.array import Array, implements
from biggus.construct import full
from biggus.functions.along import lined
from biggus.functions.axes import ALL
from biggus.functions.elementwise import as_array, refuse_missing
from biggus.functions.joining import concatenate
from biggus.sources.normal import normal_axes

_numpys_gradient: Callable[..., Any] = np.gradient
"""`numpy.gradient`, for mypy."""

_MODES = ("edge", "wrap", "reflect", "symmetric")
"""The modes that pad with values of the array."""


@implements(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **keywords: Any) -> Array:
    """Pad an array, as :func:`numpy.pad`."""
    padded = as_array(array)
    widths = _widths(padded, pad_width, mode, keywords)
    constants = np.broadcast_to(np.asarray(keywords.get("constant_values", 0)), (padded.ndim, 2))
    by_indices = mode in _MODES and keywords.get("reflect_type") != "odd"
    for axis, (before, after) in enumerate(widths):
        if not before and not after:
            continue
        if mode in ("constant", "empty"):
            padded = _with_constants(padded, axis, (before, after), constants[axis])
        elif by_indices:
            # NumPy pads an array of indices, which tells where each value comes from.
            places = np.pad(np.arange(padded.shape[axis]), (before, after), mode)
            padded = padded[(ALL,) * axis + (places,)]
        else:
            refuse_missing(f"pad in the mode {mode!r}", padded)
            options = {
                word: value if isinstance(value, str) else _of_axis(value, padded.ndim, axis)
                for word, value in keywords.items()
            }
            options.update(widths=(before, after), mode=mode)
            length = before + padded.shape[axis] + after
            padded = lined(padded, axis, _padded, options, dtype=padded.dtype, length=length)
    return padded


def _widths(
    padded: Array, pad_width: Any, mode: Any, keywords: Mapping[str, Any]
) -> list[list[int]]:
    """Return how many values come before and after each axis; raise the errors of `numpy.pad`."""
    if callable(mode):
        raise TypeError("pad of a lazy array by a function: read it first, with .ndarray()")
    if isinstance(pad_width, dict):
        pairs = [(0, 0)] * padded.ndim
        for axis, width in pad_width.items():
            pairs[axis] = (width, width) if np.ndim(width) == 0 else tuple(width)
        pad_width = pairs
    if np.asarray(pad_width).dtype.kind != "i":
        raise TypeError("`pad_width` must be of integral type.")
    widths: list[list[int]] = np.broadcast_to(np.asarray(pad_width), (padded.ndim, 2)).tolist()
    if any(n < 0 for pair in widths for n in pair):
        raise ValueError("index can't contain negative values")
    # NumPy is called with one value, and with the axes that have none.
    np.pad(np.zeros((1,) * padded.ndim, padded.dtype), 0, mode, **keywords)
    for n, pair in zip(padded.shape, widths, strict=True):
        if n == 0:
            np.pad(np.zeros(0), np.minimum(pair, 1), mode)
    return widths


def _of_axis(argument: Any, ndim: int, axis: int) -> Any:
    """Return the pair of values that an argument of `numpy.pad` gives for one axis."""
    pair = np.broadcast_to(np.asarray(argument), (ndim, 2))[axis].tolist()
    return None if pair[0] is None else tuple(pair)


def _padded(block: Any, axis: int, widths: tuple[int, int], mode: str, **options: Any) -> Any:
    """Pad a block along one axis, as `numpy.pad` does."""
    pairs = [(0, 0)] * block.ndim
    pairs[axis] = widths
    return np.pad(block, pairs, mode, **options)  # type: ignore[call-overload]


def _with_constants(array: Array, axis: int, widths: Sequence[int], values: Any) -> Array:
    parts = []
    for n, value in zip(widths, values, strict=True):
        shape = (*array.shape[:axis], n, *array.shape[axis + 1 :])
        # Constants are cast to the dtype of the array, as by NumPy.
        part = full(shape, np.asarray(value).astype(array.dtype)[()], array.dtype)
        # With the chunks of the array; otherwise the padding would be one block.
        grid = array.grid
        if grid is not None and 0 not in shape:
            part = part.rechunk((*grid[:axis], n, *grid[axis + 1 :]))
        parts.append(part)
    before, after = parts
    parts = [part for part in (before, array, after) if part.shape[axis]]
    return concatenate(parts, axis, dtype=array.dtype)


@implements(np.gradient)
def _gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    array = as_array(f)
    refuse_missing("gradient", array)
    axes = normal_axes(range(array.ndim) if axis is None else axis, array.ndim)
    if len(varargs) not in (0, 1, len(axes)) or (
        len(varargs) == 1 < len(axes) and np.ndim(varargs[0])
    ):
        raise TypeError("invalid number of arguments")
    spacing: list[Any] = [np.asarray(one)[()] for one in varargs] or [1.0]
    spacing = spacing * len(axes) if len(spacing) == 1 else spacing
    slopes = [
        _slope(array, place, one, edge_order) for place, one in zip(axes, spacing, strict=True)
    ]
    return slopes[0] if len(slopes) == 1 else tuple(slopes)


def _slope(array: Array, axis: int, spacing: Any, edge_order: int) -> Array:
    length = array.shape[axis]
    if length < edge_order + 1:
        raise ValueError(
            "Shape of array too small to calculate a numerical gradient, at least "
            "(edge_order + 1) elements are required."
        )
    # NumPy is called with few values, to find the dtype and errors.
    few = np.ones(length if np.ndim(spacing) else edge_order + 1, array.dtype)
    dtype = np.asarray(_numpys_gradient(few, spacing, edge_order=edge_order)).dtype
    options = {"spacing": spacing, "edge_order": edge_order}
    return lined(array, axis, _slope_of_block, options, dtype=dtype)


def _slope_of_block(block: Any, axis: int, spacing: Any, edge_order: int) -> Any:
    return _numpys_gradient(block, spacing, axis=axis, edge_order=edge_order)
