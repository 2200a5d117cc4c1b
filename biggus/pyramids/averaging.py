"""The two ways of averaging blocks of values: the mean and the mode.

Both have one interface.  A *state* stands for a box of a level: sums for the mean, modes for the
mode.  `first` computes the states of the first levels from values, `joined` joins those of
adjacent boxes, `merged` computes that of the next level, and `show` gives the values of a state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from biggus.pyramids.blocks import Sums, halvings, modes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from biggus.sources.base import Values

    Axes = tuple[int, int]
    Sizes = npt.NDArray[np.int64]
    Mask = npt.NDArray[np.bool_]
    Averaging: TypeAlias = "BlockMean | Mode"


class BlockMean:
    """The mean of all values that are not missing, rounded once."""

    name = "mean"

    def peak_bytes(self, count: int, itemsize: int) -> int:
        """Return the memory of sums and counts."""
        return count * (2 * itemsize + 24)

    def first(self, values: Values, axes: Axes, levels: int, passing: bool) -> Iterator[Sums]:
        """Yield the sums of the first levels, at most `EXACT_LEVELS`.

        A state may be overwritten when the next one is computed; the last one is kept unless
        `passing`.
        """
        yield from halvings(values, axes, levels, passing)

    def joined(
        self, parts: Sequence[Sequence[Sums]], sizes: Sequence[Sequence[Sizes]], axes: Axes
    ) -> Sums:
        """Return the sums of adjacent boxes as those of one box."""
        counts = None
        if any(sums.counts is not None for row in parts for sums in row):
            known = [
                [
                    np.broadcast_to(size, sums.sums.shape) if sums.counts is None else sums.counts
                    for sums, size in zip(*pair, strict=True)
                ]
                for pair in zip(parts, sizes, strict=True)
            ]
            counts = _joined(known, axes)
        return Sums(_joined([[sums.sums for sums in row] for row in parts], axes), counts)

    def merged(
        self, parts: Sequence[Sequence[Sums]], sizes: Sequence[Sequence[Sizes]], axes: Axes
    ) -> Sums:
        """Return the sums of the tiles under a tile, halved."""
        return self.joined(parts, sizes, axes).halved(axes)

    def show(self, state: Sums, sizes: Sizes, out: npt.NDArray[Any]) -> Mask | None:
        """Put the means into an array."""
        return state.put_means(sizes, out)

    def gathered(self, values: Values, sizes: Sizes, axes: Axes, side: int) -> Values:
        """Return the weighted means of blocks."""
        each = Sums.of(values)
        assert each.counts is not None
        weighted = Sums(each.sums * sizes, each.counts * sizes)
        return weighted.gathered(axes, side).means(sizes, values.dtype)


class Mode:
    """The most frequent value; from the fourth level on, of the modes of blocks of 8 by 8."""

    name = "mode"

    def peak_bytes(self, count: int, itemsize: int) -> int:
        """Return the memory of sorted values and their indices."""
        return 8 * count * max(8, itemsize)

    def first(
        self,
        values: Values,
        axes: Axes,
        levels: int,
        passing: bool,  # noqa: ARG002 - as of `BlockMean`
    ) -> Iterator[Values]:
        """Yield the modes of the first levels."""
        for level in range(levels):
            yield modes(values, 2 << level, axes)

    def joined(
        self,
        parts: Sequence[Sequence[Values]],
        sizes: Any,  # noqa: ARG002 - as of `BlockMean`
        axes: Axes,
    ) -> Values:
        """Return the modes of adjacent boxes as those of one box."""
        modes_of_all: Values = _joined(parts, axes)
        return modes_of_all

    def merged(self, parts: Sequence[Sequence[Values]], sizes: Any, axes: Axes) -> Values:
        """Return the modes of the tiles below a tile."""
        return modes(self.joined(parts, sizes, axes), 2, axes)

    def show(
        self,
        state: Values,
        sizes: Sizes,  # noqa: ARG002 - as of `BlockMean`
        out: npt.NDArray[Any],
    ) -> Mask | None:
        """Put the modes into an array."""
        out[...] = np.ma.getdata(state)
        return np.ma.getmaskarray(state) if isinstance(state, np.ma.MaskedArray) else None

    def gathered(
        self,
        values: Values,
        sizes: Sizes,  # noqa: ARG002 - as of `BlockMean`
        axes: Axes,
        side: int,
    ) -> Values:
        """Return the modes of blocks."""
        return modes(values, side, axes)


def _joined(parts: Sequence[Sequence[Any]], axes: Axes) -> Any:
    """Return adjacent arrays, given in rows, as one array."""
    masked = any(isinstance(part, np.ma.MaskedArray) for row in parts for part in row)
    join: Any = np.ma.concatenate if masked else np.concatenate
    rows = [join(row, axis=axes[1]) if len(row) > 1 else row[0] for row in parts]
    return join(rows, axis=axes[0]) if len(rows) > 1 else rows[0]


def averaging_of(dtype: np.dtype[Any], method: str | None) -> Averaging:
    """Return the averaging of a dtype by a method, by default the mean.

    Raises
    ------
    ValueError
        If there is no such method.
    TypeError
        If the dtype has no mean, or cannot be sorted for a mode.
    """
    if method not in {None, "mean", "mode"}:
        raise ValueError(f"`method=` is 'mean' or 'mode', not {method!r}")
    if method == "mode":
        if dtype.kind not in "biufSUmM":
            raise TypeError(f"the mode of dtype {dtype} is not supported")
        return Mode()
    if dtype.kind not in "biufc" or dtype.itemsize > np.dtype("c16").itemsize:
        raise TypeError(
            f"values of dtype {dtype} have no mean; `method='mode'` takes the most frequent"
        )
    return BlockMean()
