"""In xarray, missing values of lazy arrays are NaN or NaT, or raise an error."""

from __future__ import annotations

import numpy as np
import pytest

import biggus
from biggus.errors import MaskedValueError, MemoryBudgetError
from biggus.testing import UnreadableSource

xr = pytest.importorskip("xarray")

ADAPT = biggus.ArrayAdapter
MASK = np.array([[0, 1, 0, 0], [0, 1, 0, 1], [0, 1, 0, 0]], bool)
NUMBERS = np.ma.masked_array(np.arange(1.0, 13).reshape(3, 4), MASK)
DAYS = NUMBERS.astype("i8").astype("M8[s]")

pytestmark = pytest.mark.filterwarnings("ignore")  # warnings of xarray and pandas


def wrapped(values):
    return xr.DataArray(
        values, dims=("y", "x"), coords={"y": [0, 1, 0], "x": [1.0, 2, 3, 4]}, name="v"
    )


OF_NUMBERS = {
    "count": lambda a: a.count(),
    "count along a dimension": lambda a: a.count("y"),
    "isnull": lambda a: a.isnull(),
    "notnull": lambda a: a.notnull(),
    "number of null": lambda a: a.isnull().sum(),
    "where": lambda a: a.where(a > 3),
    "diff": lambda a: a.diff("x"),
    "max": lambda a: a.max(),
    "min along a dimension": lambda a: a.min("y"),
    "dropna": lambda a: a.dropna("y"),
    "dropna if all are": lambda a: a.dropna("x", how="all"),
    "groupby count": lambda a: a.groupby("y").count(),
    "groupby first": lambda a: a.groupby("y").first(),
    "groupby max": lambda a: a.groupby("y").max(),
    "argmax": lambda a: a.argmax(),
    "idxmin": lambda a: a.idxmin("x"),
    "compared": lambda a: (a == a.copy()).sum(),
    "unequal": lambda a: (a != a[0, 0]).sum(),
    "greater": lambda a: a > a[0, 0],
    "concat": lambda a: xr.concat([a, a], "y"),
    "xr.where": lambda a: xr.where(a.isnull(), a[0, 0], a),
    "combine_first": lambda a: a.combine_first(a[::-1].assign_coords(y=[0, 1, 0])),
    "isel": lambda a: a.isel(x=[0, 3], y=slice(None, None, 2)),
    "sel": lambda a: a.sel(x=2.0),
    "transpose": lambda a: a.T,
    "roll": lambda a: a.roll(x=1),
    "shift": lambda a: a.shift(x=1),
    "pad": lambda a: a.pad(x=1),
    "stack": lambda a: a.stack(z=("y", "x")),
    "sortby": lambda a: a.sortby("x", ascending=False),
    "expand": lambda a: a.expand_dims("t"),
    "values": lambda a: a.values,
    "series": lambda a: a.to_series().values,
    "dataset": lambda a: a.to_dataset()["v"].count(),
    "masked": lambda a: a.to_masked_array(),
    "equals": lambda a: a.equals(a.copy()),
    "reduce": lambda a: a.reduce(lambda v, axis: np.sum(v != v[:1], axis=axis), "x"),
    "apply_ufunc": lambda a: xr.apply_ufunc(lambda v: v, a),
}
OF_FLOATS = {
    **OF_NUMBERS,
    "fillna": lambda a: a.fillna(0),
    "sum": lambda a: a.sum(),
    "sum along a dimension": lambda a: a.sum("y"),
    "sum with NaN": lambda a: a.sum(skipna=False),
    "sum of enough": lambda a: a.sum(min_count=9),
    "sum of few": lambda a: a.sum("y", min_count=3),
    "prod": lambda a: a.prod("x"),
    "mean": lambda a: a.mean(),
    "mean along a dimension": lambda a: a.mean("x"),
    "mean with NaN": lambda a: a.mean("x", skipna=False),
    "max with NaN": lambda a: a.max("y", skipna=False),
    "std": lambda a: a.std("y", ddof=1),
    "var": lambda a: a.var(),
    "median": lambda a: a.median("x"),
    "quantile": lambda a: a.quantile([0.1, 0.5], "x"),
    "groupby mean": lambda a: a.groupby("y").mean(),
    "groupby sum": lambda a: a.groupby("y").sum(),
    "groupby map": lambda a: a.groupby("y").map(lambda g: g - g.mean()),
    "rolling": lambda a: a.rolling(x=2).mean(),
    "coarsen": lambda a: a.coarsen(x=2).sum(),
    "cumsum": lambda a: a.cumsum("x"),
    "any": lambda a: a.any(),
    "arithmetic": lambda a: (a + 1) * a - a.mean("x"),
    "ufuncs": lambda a: np.sqrt(abs(a)),
    "isnan": np.isnan,
    "clip": lambda a: a.clip(2, 5),
    "round": lambda a: a.round(),
    "isin": lambda a: a.isin([1, 2]),
    "astype": lambda a: a.astype("f4"),
    "interp": lambda a: a.interp(x=[1.25]),
    "weighted": lambda a: a.weighted(xr.ones_like(a)).mean(),
    "dot": lambda a: a.dot(a),
    "differentiate": lambda a: a.differentiate("x"),
    "cov": lambda a: xr.cov(a, a),
}


