"""Mean, deviation and extremes in one pass: what every reader that brings no arithmetic is given.

The blocks are as large as fits a core's cache: smaller ones spend more on
Python, of which only one thread can run at a time, than on numbers.

The merging is that of Chan, Golub and LeVeque, "Updating formulae and a
pairwise algorithm for computing sample variances" (1979).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

BLOCK = 2**16
"""Elements that are worked on at once: half a megabyte in float64."""


class Statistics:
    """The count, mean, sum of squared deviations and extremes of what it has been given.

    Parameters
    ----------
    names : sequence of str
        Of mean, std, min and max.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.count = 0
        self.mean = self.squares = 0.0
        self.least, self.most = math.inf, -math.inf
        self._block = np.empty(BLOCK)

    def add(self, values: np.ndarray) -> None:
        """Take more values."""
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
        """Take what another has been given."""
        self.least = min(self.least, other.least)
        self.most = max(self.most, other.most)
        if other.count:
            self._merge(other.count, other.mean, other.squares)

    def _merge(self, count: int, mean: float, squares: float) -> None:
        total = self.count + count
        apart = mean - self.mean
        self.mean += apart * count / total
        self.squares += squares + apart * apart * self.count * count / total
        self.count = total

    def results(self) -> list[float]:
        """Return what was asked for, in its order."""
        found = {
            "mean": self.mean,
            "std": math.sqrt(self.squares / self.count),
            "min": self.least,
            "max": self.most,
        }
        return [found[name] for name in self.names]
