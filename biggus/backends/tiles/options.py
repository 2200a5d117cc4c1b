"""Checking the options of the tiles backend."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.backends.http.options import OptionChecker
from biggus.errors import OpenError

if TYPE_CHECKING:
    from biggus.backends.tiles.source import Fill


class TileOptionChecker(OptionChecker):
    """Checks the options of the tiles backend, too."""

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
