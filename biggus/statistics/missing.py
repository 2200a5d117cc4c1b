"""Missing values of a run, and their replacement by neutral values.

A value is missing if it is masked or, where NaN are skipped, NaN.  Values are replaced by bitwise
operations, without branches: for random masks, this is ten times as fast as a masked assignment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.statistics.scratch import scratch

if TYPE_CHECKING:
    from biggus.statistics.layout import Run
    from biggus.statistics.values import AnyArray

_WIDTHS = (1, 2, 4, 8)
_BOOL = np.dtype(bool)


class Present:
    """Values, and which of them are missing.

    Parameters
    ----------
    values : ndarray
    invalid : ndarray of bool, or None
        Where they are missing; None if none is.
    slot : str
        A suffix of scratch slots, so that two of these do not share scratch memory.
    """

    __slots__ = ("_bits", "_slot", "invalid", "values")

    def __init__(self, values: AnyArray, invalid: AnyArray | None, slot: str = "") -> None:
        self.values = values
        self.invalid = invalid
        self._slot = slot
        self._bits: dict[int, AnyArray] = {}

    def compressed(self) -> Present:
        """Return the values that are not missing, in one dimension."""
        if self.invalid is None:
            return self
        return Present(self.values.reshape(-1).compress(~self.invalid.reshape(-1)), None)

    def blank(self, values: AnyArray) -> None:
        """Set values to zero, in place, where these are missing."""
        if self.invalid is None:
            return
        pattern = _bit_pattern(values)
        if pattern is None:
            np.copyto(values, np.zeros((), values.dtype), where=self.invalid)
            return
        bits = self._kept_bits(pattern.dtype)
        if pattern.ndim > bits.ndim:
            bits = bits[..., None]
        np.bitwise_and(pattern, bits, out=pattern)

    def filled(self, fill: Any) -> AnyArray:
        """Return the values with a fill value where they are missing.

        The array may be scratch memory, which is valid until the next call.
        """
        if self.invalid is None:
            return self.values
        dtype = self.values.dtype
        filled = scratch("filled", self.values.shape, dtype)
        np.copyto(filled, self.values)
        pattern = _bit_pattern(filled)
        if pattern is None or pattern.ndim > filled.ndim:
            np.copyto(filled, fill, where=self.invalid)
            return filled
        # Two exclusive ors keep a value; zeroing it in between gives the fill value.
        bits = np.array(fill, dtype).view(pattern.dtype)
        np.bitwise_xor(pattern, bits, out=pattern)
        np.bitwise_and(pattern, self._kept_bits(pattern.dtype), out=pattern)
        np.bitwise_xor(pattern, bits, out=pattern)
        return filled

    def _kept_bits(self, dtype: np.dtype[Any]) -> AnyArray:
        """Return integers with all bits set where values are valid, and none elsewhere."""
        bits = self._bits.get(dtype.itemsize)
        if bits is None:
            assert self.invalid is not None
            slot = f"bits{dtype.itemsize}{self._slot}"
            bits = scratch(slot, self.invalid.shape, dtype)
            np.copyto(bits, self.invalid)
            np.subtract(bits, dtype.type(1), out=bits)
            self._bits[dtype.itemsize] = bits
        return bits


class RunValues:
    """The values of one run, shared by all accumulators.

    Parameters
    ----------
    run : Run
    axes : tuple of int
        The reduced axes of the run.
    values : ndarray
    invalid : ndarray of bool, or None
        Where values are masked; None if none is.
    """

    # For speed, the attributes that most runs need are made at once, others on first use.

    __slots__ = ("_present", "_whole", "axes", "run")

    def __init__(
        self, run: Run, axes: tuple[int, ...], values: AnyArray, invalid: AnyArray | None
    ) -> None:
        self.run = run
        self.axes = axes
        plain = Present(values, invalid)
        self._whole: list[Present | None] = [plain, None]
        self._present: list[Present | None] = [plain if invalid is None else None, None]

    def masked(self, skip: bool) -> Present:
        """Return all values, and where they are missing."""
        present = self._whole[skip]
        if present is None:
            plain = self.masked(False)
            nan = nan_of(plain.values)
            if plain.invalid is not None:
                np.logical_or(nan, plain.invalid, out=nan)
            present = Present(plain.values, nan if nan.any() else None, "nan")
            self._whole[skip] = present
        return present

    def present(self, skip: bool) -> Present:
        """Return the values; if all are reduced to one, without those that are missing.

        Parameters
        ----------
        skip : bool
            Whether NaN are missing values.
        """
        present = self._present[skip]
        if present is None:
            present = self.masked(skip)
            if len(self.axes) == present.values.ndim:
                present = present.compressed()
            self._present[skip] = present
        return present

    def flat(self, skip: bool) -> AnyArray:
        """Return the values that are not missing, in one dimension."""
        return self.present(skip).compressed().values.reshape(-1)


def nan_of(values: AnyArray) -> AnyArray:
    """Return where values are NaN or NaT, as a scratch array."""
    nan = scratch("nan", values.shape, _BOOL)
    if values.dtype.kind == "O":
        np.copyto(nan, values != values, casting="unsafe")  # noqa: PLR0124 - NaN alone
        return nan
    return np.isnan(values, out=nan)


def _bit_pattern(values: AnyArray) -> AnyArray | None:
    """Return a view of values in C order as unsigned integers; None if there are none so wide.

    Complex numbers of two doubles get another axis.
    """
    dtype = values.dtype
    if dtype.kind == "c" and dtype.itemsize == 16:
        return values.view(np.uint64).reshape(*values.shape, 2)
    if dtype.kind in "biufcmM" and dtype.itemsize in _WIDTHS:
        return values.view(f"u{dtype.itemsize}")
    return None
