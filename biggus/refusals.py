"""What an array does not do lazily: refused, with the way round."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

_BINARY = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "matmul": "@",
    "truediv": "/",
    "floordiv": "//",
    "mod": "%",
    "divmod": "divmod",
    "pow": "**",
    "lshift": "<<",
    "rshift": ">>",
    "and": "&",
    "or": "|",
    "xor": "^",
}
_OTHERS = {
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "eq": "==",
    "ne": "!=",
    "neg": "-",
    "pos": "+",
    "abs": "abs",
    "invert": "~",
    "round": "round",
}


class Refusals:
    """The operators and names of an ndarray that a lazy array does not have."""

    __slots__ = ()

    # A NumPy ufunc, or an operator with an ndarray, must not read everything.
    __array_ufunc__ = None
    __hash__ = None  # type: ignore[assignment]

    def __contains__(self, item: object) -> bool:
        raise TypeError("`in` would read everything: say `item in a.ndarray()`")

    if not TYPE_CHECKING:  # else any name would pass as an attribute

        def __getattr__(self, name: str) -> NoReturn:
            kind = type(self)
            problem = f"{kind.__name__!r} object has no attribute {name!r}"
            if name[:2] != "__" and hasattr(np.ndarray, name) and not hasattr(kind, name):
                problem = f"a lazy array has no {name!r}: read it first, with .ndarray()"
            raise AttributeError(problem, name=name, obj=self)


def _refused(symbol: str) -> Any:
    def refuse(self: Refusals, *others: object) -> NoReturn:  # noqa: ARG001 - a method
        raise TypeError(f"{symbol} of a lazy array: read it first, with .ndarray()")

    return refuse


for _name, _symbol in _BINARY.items():
    setattr(Refusals, f"__{_name}__", _refused(_symbol))
    setattr(Refusals, f"__r{_name}__", _refused(_symbol))
for _name, _symbol in _OTHERS.items():
    setattr(Refusals, f"__{_name}__", _refused(_symbol))
