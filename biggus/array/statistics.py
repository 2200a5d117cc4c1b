"""Methods of an array that compute statistics, or a function of each value."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from biggus import reductions
from biggus.adapt import Lazy
from biggus.expressions import applied
from biggus.labels import numbered_call
from biggus.statistics.registry import ENTRIES

if TYPE_CHECKING:
    from collections.abc import Callable

    from biggus.array.array import Array

    Method: TypeAlias = Callable[..., Array]


def method_of(name: str) -> Method:
    """Return the method of a statistic in the registry, with NumPy's signature."""
    signature = ENTRIES[name].signature
    assert signature is not None

    place = list(inspect.signature(signature).parameters).index("axis") - 1

    def method(self: Array, *arguments: Any, **keywords: Any) -> Array:
        arguments, keywords = numbered_call(self.node, place, arguments, keywords)
        return self.from_node(reductions.reduction(name, self.node, *arguments, **keywords))

    method.__name__ = name
    method.__qualname__ = f"Array.{name}"
    method.__doc__ = f"See :func:`biggus.{name}`."
    _, *parameters = inspect.signature(signature).parameters.values()
    first = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    method.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [first, *parameters], return_annotation="Array"
    )
    return method


class Statistics(Lazy):
    """Mixin of lazy statistics and elementwise functions, with NumPy's names and arguments."""

    __slots__ = ()

    if TYPE_CHECKING:
        # For type checkers; a test compares it with the registry.
        all: Method
        any: Method
        argmax: Method
        argmin: Method
        count: Method
        max: Method
        mean: Method
        median: Method
        min: Method
        prod: Method
        ptp: Method
        quantile: Method
        std: Method
        sum: Method
        var: Method

    def clip(self: Any, min: Any = None, max: Any = None, out: None = None) -> Array:
        """See :func:`biggus.clip`."""
        return np.clip(self, min, max, out)  # type: ignore[no-any-return]  # dispatches to biggus

    def round(self: Any, decimals: int = 0, out: None = None) -> Array:
        """See :func:`biggus.round`."""
        return np.round(self, decimals, out)  # type: ignore[no-any-return]  # likewise

    def conj(self: Any) -> Array:
        """Return the complex conjugate of each value."""
        if self.dtype.kind in "biuf":
            return self  # type: ignore[no-any-return]  # an array
        array: Array = self.from_node(applied(np.conjugate, [self.node]))
        return array

    conjugate = conj

    @property
    def real(self: Any) -> Array:
        """The real part of each value."""
        if self.dtype.kind != "c":
            return self  # type: ignore[no-any-return]  # an array
        array: Array = self.from_node(applied(np.real, [self.node]))
        return array

    @property
    def imag(self: Any) -> Array:
        """The imaginary part of each value."""
        array: Array = self.from_node(applied(np.imag, [self.node]))
        return array


for _name, _entry in ENTRIES.items():
    if _entry.method and _entry.signature is not None:
        setattr(Statistics, _name, method_of(_name))
