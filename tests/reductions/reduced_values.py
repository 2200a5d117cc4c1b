"""Checks that reductions of lazy arrays match NumPy."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import biggus

ADAPT = biggus.ArrayAdapter
DTYPES = ["?", "i1", ">i4", "u8", "f2", "f4", ">f8", "c8", "M8[s]", "m8[h]", "O", "U2", "V2"]
NUMBERS = ["?", "u1", ">i4", "i8", "f2", ">f4", "f8", "c16"]
PLAIN = ["sum", "prod", "mean", "std", "var", "min", "max", "ptp", "any", "all"]
PLAIN += ["argmin", "argmax", "count_nonzero", "median"]
NAN_TWINS = ["nansum", "nanprod", "nanmean", "nanstd", "nanvar", "nanmin", "nanmax"]
NAN_TWINS += ["nanargmin", "nanargmax", "nanmedian"]
QUANTILES = ["quantile", "nanquantile", "percentile", "nanpercentile"]
AXES = [None, 0, 1, -1, (0, 2), (-1, 0), (0, 1, 2), ()]
ODD_AXES = [3, -4, (0, 0), (0, 3), 1.0, "0", [0], True, np.int64(1), np.array(1), ((0,),), (0, -3)]


def values_of(dtype, shape=(3, 4, 2)):
    """Return small values in random order, some of them equal."""
    dtype = np.dtype(dtype)
    numbers = np.random.default_rng(0).integers(0, 7, shape)
    if dtype.kind == "V":
        return numbers.astype("S2").astype(dtype)
    if dtype.kind in "if":
        numbers = np.asarray(numbers - 2)
    if dtype.kind in "fc":
        numbers = np.asarray(numbers / 2)
    return numbers.astype(dtype)


def quietly(act):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return act()


def tolerance(dtype):
    """Return the relative error that is allowed."""
    if dtype == "O":
        return 1e-15
    if dtype.kind not in "fc":
        return 0
    return 16 * np.finfo(dtype).eps


def check_equal(got, right):
    assert got.shape == right.shape
    assert got.dtype == right.dtype
    if right.dtype == "O":
        got, right = got.astype(float), right.astype(float)
    if right.dtype.kind in "fc":
        np.testing.assert_allclose(got, right, rtol=tolerance(right.dtype), atol=1e-12)
    else:
        np.testing.assert_array_equal(got, right)


def check(name, values, *arguments, **keywords):
    """Compare the result of a function for a lazy array with NumPy's."""
    function = getattr(np, name)
    if name in QUANTILES and np.ndim(arguments[0]) > 1:
        # NumPy's nan-functions fail for quantiles with more than one axis.
        function = getattr(np, name.removeprefix("nan"))
    try:
        right = quietly(lambda: function(values, *arguments, **keywords))
    except Exception as error:
        with pytest.raises(type(error)):
            quietly(lambda: getattr(biggus, name)(ADAPT(values), *arguments, **keywords).ndarray())
        return
    made = quietly(lambda: getattr(biggus, name)(ADAPT(values), *arguments, **keywords))
    assert type(made) is biggus.Array
    assert made.shape == np.shape(right)
    result = quietly(made.ndarray)
    expected = np.asarray(right)
    if values.dtype == "O" and made.dtype == "O":
        expected = np.array(right, "O")  # NumPy returns a bare object for zero-dimensional results
    assert made.dtype == expected.dtype
    check_equal(result, expected)
