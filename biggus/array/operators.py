"""Python's operators on lazy arrays: each calls the function of NumPy's that ndarrays use."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from biggus.adapt import Lazy
from biggus.expressions import applied, defers, operand

if TYPE_CHECKING:
    from collections.abc import Callable

    from biggus.array.array import Array

    Unary: TypeAlias = Callable[[Array], Array]
    Binary: TypeAlias = Callable[[Array, Any], Array]
    BinaryPair: TypeAlias = Callable[[Array, Any], tuple[Array, Array]]


def _unary(function: Callable[..., Any]) -> Unary:
    def operate(self: Array) -> Array:
        return self.from_node(applied(function, (self.node,)))

    return operate


def _binary(function: Callable[..., Any]) -> tuple[Binary, Binary]:
    def operate(self: Array, other: Any) -> Any:
        if defers(type(other)):
            return NotImplemented
        return self.from_node(applied(function, (self.node, operand(other))))

    def reflected(self: Array, other: Any) -> Any:
        if defers(type(other)):
            return NotImplemented
        return self.from_node(applied(function, (operand(other), self.node)))

    return operate, reflected


def _dispatched(function: Callable[..., Any]) -> tuple[Binary, Binary]:
    """Return the operators of a function that is not elementwise, or has several results."""

    def operate(self: Array, other: Any) -> Any:
        return NotImplemented if defers(type(other)) else function(self, other)

    def reflected(self: Array, other: Any) -> Any:
        return NotImplemented if defers(type(other)) else function(other, self)

    return operate, reflected


class Operators(Lazy):
    """Mixin of operators.  In-place operators return a new array: arrays are immutable."""

    __slots__ = ()

    __add__, __radd__ = _binary(np.add)
    __sub__, __rsub__ = _binary(np.subtract)
    __mul__, __rmul__ = _binary(np.multiply)
    __truediv__, __rtruediv__ = _binary(np.true_divide)
    __floordiv__, __rfloordiv__ = _binary(np.floor_divide)
    __mod__, __rmod__ = _binary(np.remainder)
    __divmod__, __rdivmod__ = cast("tuple[BinaryPair, BinaryPair]", _dispatched(np.divmod))
    __matmul__, __rmatmul__ = _dispatched(np.matmul)
    # Not the ufunc: for some exponents NumPy's operator computes a square, a root, ...
    __pow__, __rpow__ = _binary(operator.pow)
    __lshift__, __rlshift__ = _binary(np.left_shift)
    __rshift__, __rrshift__ = _binary(np.right_shift)
    __and__, __rand__ = _binary(np.bitwise_and)
    __or__, __ror__ = _binary(np.bitwise_or)
    __xor__, __rxor__ = _binary(np.bitwise_xor)

    __lt__, _ = _binary(np.less)
    __le__, _ = _binary(np.less_equal)
    __gt__, _ = _binary(np.greater)
    __ge__, _ = _binary(np.greater_equal)
    # Not the ufuncs: the operators compare records, and values that the ufuncs refuse.
    __eq__, _ = _binary(operator.eq)  # type: ignore[assignment]
    __ne__, _ = _binary(operator.ne)  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]

    __neg__ = _unary(np.negative)
    __pos__ = _unary(np.positive)
    __abs__ = _unary(np.absolute)
    __invert__ = _unary(np.invert)

    del _
