"""The attributes of the Python array API standard that ndarrays do not share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from biggus.adapt import Lazy
from biggus.array.asking import asked_by

if TYPE_CHECKING:
    from collections.abc import Callable

    from biggus.array.array import Array


class Standard(Lazy):
    """Mixin of the namespace and the device of an array, and of DLPack."""

    __slots__ = ()

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
        given = {"max_version": max_version, "dl_device": dl_device, "copy": copy}
        # NumPy has these arguments since 2.1.
        more = {name: value for name, value in given.items() if value is not None}
        return self.__array__().__dlpack__(stream=stream, **more)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)

    @property
    def mT(self: Any) -> Array:  # noqa: N802 - the standard's name
        """The array with its last two axes transposed."""
        if self.ndim < 2:
            raise ValueError("the matrix transpose needs an array of at least two axes")
        turned: Array = self.transpose(*range(self.ndim - 2), self.ndim - 1, self.ndim - 2)
        return turned
