"""Methods of an array that call the function of NumPy's of that name; the array API standard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from biggus.adapt import Lazy
from biggus.array.callers import asked_by

if TYPE_CHECKING:
    from collections.abc import Callable

    from biggus.array.array import Array


def _method_of(name: str) -> Callable[..., Array]:
    function: Callable[..., Any] = getattr(np, name)

    def method(self: Array, *arguments: Any, **keywords: Any) -> Array:
        result: Array = function(self, *arguments, **keywords)
        return result

    method.__name__ = name
    method.__qualname__ = f"Array.{name}"
    method.__doc__ = f"See :func:`numpy.{name}`; the result is lazy."
    return method


class Methods(Lazy):
    """Mixin of methods that select, reorder or accumulate values, as the methods of an ndarray.

    It also has the namespace and the device of the array API standard, and DLPack.
    """

    __slots__ = ()

    argpartition = _method_of("argpartition")
    argsort = _method_of("argsort")
    choose = _method_of("choose")
    cumprod = _method_of("cumprod")
    cumsum = _method_of("cumsum")
    diagonal = _method_of("diagonal")
    dot = _method_of("dot")
    ravel = _method_of("ravel")
    repeat = _method_of("repeat")
    squeeze = _method_of("squeeze")
    swapaxes = _method_of("swapaxes")
    take = _method_of("take")
    trace = _method_of("trace")
    nonzero: Callable[..., Any] = _method_of("nonzero")

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
        lengths = shape[0] if len(shape) == 1 else shape
        options = {} if copy is None else {"copy": copy}
        return np.reshape(self, lengths, order=order, **options)  # type: ignore[call-overload, no-any-return]

    # The Python array API standard -----------------------------------------------------------

    namespace: ClassVar[Any]
    """The module `biggus.array_api`, which sets this when it is imported."""

    @property
    def __array_namespace__(self) -> Callable[..., Any]:
        if asked_by("xarray") or self.node.masked:
            # xarray would not use functions of NumPy's beyond the standard.  The standard has
            # no masks.
            raise AttributeError("__array_namespace__")
        return self._namespace

    def _namespace(self, *, api_version: str | None = None) -> Any:
        if api_version not in (None, "2021.12", "2022.12", "2023.12", "2024.12"):
            raise ValueError(f"version {api_version!r} of the array API standard is unknown")
        return self.namespace

    @property
    def device(self) -> str:
        """The device that values are read to: ``"cpu"``."""
        return "cpu"

    def to_device(self, device: str, /, *, stream: None = None) -> Self:
        """Return the array itself: the only device is ``"cpu"``.

        Raises
        ------
        ValueError
            If `device` is another one.
        """
        if device != "cpu" or stream is not None:
            raise ValueError(f"a lazy array is read into memory, not to the device {device!r}")
        return self

    def __dlpack__(
        self: Any,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        options = {"max_version": max_version, "dl_device": dl_device, "copy": copy}
        # NumPy has these arguments since 2.1.
        given_options = {name: value for name, value in options.items() if value is not None}
        return self.__array__().__dlpack__(stream=stream, **given_options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)

    @property
    def mT(self: Any) -> Array:  # noqa: N802 - the standard's name
        """The array with its last two axes transposed."""
        if self.ndim < 2:
            raise ValueError("the matrix transpose needs an array of at least two axes")
        turned: Array = self.transpose(*range(self.ndim - 2), self.ndim - 1, self.ndim - 2)
        return turned
