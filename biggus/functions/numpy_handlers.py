"""Handlers of NumPy's functions that need no code of their own, or little."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from biggus import expressions
from biggus.adapt import Lazy
from biggus.array import Array, implements
from biggus.construct import full, ones, zeros
from biggus.functions.elementwise import as_array
from biggus.sources.normal import normal_axes
from biggus.statistics.signatures import refuse

# Functions that NumPy implements by indexing and transposing, or by its other functions --------

_BY_NUMPY: tuple[Any, ...] = (
    *(np.shape, np.ndim, np.real, np.imag, np.iscomplexobj, np.isrealobj),
    *(np.common_type, np.rollaxis, np.resize),
    *(np.vstack, np.hstack, np.dstack),
    *(np.array_split, np.split, np.hsplit, np.vsplit, np.dsplit),
    *([np.unstack] if hasattr(np, "unstack") else []),  # since NumPy 2.1
    *(np.linalg.diagonal, np.linalg.trace, np.linalg.matrix_transpose),
    *(np.linalg.matmul, np.linalg.tensordot, np.linalg.vecdot),
    *(np.histogram2d, np.union1d),
    *(np.unique_values, np.unique_counts, np.unique_inverse, np.unique_all),
)

for _function in _BY_NUMPY:
    implements(_function)(_function.__wrapped__)

# Elementwise functions -------------------------------------------------------------------------

_CONSTANTS = (str, int, float, complex, type(None))
"""Types of arguments that are passed unchanged; other arguments are converted to ndarrays."""


def elementwise(name: str, *operands: str) -> Callable[..., Array]:
    """Return the lazy counterpart of one of NumPy's functions, which is elementwise.

    Parameters
    ----------
    name : str
        The name of the function.
    *operands : str
        The names of its arguments that may be lazy; the other arguments are constants.
    """
    function = getattr(np, name)
    signature = inspect.signature(function)

    def apply(*arguments: Any, **keywords: Any) -> Array:
        refuse(name, out=keywords.pop("out", None))
        keywords.pop("copy", None)  # results are always new arrays
        call = signature.bind(*arguments, **keywords)
        for word, value in call.arguments.items():
            if word in operands:
                call.arguments[word] = expressions.operand(value)
            elif isinstance(value, Array):
                raise TypeError(f"{name}: {word} cannot be lazy: read it first, with .ndarray()")
            elif not isinstance(value, _CONSTANTS):
                call.arguments[word] = np.asarray(value)
        return Array.from_node(expressions.applied(function, call.args, call.kwargs))

    return apply


for _name in ("fix", "i0", "iscomplex", "isneginf", "isposinf", "isreal", "nan_to_num", "sinc"):
    implements(getattr(np, _name))(elementwise(_name, "x"))
implements(np.angle)(elementwise("angle", "z"))
implements(np.digitize)(elementwise("digitize", "x"))
implements(np.interp)(elementwise("interp", "x"))
implements(np.isclose)(elementwise("isclose", "a", "b"))
implements(np.isin)(elementwise("isin", "element"))
implements(np.polyval)(elementwise("polyval", "x"))


@implements(np.size)
def _size(a: Array, axis: int | tuple[int, ...] | None = None) -> int:
    return a.size if axis is None else math.prod(a.shape[n] for n in normal_axes(axis, a.ndim))


@implements(np.result_type)
def _result_type(*arrays_and_dtypes: Any) -> np.dtype[Any]:
    dtypes = [one.dtype if isinstance(one, Lazy) else one for one in arrays_and_dtypes]  # type: ignore[attr-defined]
    return np.result_type(*dtypes)


# Constant arrays -------------------------------------------------------------------------------


def _like(make: Callable[[Any, Any], Array]) -> Callable[..., Array]:
    """Return a function like `numpy.zeros_like`, from a function of a shape and a dtype."""

    def make_like(
        a: Any,
        dtype: Any = None,
        order: str = "K",  # ignored: values are read in C order
        subok: bool = True,  # ignored, too
        shape: Any = None,
        *,
        device: str | None = None,  # there is one
    ) -> Array:
        array = as_array(a)
        return make(
            array.shape if shape is None else shape, array.dtype if dtype is None else dtype
        )

    return make_like


implements(np.zeros_like, np.empty_like)(_like(zeros))
implements(np.ones_like)(_like(ones))


@implements(np.full_like)
def _full_like(a: Any, fill_value: Any, *arguments: Any, **keywords: Any) -> Array:
    return _like(lambda shape, dtype: full(shape, fill_value, dtype))(a, *arguments, **keywords)
