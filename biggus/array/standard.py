"""What the Python array API standard asks of an array beside what NumPy does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from biggus.adapt import Lazy
from biggus.array.asking import asked_by

if TYPE_CHECKING:
    from collections.abc import Callable

    from biggus.array.array import Array


class Standard(Lazy):
    """The namespace of an array, and the device that it is on: the memory of this machine."""

    __slots__ = ()

    namespace: ClassVar[Any]
    """The module of the functions: it sets this, as it makes arrays."""

    @property
    def __array_namespace__(self) -> Callable[..., Any]:
        if asked_by("xarray") or self.node.masked:
            # xarray would do without what NumPy has beside the standard; who goes by the
            # standard knows no masks.
            raise AttributeError("__array_namespace__")
        return self._namespace

    def _namespace(self, *, api_version: str | None = None) -> Any:
        if api_version not in (None, "2021.12", "2022.12", "2023.12", "2024.12"):
            raise ValueError(f"no version {api_version!r} of the array API standard is known")
        return self.namespace

    @property
    def device(self) -> str:
        """Where values are when they are read: ``"cpu"``."""
        return "cpu"

    def to_device(self, device: str, /, *, stream: None = None) -> Self:
        """Return the array: there is but one device.

        Raises
        ------
        ValueError
            If another is asked for.
        """
        if device != "cpu" or stream is not None:
            raise ValueError(f"a lazy array is read into memory, not onto {device!r}")
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
        # NumPy takes them since 2.1.
        more = {name: value for name, value in given.items() if value is not None}
        return self.__array__().__dlpack__(stream=stream, **more)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)

    @property
    def mT(self: Any) -> Array:  # noqa: N802 - the standard's name
        """The array with its last two axes exchanged."""
        if self.ndim < 2:
            raise ValueError("the transpose of matrices is of two axes at least")
        turned: Array = self.transpose(*range(self.ndim - 2), self.ndim - 1, self.ndim - 2)
        return turned
