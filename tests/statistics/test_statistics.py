"""Every statistic of every dtype over all axes matches NumPy, however the array is cut."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

KINDS = [
    *("?", "i1", "u1", "<i4", ">i4", "i8", "u8", "f2", "<f4", ">f4", "f8", "g", "c8", "c16"),
    *("m8[s]", "M8[D]", "U2", "S3", "O"),
]
SHAPES = [(), (1,), (5,), (4, 7), (1, 1)]
# The dtypes with code of their own are also cut along three axes.
DEEP = [(2, 6, 3)]
DEEP_KINDS = ["?", "i1", "u8", "f2", ">f4", "f8", "c16", "m8[s]", "O"]
CASES = [*itertools.product(KINDS, SHAPES), *itertools.product(DEEP_KINDS, DEEP)]
FOLDED = ["sum", "prod", "mean", "std", "var", "min", "max", "ptp", "any", "all", "count_nonzero"]
SKIPPING = ["nansum", "nanprod", "nanmean", "nanstd", "nanvar", "nanmin", "nanmax"]
PLACES = ["argmin", "argmax"]
CUTS = {
    "whole": (),
    "cells": ((1, 3), (2, 4), (1,)),
    "ones": ((1, 2, 3, 4), (1, 2, 3, 4, 5, 6), ()),
}

_TIMES = np.ma.array([1, 2], "m8[s]", mask=[False, True])
TIMES_ARE_LOST = bool(np.isnat(_TIMES.min()) or np.isnat(_TIMES.max()))


def made(kind, shape, seed=0):
    """Return small values of a dtype, with ties and zeros."""
    rng = np.random.default_rng(seed)
    dtype = np.dtype(kind)
    numbers = np.asarray(rng.integers(-3, 4, shape))
    if dtype.kind in "uUS":
        numbers = np.asarray(np.abs(numbers))
    if dtype.kind == "c":
        return (numbers + 1j * rng.integers(-3, 4, shape)).astype(dtype)
    if dtype.kind == "f":
        return (numbers + rng.normal(0, 0.3, shape).round(2)).astype(dtype)
    return numbers.astype(dtype)


def missing(values, form, seed=1):
    """Return values with some masked or NaN; None if the dtype has no such values."""
    chosen = np.random.default_rng(seed).random(values.shape) < 0.4
    if form == "masked":
        return np.ma.array(values, mask=chosen)
    if form == "nan":
        if values.dtype.kind not in "fcmM" or not values.ndim:
            return None
        values = values.copy()
        values[chosen] = "NaT" if values.dtype.kind in "mM" else np.nan
    return values


def subsets(shape):
    axes = range(len(shape))
    return [s for k in range(len(shape) + 1) for s in itertools.combinations(axes, k)]


def outcome(call):
    """Return the result of a call, or the exception that it raises."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return call()
        except (TypeError, ValueError, ZeroDivisionError, AttributeError) as error:
            return error


def reference(name, values, axes):
    """Return NumPy's result, computed in a wide dtype and cast to the dtype of NumPy's result."""
    data = np.ma.getdata(values)
    native = getattr(np, name)(data, axis=axes, keepdims=True)
    wide = values
    if np.asarray(native).dtype.kind in "fc" and not name.endswith(("min", "max", "ptp")):
        wide = values.astype(np.result_type(values.dtype, np.longdouble))
    module = np.ma if isinstance(values, np.ma.MaskedArray) and name != "count_nonzero" else np
    if module is np and isinstance(values, np.ma.MaskedArray):
        there = np.count_nonzero(data, axis=()) * ~np.ma.getmaskarray(values)
        return np.sum(there, axis=axes, keepdims=True)
    found = getattr(module, name)(wide, axis=axes, keepdims=True)
    if values.dtype.kind == "O":
        return np.asanyarray(found, object).reshape(np.shape(native))
    # np.ma returns scalars in another shape.
    found = (np.ma.asarray if module is np.ma else np.asarray)(found)
    return found.reshape(np.shape(native)).astype(np.asarray(native).dtype)


def agree(got, want, scale):
    if isinstance(got, Exception):
        raise got
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    assert isinstance(got, np.ma.MaskedArray) == isinstance(want, np.ma.MaskedArray)
    if isinstance(want, np.ma.MaskedArray):
        np.testing.assert_array_equal(np.ma.getmaskarray(got), np.ma.getmaskarray(want))
        filler = np.zeros((), want.dtype)[()]
        got, want = got.filled(filler), want.filled(filler)
    if want.dtype.kind in "fc":
        eps = float(np.finfo(want.dtype).eps)
        np.testing.assert_allclose(got, want, rtol=8 * eps, atol=8 * eps * scale)
    else:
        np.testing.assert_array_equal(got, want)


