"""The methods of an array that compute: statistics, and functions of each value."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from biggus import expressions, reductions
from biggus.adapt import Lazy

if TYPE_CHECKING:
    from collections.abc import Callable

    from biggus.array.array import Array

    Method: TypeAlias = Callable[..., Array]


def _reduction(name: str) -> Method:
    """Return the method of a reduction, of the signature that NumPy's function has."""
    function = reductions.REDUCTIONS[name]

    def method(self: Array, *arguments: Any, **keywords: Any) -> Array:
        return self.from_node(function(self.node, *arguments, **keywords))

    method.__name__ = name
    method.__qualname__ = f"Array.{name}"
    method.__doc__ = f"See :func:`biggus.{name}`."
    _, *parameters = inspect.signature(function).parameters.values()
    first = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    method.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [first, *parameters], return_annotation="Array"
    )
    return method


class Statistics(Lazy):
    """What an array computes of its values, when it is read; names and arguments are NumPy's."""

    __slots__ = ()

    sum = _reduction("sum")
    prod = _reduction("prod")
    min = _reduction("min")
    max = _reduction("max")
    mean = _reduction("mean")
    std = _reduction("std")
    var = _reduction("var")
    any = _reduction("any")
    all = _reduction("all")
    argmin = _reduction("argmin")
    argmax = _reduction("argmax")
    ptp = _reduction("ptp")
    count = _reduction("count")
    median = _reduction("median")
    quantile = _reduction("quantile")

    def clip(self: Any, min: Any = None, max: Any = None, out: None = None) -> Array:
        """See :func:`biggus.clip`."""
        reductions.refuse("clip", out=out)
        array: Array = self.from_node(expressions.clip(self, min, max))
        return array

    def round(self: Any, decimals: int = 0, out: None = None) -> Array:
        """See :func:`biggus.round`."""
        reductions.refuse("round", out=out)
        array: Array = self.from_node(expressions.rounded(self, decimals))
        return array

    def conj(self: Any) -> Array:
        """Return the complex conjugate of each value."""
        array: Array = self.from_node(expressions.applied(np.conjugate, [self.node]))
        return array

    conjugate = conj

    @property
    def real(self: Any) -> Array:
        """The real part of each value."""
        array: Array = self.from_node(expressions.real(self.node))
        return array

    @property
    def imag(self: Any) -> Array:
        """The imaginary part of each value."""
        array: Array = self.from_node(expressions.imag(self.node))
        return array
