"""The types of blocks of values, and of their partial results."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Protocol, TypeAlias

import numpy as np

AnyArray: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[Any]]
"""An ndarray of any shape and dtype."""

Values: TypeAlias = AnyArray | np.ma.MaskedArray[tuple[int, ...], np.dtype[Any]]
"""A block: an ndarray, or a MaskedArray where values can be missing."""

Partial: TypeAlias = tuple[AnyArray, ...]
"""A partial result: a tuple of ndarrays in C order, its entries.

Each entry has the shape of the block with the reduced axes at length one, or broadcasts to it (a
count that is the same at all positions has one element).  Some aggregators have entries of other
shapes; these are only accumulated over all axes.
"""


class ReadableRuns(Protocol):
    """A block that is read run by run; none of its values is missing."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def read_into(self, start: int, out: AnyArray) -> None:
        """Read the values from the flat index `start` on, in C order, into an array."""


class ComputedParts(ABC):
    """A block that is computed part by part; none of its values is missing."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @abstractmethod
    def __getitem__(self, box: tuple[slice, ...]) -> ComputedParts:
        """Return the part of the block in a box."""

    @abstractmethod
    def compute_into(self, out: AnyArray, box: tuple[slice, ...]) -> None:
        """Compute the values in a box into an array of the box's shape and the block's dtype.

        It costs the least if the first axes of the boxes are in ascending order.
        """

    def values(self) -> AnyArray:
        """Return all values."""
        values = np.empty(self.shape, self.dtype)
        self.compute_into(values, tuple([slice(0, n, 1) for n in self.shape]))
        return values
