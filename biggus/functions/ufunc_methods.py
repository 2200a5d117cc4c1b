"""The methods of ufuncs: `reduce`, `accumulate` and `outer`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from biggus.array import Array, implements
from biggus.functions import statistics
from biggus.functions.along import lined
from biggus.functions.elementwise import as_array, refuse_missing
from biggus.statistics.signatures import NOT_GIVEN, refuse

_STATISTICS: Mapping[np.ufunc, str] = {
    np.add: "sum",
    np.multiply: "prod",
    np.maximum: "max",
    np.minimum: "min",
    np.logical_and: "all",
    np.logical_or: "any",
}
"""Ufuncs whose reduction is a statistic."""

_TYPED = frozenset({"sum", "prod"})
"""Statistics that take ``dtype=``; of the others, the values are cast before."""


@implements("reduce")
def _reduce(
    ufunc: np.ufunc,
    array: Any,
    /,
    axis: Any = 0,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = NOT_GIVEN,
    where: Any = True,
) -> Array:
    refuse(f"{ufunc.__name__}.reduce", out=out)
    if ufunc not in _STATISTICS:
        known = ", ".join(sorted(each.__name__ for each in _STATISTICS))
        raise TypeError(
            f"numpy.{ufunc.__name__}.reduce of a lazy array is not supported (only of {known}): "
            "read it first, with .ndarray()"
        )
    name = _STATISTICS[ufunc]
    values = as_array(array)
    options: dict[str, Any] = {"keepdims": keepdims, "where": where}
    if name in _TYPED:
        options["dtype"] = dtype
    elif dtype is not None:
        ufunc.reduce(np.ones((1,) * values.ndim, values.dtype), axis, dtype)  # may refuse
        values = values.astype(dtype)
    logical = name in ("all", "any")
    if not logical:
        options["initial"] = initial
    result: Any = getattr(statistics, name)(values, axis=axis, **options)
    if logical and initial is not NOT_GIVEN and initial is not None:
        result = ufunc(result, initial)
    return result  # type: ignore[no-any-return]  # a lazy array


@implements("accumulate")
def _accumulate(
    ufunc: np.ufunc, array: Any, /, axis: int = 0, dtype: Any = None, out: Any = None
) -> Array:
    refuse(f"{ufunc.__name__}.accumulate", out=out)
    ufunc.accumulate(np.ones((1,) * array.ndim, array.dtype), axis, dtype)  # may refuse
    keywords = {} if dtype is None else {"dtype": np.dtype(dtype)}
    refuse_missing(f"{ufunc.__name__}.accumulate", as_array(array))
    return lined(array, axis, ufunc.accumulate, keywords)


@implements("outer")
def _outer(ufunc: np.ufunc, a: Any, b: Any, /, **keywords: Any) -> Array:
    first, second = as_array(a), as_array(b)
    result: Array = ufunc(first[(..., *[None] * second.ndim)], second, **keywords)
    return result
