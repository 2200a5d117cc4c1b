"""Functions of indices, such as `take_along_axis` and `meshgrid`; of bits; and copies."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from biggus import expressions
from biggus.array import Array, implements
from biggus.construct import broadcast_to, zeros
from biggus.functions.along import lined
from biggus.functions.axes import moveaxis
from biggus.functions.elementwise import as_array
from biggus.functions.joining import stack
from biggus.functions.nonzero import nonzero
from biggus.functions.rearranging import along_or_flat, of_an_axis
from biggus.functions.reshaping import ravel
from biggus.functions.steps import FunctionStep, of_cores
from biggus.graph import BlockPlace, Blockwise, Reach
from biggus.indexing.grid import default_chunks
from biggus.labels.cores import CoreEffect, with_effect
from biggus.sources.base import Values
from biggus.sources.normal import normal_axis
from biggus.support.indexable import indexable


@implements(np.take_along_axis)
def _take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Array:
    array, places = as_array(arr), as_array(indices)
    if axis is None:
        if places.ndim != 1:
            raise ValueError("when `axis=None`, `indices` must have a single dimension.")
        array, axis = ravel(array), 0
    place = normal_axis(axis, array.ndim)
    if places.dtype.kind not in "iu":
        raise IndexError("`indices` must be an integer array")
    if places.ndim != array.ndim:
        raise ValueError("`indices` and `arr` must have the same number of dimensions")
    lines = [moveaxis(one, place, -1) for one in (array, places)]
    core = lines[1].shape[-1:]
    values = of_cores("take_along_axis", _take_along_lines, lines, [1, 1], core, array.dtype)
    return moveaxis(values, -1, place)


@with_effect(CoreEffect.ORDERS)
def _take_along_lines(values: Values, places: Values) -> Values:
    """Take the values of lines of one block at the indices in lines of another."""
    shape = np.broadcast_shapes(values.shape[:-1], places.shape[:-1])
    return np.take_along_axis(
        np.broadcast_to(indexable(values), (*shape, values.shape[-1])),
        np.broadcast_to(places, (*shape, places.shape[-1])),
        axis=-1,
    )


@implements(np.ravel_multi_index)
def _ravel_multi_index(
    multi_index: Sequence[Any], dims: Any, mode: Any = "raise", order: str = "C"
) -> Array:
    operands = [expressions.operand(one) for one in multi_index]
    lengths = tuple(dims) if np.iterable(dims) else (dims,)
    options = {
        "dims": lengths,
        "mode": mode if isinstance(mode, str) else tuple(mode),
        "order": order,
    }
    return Array.from_node(expressions.applied(flat_places, operands, options))


def flat_places(*multi_index: Any, dims: Any, mode: Any, order: Any) -> Any:
    """Return flat indices, as :func:`numpy.ravel_multi_index`."""
    flat: Any = np.ravel_multi_index(multi_index, dims, mode, order)
    return np.asarray(flat)


@implements(np.packbits)
def _packbits(a: Any, axis: int | None = None, bitorder: str = "big") -> Array:
    array = as_array(a)
    if array.dtype.kind not in "iub":
        raise TypeError("Expected an input array of integer or boolean data type")
    array, place = along_or_flat(*of_an_axis(array, axis))
    length, options = array.shape[place], {"bitorder": bitorder}
    return lined(
        array, place, np.packbits, options, dtype=np.dtype(np.uint8), length=-(-length // 8)
    )


@implements(np.unpackbits)
def _unpackbits(
    a: Any, axis: int | None = None, count: int | None = None, bitorder: str = "big"
) -> Array:
    array = as_array(a)
    if array.dtype != np.uint8:
        raise TypeError("Expected an input array of unsigned byte data type")
    array, place = along_or_flat(*of_an_axis(array, axis))
    whole = 8 * array.shape[place]
    length = whole if count is None else count if count >= 0 else whole + count
    if length < 0:
        raise ValueError(f"-ve count {count} out of bounds for an array of {whole} bits")
    options = {"count": count, "bitorder": bitorder}
    return lined(array, place, np.unpackbits, options, dtype=np.dtype(np.uint8), length=length)


@implements(np.sort_complex)
def _sort_complex(a: Any) -> Array:
    ordered: Any = np.sort(as_array(a))
    if ordered.dtype.kind == "c":
        return ordered  # type: ignore[no-any-return]  # a lazy array
    kind = "F" if ordered.dtype.char in "bhBH" else "G" if ordered.dtype.char == "g" else "D"
    return ordered.astype(kind)  # type: ignore[no-any-return]  # likewise


@implements(np.lexsort)
def _lexsort(keys: Any, axis: int = -1) -> Array:
    arrays = [as_array(one) for one in keys]
    if not arrays:
        raise TypeError("need sequence of keys with len > 0 in lexsort")
    if any(one.shape != arrays[0].shape for one in arrays):
        raise ValueError("all keys need to be the same shape")
    if not arrays[0].ndim:
        return zeros((), np.intp)
    place = normal_axis(axis, arrays[0].ndim)
    lines = [moveaxis(one, place, -1) for one in arrays]
    core, dtype = lines[0].shape[-1:], np.dtype(np.intp)
    order = of_cores("lexsort", _lexsort_lines, lines, [1] * len(lines), core, dtype)
    return moveaxis(order, -1, place)


@with_effect(CoreEffect.RANKS)
def _lexsort_lines(*keys: Values) -> Any:
    """Return the order of lines by several keys."""
    return np.lexsort(np.broadcast_arrays(*keys), axis=-1)


# Grids ---------------------------------------------------------------------------------------


@implements(np.meshgrid)
def _meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> Any:
    # Results are always new arrays, and need no copy.
    if indexing not in ("xy", "ij"):
        raise ValueError("Valid values for `indexing` are 'xy' and 'ij'.")
    count = len(xi)
    order = list(range(count))
    if indexing == "xy" and count > 1:
        order[:2] = [1, 0]
    lines = [ravel(one) for one in xi]
    grids = [
        line[tuple([slice(None) if axis == order[number] else None for axis in range(count)])]
        for number, line in enumerate(lines)
    ]
    if sparse:
        return tuple(grids)
    shape = np.broadcast_shapes(*[grid.shape for grid in grids])
    return tuple([broadcast_to(grid, shape) for grid in grids])


@implements(np.ix_)
def _ix(*arguments: Any) -> tuple[Any, ...]:
    indexers = []
    for number, one in enumerate(arguments):
        array = as_array(one)
        if array.ndim != 1:
            raise ValueError("Cross index must be 1 dimensional")
        line = nonzero(array)[0] if array.dtype.kind == "b" else array
        key = tuple([slice(None) if axis == number else None for axis in range(len(arguments))])
        indexers.append(line[key])
    return tuple(indexers)


@implements(np.vander)
def _vander(x: Any, N: int | None = None, increasing: bool = False) -> Array:  # noqa: N803 - NumPy's name
    array = as_array(x)
    if array.ndim != 1:
        raise ValueError("x must be a one-dimensional array or sequence.")
    count = array.shape[0] if N is None else N
    array = array.astype(np.promote_types(array.dtype, int))
    columns = [array**0]
    for _ in range(count - 1):
        columns.append(columns[-1] * array)
    powers = stack(columns, 1)[:, : max(0, count)]
    return powers if increasing else powers[:, ::-1]


@implements(np.diag_indices_from)
def _diag_indices_from(arr: Any) -> tuple[Array, ...]:
    indices = np.diag_indices_from(np.broadcast_to(np.zeros(()), arr.shape))
    return tuple(map(as_array, indices))


def _indices_in_rows(place: BlockPlace, ends: Values, firsts: Values) -> tuple[Values, Values]:
    """Return the row and column indices of a part of each row of a matrix.

    `ends` has the number of elements up to the end of each row, `firsts` the first column.
    """
    numbers = np.arange(place.box[0].start, place.box[0].stop)
    rows = np.searchsorted(ends, numbers, side="right")
    return rows, numbers - np.concatenate([[0], ends])[rows] + firsts[rows]


def _triangle_of(rows: int, firsts: Any, lasts: Any) -> tuple[Array, Array]:
    """Return the indices of the elements between two columns of each row."""
    ends = np.cumsum(lasts - firsts)
    shape = (int(ends[-1]) if rows else 0,)
    nodes = [as_array(one).node for one in (ends, firsts)]
    cut = default_chunks(shape, 8)
    steps = [FunctionStep(_indices_in_rows, np.dtype(np.intp), which=axis) for axis in (0, 1)]
    columns = [Blockwise(step, nodes, [[Reach()]] * 2, shape, cut, (0,)) for step in steps]
    return Array.from_node(columns[0]), Array.from_node(columns[1])


def _past_diagonal(arr: Any, k: int) -> tuple[int, Any, Any]:
    """Return the number of rows, the lengths of rows, and the columns of a diagonal."""
    if arr.ndim != 2:
        raise ValueError("input array must be 2-d")
    rows, columns = arr.shape
    lengths = np.full(rows, columns)
    return rows, lengths, np.clip(np.arange(rows) + operator.index(k), 0, columns)


@implements(np.tril_indices_from)
def _tril_indices_from(arr: Any, k: int = 0) -> tuple[Array, Array]:
    rows, lengths, lasts = _past_diagonal(arr, k + 1)
    return _triangle_of(rows, np.zeros_like(lengths), lasts)


@implements(np.triu_indices_from)
def _triu_indices_from(arr: Any, k: int = 0) -> tuple[Array, Array]:
    rows, lengths, firsts = _past_diagonal(arr, k)
    return _triangle_of(rows, firsts, lengths)


@implements(np.einsum_path)
def _einsum_path(*operands: Any, **keywords: Any) -> Any:
    shown = [
        np.broadcast_to(np.zeros((), one.dtype), one.shape) if isinstance(one, Array) else one
        for one in operands
    ]
    return np.einsum_path(*shown, **keywords)


# Copied --------------------------------------------------------------------------------------


@implements(np.copy)
def _copy(a: Any, order: str = "K", subok: bool = False) -> Array:  # arrays are immutable
    return as_array(a)


@implements(np.copyto)
def _copyto(dst: Any, src: Any, casting: Any = "same_kind", where: Any = True) -> None:
    if isinstance(dst, Array):
        raise TypeError("a lazy array does not change: read it first, with .ndarray()")
    np.copyto(dst, src.ndarray() if isinstance(src, Array) else src, casting, where)


@implements(np.may_share_memory, np.shares_memory)
def _share_memory(a: Any, b: Any, /, max_work: Any = None) -> bool:
    return False


@implements(np.array_repr, np.array_str, np.array2string)
def _text(arr: Any, *arguments: Any, **keywords: Any) -> str:
    return repr(arr)
