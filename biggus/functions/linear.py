"""Functions of `numpy.linalg` that the array API standard defines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.array import Array, implements
from biggus.functions.elementwise import as_array
from biggus.functions.matrices import norm_of_planes, norm_of_vectors, of_matrices
from biggus.functions.steps import NumPyStep
from biggus.graph import Gufunc

if TYPE_CHECKING:
    from collections.abc import Callable


def _pinv(a: Any, rcond: Any = None, hermitian: bool = False, **keywords: Any) -> Any:
    cutoffs = keywords.pop("rtol", rcond)
    if keywords:
        raise TypeError(f"linalg.pinv has no option {next(iter(keywords))!r}")
    array = as_array(a)
    if cutoffs is None or np.ndim(cutoffs) == 0:
        given = {} if cutoffs is None else {"rcond": float(cutoffs)}
        return _of_one_cutoff(array, **given, hermitian=hermitian)
    rows, columns = array.shape[-2:]
    dtype = np.linalg.pinv(np.eye(1, dtype=array.dtype)).dtype
    step = NumPyStep("linalg.pinv", {"hermitian": hermitian}, dtype)
    nodes = [array.node, as_array(cutoffs).node]
    return Array.from_node(Gufunc(step, nodes, [2, 0], (columns, rows)))


_of_one_cutoff = of_matrices("pinv")


def _outer(x1: Any, x2: Any, /) -> Any:
    one, other = as_array(x1), as_array(x2)
    if one.ndim != 1 or other.ndim != 1:
        raise ValueError(
            "Input arrays must be one-dimensional, but they are "
            f"x1.ndim={one.ndim} and x2.ndim={other.ndim}."
        )
    return one[:, None] * other[None, :]


def _vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    array = _with_fractions(x)
    axes = range(array.ndim) if axis is None else axis if np.iterable(axis) else (axis,)
    return norm_of_vectors(array, ord, tuple(axes), keepdims)


def _matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    array = _with_fractions(x)
    return norm_of_planes(array, ord, (array.ndim - 2, array.ndim - 1), keepdims)


def _with_fractions(x: Any) -> Array:
    array = as_array(x)
    return array if array.dtype.kind in "fc" else array.astype(np.float64)


def _matrix_power(a: Any, n: int) -> Any:
    array = as_array(a)
    probe = np.linalg.matrix_power(np.eye(*array.shape[-2:], dtype=array.dtype), n)
    step = NumPyStep("linalg.matrix_power", {"n": n}, probe.dtype)
    return Array.from_node(Gufunc(step, [array.node], [2], probe.shape))


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "pinv": _pinv,
    "outer": _outer,
    "vector_norm": _vector_norm,
    "matrix_norm": _matrix_norm,
    "matrix_power": _matrix_power,
}

for _name, _function in _FUNCTIONS.items():
    implements(getattr(np.linalg, _name))(_function)
