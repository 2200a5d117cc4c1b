"""`topk` returns what dask returns, and missing values last."""

from __future__ import annotations

import numpy as np
import pytest

import biggus
from biggus.testing import ArraySource, RecordingSource

VALUES = np.random.default_rng(3).integers(0, 40, (6, 9, 5))


def largest(values, k):
    """Return the largest, or the smallest, values of a line, those that are missing last."""
    valid = sorted(np.ma.compressed(values).tolist(), reverse=k > 0)
    missing = [None] * (len(values) - len(valid))
    return [*valid, *missing][: abs(k)]


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("k", [1, 3, 6, 20, -1, -4, -6, -20])
@pytest.mark.parametrize("dtype", ["i2", "u1", "f4"])
def test_topk_is_that_of_dask(k, axis, dtype):
    da = pytest.importorskip("dask.array")
    values = VALUES.astype(dtype)
    found = biggus.topk(biggus.ArrayAdapter(values, chunks=(2, 4, 5)), k, axis)
    expected = da.topk(da.from_array(values), k, axis).compute()
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_array_equal(found.ndarray(), expected)


def test_nan_is_largest_as_in_sort():
    array = biggus.ArrayAdapter(np.array([1, np.nan, 3, -np.inf]))
    np.testing.assert_array_equal(biggus.topk(array, 2).ndarray(), [np.nan, 3])
    np.testing.assert_array_equal(biggus.topk(array, -2).ndarray(), [-np.inf, 1])


@pytest.mark.parametrize("k", [1, 4, 9, -1, -4, -9])
def test_missing_values_come_last(k):
    values = np.ma.MaskedArray(VALUES, mask=VALUES % 3 == 0)
    values[0, :, 0] = np.ma.masked
    extremes = np.ma.MaskedArray([[-128, 127, 5]], mask=[[0, 0, 1]], dtype="i1")
    for sample, axis in ((values, 1), (extremes, 1)):
        found = biggus.topk(biggus.ArrayAdapter(sample), k, axis).masked_array()
        expected = np.apply_along_axis(lambda n: np.arange(min(abs(k), n.size)), axis, sample)
        assert found.shape == expected.shape
        lines = np.moveaxis(sample, axis, -1).reshape(-1, sample.shape[axis])
        tops = np.moveaxis(found, axis, -1).reshape(-1, found.shape[axis])
        for line, top in zip(lines, tops, strict=True):
            assert top.tolist() == largest(line, k)


def test_part_of_the_lines_is_read_for_a_part_of_the_result():
    source = RecordingSource(ArraySource(VALUES, (1, 9, 5)))
    top = biggus.topk(biggus.ArrayAdapter(source), 2, axis=1)
    assert source.boxes == []
    assert top[3, :, 2].ndarray().tolist() == largest(VALUES[3, :, 2], 2)
    assert all(box[0] == slice(3, 4, 1) for box in source.boxes)


def test_axis_may_be_named_and_k_is_not_zero():
    source = ArraySource(VALUES)
    source.dims = ("t", "y", "x")
    array = biggus.ArrayAdapter(source)
    assert biggus.topk(array, 2, "y").shape == (6, 2, 5)
    with pytest.raises(ValueError, match="topk of 0 values"):
        biggus.topk(array, 0)
    with pytest.raises(np.exceptions.AxisError):
        biggus.topk(array, 1, 3)
