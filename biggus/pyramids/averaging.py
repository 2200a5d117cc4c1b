"""What stands for the blocks of a level: sums of which the means are shown, or modes.

Both are asked in the same way, so that what reads and keeps levels knows of neither:
`first` makes the states of the first levels from values, `merged` that of the next level
from those of four tiles, and `shown` the values of a level from its state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from biggus.pyramids.blocks import STRIP, Sums, halvings, modes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from biggus.source import Values

    Axes = tuple[int, int]
    Sizes = npt.NDArray[np.int64]


class Averaging(Protocol):
    """How elements become one."""

    name: str
    """``"mean"`` or ``"mode"``."""

    def peak_bytes(self, count: int, itemsize: int) -> int:
        """Return the most memory, beside so many values, that making them one takes."""

    def first(self, values: Values, axes: Axes, levels: int) -> Iterator[Any]:
        """Yield the states of the first levels of values, `EXACT_LEVELS` of them at most."""

    def merged(self, quarters: Sequence[Sequence[Any]], sizes: Any, axes: Axes) -> Any:
        """Return the state of a tile from those of the tiles under it, and their sizes."""

    def shown(self, state: Any, sizes: Sizes, dtype: np.dtype[Any]) -> Values:
        """Return the values of a level."""


class Mean:
    """The mean of all values that are not missing, rounded once."""

    name = "mean"

    def peak_bytes(self, count: int, itemsize: int) -> int:
        """Return the memory of sums and counts, of a strip and of all levels."""
        return 3 * count * max(8, itemsize) // 2 + min(count, STRIP) * (2 * itemsize + 24)

    def first(self, values: Values, axes: Axes, levels: int) -> Iterator[Sums]:
        """Yield the sums of the first levels."""
        yield from halvings(values, axes, levels)

    def merged(
        self, quarters: Sequence[Sequence[Sums]], sizes: Sequence[Sequence[Sizes]], axes: Axes
    ) -> Sums:
        """Return the sums of the tiles under a tile, halved."""
        counts = None
        if any(sums.counts is not None for row in quarters for sums in row):
            known = [
                [
                    np.broadcast_to(size, sums.sums.shape) if sums.counts is None else sums.counts
                    for sums, size in zip(*pair, strict=True)
                ]
                for pair in zip(quarters, sizes, strict=True)
            ]
            counts = _joined(known, axes)
        sums = _joined([[sums.sums for sums in row] for row in quarters], axes)
        return Sums(sums, counts).halved(axes)

    def shown(self, state: Sums, sizes: Sizes, dtype: np.dtype[Any]) -> Values:
        """Return the means."""
        return state.means(sizes, dtype)


class Mode:
    """The most frequent value; from the fourth level on of the modes of eight by eight."""

    name = "mode"

    def peak_bytes(self, count: int, itemsize: int) -> int:
        """Return the memory of values in order, and where they were."""
        return 8 * count * max(8, itemsize)

    def first(self, values: Values, axes: Axes, levels: int) -> Iterator[Values]:
        """Yield the modes of the first levels."""
        for level in range(levels):
            yield modes(values, 2 << level, axes)

    def merged(
        self,
        quarters: Sequence[Sequence[Values]],
        sizes: Any,  # noqa: ARG002 - part of the protocol
        axes: Axes,
    ) -> Values:
        """Return the modes of the tiles under a tile."""
        return modes(_joined(quarters, axes), 2, axes)

    def shown(
        self,
        state: Values,
        sizes: Sizes,  # noqa: ARG002 - part of the protocol
        dtype: np.dtype[Any],  # noqa: ARG002 - part of the protocol
    ) -> Values:
        """Return the modes as they are."""
        return state


def _joined(quarters: Sequence[Sequence[Any]], axes: Axes) -> Any:
    """Return the arrays of up to four tiles as one."""
    parts = [part for row in quarters for part in row]
    masked = any(isinstance(part, np.ma.MaskedArray) for part in parts)
    join: Any = np.ma.concatenate if masked else np.concatenate
    rows = [join(row, axis=axes[1]) if len(row) > 1 else row[0] for row in quarters]
    return join(rows, axis=axes[0]) if len(rows) > 1 else rows[0]


def averaging_of(dtype: np.dtype[Any], method: str | None) -> Averaging:
    """Return how values of a dtype become one: by the mean, if nobody says.

    Raises
    ------
    ValueError
        If there is no such method.
    TypeError
        If the dtype has no mean, or no order for a mode.
    """
    if method not in {None, "mean", "mode"}:
        raise ValueError(f"method= is 'mean' or 'mode', not {method!r}")
    if method == "mode":
        if dtype.kind not in "biufSUmM":
            raise TypeError(f"values of dtype {dtype} have no mode here")
        return Mode()
    if dtype.kind not in "biufc" or dtype.itemsize > np.dtype("c16").itemsize:
        raise TypeError(f"values of dtype {dtype} have no mean; method='mode' takes the commonest")
    return Mean()
