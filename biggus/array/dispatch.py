"""NumPy's protocols `__array_ufunc__` and `__array_function__`, dispatched to handlers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from types import MethodType
from typing import Any

import numpy as np
import numpy.typing as npt

from biggus.adapt import Lazy
from biggus.array.handlers import handler as handler_of
from biggus.expressions import called, defers
from biggus.labels import numbered_call

_INSTEAD: Mapping[Callable[..., Any], str] = {
    np.putmask: "biggus.where(mask, values, a) is a new one",
    np.place: "biggus.where(mask, value, a) is a new one",
    np.put: "numpy.where, of a condition on numpy.arange, makes a new one",
    np.fill_diagonal: "biggus.where(numpy.eye(n, dtype=bool), value, a) is a new one",
    np.put_along_axis: "numpy.where, of a condition on numpy.arange, makes a new one",
}
"""Functions that modify an array, and alternatives."""


class _NotIfMasked:
    """A method that the type has, and instances only if they are not masked.

    NumPy looks `__array_function__` up on the type.  Other libraries, such as xarray, look it
    up on the instance, and compute with arrays that have it.  They know NaN but no masks, so
    they have to convert a masked array to an ndarray with NaN.
    """

    def __init__(self, method: Callable[..., Any]) -> None:
        self.method = method

    def __get__(self, array: Lazy | None, kind: type | None = None) -> Callable[..., Any]:
        if array is None:
            return self.method
        if array.node.masked:
            raise AttributeError("masked arrays are hidden from libraries without masks")
        return MethodType(self.method, array)


def _put(results: Any, outs: Sequence[npt.NDArray[Any]], where: Any = True) -> Any:
    """Compute lazy results into ``out`` arrays, which may be operands, as NumPy does.

    Elements where `where` is false keep their values.
    """
    several = results if isinstance(results, tuple) else (results,)
    for each, out in zip(several, outs, strict=True):
        if not np.can_cast(each.dtype, out.dtype, "same_kind"):
            raise TypeError(f"cannot cast a result of {each.dtype} to an out of {out.dtype}")
        if np.broadcast_shapes(each.shape, out.shape) != out.shape:
            raise ValueError(f"an out of shape {out.shape} does not hold {each.shape}")
    places = np.asarray(where)
    for values, out in zip([each.ndarray() for each in several], outs, strict=True):
        np.copyto(out, values, "same_kind", places)
    return outs if isinstance(results, tuple) else outs[0]


def _numbered(
    array: Lazy, function: Callable[..., Any], arguments: tuple[Any, ...], keywords: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of one of NumPy's functions, with named axes replaced by numbers."""
    if function in (np.stack, np.expand_dims):
        return arguments, keywords  # the axes are new, and have no names
    first = arguments[0] if arguments and isinstance(arguments[0], Lazy) else array
    place = None
    if any(isinstance(one, (str, tuple, list)) for one in arguments[1:]):
        place = _axis_of(function)
    return numbered_call(first.node, place, arguments, keywords)


@lru_cache(maxsize=512)
def _axis_of(function: Callable[..., Any]) -> int | None:
    """Return the position of the argument `axis` of one of NumPy's functions, if it has one."""
    try:
        return list(inspect.signature(function).parameters).index("axis")
    except ValueError:
        return None


class Dispatch(Lazy):
    """Mixin of NumPy's protocols: its functions return lazy arrays, or raise a TypeError."""

    __slots__ = ()

    def __array_ufunc__(
        self: Any, ufunc: np.ufunc, method: str, *inputs: Any, **keywords: Any
    ) -> Any:
        if any(defers(type(one)) for one in inputs):
            return NotImplemented
        outs = keywords.get("out")
        if outs and all(type(out) is np.ndarray for out in outs):
            del keywords["out"]
            where = keywords.pop("where", True) if method == "__call__" else True
            results = getattr(ufunc, method)(*inputs, **keywords)
            return _put(results, outs, where)
        if method != "__call__" and (of := handler_of(method)) is not None:
            return of(ufunc, *inputs, **keywords)
        if ufunc.signature is not None:
            handler = handler_of(ufunc)
            if handler is not None:
                return handler(*inputs, **keywords)
        results = called(ufunc, method, inputs, keywords)
        if isinstance(results, list):
            return tuple([self.from_node(node) for node in results])
        return self.from_node(results)

    @_NotIfMasked
    def __array_function__(
        self,
        function: Callable[..., Any],
        types: Iterable[type],
        arguments: tuple[Any, ...],
        keywords: Mapping[str, Any],
    ) -> Any:
        if any(defers(kind) for kind in types):
            return NotImplemented
        handler = handler_of(function)
        if handler is None:
            if function in _INSTEAD:
                raise TypeError(
                    f"{function.__name__}: a lazy array does not change; {_INSTEAD[function]}, "
                    "or change what .ndarray() gives"
                )
            raise TypeError(
                f"{function.__module__}.{function.__name__} of a lazy array: "
                "read it first, with .ndarray()"
            )
        arguments, keywords = _numbered(self, function, arguments, dict(keywords))
        out = keywords.get("out")
        if type(out) is np.ndarray:
            others = {word: value for word, value in keywords.items() if word != "out"}
            return _put(handler(*arguments, **others), [out])
        return handler(*arguments, **keywords)
