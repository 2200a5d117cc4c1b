"""Sums with NaN replaced by zero, as xarray writes them, become nansum."""

from __future__ import annotations

import numpy as np
import pytest

import biggus
from biggus.graph import Reduce

VALUES = np.random.default_rng(0).normal(size=(7, 5))
VALUES[2, 3] = VALUES[6, 0] = np.nan


def replaced(a, zero=0.0):
    return np.where(np.isnan(a), zero, a)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("keywords", [{}, {"axis": 0}, {"axis": (0, 1), "keepdims": True}])
def test_sum_of_zero_filled_nan_becomes_nansum(dtype, keywords):
    values = VALUES.astype(dtype)
    lazy = biggus.ArrayAdapter(values, chunks=(2, 5))
    for zero in (0, np.zeros((), dtype), biggus.ArrayAdapter(np.zeros((), dtype))):
        found = np.sum(replaced(lazy, zero), **keywords)
        assert isinstance(found.node, Reduce)
        assert found.node.name == "nansum"
        right = np.sum(replaced(values, np.zeros((), dtype)), **keywords)
        assert (found.shape, found.dtype) == (right.shape, right.dtype)
        np.testing.assert_allclose(found.ndarray(), right, rtol=1e-2 if dtype == "f2" else 1e-6)


def test_similar_expressions_are_left_unchanged():
    other = biggus.ArrayAdapter(VALUES + 1)
    for operate in (
        lambda a: replaced(a, 1.0).sum(),
        lambda a: np.where(np.isnan(a), a, 0.0).sum(),
        lambda a: np.where(np.isfinite(a), 0.0, a).sum(),
        lambda a: np.where(np.isnan(np.asarray(VALUES)), 0.0, a).sum(),
        lambda a: replaced(a).astype("f4").sum(),
        lambda a: replaced(a).mean(),
        lambda a: replaced(a).sum(where=VALUES > 0),
    ):
        lazy = operate(biggus.ArrayAdapter(VALUES)).ndarray()
        np.testing.assert_allclose(lazy, operate(VALUES), rtol=1e-6)
    assert np.isnan(
        np.where(np.isnan(other), 0.0, biggus.ArrayAdapter(VALUES)).sum().ndarray()
    ) == (np.isnan(np.where(np.isnan(VALUES + 1), 0.0, VALUES).sum()))
