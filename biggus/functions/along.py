"""Functions of whole axes: differences, sorting, and `apply_along_axis` and its like."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from biggus.array import Array, implements
from biggus.expressions.apply import NO_KEYWORDS
from biggus.functions.axes import moveaxis
from biggus.functions.elementwise import as_array, refuse_missing
from biggus.functions.joining import concatenate, stack
from biggus.functions.rearranging import along, along_or_flat, of_an_axis
from biggus.functions.reshaping import at_least_1d, ravel
from biggus.functions.steps import FunctionStep, of_cores
from biggus.graph import Gufunc
from biggus.sources.normal import normal_axis
from biggus.statistics.signatures import NOT_GIVEN


def lined(
    a: Any,
    axis: int | None,
    function: Callable[..., Any],
    keywords: Mapping[str, Any] = NO_KEYWORDS,
    *,
    dtype: np.dtype[Any] | None = None,
    length: int | None = None,
    of_masked: Callable[..., Any] | None = None,
) -> Array:
    """Apply a function to all lines along an axis; few lines are in memory at a time.

    Parameters
    ----------
    a : Array or array_like
        The array.
    axis : int or None
        The axis of the lines; None for one line of all values in C order.
    function : callable
        A function with NumPy's argument ``axis``, at the top level of a module.
    keywords : mapping, optional
        The other keyword arguments of the function.
    dtype : dtype, optional
        The dtype of the result; by default the dtype of the function of one value.
    length : int, optional
        The length of the result of a line; by default the length of the line.
    of_masked : callable, optional
        The function of MaskedArrays.

    Raises
    ------
    TypeError
        If values can be missing, and there is no function of MaskedArrays.
    """
    array, place = along_or_flat(a, axis)
    if dtype is None:
        dtype = function(np.ones(1, array.dtype), axis=-1, **keywords).dtype
    if of_masked is None:
        refuse_missing(function.__name__, array)
    elif array.masked:
        function = of_masked
    step = FunctionStep(function, dtype, {**keywords, "axis": -1}, masked=array.masked)
    core = (array.shape[place] if length is None else length,)
    node = Gufunc(step, [moveaxis(array, place, -1).node], [1], core)
    return moveaxis(Array.from_node(node), -1, place)


# Differences -----------------------------------------------------------------------------


@implements(np.diff)
def _diff(
    a: Any,
    n: int = 1,
    axis: int = -1,
    prepend: Any = NOT_GIVEN,
    append: Any = NOT_GIVEN,
) -> Array:
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n!r}")
    array = as_array(a)
    if n == 0:
        return array
    if array.ndim == 0:
        raise ValueError("diff requires input that is at least one dimensional")
    place = normal_axis(axis, array.ndim)
    parts = [array]
    if prepend is not NOT_GIVEN:
        parts.insert(0, _beside(prepend, array, place))
    if append is not NOT_GIVEN:
        parts.append(_beside(append, array, place))
    if len(parts) > 1:
        array = concatenate(parts, place)
    step = operator.ne if array.dtype.kind == "b" else operator.sub
    for _ in range(n):
        array = step(along(array, place, slice(1, None)), along(array, place, slice(-1)))
    return array


def _beside(values: Any, array: Array, axis: int) -> Any:
    """Return the values to prepend or append; a scalar is broadcast."""
    if np.ndim(values):
        return values
    return np.broadcast_to(values, (*array.shape[:axis], 1, *array.shape[axis + 1 :]))


@implements(np.ediff1d)
def _ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Array:
    line = ravel(ary)
    array = line[1:] - line[:-1]
    ends = [None if one is None else np.ravel(np.asanyarray(one)) for one in (to_begin, to_end)]
    np.ediff1d(np.zeros(1, line.dtype), to_end, to_begin)  # may refuse
    first, last = [[] if one is None else [one.astype(array.dtype)] for one in ends]
    return concatenate([*first, array, *last], dtype=line.dtype if first or last else None)


@implements(np.trapezoid)
def _trapezoid(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> Array:
    array = as_array(y)
    place = normal_axis(axis, array.ndim)
    width: Any = dx
    if x is not None:
        places = as_array(x)
        if places.ndim == 1:
            width = _diff(places)[(slice(None),) + (None,) * (array.ndim - place - 1)]
        else:
            width = _diff(places, axis=axis)
    both = along(array, place, slice(1, None)) + along(array, place, slice(-1))
    integral: Array = (width * both / 2.0).sum(axis=place)
    return integral


# Orders ----------------------------------------------------------------------------------


@implements(np.sort)
def _sort(
    a: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None
) -> Array:
    array = as_array(a)
    options = _given(kind=kind, order=order, stable=stable)
    np.sort(np.empty(0, array.dtype), **options)
    return lined(array, axis, np.sort, options, dtype=array.dtype, of_masked=np.ma.sort)


@implements(np.argsort)
def _argsort(
    a: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None
) -> Array:
    array = as_array(a)
    options = _given(kind=kind, order=order, stable=stable)
    np.argsort(np.empty(0, array.dtype), **options)
    return lined(*of_an_axis(array, axis), np.argsort, options, dtype=np.dtype(np.intp))


@implements(np.partition)
def _partition(
    a: Any, kth: Any, axis: int | None = -1, kind: str = "introselect", order: Any = None
) -> Array:
    array, place = along_or_flat(a, axis)
    options = _ranks(array, kth, place) | _given(kind=kind, order=order)
    return lined(array, place, np.partition, options, dtype=array.dtype)


@implements(np.argpartition)
def _argpartition(
    a: Any, kth: Any, axis: int | None = -1, kind: str = "introselect", order: Any = None
) -> Array:
    array, place = along_or_flat(*of_an_axis(a, axis))
    options = _ranks(array, kth, place) | _given(kind=kind, order=order)
    return lined(array, place, np.argpartition, options, dtype=np.dtype(np.intp))


def _given(**keywords: Any) -> dict[str, Any]:
    """Return the keyword arguments that are not None."""
    return {name: value for name, value in keywords.items() if value is not None}


def _ranks(array: Array, kth: Any, axis: int) -> dict[str, Any]:
    """Return the argument `kth` of a partition, after checking its bounds."""
    length = array.shape[axis]
    ranks = np.asarray(kth)
    if ranks.dtype.kind not in "iu":
        raise TypeError("Partition index must be integer")
    for rank in ranks.ravel().tolist():
        if array.size and not -length <= rank < length:
            raise ValueError(f"kth(={rank}) out of bounds ({length})")
    return {"kth": ranks if ranks.ndim else int(ranks)}


@implements(np.unwrap)
def _unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: float = 2 * np.pi) -> Array:
    return lined(p, axis, np.unwrap, {"discont": discont, "period": period})


# Functions of the caller ----------------------------------------------------------------------


@implements(np.apply_along_axis)
def _apply_along_axis(
    func1d: Callable[..., Any], axis: int, arr: Any, *arguments: Any, **keywords: Any
) -> Array:
    array = as_array(arr)
    place = normal_axis(axis, array.ndim)
    turned = moveaxis(array, place, -1)
    if 0 in turned.shape[:-1]:
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    # It is called with ones to find the shape and dtype of the result.
    probe = np.asanyarray(func1d(np.ones(turned.shape[-1], array.dtype), *arguments, **keywords))
    call = {"axis": -1, "function": func1d, "arguments": arguments, "keywords": keywords}
    lines = of_cores("apply_along_axis", _each_line, [turned], [1], probe.shape, probe.dtype, call)
    core = tuple(range(-probe.ndim, 0))
    return moveaxis(lines, core, tuple(range(place, place + probe.ndim)))


def _each_line(
    block: Any,
    axis: int,
    function: Callable[..., Any],
    arguments: Sequence[Any],
    keywords: Mapping[str, Any] = NO_KEYWORDS,
) -> Any:
    """Call a function of one line for each line of a block."""
    return np.apply_along_axis(function, axis, block, *arguments, **keywords)


@implements(np.apply_over_axes)
def _apply_over_axes(func: Callable[..., Any], a: Any, axes: Any) -> Array:
    array = as_array(a)
    for axis in np.atleast_1d(axes).tolist():
        place = axis + array.ndim if axis < 0 else axis
        result = func(array, place)
        if result.ndim not in (array.ndim, array.ndim - 1):
            raise ValueError("function is not returning an array of the correct shape")
        array = result if result.ndim == array.ndim else along(result, place, None)
    return array


@implements(np.lib.stride_tricks.sliding_window_view)
def _sliding_window_view(
    x: Any,
    window_shape: Any,
    axis: Any = None,
    *,
    subok: bool = False,  # ignored
    writeable: bool = False,  # ignored
) -> Array:
    array = as_array(x)
    windows = tuple(window_shape) if np.iterable(window_shape) else (window_shape,)
    # NumPy is called with an array of this shape that takes no memory, to raise its errors.
    proxy = np.broadcast_to(False, array.shape)
    np.lib.stride_tricks.sliding_window_view(proxy, window_shape, axis)
    if 0 in windows:
        raise ValueError("a window of a lazy array has at least one value")
    axes = range(array.ndim) if axis is None else axis if np.iterable(axis) else (axis,)
    for length, place in zip(windows, [normal_axis(n, array.ndim) for n in axes], strict=True):
        count = array.shape[place] - length + 1
        array = stack([along(array, place, slice(n, n + count)) for n in range(length)], -1)
    return array.astype(as_array(x).dtype)


def _with_kernel(name: str, usual: str) -> Callable[..., Array]:
    function = getattr(np, name)

    def apply(a: Any, v: Any, mode: str = usual) -> Array:
        if isinstance(v, Array):
            raise TypeError(f"{name} with a lazy kernel: read that, with .ndarray()")
        line: Array = at_least_1d(a)
        kernel = np.atleast_1d(v)
        if line.ndim > 1 or (name == "correlate" and np.ndim(a) == 0):
            raise ValueError("one of the arrays has not one axis: object too deep, or too small")
        function(np.ones(min(1, line.size)), np.ones(min(1, kernel.size)), mode)  # may refuse
        long, short = max(line.size, kernel.size), min(line.size, kernel.size)
        length = {"f": long + short - 1, "s": long}.get(mode[0], long - short + 1)
        dtype = np.result_type(line.dtype, kernel.dtype)
        refuse_missing(name, line)
        call = {"function": function, "arguments": (kernel, mode)}
        return lined(line, 0, _each_line, call, dtype=dtype, length=length)

    return apply


implements(np.convolve)(_with_kernel("convolve", "full"))
implements(np.correlate)(_with_kernel("correlate", "valid"))
