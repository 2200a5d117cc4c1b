"""Reductions of lazy arrays: values, dtypes, shapes and errors are those of NumPy and np.ma."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest

import biggus
from biggus.testing import UnreadableSource

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
    """Return small values, some of them equal, in no order."""
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
    """Return what relative error is allowed."""
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
    """Compare a function of a lazy array with NumPy's, the method and what NumPy hands over."""
    function = getattr(np, name)
    if name in QUANTILES and np.ndim(arguments[0]) > 1:
        # Of quantiles in more than one axis, NumPy's nan-twins lose track.
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
        expected = np.array(right, "O")  # NumPy takes an object out of an array of no axes
    assert made.dtype == expected.dtype
    check_equal(result, expected)


@pytest.mark.parametrize("name", [*PLAIN, *NAN_TWINS])
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_reduction_of_every_dtype(name, dtype):
    values = values_of(dtype)
    if name in ("std", "nanstd") and dtype == "O":
        return  # floats have no square root of their own; NumPy finds that of one only
    for axis, keepdims in itertools.product(AXES, [False, True]):
        check(name, values, axis=axis, keepdims=keepdims)


@pytest.mark.parametrize("name", [*PLAIN, *NAN_TWINS])
def test_axes_that_are_not_there(name):
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
def test_medians_of_nothing(made):
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
def test_values_that_are_no_numbers(name):
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
def test_another_dtype(name):
    for old, new in itertools.product(["?", "i1", "f4", "f8", "c8"], ["f4", "f8", "i4", "c16"]):
        if name in ("std", "var", "nanvar") and new == "i4":
            continue  # refused
        check(name, values_of(old), axis=1, dtype=new)


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


# -- Values that are missing -------------------------------------------------------------


OF_MASKED = ["sum", "prod", "mean", "std", "var", "min", "max", "ptp", "any", "all", "median"]
OF_MASKED += ["argmin", "argmax", "count"]


def masked_values(dtype, shape=(3, 4, 2)):
    values = values_of(dtype, shape)
    mask = np.random.default_rng(1).random(shape) < 0.4
    mask[0] = True
    return np.ma.MaskedArray(values, mask=mask)


def check_masked(array, right, dtype=None):
    """Compare what is there of a result with that of np.ma."""
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
def test_what_is_masked_is_left_out(name, dtype):
    if dtype == "?" and name.startswith("arg"):
        return  # np.ma fills with what may be there, and finds that
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
    "name", ["mean", "std", "var", "min", "max", "nanmean", "nanstd", "nanmax"]
)
@pytest.mark.parametrize("dtype", NUMBERS)
def test_where_masks_more(name, dtype):
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
def test_where_of_nan_twins(name, dtype):
    values = values_of(dtype)
    if values.dtype.kind in "fc":
        values[values == 1] = np.nan
    chosen = np.random.default_rng(2).random(values.shape) < 0.6
    for axis, where in itertools.product([None, 1], [chosen, False]):
        check(name, values, axis=axis, where=where)


@pytest.mark.parametrize("name", ["median", "quantile", "percentile", "nanmedian", "nanquantile"])
@pytest.mark.parametrize("axis", [None, 0, 1, 2, (0, 1), (1, 2), (0, 2)])
def test_quantiles_of_what_is_there(name, axis):
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


def test_a_part_of_the_values_that_may_be_missing():
    values = np.ma.masked_array([[1.0, 2, 3, 4], [5, 6, 7, 8]], [[0, 0, 0, 1], [0, 1, 1, 1]])
    array = ADAPT(values)
    for name in ("sum", "prod", "mean", "std", "min", "max", "any", "all", "ptp"):
        for mdtol, mask in [(0, [1, 1]), (0.3, [0, 1]), (0.5, [0, 1]), (0.8, [0, 0]), (1, [0, 0])]:
            found = getattr(biggus, name)(array, 1, mdtol=mdtol)
            assert found.masked_array().mask.tolist() == mask
            assert getattr(array, name)(1, mdtol=mdtol).masked_array().mask.tolist() == mask
    with pytest.raises(ValueError, match="mdtol"):
        array.mean(mdtol=2)


# -- Nodes of reductions -------------------------------------------------------------------


def test_nothing_is_read_before_it_is_asked_for():
    a = ADAPT(UnreadableSource((3, 4, 5), np.dtype("f4")))
    made = [
        a.mean(),
        a.std(axis=0, ddof=1),
        a.median(axis=(0, 2)),
        a.median(),
        a.max(keepdims=True),
    ]
    made += [*biggus.histogram(a), a.quantile([0.1, 0.2], axis=1)[0], (a - a.mean(0)).sum(axis=-1)]
    made += [a.sum(axis=0)[::-1, None], np.mean(a), np.nanmedian(a, axis=2), a.argmax(axis=1).T]
    shapes = [(), (4, 5), (4,), (), (1, 1, 1), (10,), (11,), (3, 5), (3, 4), (4, 1, 5), (), (3, 4)]
    assert [one.shape for one in made] == [*shapes, (5, 3)]
    for one in made:
        repr(one), one.grid, one.nbytes, one.masked, one.fill_value


