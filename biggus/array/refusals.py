"""What an array does not do lazily: refused, with the way round."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import numpy as np


class Refusals:
    """The operators and names of an ndarray that a lazy array does not have."""

    __slots__ = ()

    def __contains__(self, item: object) -> bool:
        raise TypeError("`in` would read everything: say `item in a.ndarray()`")

    def __matmul__(self, other: object) -> NoReturn:
        raise TypeError("@ of a lazy array: read it first, with .ndarray()")

    __rmatmul__ = __matmul__

    def __round__(self, digits: int | None = None) -> NoReturn:
        raise TypeError("round() of a lazy array: call .round()")

    @property
    def _data(self) -> NoReturn:
        # Functions of numpy.ma look for it, and would read everything if it were not there.
        raise TypeError(
            "numpy.ma would read a lazy array: write that first, as in `a + m`, wrap the "
            "MaskedArray with biggus.ArrayAdapter, or call .masked_array()"
        )

    if not TYPE_CHECKING:  # else any name would pass as an attribute

        def __getattr__(self, name: str) -> NoReturn:
            kind = type(self)
            problem = f"{kind.__name__!r} object has no attribute {name!r}"
            if name[:2] != "__" and hasattr(np.ndarray, name) and not hasattr(kind, name):
                problem = f"a lazy array has no {name!r}: read it first, with .ndarray()"
            raise AttributeError(problem, name=name, obj=self)
