"""Histograms and quantiles over whole arrays match NumPy exactly."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from biggus.statistics import Statistic, partials, statistic
from biggus.statistics.digits import keys_of, rankable, values_of

METHODS = [
    *("linear", "lower", "higher", "nearest", "midpoint", "inverted_cdf", "averaged_inverted_cdf"),
    *("closest_observation", "interpolated_inverted_cdf", "hazen", "weibull", "median_unbiased"),
    "normal_unbiased",
]
NUMBERS = ["i1", "u1", ">i2", "i4", "u8", "i8", "f2", "f4", ">f4", "f8", "m8[s]", "M8[D]"]
QUARTERS = (0.0, 0.1, 0.25, 1 / 3, 0.5, 0.75, 0.9, 1.0)
CUTS = ((3,), (1, 4))

# Older NumPy returns the observation before the closest.
if np.quantile([0.0, 1.0], 0.75, method="closest_observation") == 0:
    METHODS.remove("closest_observation")


def numbers(kind, shape=(7, 9), seed=0):
    found = np.random.default_rng(seed).normal(0, 40, shape)
    return (np.abs(found) if np.dtype(kind).kind == "u" else found).astype(kind)


def wide(values):
    """Return the values in float64, in which quantiles are computed here too."""
    return values.astype("f8") if values.dtype.kind == "f" else values


# The search for values depends on the dtype alone; interpolation also on the method.
WAYS = [*itertools.product(NUMBERS, ["linear", "nearest"]), *itertools.product(["i4"], METHODS)]


@pytest.mark.parametrize(("kind", "method"), dict.fromkeys(WAYS))
def test_quantiles(computed, kind, method):
    for shape in [(), (1,), (2, 1), (5, 2), (7, 9)]:
        values = np.asarray(numbers(kind, shape))
        got = computed(
            "quantile", values, tuple(range(values.ndim)), CUTS, q=QUARTERS, method=method
        )
        want = np.quantile(wide(values), QUARTERS, method=method)
        assert got.shape == (1,) * values.ndim + (len(QUARTERS),)
        assert got.dtype == np.quantile(values, QUARTERS, method=method).dtype
        if got.dtype.kind == "f":
            eps = np.finfo(got.dtype).eps
            np.testing.assert_allclose(got.reshape(-1), want, rtol=2 * eps, atol=200 * eps)
        else:
            np.testing.assert_array_equal(got.reshape(-1), want)


@pytest.mark.parametrize("kind", [*NUMBERS, "?"])
@pytest.mark.parametrize("name", ["median", "nanmedian"])
def test_medians(computed, name, kind):
    for shape in [(1,), (2,), (5, 2), (7, 9)]:
        values = numbers(kind, shape)
        axes = tuple(range(values.ndim))
        want = outcome(lambda: np.asarray(getattr(np, name)(values)))  # noqa: B023
        got = outcome(lambda: computed(name, values, axes, CUTS))  # noqa: B023
        if isinstance(want, Exception):
            assert isinstance(got, TypeError)
            continue
        assert got.dtype == want.dtype
        assert got.shape == (1,) * values.ndim
        np.testing.assert_array_equal(got.reshape(()), want)


@pytest.mark.parametrize("kind", ["i2", "u4", "i4", ">i4", "u8", "i8", "m8[s]", "f2", "f4", "f8"])
@pytest.mark.parametrize("q", [[0.5], [0.1, 0.5, 0.9], np.linspace(0, 1, 17)])
def test_quantiles_of_clustered_and_spread_values(computed, kind, q):
    rng = np.random.default_rng(0)
    most = {2: 3e4, 4: 2e9, 8: 9e18}[np.dtype(kind).itemsize]
    for centre, spread in [(0, 1e-3), (0, 1e4), (300, 1), (300, 1e9), (-300, 1), (-7e4, 1e3)]:
        near = np.clip(rng.normal(centre, spread, 301), -most, most)
        values = (np.abs(near) if np.dtype(kind).kind == "u" else near).astype(kind)
        got = computed("quantile", values, (0,), ((2, 8, 99),), q=q, method="lower")
        np.testing.assert_array_equal(got[0], np.quantile(values, q, method="lower"))


@pytest.mark.parametrize("kind", ["f4", "f8", "m8[s]"])
@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_quantiles_of_extreme_values_beside_nan(computed, kind, share):
    # The bits of infinities and of the first times are next to those of NaN and NaT.
    rng = np.random.default_rng(0)
    dtype = np.dtype(kind)
    ends = [-(2**63) + 1, 2**63 - 1] if dtype.kind == "m" else [-np.inf, np.inf]
    missing = np.array("NaT" if dtype.kind == "m" else np.nan, dtype)
    usual = rng.normal(0, 40, 99).astype("i8").astype(dtype)
    values = np.where(rng.random(99) < share, rng.choice(np.array(ends, dtype), 99), usual)
    with_missing = np.where(rng.random(99) < 0.3, missing, values)
    got = computed("nanquantile", with_missing, (0,), ((2, 8),), q=QUARTERS, method="lower")
    want = np.quantile(with_missing[~np.isnan(with_missing)], QUARTERS, method="lower")
    np.testing.assert_array_equal(got[0], want)
    assert np.isnan(computed("quantile", with_missing, (0,), ((2, 8),), q=QUARTERS)).all()


def outcome(call):
    try:
        return call()
    except TypeError as error:
        return error


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "m8[s]", "M8[D]"])
def test_nan_in_quantiles_and_medians(computed, kind):
    values = numbers(kind)
    values[2, 3] = values[5, :4] = "NaT" if values.dtype.kind in "mM" else np.nan
    for name in ["quantile", "median"]:
        if name == "median" and kind == "M8[D]":
            continue  # NumPy has no mean of two times
        parameters = {} if name == "median" else {"q": QUARTERS}
        assert np.isnan(computed(name, values, (0, 1), CUTS, **parameters)).all()
        got = computed("nan" + name, values, (0, 1), CUTS, **parameters)
        if kind == "M8[D]":
            want = np.quantile(values[~np.isnan(values)], QUARTERS)
        else:
            want = getattr(np, "nan" + name)(wide(values), **parameters).astype(got.dtype)
        np.testing.assert_allclose(
            got.reshape(-1).astype("f8"), np.ravel(want).astype("f8"), rtol=1e-3
        )


def test_shapes_of_q_and_percentiles(computed):
    values = numbers("f8")
    assert computed("quantile", values, (0, 1), q=0.5).shape == (1, 1)
    assert computed("quantile", values, (0, 1), q=[[0.1, 0.5]]).shape == (1, 1, 1, 2)
    got = computed("percentile", values, (0, 1), CUTS, q=[10, 50])
    np.testing.assert_allclose(got.reshape(-1), np.percentile(values, [10, 50]), rtol=1e-15)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 9, 10, 31, 100])
@pytest.mark.parametrize("method", METHODS)
def test_quantiles_at_every_rank_match_numpy(computed, method, count):
    values = np.random.default_rng(count).permutation(count).astype("f8")
    q = np.linspace(0, 1, 4 * count + 1)
    got = computed("quantile", values, (0,), ((3,),), q=q, method=method)
    np.testing.assert_allclose(got[0], np.quantile(values, q, method=method), atol=1e-11)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("method", METHODS)
def test_quantiles_of_infinities_match_numpy(computed, method, count):
    # NumPy interpolates to NaN between or beside infinite values.
    for numbers_of in itertools.product([1.0, 2.0, np.inf, -np.inf], repeat=count):
        values = np.array(numbers_of)
        with np.errstate(invalid="ignore"):
            right = np.quantile(values, QUARTERS, method=method)
        got = computed(
            "quantile", values, (0,), ((2,),) if count > 2 else (), q=QUARTERS, method=method
        )
        np.testing.assert_allclose(got[0], right, rtol=1e-14)


@pytest.mark.parametrize("q", [0, 1, [0, 1], True])
def test_quantiles_that_are_integers_do_not_interpolate_beside_infinities(computed, q):
    for numbers_of in itertools.product([1.0, np.inf, -np.inf], repeat=3):
        values = np.array(numbers_of)
        got = computed("quantile", values, (0,), ((2,),), q=q)
        # NumPy's own quantiles are NaN here before 2.2.
        expected = np.where(np.array(q) == 1, values.max(), values.min())
        np.testing.assert_array_equal(got[0], expected)


@pytest.mark.parametrize("name", ["median", "quantile"])
def test_quantiles_skip_masked_values(computed, name):
    values = np.ma.array(numbers("f4"), mask=np.random.default_rng(1).random((7, 9)) < 0.5)
    parameters = {} if name == "median" else {"q": 0.3}
    got = computed(name, values, (0, 1), CUTS, **parameters)
    want = getattr(np, name)(values.compressed().astype("f8"), **parameters)
    assert got.shape == (1, 1)
    assert got[0, 0] == np.float32(want)
    values[...] = np.ma.masked
    got = computed(name, values, (0, 1), CUTS, **parameters)
    assert np.ma.getmaskarray(got).all()


def test_quantiles_of_empty_arrays(computed):
    with pytest.raises(IndexError):
        np.quantile(np.empty((0, 3)), 0.5)
    with pytest.raises(IndexError):
        statistic("quantile", np.dtype("f8"), False, (0, 3), (0, 1), q=0.5)
    with pytest.warns(RuntimeWarning, match="Mean of empty slice"):
        assert np.isnan(computed("median", np.empty((0, 3)), (0, 1)))
    with pytest.warns(RuntimeWarning, match="All-NaN slice"):
        assert np.isnan(computed("nanmedian", np.full((2, 3), np.nan), (0, 1)))


@pytest.mark.parametrize("q", [-0.1, 1.5, math.nan])
def test_q_out_of_range(q):
    with pytest.raises(ValueError, match="range"):
        statistic("quantile", np.dtype("f8"), False, (3,), (0,), q=q)


def test_many_quantiles_take_bounded_tables(computed):
    values = numbers("f8", (8, 250))
    q = np.linspace(0, 1, 1000)
    found = statistic("quantile", values.dtype, False, values.shape, (0, 1), q=q)
    passes = 0
    while isinstance(found, Statistic):
        passes += 1
        assert found.aggregator.nbytes_fixed <= 2**23 + 8
        parts = [partials([found.aggregator], row[None], (0, 1), (0, 0))[0] for row in values]
        table = parts[0]
        for part in parts[1:]:
            table = found.aggregator.merge(table, part)
        assert sum(entry.nbytes for entry in table) == found.aggregator.nbytes_fixed
        found = found.proceed(table)
    assert passes <= 8
    np.testing.assert_allclose(found.reshape(-1), np.quantile(values, q), rtol=1e-12)


@given(npst.arrays(npst.floating_dtypes() | npst.integer_dtypes(), st.integers(1, 30)))
def test_sort_keys_have_the_order_of_values(values):
    values = values.astype(values.dtype.newbyteorder("="))
    if not rankable(values.dtype):
        return
    values = values[values == values]  # noqa: PLR0124
    keys = keys_of(values)
    np.testing.assert_array_equal(values_of(keys, values.dtype), values)
    np.testing.assert_array_equal(values[np.argsort(keys, kind="stable")], np.sort(values))


BINS = [
    {},
    {"bins": 5},
    {"bins": 5, "range": (-20, 30)},
    {"bins": 3, "range": (7, 7)},
    {"bins": (-30, -5.5, 0, 1, 80)},
    {"bins": np.array([0.0, 1, 2]), "density": True},
    {"bins": 7, "density": True},
]


@pytest.mark.parametrize("parameters", BINS, ids=lambda p: "-".join(p) or "default")
@pytest.mark.parametrize("kind", ["?", "u1", ">i2", "i8", "f2", "f4", ">f4", "f8"])
def test_histograms(computed, kind, parameters):
    for values in [np.asarray(numbers(kind, ())), numbers(kind), np.zeros((0, 4), kind)]:
        axes = tuple(range(values.ndim))
        counted = values.astype("u1") if kind == "?" else values
        with np.errstate(all="ignore"):
            want, edges = np.histogram(counted, **parameters)
        got = computed("histogram", values, axes, CUTS, **parameters)
        assert got.dtype == want.dtype
        assert got.shape == (1,) * values.ndim + want.shape
        np.testing.assert_array_equal(got.reshape(-1), want)
        parameters = {key: parameters[key] for key in parameters if key != "density"}
        if not parameters.keys() <= {"bins"} or np.ndim(parameters.get("bins", 0)):
            continue  # the edges do not depend on the values
        got = computed("histogram_edges", values, axes, CUTS, **parameters)
        np.testing.assert_array_equal(got.reshape(-1), edges, strict=True)


def test_histograms_skip_masked_values(computed):
    values = np.ma.array(numbers("f8"), mask=np.random.default_rng(1).random((7, 9)) < 0.5)
    want, edges = np.histogram(values.compressed(), 6)
    assert computed("histogram", values, (0, 1), CUTS, bins=6).reshape(-1).tolist() == want.tolist()
    got = computed("histogram_edges", values, (0, 1), CUTS, bins=6)
    assert got.reshape(-1).tolist() == edges.tolist()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_histograms_without_a_finite_range(computed, value):
    values = numbers("f8")
    values[3, 3] = value
    with pytest.raises(ValueError, match="not finite"):
        computed("histogram", values, (0, 1), CUTS)
    got = computed("histogram", values, (0, 1), CUTS, range=(0, 10))
    np.testing.assert_array_equal(got.reshape(-1), np.histogram(values, range=(0, 10))[0])


@pytest.mark.parametrize(
    ("name", "kind", "axes", "parameters"),
    [
        ("histogram", "f8", (0,), {}),
        ("median", "f8", (1,), {}),
        ("histogram", "f8", (0, 1), {"bins": "auto"}),
        ("histogram", "f8", (0, 1), {"weights": [1]}),
        ("histogram", "f8", (0, 1), {"bins": 0}),
        ("histogram", "f8", (0, 1), {"bins": [3, 2, 1]}),
        ("histogram", "f8", (0, 1), {"range": (2, 1)}),
        ("histogram", "O", (0, 1), {}),
        ("histogram", "U3", (0, 1), {}),
        ("quantile", "c16", (0, 1), {"q": 0.5}),
        ("quantile", "f8", (0, 1), {"q": 0.5, "method": "best"}),
        ("median", "g", (0, 1), {}),
    ],
)
def test_invalid_arguments_raise(name, kind, axes, parameters):
    with pytest.raises((TypeError, ValueError)):
        statistic(name, np.dtype(kind), False, (3, 4), axes, **parameters)
