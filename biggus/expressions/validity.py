"""Masks as values: steps that return where values are valid, and that mask or unmask values."""

from __future__ import annotations

from typing import Any

import numpy as np

from biggus.graph import BaseStep
from biggus.sources.base import Values


class Valid(BaseStep):
    """Returns where values are valid."""

    fills = True
    dtype = np.dtype(bool)
    key = "valid()"

    def __call__(self, values: Values) -> Values:
        """Return where values are not missing."""
        return ~np.ma.getmaskarray(values)


class ValidWhere(BaseStep):
    """Masks further values: those where a condition is false."""

    masked = True
    key = "valid where"

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype

    def __call__(self, values: Values, there: Values) -> Values:
        """Return values, masked where they were before and where `there` is false."""
        mask = np.ma.getmaskarray(values) | ~there
        return np.ma.MaskedArray(np.broadcast_to(np.ma.getdata(values), mask.shape), mask=mask)


class Unmasked(BaseStep):
    """Returns values, also those under a mask."""

    fills = True
    key = "unmasked"

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype

    def __call__(self, values: Values) -> Values:
        """Return values without their mask."""
        return np.ma.getdata(values)