@pytest.mark.in_pairs
@pytest.mark.parametrize("form", ["plain", "masked", "nan"])
@pytest.mark.parametrize(("kind", "shape"), CASES, ids=str)
def test_reductions(computed, kind, shape, form):
    values = missing(made(kind, shape), form)
    if values is None:
        pytest.skip("no such values")
    masked = form == "masked"
    if masked and values.dtype.kind in "mM" and TIMES_ARE_LOST:
        pytest.skip("np.ma of this NumPy takes masked times for NaT")
    names = FOLDED if masked else FOLDED + SKIPPING
    for name, axes in itertools.product(names, subsets(shape)):
        want = outcome(lambda: reference(name, values, axes))  # noqa: B023
        if isinstance(want, Exception) and masked and values.dtype.kind in "MO":
            continue  # np.ma supports fewer functions of these
        for cuts in CUTS.values():
            got = outcome(lambda: computed(name, values, axes, cuts))  # noqa: B023
            if isinstance(want, Exception):
                expected = TypeError if isinstance(want, TypeError) else ValueError
                assert isinstance(got, expected), name
            elif values.dtype.kind == "O":
                agree_as_objects(got, want)
            else:
                agree(got, want, 4**3)


def agree_as_objects(got, want):
    assert got.shape == want.shape
    np.testing.assert_array_equal(np.ma.getmaskarray(got), np.ma.getmaskarray(want))
    found, wanted = np.ma.compressed(got).tolist(), np.ma.compressed(want).tolist()
    assert found == pytest.approx(wanted)


@pytest.mark.in_pairs
@pytest.mark.parametrize("form", ["plain", "masked", "nan"])
@pytest.mark.parametrize(("kind", "shape"), CASES, ids=str)
def test_argmin_and_argmax(computed, kind, shape, form):
    values = missing(made(kind, shape), form)
    if values is None:
        pytest.skip("no such values")
    every = tuple(range(len(shape)))
    names = PLACES if form == "masked" else [*PLACES, *("nan" + name for name in PLACES)]
    for axes in dict.fromkeys([every, *[(axis,) for axis in every]]):
        axis = axes[0] if len(axes) == 1 else None
        for name in names:
            want = outcome(lambda: first_of(name, values, axis))  # noqa: B023
            for cuts in CUTS.values():
                got = outcome(lambda: computed(name, values, axes, cuts))  # noqa: B023
                if isinstance(want, Exception):
                    assert type(got) is type(want)
                else:
                    agree(got, want, 0)


def first_of(name, values, axis):
    """Return the positions that NumPy finds among the unmasked values."""
    find = getattr(np, name)
    if not isinstance(values, np.ma.MaskedArray):
        return np.asarray(find(values, axis=axis, keepdims=True))
    if axis is None:
        flat = values.reshape(-1)
        return np.full((1,) * values.ndim, first_valid(find, flat))
    found = np.apply_along_axis(
        lambda positions: first_valid(find, values.reshape(-1)[positions]),
        axis,
        np.arange(values.size).reshape(values.shape),
    )
    return np.expand_dims(found, axis).astype(np.intp)


def first_valid(find, line):
    valid = np.flatnonzero(~np.ma.getmaskarray(line))
    return int(valid[find(line.data[valid])]) if valid.size else 0


@pytest.mark.parametrize("cuts", CUTS)
@pytest.mark.parametrize("kind", ["?", "i4", "f4", "c16", "M8[D]", "U2", "O"])
def test_count(computed, kind, cuts):
    values = missing(made(kind, (3, 5, 4)), "masked")
    for axes in subsets(values.shape):
        expected = np.sum(~np.ma.getmaskarray(values), axis=axes, keepdims=True)
        agree(computed("count", values, axes, CUTS[cuts]), expected, 0)
        everything = np.full_like(expected, 60 // expected.size)
        agree(computed("count", values.data, axes, CUTS[cuts]), everything, 0)


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ((70_001,), "f8"),
        ((3, 70_000), "f4"),
        ((70_000, 3), "f8"),
        ((70_000, 3), "i2"),
        ((150, 3, 300), "f4"),
        ((2, 9, 7000), "f8"),
        ((2, 9, 7000), "i2"),
    ],
    ids=str,
)
def test_arrays_of_several_runs(computed, shape, kind):
    rng = np.random.default_rng(3)
    values = rng.normal(100, 30, shape).astype(kind)
    for form in ["plain", "masked", "nan"]:
        given = missing(values, form)
        if given is None:
            continue
        names = ["sum", "mean", "std", "min", "max", "any", "count_nonzero"]
        if form != "masked":
            names = [*names[:3], "nanmean", "nanstd", "nanmin", "nanmax"]
        for name, axes in itertools.product(names, subsets(shape)):
            want = outcome(lambda: reference(name, given, axes))  # noqa: B023
            got = outcome(lambda: computed(name, given, axes, ((100,), (2,))))  # noqa: B023
            agree(got, want, 100 if values.dtype.kind == "f" else 0)
        for name in ["argmin", "argmax"]:
            for axes in [tuple(range(len(shape))), *[(axis,) for axis in range(len(shape))]]:
                if form == "masked" and len(axes) == 1 and len(shape) > 1:
                    continue
                axis = axes[0] if len(axes) == 1 else None
                agree(computed(name, given, axes, ((100,),)), first_of(name, given, axis), 0)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "i8", "c8", "?"])
