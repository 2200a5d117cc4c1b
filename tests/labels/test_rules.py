"""Functions keep the names and coordinates of axes that they do not change, as xarray does."""

from __future__ import annotations

import numpy as np
import pytest

import biggus
from biggus.labels import labels_of

netCDF4 = pytest.importorskip("netCDF4")
xr = pytest.importorskip("xarray")

MONTHS = np.array([1, 2, 1, 2, 1, 2, 1])
SEASONS = np.array(["DJF", "MAM"])[MONTHS - 1]
WEIGHTS = np.arange(8.0)
ALL = {"time": (0,), "y": (1,), "x": (2,), "area": (1, 2)}
LINES = {"time": (0,), "x": (2,)}  # `y` was sorted


def along_y(function, *arguments, **keywords):
    return lambda a: function(a, *arguments, axis=1, **keywords)


def groups(labels, **keywords):
    return lambda a: biggus.groupby_reduce(a, labels, "mean", axis="time", **keywords)[0]


KEPT = {
    "topk": (lambda a: biggus.topk(a, 3, "y"), "time y x", LINES),
    "topk of all": (lambda a: biggus.topk(a, -9, "y"), "time y x", LINES),
    "sort": (along_y(np.sort), "time y x", LINES),
    "argsort": (along_y(np.argsort), "time y x", LINES),
    "partition": (along_y(np.partition, 2), "time y x", LINES),
    "argpartition": (along_y(np.argpartition, 2), "time y x", LINES),
    "lexsort": (lambda a: np.lexsort((a, -a), axis=1), "time y x", LINES),
    "take_along_axis": (
        lambda a: np.take_along_axis(a, np.argsort(a, axis=1), axis=1),
        "time y x",
        LINES,
    ),
    "fft": (along_y(np.fft.fft), "time y x", LINES),
    "unwrap": (along_y(np.unwrap), "time y x", ALL),
    "quantiles": (
        along_y(biggus.quantile, [0.1, 0.9]),
        "quantile time x",
        {"quantile": (0,), "time": (1,), "x": (2,)},
    ),
    "percentiles": (
        lambda a: np.nanpercentile(a, [10, 90], axis=(0, 1)),
        "quantile x",
        {"quantile": (0,), "x": (1,)},
    ),
    "quantiles of all": (
        lambda a: np.quantile(a, [0.1, 0.9]),
        "quantile",
        {"quantile": (0,)},
    ),
    "quantiles of quantiles": (
        lambda a: np.quantile(biggus.quantile(a, [0.1, 0.9], 0), [0.5], axis=1),
        "dim_0 quantile x",
        {"quantile": (1,), "x": (2,)},
    ),
    "groups": (groups(MONTHS), "y x group", {"y": (0,), "x": (1,), "area": (0, 1), "group": (2,)}),
    "named groups": (
        groups(xr.DataArray(MONTHS, dims="time", name="month")),
        "y x month",
        {"y": (0,), "x": (1,), "area": (0, 1), "month": (2,)},
    ),
    "groups named as an axis": (
        groups(xr.DataArray(MONTHS, dims="time", name="x")),
        "y x dim_2",
        {"y": (0,), "x": (1,), "area": (0, 1)},
    ),
    "dot": (lambda a: np.dot(a, WEIGHTS), "time y", {"time": (0,), "y": (1,)}),
    "inner": (lambda a: np.inner(a, WEIGHTS), "time y", {"time": (0,), "y": (1,)}),
    "tensordot": (lambda a: np.tensordot(a, WEIGHTS, 1), "time y", {"time": (0,), "y": (1,)}),
    "square matrix": (lambda a: a @ np.ones((8, 8)), "time y dim_2", {"time": (0,), "y": (1,)}),
    "named columns": (lambda a: a[:, 0, :6] @ a[0], "time x", {"time": (0,), "y": (), "x": (1,)}),
    "gram matrix": (lambda a: a[:, 0] @ a[:, 0].T, "time dim_1", {"time": (0,), "y": ()}),
    "pad": (lambda a: np.pad(a, ((0, 0), (1, 1), (0, 0))), "time y x", LINES),
    "insert": (along_y(np.insert, 0, 0), "time y x", LINES),
    "zeros before": (
        lambda a: np.concatenate([np.zeros((7, 1, 8)), a], axis=1),
        "time y x",
        LINES,
    ),
    "zeros behind": (
        lambda a: np.concatenate([a, np.zeros((7, 1, 8))], axis=1),
        "time y x",
        LINES,
    ),
    "steps stacked": (
        lambda a: np.stack([a[0], a[3]]),
        "dim_0 y x",
        {"y": (1,), "x": (2,), "area": (1, 2)},
    ),
    "difference of steps": (
        lambda a: a[3] - a[0],
        "y x",
        {"y": (0,), "x": (1,), "area": (0, 1)},
    ),
    "one step": (
        lambda a: a[3] - 2 * a[3],
        "y x",
        {"time": (), "y": (0,), "x": (1,), "area": (0, 1)},
    ),
}
"""The function, the names of the axes, and the axes of the coordinates of the result."""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Make a file with a coordinate for each axis, and one of two axes."""
    path = tmp_path_factory.mktemp("rules") / "in.nc"
    with netCDF4.Dataset(path, "w") as file:
        for name, n in {"time": 7, "y": 6, "x": 8}.items():
            file.createDimension(name, n)
            file.createVariable(name, "f8", (name,))[:] = np.arange(n) * 10
        file.createVariable("area", "f8", ("y", "x"))[:] = 1
        values = file.createVariable("t", "f8", ("time", "y", "x"))
        values.setncatts({"units": "K", "coordinates": "area"})
        values[:] = np.random.default_rng(0).random((7, 6, 8))
    return path


@pytest.fixture(scope="module")
def array(path):
    return biggus.open(path, "t").filled(0)


@pytest.mark.parametrize("name", KEPT)
def test_names_and_coordinates_are_kept(array, name):
    function, dims, coordinates = KEPT[name]
    result = function(array)
    assert result.dims == tuple(dims.split())
    labels = labels_of(result.node, coordinates=True)
    own = [each for each in labels.coordinates if each.spans is None]
    assert {each.name: each.axes for each in own} == coordinates
    for each in own:
        assert each.values().shape == tuple([result.shape[axis] for axis in each.axes])


@pytest.mark.parametrize("name", ["topk", "sort", "partition", "take_along_axis"])
def test_values_in_another_order_keep_name_and_units(array, name):
    result = KEPT[name][0](array)
    assert (result.name, result.units) == ("t", "K")


def grouped_by(labels, name):
    return lambda t: t.groupby(xr.DataArray(labels, dims="time", name=name)).mean()


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
@pytest.mark.parametrize(
    ("function", "of_xarray"),
    [
        (lambda a: np.percentile(a, [10, 90], axis=0), lambda t: t.quantile([0.1, 0.9], "time")),
        (groups(MONTHS), grouped_by(MONTHS, "group")),
        (
            groups(xr.DataArray(SEASONS, dims="time", name="season")),
            grouped_by(SEASONS, "season"),
        ),
        (lambda a: np.dot(a, WEIGHTS), lambda t: t.dot(xr.DataArray(WEIGHTS, dims="x"))),
    ],
    ids=["percentiles", "groups", "named groups", "dot"],
)
def test_saved_results_have_the_labels_of_xarray(
    path, array, tmp_path, function, of_xarray, suffix
):
    pytest.importorskip("zarr")
    out = tmp_path / f"out{suffix}"
    biggus.save(function(array), f"{out}::t")
    with xr.open_dataset(path, decode_times=False, engine="netcdf4") as file:
        expected = of_xarray(file.t).load()
    with xr.open_dataset(out, engine="biggus") as saved:
        found = saved.t.transpose(*expected.dims).load()
    if "time" not in expected.coords:  # that of a statistic, which xarray drops
        found = found.drop_vars("time", errors="ignore")
    xr.testing.assert_allclose(found, expected)
