"""Checking the options of the tiles backend."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.errors import OpenError

if TYPE_CHECKING:
    from biggus.backends.tiles.source import Fill


class OptionChecker:
    """Checks the values of options, and returns them in normal form.

    Parameters
    ----------
    location : str
        The location that is opened, without credentials, for errors.
    """

    def __init__(self, location: str) -> None:
        self.location = location

    def integer(self, name: str, value: Any, low: int, high: int) -> int:
        """Return `value` as an int from `low` to `high`."""
        try:
            number = operator.index(value)
        except TypeError:
            number = None
        if number is None or isinstance(value, bool) or not low <= number <= high:
            raise OpenError(
                self.location, f"`{name}=` is a whole number, {low} to {high}, not {value!r}"
            )
        return number

    def seconds(self, name: str, value: Any) -> float:
        """Return a number of seconds, or a timedelta, as a float."""
        if isinstance(value, timedelta):
            value = value.total_seconds()
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not 0 <= value < float("inf"):
            raise OpenError(self.location, f"`{name}=` is a number of seconds, not {value!r}")
        return float(value)

    def dtype(self, value: Any, bands: int) -> np.dtype[Any]:
        """Return the dtype of the pixels, in native byte order."""
        if bands == 2:
            raise OpenError(self.location, "`bands=` is 1, 3 or 4, not 2")
        try:
            dtype: np.dtype[Any] | None = np.dtype(value)
        except TypeError:
            dtype = None
        if dtype == np.uint8:
            return np.dtype(np.uint8)
        if dtype == np.uint16 and bands == 1:
            return np.dtype(np.uint16)
        raise OpenError(
            self.location,
            f"`dtype=` is 'u1', or 'u2' with `bands=1`, not {value!r} with `bands={bands}`",
        )

    def missing(self, value: Any, bands: int, dtype: np.dtype[Any]) -> Fill:
        """Return the fill value of missing tiles; None if they are errors."""
        if isinstance(value, str) and value == "raise":
            return None
        parts = list(value) if isinstance(value, (tuple, list, np.ndarray)) else [value]
        most = np.iinfo(dtype).max
        try:
            numbers = [operator.index(part) for part in parts if not isinstance(part, bool)]
        except TypeError:
            numbers = []
        if (
            len(numbers) != len(parts)
            or len(numbers) not in {1, bands}
            or not all(0 <= number <= most for number in numbers)
        ):
            raise OpenError(
                self.location,
                f"`missing=` is 'raise', or a value 0 to {most} (or one for each of "
                f"{bands} bands), not {value!r}",
            )
        return numbers[0] if len(set(numbers)) == 1 else tuple(numbers)

    def headers(self, value: Any) -> tuple[tuple[str, str], ...]:
        """Return headers as pairs; errors do not show them."""
        if value is None:
            return ()
        # The values may be secrets, and are not in the message.
        problem = "`headers=` maps names to values, both strings of one line"
        if not isinstance(value, Mapping):
            raise OpenError(self.location, problem)
        for part in (*value.keys(), *value.values()):
            if not isinstance(part, str) or "\n" in part or "\r" in part:
                raise OpenError(self.location, problem)
        return tuple(value.items())
