"""NumPy's functions that lazy arrays answer to, and that have no name of their own here."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus import expressions
from biggus.adapt import Lazy
from biggus.array import Array, implements
from biggus.construct import full
from biggus.functions.elementwise import node_or_scalar
from biggus.sources.normal import normal_axes
from biggus.statistics.signatures import refuse

if TYPE_CHECKING:
    from collections.abc import Callable

# Of each value ---------------------------------------------------------------------

_ELEMENTWISE = {
    **dict.fromkeys(("angle", "fix", "i0", "iscomplex", "isneginf", "isposinf", "isreal"), 1),
    **dict.fromkeys(("nan_to_num", "sinc"), 1),
    "isclose": 2,
}
"""How many arrays each takes; what else it is given is the same for all values."""


def _elementwise(name: str, operands: int) -> Callable[..., Array]:
    function = getattr(np, name)

    def apply(*arguments: Any, **keywords: Any) -> Array:
        refuse(name, out=keywords.pop("out", None))
        keywords.pop("copy", None)  # what is read is always fresh
        given = [expressions.operand(one) for one in arguments[:operands]]
        more = arguments[operands:]
        return Array.from_node(expressions.applied(function, [*given, *more], keywords))

    return apply


for _name, _operands in _ELEMENTWISE.items():
    implements(getattr(np, _name))(_elementwise(_name, _operands))


@implements(np.real)
def _real(val: Array) -> Array:
    return val.real


@implements(np.imag)
def _imag(val: Array) -> Array:
    return val.imag


# What an array is ----------------------------------------------------------------


@implements(np.shape)
def _shape(a: Array) -> tuple[int, ...]:
    return a.shape


@implements(np.ndim)
def _ndim(a: Array) -> int:
    return a.ndim


@implements(np.size)
def _size(a: Array, axis: int | tuple[int, ...] | None = None) -> int:
    if axis is None:
        return a.size
    return math.prod(a.shape[one] for one in normal_axes(axis, a.ndim))


@implements(np.iscomplexobj)
def _is_complex(x: Array) -> bool:
    return x.dtype.kind == "c"


@implements(np.isrealobj)
def _is_real(x: Array) -> bool:
    return x.dtype.kind != "c"


@implements(np.result_type)
def _result_type(*arrays_and_dtypes: Any) -> np.dtype[Any]:
    given = [one.dtype if isinstance(one, Lazy) else one for one in arrays_and_dtypes]  # type: ignore[attr-defined]
    return np.result_type(*given)


# Arrays like others ----------------------------------------------------------------


def _like(value: Any) -> Callable[..., Array]:
    def make(
        a: Any,
        dtype: Any = None,
        order: str = "K",  # what is read is always in C order
        subok: bool = True,  # and of no subclass
        shape: Any = None,
        *,
        device: str | None = None,  # of which there is one
    ) -> Array:
        given = node_or_scalar(a)
        return full(
            given.shape if shape is None else shape, value, given.dtype if dtype is None else dtype
        )

    return make


implements(np.zeros_like, np.empty_like)(_like(0))
implements(np.ones_like)(_like(1))


@implements(np.full_like)
def _full_like(a: Any, fill_value: Any, *arguments: Any, **keywords: Any) -> Array:
    return _like(fill_value)(a, *arguments, **keywords)
