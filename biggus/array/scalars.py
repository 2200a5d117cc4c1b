"""Conversion of arrays of one element to Python scalars."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from biggus.adapt import Lazy
from biggus.errors import MaskedValueError

if TYPE_CHECKING:
    from typing import SupportsIndex


class Scalars(Lazy):
    """Mixin of conversions to Python scalars, which read the one element."""

    __slots__ = ()

    def item(self: Any, *index: SupportsIndex) -> Any:
        """Read one element as a Python scalar, as :meth:`numpy.ndarray.item`."""
        if not index:
            if self.size != 1:
                raise ValueError("can only convert an array of size 1 to a Python scalar")
            return self[(0,) * self.ndim].ndarray().item()
        key: Any = index
        if len(index) == 1 and isinstance(index[0], tuple):
            (key,) = index
        elif len(index) == 1 and self.ndim != 1:
            flat = operator.index(index[0])
            if not -self.size <= flat < self.size:
                raise IndexError(f"index {flat} is out of bounds for size {self.size}")
            key = []
            for n in reversed(self.shape):
                flat, i = divmod(flat, n)  # if negative, the sign remains for the first axis
                key.insert(0, i)
        if len(key) != self.ndim:
            raise ValueError("incorrect number of indices for array")
        return self[tuple(map(operator.index, key))].ndarray().item()

    def __bool__(self: Any) -> bool:
        if self.size != 1:
            raise ValueError("the truth value of an array with other than one element is ambiguous")
        if self.masked and self.masked_array().mask.any():
            raise MaskedValueError("a missing value is neither true nor false")
        return bool(self.item())

    def __format__(self: Any, spec: str) -> str:
        return format(self.item(), spec) if spec and not self.shape else super().__format__(spec)

    def __int__(self: Any) -> int:
        return int(self._scalar())

    def __float__(self: Any) -> float:
        return float(self._scalar())

    def __complex__(self: Any) -> complex:
        return complex(self._scalar())

    def __index__(self: Any) -> int:
        if self.ndim or self.dtype.kind not in "iu":
            raise TypeError("only integer scalar arrays can be converted to a scalar index")
        return int(self.item())

    def _scalar(self: Any) -> Any:
        if self.size != 1:
            raise TypeError("only length-1 arrays can be converted to Python scalars")
        return self.item()
