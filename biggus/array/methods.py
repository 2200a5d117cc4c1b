"""The methods of an array that are functions of NumPy's: each hands itself over to one."""

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
    """Methods that move values, add them up along an axis or order them, as NumPy's do."""

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
        """Put all values along one axis, as :func:`numpy.ravel`; what is read is always fresh."""
        found: Any = np.ravel(self, order)
        return found  # type: ignore[no-any-return]  # which hands over

    def compress(self: Any, condition: Any, axis: int | None = None) -> Array:
        """See :func:`numpy.compress`; the result is lazy."""
        found: Any = np.compress(condition, self, axis)
        return found  # type: ignore[no-any-return]  # which hands over

    @property
    def reshape(self: Any) -> Callable[..., Array]:
        """Give it other axes, as :meth:`numpy.ndarray.reshape`; see :func:`biggus.reshape`.

        Raises
        ------
        TypeError
            If values can be missing: netCDF4 and numpy.ma ask for this before they take values
            without a mask.  ``numpy.reshape(a, shape)`` is lazy all the same.
        """
        if self.masked:
            if asked_by("xarray"):
                raise AttributeError("reshape")
            raise TypeError(
                "missing values would be lost: call .masked_array() or .filled(...) first, "
                "or numpy.reshape, or hand over to biggus.save"
            )
        return self._reshaped  # type: ignore[no-any-return]

    def _reshaped(self: Any, *shape: Any, order: str = "C", copy: bool | None = None) -> Array:
        given = shape[0] if len(shape) == 1 else shape
        how = {} if copy is None else {"copy": copy}
        return np.reshape(self, given, order=order, **how)  # type: ignore[call-overload, no-any-return]
