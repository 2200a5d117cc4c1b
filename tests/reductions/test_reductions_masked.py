"""Reductions of masked arrays match np.ma in values and masks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from reduced_values import (
    ADAPT,
    NUMBERS,
    check,
    quietly,
    tolerance,
    values_of,
)

import biggus
from biggus.reductions import along

OF_MASKED = ["sum", "prod", "mean", "std", "var", "min", "max", "ptp", "any", "all", "median"]
OF_MASKED += ["argmin", "argmax", "count"]


def masked_values(dtype, shape=(3, 4, 2)):
    values = values_of(dtype, shape)
    mask = np.random.default_rng(1).random(shape) < 0.4
    mask[0] = True
    return np.ma.MaskedArray(values, mask=mask)


def check_masked(array, right, dtype=None):
    """Compare the mask and the unmasked values of a result with np.ma."""
    result = quietly(array.masked_array)
    right = quietly(lambda: np.ma.asarray(right))
    assert result.shape == array.shape == right.shape
    np.testing.assert_array_equal(np.ma.getmaskarray(result), np.ma.getmaskarray(right))
    rtol = tolerance(array.dtype)
    if array.dtype.kind in "fc":
        np.testing.assert_allclose(
            result.compressed(), right.compressed().astype(array.dtype), rtol=rtol, atol=1e-12
        )
    else:
        np.testing.assert_array_equal(result.compressed(), right.compressed())


@pytest.mark.parametrize("name", OF_MASKED)
@pytest.mark.parametrize("dtype", NUMBERS)
def test_masked_values_are_skipped(name, dtype):
    if dtype == "?" and name.startswith("arg"):
        return  # np.ma finds its own fill value
    values = masked_values(dtype)
    for axis, keepdims in itertools.product([None, 0, 1, (0, 2), (0, 1, 2)], [False, True]):
        keywords = {"axis": axis, "keepdims": keepdims}
        try:
            right = quietly(lambda keywords=keywords: getattr(np.ma, name)(values, **keywords))
        except (TypeError, np.exceptions.AxisError):
            continue  # np.ma takes one axis only
        array = getattr(biggus, name)(ADAPT(values), **keywords)
        if name != "count":
            assert array.dtype == getattr(biggus, name)(ADAPT(values.data), **keywords).dtype
        check_masked(array, right)


@pytest.mark.parametrize(
    "name",
    [
        *("mean", "std", "var", "min", "max", "nanmean", "nanstd", "nanmax"),
        *("sum", "prod", "nansum", "any", "all"),
    ],
)
@pytest.mark.parametrize("dtype", NUMBERS)
def test_where_argument_of_masked_arrays(name, dtype):
    values = masked_values(dtype)
    chosen = np.random.default_rng(2).random(values.shape) < 0.6
    array = ADAPT(values)
    for axis, where in itertools.product([None, 0, (0, 2)], [chosen, chosen[0, :, :1], False]):
        there = np.ma.masked_where(~np.broadcast_to(where, values.shape), values)
        plain = getattr(np.ma, name.removeprefix("nan"))
        for call in (getattr(np, name), getattr(biggus, name)):
            made = call(array, axis=axis, where=where)
            check_masked(
                made, quietly(lambda plain=plain, there=there, axis=axis: plain(there, axis))
            )


@pytest.mark.parametrize("name", ["nanmean", "nanstd", "nanvar", "nansum", "nanmax"])
@pytest.mark.parametrize("dtype", NUMBERS)
def test_where_argument_of_nan_functions(name, dtype):
    values = values_of(dtype)
    if values.dtype.kind in "fc":
        values[values == 1] = np.nan
    chosen = np.random.default_rng(2).random(values.shape) < 0.6
    for axis, where in itertools.product([None, 1], [chosen, False]):
        check(name, values, axis=axis, where=where)


@pytest.mark.parametrize("name", ["median", "quantile", "percentile", "nanmedian", "nanquantile"])
@pytest.mark.parametrize("axis", [None, 0, 1, 2, (0, 1), (1, 2), (0, 2)])
def test_quantiles_of_masked_arrays(name, axis):
    values = masked_values("f8", (5, 6, 7))
    values[2, 3, 4] = np.ma.masked
    if name.startswith("nan"):
        values.data[np.random.default_rng(2).random(values.shape) < 0.2] = np.nan
    q = () if "median" in name else (0.3,) if "quantile" in name else ([20, 60],)
    array = getattr(biggus, name)(ADAPT(values), *q, axis=axis)
    axes = tuple(range(3)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    kept = [n for place, n in enumerate(values.shape) if place not in axes]
    lines = np.ma.reshape(np.moveaxis(values, axes, range(-len(axes), 0)), (*kept, -1))
    found = array.masked_array()
    assert array.masked
    assert array.shape == np.shape(*q) + tuple(kept) if q else array.shape == tuple(kept)
    for place in np.ndindex(*kept):
        line = lines[place].compressed()
        if name.startswith("nan"):
            line = line[~np.isnan(line)]
        result = found[(..., *place)]
        if not line.size:
            assert np.ma.getmaskarray(result).all()
            continue
        right = getattr(np, name)(line, *q)
        np.testing.assert_allclose(result, right, rtol=1e-14)


@pytest.mark.parametrize("dtype", ["f2", "f8", "g", "i2"])
@pytest.mark.parametrize("missing", [False, True])
def test_quantiles_of_a_masked_number(dtype, missing):
    array = ADAPT(np.ma.MaskedArray(np.array(3, dtype), missing))
    for q in ((), (0.5,), ([0.1, 0.9],)):
        for name in ("quantile", "nanquantile") if q else ("median", "nanmedian"):
            found = getattr(np, name)(array, *q).masked_array()
            assert found.shape == np.shape(*q) if q else found.shape == ()
            assert (found.mask == missing).all()
            assert missing or (found == 3).all()


def test_mdtol():
    values = np.ma.masked_array([[1.0, 2, 3, 4], [5, 6, 7, 8]], [[0, 0, 0, 1], [0, 1, 1, 1]])
    array = ADAPT(values)
    for name in ("sum", "prod", "mean", "std", "min", "max", "any", "all", "ptp"):
        for mdtol, mask in [(0, [1, 1]), (0.3, [0, 1]), (0.5, [0, 1]), (0.8, [0, 0]), (1, [0, 0])]:
            found = getattr(biggus, name)(array, 1, mdtol=mdtol)
            assert found.masked_array().mask.tolist() == mask
            assert getattr(array, name)(1, mdtol=mdtol).masked_array().mask.tolist() == mask
    with pytest.raises(ValueError, match="mdtol"):
        array.mean(mdtol=2)


@pytest.mark.parametrize("name", ["median", "nanmedian", "quantile", "nanquantile"])
@pytest.mark.parametrize("elements", [1, 7, 20])
def test_lines_computed_a_few_at_a_time_give_the_same(monkeypatch, name, elements):
    q = () if "median" in name else ([[0.3, 0.9]],)
    for dtype, axis in itertools.product(["u1", "i2", "f2", ">f4", "f8"], [0, 1, 2, (0, 2)]):
        plain, hidden = values_of(dtype, (3, 5, 4)), masked_values(dtype, (3, 5, 4))
        if plain.dtype.kind == "f":
            plain[0, 1] = plain[:, 2, 3] = np.nan
        for values in (plain, plain.T, hidden):
            lazy = quietly(lambda v=values, a=axis: getattr(biggus, name)(ADAPT(v), *q, axis=a))
            right = quietly(lazy.masked_array)
            with monkeypatch.context() as patch:
                patch.setattr(along, "_SLAB", elements)
                got = quietly(lazy.masked_array)
            assert got.dtype == right.dtype
            np.testing.assert_array_equal(got.mask, right.mask)
            np.testing.assert_array_equal(got.filled(0), right.filled(0))