def test_what_is_selected_of_a_reduction_reads_no_more(recorded):
    values = np.arange(600.0).reshape(20, 30)
    source = recorded(values)
    a = ADAPT(source, chunks=(5, 6))
    for act in (
        lambda x: x.mean(axis=0)[3:5],
        lambda x: (
            biggus.median(x, axis=0)[3:5] if isinstance(x, biggus.Array) else np.median(x, 0)[3:5]
        ),
        lambda x: x.std(axis=0, keepdims=True)[0, [4, 2, 4]],
        lambda x: (x - x.min(axis=0))[:, 1].max(),
    ):
        source.boxes.clear()
        np.testing.assert_allclose(np.asarray(act(a)), act(values))
        assert {j for _, j in source.touched((5, 6))} == {0}


@pytest.mark.parametrize(
    "act",
    [
        lambda np_, a: np_.median(a, axis=1)[::-1, 2],
        lambda np_, a: np_.quantile(a, [0.1, 0.6, 0.9], axis=1)[1:],
        lambda np_, a: np_.quantile(a, [0.1, 0.6, 0.9], axis=1)[[2, 0, 2], 1],
        lambda np_, a: np_.quantile(a, [0.1, 0.6, 0.9], axis=(0, 2))[..., ::2],
        lambda np_, a: np_.quantile(a, [0.1, 0.6, 0.9], axis=2, keepdims=True)[
            ::-1, [[1], [0]], [1, 2]
        ],
        lambda np_, a: np_.quantile(a, [0.1, 0.6, 0.9])[::-2],
        lambda np_, a: np_.quantile(a, [0.1, 0.6], keepdims=True)[1],
        lambda np_, a: np_.histogram(a, 4)[0][1:3],
        lambda np_, a: np_.transpose(np_.sum(a, axis=0, keepdims=True)),
        lambda np_, a: np_.sum(np_.where(a > np_.mean(a), a, 0), axis=-1),
        lambda np_, a: np_.max(np_.median(a, axis=0)),
        lambda np_, a: np_.median(a - np_.mean(a, axis=0), axis=0),
        lambda np_, a: np_.std((a - np_.mean(a)) / np_.std(a)),
        lambda np_, a: np_.argmax(a, axis=1) + np_.argmin(a, axis=1),
    ],
)
@pytest.mark.parametrize("chunks", [None, (2, 3, 4)])
def test_selections_and_chains(act, chunks):
    values = np.random.default_rng(5).random((5, 6, 7))
    got = act(biggus, ADAPT(values, chunks=chunks))
    right = act(np, values)
    assert got.shape == right.shape
    np.testing.assert_allclose(got.ndarray(), right, rtol=1e-13)


def test_what_numpy_hands_over():
    values = values_of("f8")
    array = ADAPT(values)
    for name in [*PLAIN, *NAN_TWINS, "amax", "amin"]:
        found = getattr(np, name)(array, axis=1)
        assert type(found) is biggus.Array
        check_equal(found.ndarray(), getattr(np, name)(values, axis=1))
    for name in (*PLAIN[:-2], "median"):
        found = getattr(array, name)(axis=1)
        check_equal(found.ndarray(), getattr(np, name)(values, axis=1))
    counts, _ = np.histogram(array, bins=3)
    check_equal(counts.ndarray(), np.histogram(values, bins=3)[0])
    check_equal(np.histogram_bin_edges(array, 3).ndarray(), np.histogram(values, bins=3)[1])
    assert np.mean(array, 0, None, None, True).shape == (1, 4, 2)


def test_what_is_refused_says_what_to_do():
    array = ADAPT(UnreadableSource((3,), np.dtype("f8")))
    for act, said in [
        (lambda: array.sum(out=np.ones(())), "out="),
        (lambda: np.ptp(array, initial=3), "initial"),
        (lambda: np.sum(array, None, None, None, False, 3), "combine"),
        (lambda: np.histogram(array, weights=[1, 2, 3]), "weights"),
        (lambda: np.histogram(array, bins="auto"), "bins"),
        (lambda: np.std(array, mean=1.0), "mean="),
        (lambda: array.mean(no_such=1), "no_such"),
    ]:
        with pytest.raises(TypeError, match=said):
            act()
    assert np.sum(array, out=None, where=True, initial=None).shape == ()


@pytest.mark.parametrize("shape", list(itertools.product((0, 1, 2), repeat=3)))
@pytest.mark.parametrize("name", ["median", "quantile", "nanmedian", "nanquantile"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of means of nothing: NumPy's, and ours
def test_medians_of_any_small_shape_are_numpys_or_raise_as_it_does(name, shape):
    q = {"q": 0.25} if "quantile" in name else {}
    values = np.ones(shape)
    for count in (1, 2, 3):
        for axes in itertools.combinations(range(3), count):
            try:
                right = getattr(np, name)(values, axis=axes, **q)
            except (ValueError, IndexError) as error:
                with pytest.raises(type(error)):
                    getattr(biggus, name)(biggus.ArrayAdapter(values), axis=axes, **q).ndarray()
                continue
            found = getattr(biggus, name)(biggus.ArrayAdapter(values), axis=axes, **q).ndarray()
            np.testing.assert_array_equal(found, right, strict=True)