def plain(result):
    values = np.ma.asanyarray(getattr(result, "values", result))
    return values.dtype, values.shape, repr(values.tolist())


def check(operate, lazy, eager):
    try:
        right = operate(eager)
    except Exception as error:
        with pytest.raises(type(error)):
            plain(operate(lazy))
        return
    message = ""
    try:
        got = operate(lazy)
    except (TypeError, ValueError) as error:
        message = str(error)
    if message:
        assert any(why in message for why in ("lazy array", "must be in memory", "a chunked array"))
        assert operate not in ALWAYS
    else:
        assert plain(got) == plain(right)
        assert getattr(got, "dims", None) == getattr(right, "dims", None)


ALWAYS = [
    OF_FLOATS[name]
    for name in (
        *("count", "isnull", "notnull", "number of null", "fillna", "where", "sum", "mean"),
        *(
            "sum with NaN",
            "sum of enough",
            "sum of few",
            "mean along a dimension",
            "max",
            "std",
            "dropna",
        ),
        *("groupby mean", "groupby sum", "arithmetic", "greater", "unequal", "concat", "values"),
    )
]
"""Operations that must work lazily."""


@pytest.mark.parametrize("name", OF_FLOATS)
@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_operations_on_missing_numbers(name, dtype):
    values = NUMBERS.astype(dtype)
    eager = wrapped(values.filled(np.nan))
    check(OF_FLOATS[name], wrapped(ADAPT(values)), eager)
    check(OF_FLOATS[name], wrapped(ADAPT(values).filled(np.nan)), eager)


@pytest.mark.parametrize("name", OF_NUMBERS)
def test_operations_on_missing_times(name):
    eager = wrapped(DAYS.filled(np.datetime64("NaT", "D")))
    check(OF_NUMBERS[name], wrapped(ADAPT(DAYS)), eager)


@pytest.mark.parametrize("dtype", ["i8", "u1", "?", "U3"])
def test_masked_dtypes_without_nan_raise(dtype):
    values = ADAPT(NUMBERS.astype(dtype))
    for make in (wrapped, lambda a: xr.Variable(("y", "x"), a), lambda a: wrapped(NUMBERS) > a):
        with pytest.raises((MaskedValueError, TypeError)):
            make(values)
    eager = wrapped(np.asarray(NUMBERS.astype(dtype).filled(1)))
    check(OF_NUMBERS["count"], wrapped(values.filled(1)), eager)
    if dtype != "U3":
        promoted = NUMBERS.astype(dtype).astype("f8").filled(np.nan)
        check(OF_FLOATS["mean"], wrapped(values.astype("f8")), wrapped(promoted))


def test_masked_arrays_as_later_operands():
    eager, lazy = wrapped(NUMBERS.filled(np.nan)), ADAPT(NUMBERS)
    right = plain(eager + eager)
    assert plain(eager + lazy) == right
    assert plain(eager.copy(data=lazy) + eager) == right
    assert plain(xr.where(eager > 3, lazy, 0)) == plain(xr.where(eager > 3, eager, 0))
    assert plain(xr.Dataset({"v": (("y", "x"), lazy)})["v"]) == plain(eager)
    assert plain(eager.fillna(wrapped(lazy)).count()) == plain(eager.count())


def test_filled_arrays_stay_lazy():
    class Masked(UnreadableSource):
        masked = True

    lazy = wrapped(ADAPT(Masked((3, 4), np.dtype("f8"))).filled(np.nan))
    for made in (lazy.fillna(0), lazy.isnull(), lazy.mean("x"), lazy.groupby("y").mean()):
        assert isinstance(made.data, biggus.Array)


def test_huge_masked_array_error_suggests_filled():
    huge = biggus.broadcast_to(ADAPT(NUMBERS), (10**9, 3, 4))
    with pytest.raises(MemoryBudgetError, match=r"\.filled"):
        xr.DataArray(huge)
