"""NumPy's own functions on lazy arrays: what it hands over, and to whom it goes."""

from __future__ import annotations

import threading
from types import MethodType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from biggus.adapt import Lazy
from biggus.expressions import called, defers
from biggus.forks import between_forks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import numpy.typing as npt

    Function = TypeVar("Function", bound=Callable[..., Any])

_handlers: dict[Any, Callable[..., Any]] = {}
_methods: dict[str, Callable[..., Any]] = {}
_offers: list[Callable[[], object]] = []
_taking = threading.Lock()


def implements(*functions: Any) -> Callable[[Function], Function]:
    """Have a function called where one of NumPy's meets a lazy array.

    Parameters
    ----------
    *functions : callable
        Functions of NumPy's, whose arguments it takes.
    """

    def register(function: Function) -> Function:
        _handlers.update(dict.fromkeys(functions, function))
        return function

    return register


def implements_method(name: str) -> Callable[[Function], Function]:
    """Have a function called where a method of a ufunc meets a lazy array, such as "reduce".

    It is given the ufunc, and what the method was given.
    """

    def register(function: Function) -> Function:
        _methods[name] = function
        return function

    return register


def offer(load: Callable[[], object]) -> None:
    """Have something called, once, when one of NumPy's functions is met that nothing is for.

    It imports what is for more of them.
    """
    _offers.append(load)


def _found(handlers: Mapping[Any, Callable[..., Any]], name: Any) -> Callable[..., Any] | None:
    if name not in handlers and _offers:
        with between_forks(), _taking:
            for load in _offers:
                load()
            _offers.clear()
    return handlers.get(name)


class _NotIfMasked:
    """A method that NumPy finds, as it asks the type; and others on unmasked arrays only.

    Libraries that look for it on an array, xarray first, compute with one that has it. They
    know NaN and no masks: what is masked has to come to them by its values, as NaN.
    """

    def __init__(self, method: Callable[..., Any]) -> None:
        self.method = method

    def __get__(self, array: Lazy | None, kind: type | None = None) -> Callable[..., Any]:
        if array is None:
            return self.method
        if array.node.masked:
            raise AttributeError("masked arrays are no arrays to libraries without masks")
        return MethodType(self.method, array)


def _put(found: Any, outs: Sequence[npt.NDArray[Any]]) -> Any:
    """Compute lazy results into arrays, as NumPy does with ``out=``; they may be operands."""
    several = found if isinstance(found, tuple) else (found,)
    for each, out in zip(several, outs, strict=True):
        if not np.can_cast(each.dtype, out.dtype, "same_kind"):
            raise TypeError(f"cannot cast a result of {each.dtype} to an out of {out.dtype}")
        if np.broadcast_shapes(each.shape, out.shape) != out.shape:
            raise ValueError(f"an out of shape {out.shape} does not hold {each.shape}")
    for values, out in zip([each.ndarray() for each in several], outs, strict=True):
        out[...] = values
    return outs if isinstance(found, tuple) else outs[0]


class Dispatch(Lazy):
    """NumPy's protocols: its functions stay lazy, or are refused."""

    __slots__ = ()

    def __array_ufunc__(
        self: Any, ufunc: np.ufunc, method: str, *inputs: Any, **keywords: Any
    ) -> Any:
        if any(defers(type(one)) for one in inputs):
            return NotImplemented
        outs = keywords.get("out")
        if outs and all(type(out) is np.ndarray for out in outs):
            del keywords["out"]
            found = getattr(ufunc, method)(*inputs, **keywords)
            return _put(found, outs)
        if method != "__call__" and (handler := _found(_methods, method)) is not None:
            return handler(ufunc, *inputs, **keywords)
        if ufunc.signature is not None and (handler := _found(_handlers, ufunc)) is not None:
            return handler(*inputs, **keywords)
        found = called(ufunc, method, inputs, keywords)
        if isinstance(found, list):
            return tuple([self.from_node(node) for node in found])
        return self.from_node(found)

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
        handler = _found(_handlers, function)
        if handler is None:
            raise TypeError(
                f"{function.__module__}.{function.__name__} of a lazy array: "
                "read it first, with .ndarray()"
            )
        return handler(*arguments, **keywords)
