"""Steps: what an elementwise node does to the values at each place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from biggus.sources.base import Values


SLAB = 2**16
"""Elements; so many go through several steps at once, and stay in a core's cache meanwhile."""


class Step(Protocol):
    """What is done to the values at each place; picklable, and the same for every block."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the results."""

    @property
    def masked(self) -> bool:
        """Whether it can make values missing."""

    @property
    def fill_value(self) -> Any:
        """What a missing result is shown as; None to keep what it was."""

    @property
    def key(self) -> str | None:
        """What is equal for steps that do the same, in any process; None if that is not known."""

    @property
    def __call__(self) -> Callable[..., Values]:
        """Called with a block of each operand, which broadcast, returns the results."""


class BaseStep:
    """What most steps are like: they make no value missing, and one that is is shown as it was."""

    __slots__ = ()

    masked: bool = False
    fill_value: Any = None
    slabwise: bool = False
    """Whether it goes through a block part by part, and needs little besides the results."""


class Cast(BaseStep):
    """Values of another dtype, as ``astype`` gives them."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype

    @property
    def key(self) -> str:
        return f"cast({self.dtype!r})"

    def __call__(self, values: Values) -> Values:
        if not isinstance(values, np.ma.MaskedArray):
            return values.astype(self.dtype, copy=False)
        with np.errstate(all="ignore"):  # what lies under a mask is nobody's concern
            cast: Values = values.astype(self.dtype, copy=False)
        return cast


class Maskable(BaseStep):
    """The same values, any of which could have been missing."""

    masked = True

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype

    @property
    def key(self) -> str:
        return "maskable()"

    def __call__(self, values: Values) -> Values:
        if isinstance(values, np.ma.MaskedArray):
            return values
        return np.ma.MaskedArray(values, mask=np.zeros(values.shape, bool))


class Filled(BaseStep):
    """Values of which none is missing: one stands in the place of those that were.

    Parameters
    ----------
    value : ndarray
        Of no axes, and of the dtype of the values.
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
    """One field, or several, of structured values."""

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
    """Give a dtype without a length or unit the one that a cast from `old` gives it."""
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
