"""Methods of an array that call the function of NumPy's of the same name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.adapt import Lazy
from biggus.array.asking import asked_by

if TYPE_CHECKING:
    from collections.abc import Callable

    from biggus.array.array import Array

_NAMES = (
    *("argpartition", "argsort", "choose", "cumprod", "cumsum", "diagonal", "dot", "nonzero"),
    *("ravel", "repeat", "squeeze", "swapaxes", "take", "trace"),
)


def _method_of(name: str) -> Callable[..., Any]:
    function = getattr(np, name)

    def method(self: Array, *arguments: Any, **keywords: Any) -> Any:
        return function(self, *arguments, **keywords)

    method.__name__ = name
    method.__qualname__ = f"Array.{name}"
    method.__doc__ = f"See :func:`numpy.{name}`; the result is lazy."
    return method


class Methods(Lazy):
    """Mixin of methods that select, reorder or accumulate values, as those of an ndarray do."""

    __slots__ = ()

    if TYPE_CHECKING:
        argpartition: Callable[..., Array]
        argsort: Callable[..., Array]
        choose: Callable[..., Array]
        cumprod: Callable[..., Array]
        cumsum: Callable[..., Array]
        diagonal: Callable[..., Array]
        dot: Callable[..., Array]
        nonzero: Callable[..., tuple[Any, ...]]
        ravel: Callable[..., Array]
        repeat: Callable[..., Array]
        squeeze: Callable[..., Array]
        swapaxes: Callable[..., Array]
        take: Callable[..., Array]
        trace: Callable[..., Array]
    else:
        locals().update({name: _method_of(name) for name in _NAMES})

    def flatten(self: Any, order: Any = "C") -> Array:
        """Flatten to one axis, as :meth:`numpy.ndarray.flatten`; the result is lazy."""
        return np.ravel(self, order)  # type: ignore[return-value]  # dispatches to biggus

    def compress(self: Any, condition: Any, axis: int | None = None) -> Array:
        """See :func:`numpy.compress`; the result is lazy."""
        return np.compress(condition, self, axis)  # type: ignore[return-value]  # likewise

    @property
    def reshape(self: Any) -> Callable[..., Array]:
        """Change the shape, as :meth:`numpy.ndarray.reshape`; see :func:`biggus.reshape`.

        Raises
        ------
        TypeError
            If values can be missing: netCDF4 and numpy.ma access this method before they
            discard the mask.  ``numpy.reshape(a, shape)`` works for masked arrays, too.
        """
        if self.masked:
            if asked_by("xarray"):
                raise AttributeError("reshape")
            raise TypeError(
                "missing values would be lost: call .masked_array() or .filled(...) first, "
                "or use numpy.reshape, or write with biggus.save"
            )
        return self._reshaped  # type: ignore[no-any-return]

    def _reshaped(self: Any, *shape: Any, order: str = "C", copy: bool | None = None) -> Array:
        given = shape[0] if len(shape) == 1 else shape
        how = {} if copy is None else {"copy": copy}
        return np.reshape(self, given, order=order, **how)  # type: ignore[call-overload, no-any-return]
