"""Reductions of lazy arrays: values, dtypes, shapes and errors are those of NumPy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from reduced_values import (
    ADAPT,
    AXES,
    DTYPES,
    NAN_TWINS,
    NUMBERS,
    ODD_AXES,
    PLAIN,
    QUANTILES,
    check,
    check_equal,
    quietly,
    values_of,
)

import biggus


@pytest.mark.parametrize("name", [*PLAIN, *NAN_TWINS])
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_reduction_of_every_dtype(name, dtype):
    values = values_of(dtype)
    if name in ("std", "nanstd") and dtype == "O":
        return  # Python floats have no sqrt method
    for axis, keepdims in itertools.product(AXES, [False, True]):
        check(name, values, axis=axis, keepdims=keepdims)


@pytest.mark.parametrize("name", [*PLAIN, *NAN_TWINS])
def test_invalid_axes_raise_as_numpy(name):
    for axis in ODD_AXES:
        check(name, values_of("f8"), axis=axis)
    for axis in (None, 0, -1, 1, ()):
        check(name, values_of("f8", ()), axis=axis)


@pytest.mark.parametrize("name", [*PLAIN, *NAN_TWINS])
@pytest.mark.parametrize("shape", [(5,), (0,), (0, 3), (3, 0), (2, 0, 3), (1, 1)])
def test_odd_shapes(name, shape):
    for dtype, axis in itertools.product(["f4", "i8", "?"], [None, 0, -1, (0,)]):
        check(name, values_of(dtype, shape), axis=axis)


@pytest.mark.parametrize(
    "made", [lambda a: a[1:1], lambda a: (a + a.sum())[:, 2:2], lambda a: a * 0]
)
def test_medians_of_empty_arrays(made):
    values = values_of("f8")
    array = made(ADAPT(values))
    for axis, keepdims in itertools.product([0, 1, (0, 1), None], [False, True]):
        keywords = {"axis": axis, "keepdims": keepdims}
        right = quietly(lambda keywords=keywords: np.median(made(values), **keywords))
        got = quietly(lambda keywords=keywords: array.median(**keywords).ndarray())
        np.testing.assert_array_equal(got, right)
    nested = np.zeros((0, 1))
    for act in (
        lambda np_, a: np_.sum(np_.quantile(a, [0.1, 0.7], axis=1), axis=1)[::2],
        lambda np_, a: np_.sum(np_.median(a + 1, axis=1), axis=0, keepdims=True)[[0, 0]],
    ):
        np.testing.assert_array_equal(act(biggus, ADAPT(nested)).ndarray(), act(np, nested))
    hidden = made(ADAPT(np.ma.masked_array(values))).median(axis=(0, 1)).masked_array()
    assert hidden.mask.all() == (0 in array.shape)


@pytest.mark.parametrize("name", [*PLAIN, *NAN_TWINS])
def test_nan_inf_and_nat(name):
    values = values_of("f8")
    values[0, 0] = np.nan
    values[1] = np.nan
    values[2, 1, 1] = np.inf
    for axis in (None, 0, 1, *([] if "arg" in name else [(1, 2)])):
        check(name, values, axis=axis)
    times = values_of("M8[s]")
    times[0, 0] = np.datetime64("NaT", "s")
    for axis in (None, 0, 1):
        check(name, times, axis=axis)


@pytest.mark.parametrize("name", QUANTILES)
@pytest.mark.parametrize("dtype", ["?", "u1", ">i4", "f2", "f4", ">f8", "c8", "m8[h]"])
def test_quantiles(name, dtype):
    whole = 100 if "percentile" in name else 1
    values = values_of(dtype)
    for axis, keepdims in itertools.product([None, 0, (0, 2), (0, 1, 2)], [False, True]):
        for q in (0.25, 1, True, [0.1, 0.5], [[0, 0.3, 1]], [0, 1], []):
            check(name, values, np.multiply(q, whole).tolist(), axis=axis, keepdims=keepdims)
    for q in (-0.1, 1.1, [0.5, 2], "a"):
        check(name, values, q if q == "a" else np.multiply(q, whole).tolist(), axis=0)


@pytest.mark.parametrize("method", ["lower", "nearest", "midpoint", "hazen", "inverted_cdf", "no"])
def test_methods_of_quantiles(method):
    for axis in (None, 1):
        check("quantile", values_of("f8"), 0.3, axis=axis, method=method)
        check("percentile", values_of("i8"), [30, 71], axis, method=method)
        check("quantile", values_of("?"), [0.3, 0.5], axis, method=method)
        check("nanpercentile", values_of("?"), 71, axis, method=method)


@pytest.mark.parametrize(
    "name", ["sum", "prod", "mean", "std", "var", "nansum", "nanmean", "nanvar"]
)
def test_dtype_argument(name):
    for old, new in itertools.product(["?", "i1", "f4", "f8", "c8"], ["f4", "f8", "i4", "c16"]):
        spread = name in ("std", "var", "nanvar")
        if spread and (new == "i4" or (old == "c8" and new != "c16")):
            continue  # refused
        check(name, values_of(old), axis=1, dtype=new)


@pytest.mark.parametrize("method", ["linear", "nearest", "hazen", "inverted_cdf"])
@pytest.mark.parametrize("name", ["quantile", "nanquantile"])
def test_quantiles_depend_on_the_type_of_q(name, method):
    several = [np.array([0.3, 0.7], kind) for kind in (np.float16, np.float32)]
    numbers = [kind(0.3) for kind in (float, np.float16, np.float32, np.float64)]
    for dtype in ("i1", "i8", "f2", "f4", ">f8"):
        values = np.random.default_rng(0).integers(0, 50, 16).astype(dtype)
        for q in (*numbers, *several, [0.3], 1, np.int64(1), np.array(0.3, "f4")):
            check(name, values, q, None, method=method)


@pytest.mark.parametrize("name", ["sum", "prod", "mean", "nansum", "nanprod", "nanmean"])
@pytest.mark.parametrize("dtype", ["i1", "u1", "i4", "i8"])
def test_integers_overflow_as_in_numpy_however_they_are_stored(name, dtype):
    limits = np.iinfo(dtype)
    values = np.random.default_rng(0).integers(limits.min, limits.max, (5, 56), dtype)
    joined = biggus.LinearMosaic([values[:, :20], values[:, 20:41], values[:, 41:]], axis=1)
    for a in (joined, joined[::-1], ADAPT(values, chunks=(2, 9))):
        held = a.ndarray()
        for axis in (None, 0, 1):
            right = np.asarray(getattr(np, name)(held, axis=axis, dtype=dtype))
            check_equal(getattr(biggus, name)(a, axis=axis, dtype=dtype).ndarray(), right)


@pytest.mark.parametrize("name", ["std", "var", "nanstd", "nanvar"])
def test_degrees_of_freedom(name):
    for ddof, axis in itertools.product([0, 1, 2.5, 9], [None, 0, (1, 2)]):
        check(name, values_of("f8"), axis=axis, ddof=ddof)
        check(name, values_of("f8"), axis=axis, correction=ddof)
    check(name, values_of("f8"), ddof=1, correction=1)


@pytest.mark.parametrize("dtype", NUMBERS)
def test_histograms(dtype):
    values = values_of(dtype)
    edges = [0, 1, 2.5, 4]
    for given in (
        *({}, {"bins": 4}, {"bins": edges}, {"bins": 3, "range": (1, 3)}, {"density": True}),
        *({"bins": edges, "density": True}, {"bins": 0}, {"bins": [2, 1]}, {"range": (3, 1)}),
    ):
        try:
            right = quietly(lambda given=given: np.histogram(values, **given))
        except Exception as error:
            with pytest.raises(type(error)):
                biggus.histogram(ADAPT(values), **given)[0].ndarray()
            continue
        got = quietly(lambda given=given: biggus.histogram(ADAPT(values), **given))
        for one, other in zip(quietly(lambda got=got: biggus.ndarrays(got)), right, strict=True):
            check_equal(one, np.asarray(other))
        check_equal(quietly(got[0][::-1].ndarray), np.asarray(right[0])[::-1])


@pytest.mark.parametrize("name", ["nanquantile", "nanpercentile"])
@pytest.mark.parametrize("method", ["linear", "lower", "inverted_cdf"])
@pytest.mark.parametrize("dtype", ["?", "i2", "f4", "m8[s]"])
def test_nan_quantiles_of_empty_arrays(name, method, dtype):
    values = np.zeros((2, 0, 3), dtype)
    for q, axis, keepdims in itertools.product([0.5, [0.1, 0.7]], [1, 2, None], [False, True]):
        check(name, values, q, axis=axis, keepdims=keepdims, method=method)


@pytest.mark.parametrize("name", ["sum", "prod", "max", "min", "nansum", "nanmax"])
@pytest.mark.parametrize("initial", [-3, 300, 2.5, np.inf, 1j])
@pytest.mark.parametrize("shape", [(3, 2), (0, 2)])
def test_initial_value_is_cast_as_in_numpy(name, initial, shape):
    for dtype in ("u1", "i8", "f4"):
        check(name, np.ones(shape, dtype), axis=0, initial=initial)


@pytest.mark.parametrize("name", ["min", "max", "argmin", "argmax", "any", "all", "count_nonzero"])
@pytest.mark.parametrize("chunks", [(1, 1), (2, 2), (3, 4)])
def test_statistics_of_strings_of_variable_length(name, chunks):
    texts = ["b", "aé", "c", "", "zz", "q" * 30, "a", "", "é", "zy", "", "b"]
    values = np.array(texts, np.dtypes.StringDType()).reshape(3, 4)
    for axis in (0, 1):
        got = getattr(np, name)(ADAPT(values, chunks=chunks), axis=axis).ndarray()
        check_equal(got, getattr(np, name)(values, axis=axis))
    largest, _ = biggus.groupby_reduce(ADAPT(values, chunks=chunks), [0, 1, 0, 1], "max", axis=1)
    assert largest.ndarray().tolist() == [["c", "aé"], ["zz", "q" * 30], ["é", "zy"]]
