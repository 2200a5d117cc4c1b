"""Averaging blocks of two by two elements, again and again, by their mean or their mode.

A `Sums` holds the sum and the number of the values of each block, so that the mean of a coarse
block is exactly that of all values below it, whichever of them are missing.  Sums are added in
the same tree whatever is read at once, so that results are the same to the bit.  The cost is
about one addition for each element.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from biggus.sources.base import Values
from biggus.statistics.scratch import scratch

EXACT_LEVELS = 3
"""The mode of this many halvings is that of the values; of further ones, that of modes."""

_ACCUMULATED = {
    **dict.fromkeys(("b1", "u1"), "u2"),
    **dict.fromkeys(("i8", "u8", "f2", "f4", "f8"), "f8"),
    **dict.fromkeys(("c8", "c16"), "c16"),
    **dict(zip(("i1", "i2", "i4", "u2", "u4"), ("i2", "i4", "i8", "u4", "u8"), strict=True)),
}
"""The dtype of the sums of one halving, for each dtype of values or sums; exact where possible.

After `EXACT_LEVELS` halvings it has eight bytes, in which any number of further sums fits.
"""

_CONVERTED = 512
"""How many values NumPy converts at once when it adds values of another dtype.  Its default of 8192
does not fit the core's first-level cache, and makes a halving take half as long again."""


@dataclass(frozen=True)
class Sums:
    """The sums of blocks, and the number of values in each.

    Attributes
    ----------
    sums : ndarray
        The sum of each block.
    counts : ndarray or None
        The number of values in each block that are not missing; None if none is missing.
    """

    sums: npt.NDArray[Any]
    counts: npt.NDArray[np.int64] | None

    @classmethod
    def of(cls, values: Values) -> Sums:
        """Return the sums of blocks of one value each, and their counts.

        Masked values are missing, and so is NaN.
        """
        dtype = values.dtype
        missing = np.ma.getmaskarray(values)
        data = np.ma.getdata(values)
        if dtype.kind in "fc":
            missing = missing | np.isnan(data)
        return cls(np.where(missing, dtype.type(0), data), (~missing).astype(np.int64))

    def halved(self, axes: tuple[int, int], slot: str | None = None) -> Sums:
        """Return the sums of blocks of two by two blocks, fewer at an odd edge.

        With a `slot` the sums are in this thread's scratch memory of that name.
        """
        dtype = np.dtype(_ACCUMULATED.get(self.sums.dtype.str[1:], self.sums.dtype.str[1:]))
        rows, columns = axes
        with _converting(invalid="ignore"):  # the sum of opposite infinities is NaN
            sums = _pairs(_pairs(self.sums, rows, dtype, "pairs of rows"), columns, dtype, slot)
        counts = self.counts
        if counts is not None:
            pairs = _pairs(counts, rows, counts.dtype, "pairs of rows")
            counts = _pairs(pairs, columns, counts.dtype)
        return Sums(sums, counts)

    def gathered(self, axes: tuple[int, int], side: int) -> Sums:
        """Return the sums of blocks of `side` by `side` blocks, fewer at the edges."""
        sums, counts = self.sums, self.counts
        for axis in axes:
            starts = np.arange(0, sums.shape[axis], side)
            sums = np.add.reduceat(sums, starts, axis=axis)
            counts = None if counts is None else np.add.reduceat(counts, starts, axis=axis)
        return Sums(sums, counts)

    def means(self, sizes: npt.NDArray[np.int64], dtype: np.dtype[Any]) -> Values:
        """Return the mean of each block; see `put_means`.

        Returns
        -------
        ndarray or MaskedArray
            Masked where all values of a block are missing.
        """
        means = np.empty(self.sums.shape, dtype)
        mask = self.put_means(sizes, means)
        return means if mask is None else np.ma.MaskedArray(means, mask=mask)

    def put_means(
        self, sizes: npt.NDArray[np.int64], out: npt.NDArray[Any]
    ) -> npt.NDArray[np.bool_] | None:
        """Put the mean of each block into an array.

        Parameters
        ----------
        sizes : ndarray
            The number of elements in each block; broadcast.
        out : ndarray
            The array for the means; integers are rounded, halves to even.

        Returns
        -------
        ndarray or None
            True where all values of a block are missing; None if that is nowhere so.
        """
        counts = sizes if self.counts is None else np.maximum(self.counts, 1)
        with _converting(over="ignore"):
            if out.dtype.kind == "f":
                _divide(self.sums, counts, out)
            elif out.dtype.kind in "iu":
                means = scratch("means", self.sums.shape, np.dtype(np.float64))
                _divide(self.sums, counts, means)
                np.rint(means, out=means)
                np.copyto(out, _within(means, out.dtype), casting="unsafe")
            else:
                means = np.true_divide(self.sums, counts.astype(np.float64))
                out[...] = means > 0.5 if out.dtype.kind == "b" else means
        return None if self.counts is None else self.counts == 0