@pytest.mark.parametrize("kind", ["?", "i1", "u2", "f4", "f8"])
@pytest.mark.parametrize("name", ["sum", "prod", "mean", "nansum"])
def test_dtype_argument(computed, name, kind, dtype):
    values = made(kind, (4, 5))
    for axes in subsets(values.shape):
        got = outcome(lambda: computed(name, values, axes, ((2,),), dtype=dtype))  # noqa: B023
        want = outcome(lambda: getattr(np, name)(values, axis=axes, dtype=dtype, keepdims=True))  # noqa: B023
        if isinstance(want, Exception):
            assert isinstance(got, type(want))
        else:
            agree(got, np.asarray(want), 4**5)


@pytest.mark.parametrize("ddof", [0, 1, 0.5, 3, 4])
@pytest.mark.parametrize("name", ["std", "var", "nanstd", "nanvar"])
def test_degrees_of_freedom(computed, name, ddof):
    values = missing(made("f8", (3, 6)), "nan" if name.startswith("nan") else "plain")
    for parameters in [{"ddof": ddof}, {"correction": ddof}]:
        got = outcome(lambda: computed(name, values, (0,), ((1,), (3,)), **parameters))  # noqa: B023
        want = outcome(lambda: getattr(np, name)(values, axis=0, ddof=ddof, keepdims=True))
        agree(got, want, 8)
    masked = missing(made("f8", (3, 6)), "masked")
    plain = name.removeprefix("nan")
    got = outcome(lambda: computed(plain, masked, (0,), ((1,), (3,)), ddof=ddof))
    agree(got, getattr(np.ma, plain)(masked, axis=0, ddof=ddof, keepdims=True), 8)


@st.composite
def cut_arrays(draw):
    """Return values, perhaps masked, some axes, and the cuts of each axis."""
    dtype = draw(
        npst.floating_dtypes()
        | npst.integer_dtypes()
        | npst.unsigned_integer_dtypes()
        | npst.boolean_dtypes()
        | npst.complex_number_dtypes(sizes=(64, 128))
    )
    shape = draw(npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=9))
    limits = {"min_value": -100, "max_value": 100} if dtype.kind == "f" else {}
    if dtype.kind == "c":
        limits = {"max_magnitude": 100}
    values = draw(npst.arrays(dtype, shape, elements=limits))
    if draw(st.booleans()):
        # np.ma masks values that are not finite.
        values = np.where(np.isfinite(values), values, np.zeros((), dtype))
        values = np.ma.array(values, mask=draw(npst.arrays(bool, shape)))
    elif dtype.kind == "f" and values.ndim and draw(st.booleans()):
        special = draw(st.sampled_from([np.nan, np.inf, -np.inf]))
        values[draw(npst.arrays(bool, shape))] = special
    axes = draw(st.sampled_from(subsets(shape)))
    cuts = [draw(st.sets(st.integers(1, max(1, n - 1)), max_size=4)) for n in shape]
    return values, axes, cuts


@given(cut_arrays(), st.sampled_from([*FOLDED, *SKIPPING]))
def test_random_arrays_match_numpy(computed, case, name):
    values, axes, cuts = case
    if isinstance(values, np.ma.MaskedArray):
        name = name.removeprefix("nan")
        if name == "ptp" and values.dtype == bool:
            return
    with np.errstate(all="ignore"):
        want = outcome(lambda: reference(name, values, axes))
        got = outcome(lambda: computed(name, values, axes, cuts))
    if isinstance(want, Exception):
        assert isinstance(got, TypeError if isinstance(want, TypeError) else ValueError)
        return
    scale = 1e4
    if values.dtype.kind in "iu":
        scale = 0 if want.dtype.kind in "iu" else float(np.iinfo(values.dtype).max) * 2
    if name.endswith("var") and values.dtype.kind in "iu":
        scale *= scale
    if name.endswith("prod"):
        assert got.shape == want.shape
        assert got.dtype == want.dtype
        if want.dtype.kind in "fc":
            return  # the two may overflow at different points
    agree(got, want, scale)
