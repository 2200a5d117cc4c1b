"""Finding values that an array does not contain, to use one as a missing-value marker."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

_TRIED = 32
"""The number of random candidates for wide dtypes."""


def same(values: npt.NDArray[Any], marker: Any) -> npt.NDArray[np.bool_]:
    """Tell where readers take values for `marker`: NaN equals any NaN, and 0.0 equals -0.0.

    Examples
    --------
    >>> same(np.array([0.0, np.nan]), np.nan)
    array([False,  True])
    """
    with np.errstate(all="ignore"):
        equal: npt.NDArray[np.bool_] = np.equal(values, marker)
        if marker != marker:  # noqa: PLR0124 - true for NaN
            equal = np.not_equal(values, values)
    return equal


class Unseen:
    """The values of a dtype that have not been seen.

    For dtypes of one or two bytes these are all values; for wider ones, some unlikely ones.

    Parameters
    ----------
    dtype : dtype
        A dtype of integers, floating-point or complex numbers.
    preferred : iterable of scalar
        Values to prefer, in this order.

    Examples
    --------
    >>> unseen = Unseen(np.dtype("u1"), [255, 0])
    >>> unseen.see(np.arange(1, 256).astype("u1"))
    >>> unseen.any()
    np.uint8(0)
    """

    def __init__(self, dtype: np.dtype[Any], preferred: Iterable[Any]) -> None:
        dtype = dtype.newbyteorder("=")
        first = [dtype.type(value) for value in preferred]
        all_there_are = dtype.itemsize <= 2
        others = _every(dtype) if all_there_are else _some(dtype)
        self._left = np.concatenate([np.array(first, dtype), others])
        self._patterns = np.zeros(2 ** (8 * dtype.itemsize), bool) if all_there_are else None

    def see(self, values: npt.NDArray[Any]) -> None:
        """Record values as seen."""
        if self._patterns is not None:
            self._patterns[_bits(values)] = True
        else:
            self._left = _without(self._left, values)

    def any(self) -> Any:
        """Return a value that has not been seen, or None."""
        remaining = self._left
        if self._patterns is not None:
            seen = np.flatnonzero(self._patterns).astype(f"u{remaining.dtype.itemsize}")
            remaining = remaining[~np.isin(remaining, seen.view(remaining.dtype))]
            if remaining.dtype.kind == "f" and np.isnan(seen.view(remaining.dtype)).any():
                remaining = remaining[~np.isnan(remaining)]  # there are many bit patterns of NaN
        return remaining[0] if remaining.size else None


def _without(candidates: npt.NDArray[Any], values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    compared = candidates
    if candidates.dtype.kind in "iu":
        # Readers without masks convert integers to floats before they compare with the marker,
        # and different integers may become the same float.
        compared, values = candidates.astype("f8"), values.astype("f8")
    keep = [not same(values, candidate).any() for candidate in compared]
    remaining: npt.NDArray[Any] = candidates[np.array(keep, bool)]
    return remaining


def _bits(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    native = np.ascontiguousarray(values, values.dtype.newbyteorder("="))
    bits: npt.NDArray[Any] = native.view(f"u{native.dtype.itemsize}")
    return bits


def _every(dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    bits = np.arange(2 ** (8 * dtype.itemsize), dtype=f"u{dtype.itemsize}")
    every: npt.NDArray[Any] = bits.view(dtype)
    return every


def _some(dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    random = np.random.default_rng(0)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        within = random.integers(info.min, info.max, _TRIED, dtype, endpoint=True)
        return np.concatenate([np.array([info.min, info.max], dtype), within])
    most = np.finfo(dtype).max
    return np.array([np.nan, -most, most, *(random.random(_TRIED) * 1e30)], dtype)