def halvings(
    values: Values, axes: tuple[int, int], levels: int, passing: bool = False
) -> list[Sums]:
    """Return the sums of the first levels of values, at most `EXACT_LEVELS`.

    All but the last are in scratch memory, which the next call in this thread overwrites; the
    last one too, if `passing`.
    """
    first_kept = levels + 1 if passing else levels
    sums = None
    if not np.ma.is_masked(values):
        sums = _halved(Sums(np.ma.getdata(values), None), axes, levels, first_kept)
        # A NaN among the values shows in the last level, which is the smallest.
        if values.dtype.kind in "fc" and np.isnan(sums[-1].sums).any():
            sums = None
    if sums is None:
        sums = _halved(Sums.of(values), axes, levels, first_kept)
    return sums


def _halved(sums: Sums, axes: tuple[int, int], levels: int, first_kept: int) -> list[Sums]:
    levels_of_sums = []
    for level in range(1, levels + 1):
        sums = sums.halved(axes, f"sums {level}" if level < first_kept else None)
        levels_of_sums.append(sums)
    return levels_of_sums


@contextmanager
def _converting(**errors: Any) -> Iterator[None]:
    """Set NumPy's conversion buffer size and error handling for a with block in this thread."""
    with np.errstate(**errors):  # restores the buffer size as well
        np.setbufsize(_CONVERTED)
        yield


def _divide(
    sums: npt.NDArray[Any], counts: npt.NDArray[np.int64], out: npt.NDArray[np.floating[Any]]
) -> None:
    if counts.size == 1 and (count := int(counts.flat[0])) & (count - 1) == 0:
        # For a power of two, multiplying by its reciprocal is exact, and twice as fast.
        np.multiply(sums, 1 / count, out=out, dtype=np.float64, casting="unsafe")
    else:
        np.true_divide(sums, counts.astype(np.float64), out=out, dtype=np.float64, casting="unsafe")


def _within(values: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Clip floats to those that an integer dtype of eight bytes can hold."""
    if dtype.itemsize < 8:
        return values
    limits = np.iinfo(dtype)
    inside: npt.NDArray[Any] = np.clip(
        values, float(limits.min), np.nextafter(float(limits.max), 0)
    )
    return inside


def _pairs(
    values: npt.NDArray[Any], axis: int, dtype: np.dtype[Any], slot: str | None = None
) -> npt.NDArray[Any]:
    """Return the sums of pairs along an axis; with an odd number the last stays alone."""
    before: tuple[slice, ...] = (slice(None),) * axis
    even, odd = values[(*before, slice(0, None, 2))], values[(*before, slice(1, None, 2))]
    sums: npt.NDArray[Any]
    sums = np.empty(even.shape, dtype) if slot is None else scratch(slot, even.shape, dtype)
    paired, last = (*before, slice(0, odd.shape[axis])), (*before, slice(odd.shape[axis], None))
    np.add(even[paired], odd, out=sums[paired], dtype=dtype)
    sums[last] = even[last]
    return sums


def modes(values: Values, factor: int, axes: tuple[int, int]) -> Values:
    """Return the most frequent value of each block of `factor` by `factor`.

    Masked values and NaN do not count.  Of equally frequent values it is the least.

    Returns
    -------
    ndarray or MaskedArray
        A MaskedArray if `values` is one or holds NaN; masked where a block has no values.
    """
    data = np.ma.getdata(values)
    missing = np.ma.getmaskarray(values)
    if data.dtype.kind == "f":
        missing = missing | np.isnan(data)
    blocks, absent = _blocks(data, missing, factor, axes)
    ordered, present = _sorted(blocks, ~absent)
    best = ordered[..., 0]
    run = present[..., 0].astype(np.int64)
    most = run.copy()
    for place in range(1, ordered.shape[-1]):
        same = ordered[..., place] == ordered[..., place - 1]
        run = np.where(present[..., place], np.where(same, run + 1, 1), 0)
        better = run > most
        best = np.where(better, ordered[..., place], best)
        most = np.where(better, run, most)
    best = best.astype(data.dtype, copy=False)  # NumPy's sort gave native byte order
    if isinstance(values, np.ma.MaskedArray) or missing.any():
        return np.ma.MaskedArray(best, mask=most == 0)
    return best


def _blocks(
    data: npt.NDArray[Any], missing: npt.NDArray[np.bool_], factor: int, axes: tuple[int, int]
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """Return the values of each block along a new last axis, and which of them are missing."""
    pad = [(0, -n % factor if axis in axes else 0) for axis, n in enumerate(data.shape)]
    data = np.pad(data, pad, mode="edge")
    missing = np.pad(missing, pad, constant_values=True)
    split: list[int] = []
    within = []
    for axis, n in enumerate(data.shape):
        split.append(n // factor if axis in axes else n)
        if axis in axes:
            within.append(len(split))
            split.append(factor)
    order = [axis for axis in range(len(split)) if axis not in within] + within
    shape = [split[axis] for axis in order[:-2]] + [factor * factor]
    return (
        data.reshape(split).transpose(order).reshape(shape),
        missing.reshape(split).transpose(order).reshape(shape),
    )


def _sorted(
    blocks: npt.NDArray[Any], present: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """Return the values of each block sorted, missing ones at the end."""
    if present.all():
        return np.sort(blocks, axis=-1), present
    by_value = np.argsort(blocks, axis=-1, kind="stable")
    kept = np.take_along_axis(present, by_value, -1)
    last = np.argsort(~kept, axis=-1, kind="stable")
    order = np.take_along_axis(by_value, last, -1)
    return np.take_along_axis(blocks, order, -1), np.take_along_axis(present, order, -1)
