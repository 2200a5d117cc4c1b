"""Products of matrices and tensors: `matmul`, `dot`, `tensordot`, `einsum` and their like.

If one factor fits into memory, it is held there, and NumPy multiplies it by blocks of the other.
Otherwise values of blocks of both are multiplied and summed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from biggus import options
from biggus.array import Array, implements
from biggus.functions.axes import moveaxis
from biggus.functions.elementwise import as_array, masked_elsewhere, valid_in_all
from biggus.functions.joining import stack
from biggus.functions.rearranging import diagonal
from biggus.functions.reshaping import ravel, reshape
from biggus.functions.steps import of_cores
from biggus.labels.cores import CoreEffect, with_effect
from biggus.sources.base import Values
from biggus.sources.normal import normal_axis
from biggus.statistics.signatures import refuse

_PART = 16
"""A factor is held in memory if it takes at most this fraction of the memory option."""


def _times(a: Array, b: Array) -> Array:
    """Return the product of rows and a matrix."""
    dtype = _product_dtype(a, b)
    if a.masked or b.masked:
        return _of_valid(a, b)
    if _is_held(b):
        return _held(a, b, dtype)
    if a.ndim == 2 and _is_held(a):
        return _held(b.T, a.T, dtype).T
    return _added_up(a[..., :, None] * b, dtype, -2)


def _is_held(factor: Array) -> bool:
    """Tell whether a factor is small enough to be held in memory."""
    return factor.nbytes <= options.current().memory // _PART


def _of_valid(a: Array, b: Array) -> Array:
    """Return the product without missing values, as :func:`numpy.ma.dot`.

    An element is missing if one factor is missing in each of its products.
    """
    counts = _times(*[valid_in_all(one).astype(np.float32) for one in (a, b)])
    product = _times(a.filled(0), b.filled(0))
    return masked_elsewhere(product, counts > 0)


def _product_dtype(a: Array, b: Array) -> np.dtype[Any]:
    dtype: np.dtype[Any] = np.matmul(np.ones((1, 1), a.dtype), np.ones((1, 1), b.dtype)).dtype
    return dtype


def _held(a: Array, b: Array, dtype: np.dtype[Any]) -> Array:
    """Return the product of rows and a matrix, which is held in memory."""
    return of_cores("matmul", _multiply_blocks, [a, b], [1, 2], (b.shape[1],), dtype)


@with_effect(CoreEffect.MULTIPLIES)
def _multiply_blocks(rows: Values, other: Values) -> Values:
    """Return the product of a block of rows and a whole matrix."""
    matrix = other[(0,) * (other.ndim - 2)]  # it is broadcast along the other axes
    lead = rows.shape[:-1]
    product: Values = np.matmul(rows.reshape(math.prod(lead), rows.shape[-1]), matrix)
    return product.reshape(*lead, product.shape[-1])


def _added_up(products: Array, dtype: np.dtype[Any], axes: Any) -> Array:
    if dtype.kind == "b":
        return products.any(axis=axes)
    return products.sum(axis=axes, dtype=dtype)


# Of matrices and vectors -------------------------------------------------------------------


@implements(np.matmul)
def matmul(x1: Any, x2: Any, /, *, dtype: Any = None) -> Array:
    """Multiply matrices, as :func:`numpy.matmul`."""
    a, b = _arrays(x1, x2)
    if dtype is not None:
        a, b = a.astype(dtype), b.astype(dtype)
    if not (a.ndim and b.ndim):
        raise ValueError("matmul: Input operand does not have enough dimensions")
    rows = a if a.ndim > 1 else a[None]
    matrix = b if b.ndim > 1 else b[:, None]
    _check_fit(rows.shape[-1], matrix.shape[-2], "matmul")
    if matrix.ndim == 2:
        product = _times(rows, matrix)
    else:
        dtype = _product_dtype(a, b)
        product = _added_up(rows[..., :, :, None] * matrix[..., None, :, :], dtype, -2)
    if a.ndim == 1:
        product = product[..., 0, :]
    return product[..., 0] if b.ndim == 1 else product


@implements(np.vecdot)
def _vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Array:
    a, b = _arrays(x1, x2)
    if not (a.ndim and b.ndim):
        raise ValueError("vecdot: Input operand does not have enough dimensions")
    a, b = [moveaxis(one, normal_axis(axis, one.ndim), -1) for one in (a, b)]
    _check_fit(a.shape[-1], b.shape[-1], "vecdot")
    product = conjugate(a) * b
    return _added_up(product, product.dtype, -1)


def _matvec(x1: Any, x2: Any, /) -> Array:
    matrix, vector = _arrays(x1, x2)
    if matrix.ndim < 2 or not vector.ndim:
        raise ValueError("matvec: Input operand does not have enough dimensions")
    return matmul(matrix, vector[..., None])[..., 0]


def _vecmat(x1: Any, x2: Any, /) -> Array:
    vector, matrix = _arrays(x1, x2)
    if matrix.ndim < 2 or not vector.ndim:
        raise ValueError("vecmat: Input operand does not have enough dimensions")
    return matmul(conjugate(vector)[..., None, :], matrix)[..., 0, :]


if hasattr(np, "matvec"):  # since NumPy 2.2
    implements(np.matvec)(_matvec)
    implements(np.vecmat)(_vecmat)


def conjugate(array: Array) -> Array:
    """Return the conjugate of a complex array, and other arrays unchanged."""
    return array.conj() if array.dtype.kind == "c" else array


def _arrays(*objects: Any) -> list[Array]:
    return [as_array(one) for one in objects]


def _check_fit(one: int, other: int, name: str) -> None:
    if one != other:
        raise ValueError(f"{name}: the lengths of summed axes differ: {one} and {other}")


@implements(np.dot)
def _dot(a: Any, b: Any, out: Any = None) -> Array:
    refuse("dot", out=out)
    first, second = _arrays(a, b)
    if not (first.ndim and second.ndim):
        return first * second
    return tensordot(first, second, ([first.ndim - 1], [max(0, second.ndim - 2)]))


@implements(np.inner)
def _inner(a: Any, b: Any, /) -> Array:
    first, second = _arrays(a, b)
    if not (first.ndim and second.ndim):
        return first * second
    return tensordot(first, second, ([first.ndim - 1], [second.ndim - 1]))


@implements(np.vdot)
def _vdot(a: Any, b: Any, /) -> Array:
    first, second = [ravel(one) for one in _arrays(a, b)]
    return tensordot(conjugate(first), second, 1)


@implements(np.outer)
def _outer(a: Any, b: Any, out: Any = None) -> Array:
    refuse("outer", out=out)
    return ravel(a)[:, None] * ravel(b)


@implements(np.kron)
def _kron(a: Any, b: Any) -> Array:
    first, second = _arrays(a, b)
    ndim = max(first.ndim, second.ndim)
    first, second = [one[(None,) * (ndim - one.ndim) + (...,)] for one in (first, second)]
    spread = first[(slice(None), None) * ndim] * second[(None, slice(None)) * ndim]
    return reshape(spread, [n * m for n, m in zip(first.shape, second.shape, strict=True)])


@implements(np.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Array:
    """Multiply and sum along axes of both arrays, as :func:`numpy.tensordot`."""
    first, second = _arrays(a, b)
    ours, theirs = _contracted(first, second, axes)
    lengths = [first.shape[axis] for axis in ours]
    if len(ours) != len(theirs) or lengths != [second.shape[axis] for axis in theirs]:
        raise ValueError("shape-mismatch for sum")
    count = math.prod(lengths)
    row_axes = [axis for axis in range(first.ndim) if axis not in ours]
    column_axes = [axis for axis in range(second.ndim) if axis not in theirs]
    shape = [first.shape[axis] for axis in row_axes] + [second.shape[axis] for axis in column_axes]
    matrix = reshape(
        second.transpose([*theirs, *column_axes]), (count, _length(second, column_axes))
    )
    # Axes that are not joined keep their names.
    lengths = [first.shape[axis] for axis in row_axes]
    if not _is_held(matrix) or not lengths:
        lengths = [math.prod(lengths)]
    rows = reshape(first.transpose([*row_axes, *ours]), (*lengths, count))
    return reshape(_times(rows, matrix), shape)


def _length(array: Array, axes: Sequence[int]) -> int:
    return math.prod(array.shape[axis] for axis in axes)


def _contracted(a: Array, b: Array, axes: Any) -> tuple[list[int], list[int]]:
    if np.iterable(axes):
        ours, theirs = [one if np.iterable(one) else [one] for one in axes]
    else:
        ours, theirs = range(-axes, 0), range(axes)
    return (
        [normal_axis(axis, a.ndim) for axis in ours],
        [normal_axis(axis, b.ndim) for axis in theirs],
    )


@implements(np.cross)
def _cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Array:
    if axis is not None:
        axisa = axisb = axisc = axis
    first, second = _arrays(a, b)
    if not (first.ndim and second.ndim):
        raise ValueError("At least one array has zero dimension")
    first = moveaxis(first, normal_axis(axisa, first.ndim), -1)
    second = moveaxis(second, normal_axis(axisb, second.ndim), -1)
    if first.shape[-1] != 3 or second.shape[-1] != 3:
        raise ValueError("the vectors of a cross product have three elements each")
    x, y, z = (first[..., n] for n in range(3))
    u, v, w = (second[..., n] for n in range(3))
    product = stack([y * w - z * v, z * u - x * w, x * v - y * u], axis=-1)
    return moveaxis(product, -1, normal_axis(axisc, product.ndim))


@implements(np.linalg.cross)
def _cross_of_arrays(x1: Any, x2: Any, /, *, axis: int = -1) -> Array:
    return _cross(x1, x2, axis=axis)


# By Einstein's rule --------------------------------------------------------------------------


@implements(np.einsum)
def _einsum(*operands: Any, out: Any = None, optimize: Any = False, **keywords: Any) -> Array:
    refuse("einsum", out=out)
    if not isinstance(operands[0], str):
        raise TypeError("einsum of lazy arrays takes a text, such as 'ij,jk->ik'")
    text = operands[0].replace(" ", "")
    arrays = _arrays(*operands[1:])
    # NumPy is called with one value of each operand, to find the dtype and errors.
    probe = np.einsum(text, *[np.ones((1,) * one.ndim, one.dtype) for one in arrays], **keywords)
    dtype = probe.dtype
    inputs, output = _letters(text, arrays)
    lengths: dict[str, int] = {}
    terms = []
    for letters, array in zip(inputs, arrays, strict=True):
        names, term = _without_repeats(letters, array)
        for name, n in zip(names, term.shape, strict=True):
            if lengths.get(name, 1) not in (1, n) and n != 1:
                raise ValueError(f"einsum: axes of the name {name!r} have unlike lengths")
            lengths[name] = max(n, lengths.get(name, 1)) if n else 0
        terms.append((names, term))
    order = [*output, *sorted(set(lengths) - set(output))]
    product: Any = None
    for names, term in terms:
        each = _laid_out(term.astype(dtype), names, order)
        product = each if product is None else product * each
    product = np.broadcast_to(product, tuple([lengths[name] for name in order]))
    if len(order) == len(output):
        return product  # type: ignore[no-any-return]  # a lazy array
    return _added_up(product, dtype, tuple(range(len(output), len(order))))


def _letters(text: str, arrays: Sequence[Array]) -> tuple[list[str], str]:
    """Return the subscripts of operands and result, with the ellipsis replaced by letters."""
    subscripts, arrow, output = text.partition("->")
    inputs = subscripts.split(",")
    free = [letter for letter in _NAMES if letter not in text]
    dots = 0
    for place, (letters, array) in enumerate(zip(inputs, arrays, strict=True)):
        count = array.ndim - len(letters.replace("...", ""))
        dots = max(dots, count if "..." in letters else 0)
        inputs[place] = letters.replace("...", "".join(free[:count][::-1]))
    around = "".join(free[:dots][::-1])
    if arrow:
        output = output.replace("...", around)
    else:
        every = "".join(inputs)
        output = around + "".join(
            sorted(name for name in set(every) if every.count(name) == 1 and name not in around)
        )
    return inputs, output


_NAMES = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _without_repeats(letters: str, array: Array) -> tuple[str, Array]:
    """Return an operand with distinct subscripts: the diagonal of repeated ones."""
    for name in letters:
        while letters.count(name) > 1:
            first = letters.index(name)
            second = letters.index(name, first + 1)
            if array.shape[first] != array.shape[second]:
                raise ValueError(f"einsum: axes of the name {name!r} have unlike lengths")
            array = diagonal(array, 0, first, second)
            others = "".join(each for n, each in enumerate(letters) if n not in (first, second))
            letters = others + name
    return letters, array


def _laid_out(term: Array, names: str, order: Sequence[str]) -> Array:
    """Return an operand with axes in the order of subscripts, missing ones of length one."""
    turned = term.transpose([names.index(name) for name in order if name in names])
    return turned[tuple([slice(None) if name in names else None for name in order])]
