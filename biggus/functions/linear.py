"""Linear algebra: functions of `numpy.linalg`, of stacks of matrices, each held in memory."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from biggus.array import Array, implements
from biggus.functions.axes import moveaxis
from biggus.functions.elementwise import as_array
from biggus.functions.products import conjugate
from biggus.functions.statistics import max as greatest
from biggus.functions.statistics import min as least
from biggus.functions.statistics import sum as total
from biggus.functions.steps import of_cores
from biggus.sources.normal import normal_axis


def of_matrices(name: str) -> Callable[..., Any]:
    """Return the lazy counterpart of a function of `numpy.linalg` of one matrix or a stack."""
    function, label = getattr(np.linalg, name), f"linalg.{name}"
    signature = inspect.signature(function)

    def apply(a: Any, *arguments: Any, **keywords: Any) -> Any:
        array = as_array(a)
        if name == "matrix_rank" and array.ndim < 2:
            return (array != 0).any().astype(np.intp)
        if array.ndim < 2:
            raise np.linalg.LinAlgError(
                f"{array.ndim}-dimensional array given. Array must be at least two-dimensional"
            )
        _, *options = signature.bind(a, *arguments, **keywords).arguments.items()
        keywords = dict(options)
        # NumPy is called with a matrix of this shape, to find results and errors.
        probed: Any = function(np.eye(*array.shape[-2:], dtype=array.dtype), **keywords)
        several = isinstance(probed, tuple)
        results = []
        for number, one in enumerate(map(np.asarray, probed if several else [probed])):
            which = number if several else None
            results.append(
                of_cores(label, function, [array], [2], one.shape, one.dtype, keywords, which)
            )
        if not several:
            return results[0]
        return type(probed)(*results) if hasattr(probed, "_fields") else tuple(results)

    return apply


for _name in (
    *("det", "slogdet", "inv", "cholesky", "eigh", "eigvalsh", "qr"),
    *("svd", "svdvals", "cond", "matrix_power", "matrix_rank"),
):
    if hasattr(np.linalg, _name):
        implements(getattr(np.linalg, _name))(of_matrices(_name))


@implements(np.linalg.solve)
def _solve(a: Any, b: Any) -> Array:
    matrix, right = as_array(a), as_array(b)
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2]:
        raise np.linalg.LinAlgError("Last 2 dimensions of the array must be square")
    rows = matrix.shape[-1]
    column = right.ndim == 1
    right = right[:, None] if column else right
    if right.shape[-2] != rows:
        raise ValueError("solve: the right side has not as many rows as the matrix")
    dtype = np.linalg.solve(np.eye(1, dtype=matrix.dtype), np.ones((1, 1), right.dtype)).dtype
    core = right.shape[-2:]
    solution = of_cores("linalg.solve", np.linalg.solve, [matrix, right], [2, 2], core, dtype)
    return solution[..., 0] if column else solution


# Norms -----------------------------------------------------------------------------------------


@implements(np.linalg.norm)
def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Array:
    array = _with_fractions(x)
    np.linalg.norm(np.ones((1,) * array.ndim, array.dtype), ord, axis, keepdims)  # may refuse
    if axis is None:
        if (
            ord is None
            or (ord in ("f", "fro") and array.ndim == 2)
            or (ord == 2 and array.ndim == 1)
        ):
            return np.sqrt(total(_squares(array), keepdims=keepdims))  # type: ignore[return-value]
        axes = tuple(range(array.ndim))
    else:
        axes = tuple(axis) if np.iterable(axis) else (axis,)
        axes = tuple([normal_axis(one, array.ndim) for one in axes])
    if len(axes) == 1:
        return norm_of_vectors(array, ord, axes[0], keepdims)
    return norm_of_planes(array, ord, axes, keepdims)


def _greatest(sizes: Array, **options: Any) -> Any:
    """Return the greatest of some sizes, which is 0 if there are none."""
    return greatest(sizes, **options, **({"initial": 0} if 0 in sizes.shape else {}))


def _squares(array: Array) -> Any:
    return (conjugate(array) * array).real if array.dtype.kind == "c" else array**2


def norm_of_vectors(array: Array, ord: Any, axis: Any, keepdims: bool) -> Array:
    """Return the norms of vectors along one axis or several, of floats or complex numbers."""
    options: dict[str, Any] = {"axis": axis, "keepdims": keepdims}
    norms: Any
    if ord in (np.inf, -np.inf):
        norms = (_greatest if ord > 0 else least)(abs(array), **options)
    elif ord == 0:
        norms = total((array != 0).astype(array.real.dtype), **options)
    elif ord == 1:
        norms = total(abs(array), **options)
    elif ord is None or ord == 2:
        norms = np.sqrt(total(_squares(array), **options))
    else:
        norms = total(abs(array) ** ord, **options) ** np.reciprocal(
            ord, dtype=array.real.dtype.type
        )
    result: Array = norms
    return result


def norm_of_planes(array: Array, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Array:
    """Return the norms of matrices along two axes, of floats or complex numbers."""
    rows, columns = axes
    norms: Any
    if ord in (None, "fro", "f"):
        norms = np.sqrt(total(_squares(array), axis=axes, keepdims=True))
    elif ord in (1, -1, np.inf, -np.inf):
        along, over = (rows, columns) if abs(ord) == 1 else (columns, rows)
        sums = total(abs(array), axis=along, keepdims=True)
        norms = (_greatest if ord > 0 else least)(sums, axis=over, keepdims=True)
    else:
        moved: Any = moveaxis(array, axes, (-2, -1))
        values: Any = np.linalg.svd(moved, compute_uv=False)
        choose: Callable[..., Array] = {2: _greatest, -2: least, "nuc": total}[ord]
        norms = np.expand_dims(choose(values, axis=-1), axes)
    if keepdims:
        return norms  # type: ignore[no-any-return]  # a lazy array
    key = tuple([0 if axis in axes else slice(None) for axis in range(array.ndim)])
    return norms[key]  # type: ignore[no-any-return]  # likewise


@implements(np.linalg.pinv)
def _pinv(a: Any, rcond: Any = None, hermitian: bool = False, **keywords: Any) -> Any:
    cutoffs = keywords.pop("rtol", rcond)
    if keywords:
        raise TypeError(f"linalg.pinv has no option {next(iter(keywords))!r}")
    array = as_array(a)
    if cutoffs is None or np.ndim(cutoffs) == 0:
        cutoff = {} if cutoffs is None else {"rcond": float(cutoffs)}
        return _of_one_cutoff(array, **cutoff, hermitian=hermitian)
    dtype = np.linalg.pinv(np.eye(1, dtype=array.dtype)).dtype
    rows, columns = array.shape[-2:]
    arrays, options = [array, as_array(cutoffs)], {"hermitian": hermitian}
    return of_cores("linalg.pinv", np.linalg.pinv, arrays, [2, 0], (columns, rows), dtype, options)


_of_one_cutoff = of_matrices("pinv")


@implements(np.linalg.outer)
def _outer(x1: Any, x2: Any, /) -> Any:
    one, other = as_array(x1), as_array(x2)
    if one.ndim != 1 or other.ndim != 1:
        raise ValueError(
            "Input arrays must be one-dimensional, but they are "
            f"x1.ndim={one.ndim} and x2.ndim={other.ndim}."
        )
    return one[:, None] * other[None, :]


@implements(np.linalg.vector_norm)
def _vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    array = _with_fractions(x)
    np.linalg.vector_norm(np.ones((1,) * array.ndim), axis=axis, ord=ord)  # may refuse
    axes = range(array.ndim) if axis is None else axis if np.iterable(axis) else (axis,)
    return norm_of_vectors(array, ord, tuple(axes), keepdims)


@implements(np.linalg.matrix_norm)
def _matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    array = _with_fractions(x)
    np.linalg.matrix_norm(np.ones((1,) * array.ndim), ord=ord)  # may refuse
    return norm_of_planes(array, ord, (array.ndim - 2, array.ndim - 1), keepdims)


def _with_fractions(x: Any) -> Array:
    array = as_array(x)
    return array if array.dtype.kind in "fc" else array.astype(np.float64)
