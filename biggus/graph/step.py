"""Steps: the functions of elementwise nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from biggus.sources.base import Values

SLAB = 2**16
"""How many elements fused steps compute at once: so few that they fit a core's cache."""


class Step(Protocol):
    """A function of the values at each place; picklable, and the same for every block."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the results."""

    @property
    def masked(self) -> bool:
        """Whether results can be missing where no operand is."""

    @property
    def fill_value(self) -> Any:
        """The fill value of the results; None for that of the operand."""

    @property
    def key(self) -> str | None:
        """A text that equal steps share in any process; None if there is none."""

    @property
    def __call__(self) -> Callable[..., Values]:
        """Called with a block of each operand, which broadcast; returns the results."""


class BaseStep:
    """A base class of steps that make no value missing, and keep the fill value."""

    __slots__ = ()

    masked: bool = False
    fill_value: Any = None
    slabwise: bool = False
    """Whether it computes a block slab by slab, with little memory besides the results."""


class Cast(BaseStep):
    """Casts values to another dtype, like ``astype``."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype

    @property
    def key(self) -> str:
        return f"cast({self.dtype!r})"

    def __call__(self, values: Values) -> Values:
        if not isinstance(values, np.ma.MaskedArray):
            return values.astype(self.dtype, copy=False)
        with np.errstate(all="ignore"):  # values under a mask do not matter
            cast: Values = values.astype(self.dtype, copy=False)
        return cast


class Maskable(BaseStep):
    """Keeps values, as a MaskedArray."""

    masked = True
    key = "maskable()"

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype

    def __call__(self, values: Values) -> Values:
        if isinstance(values, np.ma.MaskedArray):
            return values
        return np.ma.MaskedArray(values, mask=np.zeros(values.shape, bool))


class Filled(BaseStep):
    """Replaces missing values.

    Parameters
    ----------
    value : ndarray
        The replacement, a 0-d array of the dtype of the values.
    """

    fills = True

    def __init__(self, value: npt.NDArray[Any]) -> None:
        self.value = value
        self.dtype = value.dtype

    @property
    def key(self) -> str | None:
        return None if self.dtype.hasobject else f"filled({self.value.tobytes()!r})"

    def __call__(self, values: Values) -> Values:
        if not isinstance(values, np.ma.MaskedArray):
            return values
        mask = np.ma.getmask(values)
        if not mask.any():
            return values.data
        filled: Values = values.data.copy()
        filled[mask] = self.value
        return filled


class Field(BaseStep):
    """Selects one field, or several, of structured values."""

    def __init__(self, dtype: np.dtype[Any], names: str | list[str]) -> None:
        self.names = names
        self.dtype = dtype[names]

    @property
    def key(self) -> str:
        return f"field({self.names!r})"

    def __call__(self, values: Values) -> Values:
        field: Values = values[self.names]
        return field


def completed(new: np.dtype[Any], old: np.dtype[Any]) -> np.dtype[Any]:
    """Return a dtype with the length or unit that a cast from `old` gives it, if it has none."""
    untimed = new.kind in "mM" and np.datetime_data(new)[0] == "generic"
    if not untimed and (new.itemsize or new.kind not in "SUV"):
        return new
    if old.kind == "O" or (untimed and new.kind == "M" and old.kind in "SU"):
        raise TypeError(
            f"casting {old} to {new} would depend on the values: "
            f"say which {'unit' if untimed else 'length'}, such as "
            f"{'datetime64[s]' if untimed else new.char + '10'!r}"
        )
    return np.empty(0, old).astype(new).dtype
