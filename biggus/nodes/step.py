"""Steps: what an elementwise node does to each value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np

    from biggus.source import Values


class Step(Protocol):
    """What is done to each value; picklable, and the same for every block."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the results."""

    @property
    def masked(self) -> bool:
        """Whether it can make values missing."""

    @property
    def fill_value(self) -> Any:
        """What a missing result is shown as; None to keep what it was."""

    def __call__(self, values: Values, /) -> Values:
        """Return the results for a block, in its shape."""


class Cast:
    """Values of another dtype, as ``astype`` gives them."""

    masked = False
    fill_value = None

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype

    def __call__(self, values: Values) -> Values:
        cast: Values = values.astype(self.dtype, copy=False)
        return cast


class Field:
    """One field, or several, of structured values."""

    masked = False
    fill_value = None

    def __init__(self, dtype: np.dtype[Any], names: str | list[str]) -> None:
        self.names = names
        self.dtype = dtype[names]

    def __call__(self, values: Values) -> Values:
        field: Values = values[self.names]
        return field
