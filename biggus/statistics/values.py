"""What statistics are computed of, and what comes of a block: the words of this room."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np

AnyArray: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[Any]]
"""An ndarray of any shape and dtype."""

Values: TypeAlias = AnyArray | np.ma.MaskedArray[tuple[int, ...], np.dtype[Any]]
"""A block: an ndarray, or a MaskedArray where values can be missing."""

Partial: TypeAlias = tuple[AnyArray, ...]
"""What has been accumulated: ndarrays in C order.

Each has the shape of the block with the reduced axes at length one, or broadcasts
to it (a count that is the same at all positions has one element); some aggregators
have entries of another shape, and are accumulated over whole arrays alone.
"""


class ReadableRuns(Protocol):
    """A block that is not at hand: its values are read run by run, none of them missing."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def read_into(self, start: int, out: AnyArray) -> None:
        """Read values into an array: those that in C order follow the first `start`."""


@runtime_checkable
class ComputedParts(Protocol):
    """A block that is not at hand: its values are computed part by part, none of them missing."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __getitem__(self, box: tuple[slice, ...]) -> ComputedParts:
        """Return the part of the block in a box."""

    def compute_into(self, out: AnyArray) -> None:
        """Compute all values into an array of the block's shape and dtype."""

    def values(self) -> AnyArray:
        """Return all values."""
