"""Mean, standard deviation and extremes in one pass, for libraries that only read.

Blocks fit a core's cache.  Smaller blocks would spend more time on Python, which runs one
thread at a time, than on numbers.

Partial results are merged as by Chan, Golub and LeVeque, "Updating formulae and a
pairwise algorithm for computing sample variances" (1979).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

BLOCK = 2**16
"""Elements of a block: half a megabyte in float64."""


class Statistics:
    """The count, mean, sum of squared deviations and extremes of the values added so far.

    Parameters
    ----------
    names : sequence of str
        The statistics to return: mean, std, min or max.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.count = 0
        self.mean = self.squares = 0.0
        self.least, self.most = math.inf, -math.inf
        self._block = np.empty(BLOCK)

    def add(self, values: np.ndarray) -> None:
        """Add values."""
        flat = values.reshape(-1)
        for start in range(0, flat.size, BLOCK):
            part = flat[start : start + BLOCK]
            if "min" in self.names:
                self.least = min(self.least, float(part.min()))
            if "max" in self.names:
                self.most = max(self.most, float(part.max()))
            block = self._block[: part.size]
            block[...] = part
            mean = float(np.add.reduce(block)) / part.size
            np.subtract(block, mean, out=block)
            np.multiply(block, block, out=block)
            self._merge(part.size, mean, float(np.add.reduce(block)))

    def merge(self, other: Statistics) -> None:
        """Add the values of another instance."""
        self.least = min(self.least, other.least)
        self.most = max(self.most, other.most)
        if other.count:
            self._merge(other.count, other.mean, other.squares)

    def _merge(self, count: int, mean: float, squares: float) -> None:
        total = self.count + count
        difference = mean - self.mean
        self.mean += difference * count / total
        self.squares += squares + difference * difference * self.count * count / total
        self.count = total

    def results(self) -> list[float]:
        """Return the statistics, in the order of `names`."""
        found = {
            "mean": self.mean,
            "std": math.sqrt(self.squares / self.count),
            "min": self.least,
            "max": self.most,
        }
        return [found[name] for name in self.names]
