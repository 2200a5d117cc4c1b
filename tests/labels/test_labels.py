"""Axis names, attributes and coordinates follow expressions without a read."""

from __future__ import annotations

import numpy as np
import pytest

import biggus
from biggus.labels import labels_of
from biggus.testing import UnreadableSource

K = {"units": "K", "standard_name": "air_temperature"}


def unread(dims=("time", "lat", "lon"), attributes=None, dtype="f4", shape=(4, 3, 5)):
    labels = {"dims": dims, "attributes": K if attributes is None else attributes}
    return biggus.ArrayAdapter(UnreadableSource(shape[: len(dims or shape)], dtype, **labels))


A = unread()

DIMS = {
    "all": (lambda a: a, ("time", "lat", "lon")),
    "integer index": (lambda a: a[0], ("lat", "lon")),
    "reversed": (lambda a: a[::-1].T, ("lon", "lat", "time")),
    "new axis": (lambda a: a[:, None], ("time", "dim_1", "lat", "lon")),
    "index array": (lambda a: a[:, [2, 0]], ("time", "lat", "lon")),
    "array of one index": (lambda a: a[:, [2]], ("time", "lat", "lon")),
    "array of no index": (lambda a: a[:, []], ("time", "lat", "lon")),
    "mask of one value": (lambda a: a[[True, False, False, False]], ("time", "lat", "lon")),
    "new axis and an index": (lambda a: a[None, [3]], ("dim_0", "time", "lat", "lon")),
    "part of nothing": (lambda a: a[4:][:, ::-1], ("time", "lat", "lon")),
    "part of nothing by arrays": (
        lambda a: a[4:].oindex[:, [2], [0, 1]][:, :, ::-1],
        ("time", "lat", "lon"),
    ),
    "pairs of one": (lambda a: a[:, [2], [1]], ("time", "dim_1")),
    "pairs": (lambda a: a[:, [2, 0], [1, 1]], ("time", "dim_1")),
    "mean": (lambda a: a.mean(1), ("time", "lon")),
    "kept": (lambda a: a.mean(1, keepdims=True), ("time", "lat", "lon")),
    "median": (lambda a: a.std("lon"), ("time", "lat")),
    "quantiles": (lambda a: biggus.quantile(a, [0.1, 0.9], "time"), ("quantile", "lat", "lon")),
    "anomaly": (lambda a: a - a.mean("time"), ("time", "lat", "lon")),
    "broadcast": (lambda a: 2 * a[0] + a, ("time", "lat", "lon")),
    "joined": (lambda a: biggus.LinearMosaic([a, a], axis=2), ("time", "lat", "lon")),
    "stacked": (lambda a: biggus.ArrayStack([a, a]), ("dim_0", "time", "lat", "lon")),
    "stacked, of length one": (
        lambda a: biggus.ArrayStack([a[:1, :, [2]]] * 2),
        ("dim_0", "time", "lat", "lon"),
    ),
    "broadcast to, of length one": (
        lambda a: np.broadcast_to(a[:1, :1], (4, 1, 5)),
        ("dim_0", "lat", "lon"),
    ),
    "moved": (lambda a: np.moveaxis(a, 0, -1), ("lat", "lon", "time")),
    "moved by name": (lambda a: np.moveaxis(a, "time", -1), ("lat", "lon", "time")),
    "swapped by name": (lambda a: a.swapaxes("time", "lon"), ("lon", "lat", "time")),
    "transposed by name": (lambda a: a.transpose("lat", "lon", 0), ("lat", "lon", "time")),
    "transposed by names": (
        lambda a: biggus.transpose(a, ["lat", "time", "lon"]),
        ("lat", "time", "lon"),
    ),
}


@pytest.mark.parametrize("name", DIMS)
def test_dims(name):
    make, dims = DIMS[name]
    assert make(A).dims == dims


def test_statistics_of_groups_have_name_units_and_other_coordinates():
    groups, _ = biggus.groupby_reduce(A, [0, 1, 0, 1], "std", axis="time")
    assert groups.dims == ("lat", "lon", "group")
    assert groups.attrs == K
    assert labels_of(groups.node).statistics == ("std",)
    variances, _ = biggus.groupby_reduce(A, [0, 1, 0, 1], "var", axis="time")
    assert variances.units is None


@pytest.mark.parametrize("join", [biggus.LinearMosaic, biggus.concatenate, np.concatenate])
def test_arrays_are_joined_along_a_named_axis(join):
    assert join([A, A[:, :2]], axis="lat").shape == (4, 5, 5)
    with pytest.raises(np.exceptions.AxisError, match="time, lat, lon"):
        join([A, A], axis="latitude")
    with pytest.raises(TypeError, match="does not know the names"):
        join([biggus.zeros(3), biggus.zeros(3)], axis="lat")


def test_axes_without_names_are_numbered():
    assert biggus.zeros((2, 3)).dims == ("dim_0", "dim_1")
    assert biggus.zeros((2, 3)).attrs == {}
    assert biggus.zeros((2, 3)).name is biggus.zeros((2, 3)).units is None


ATTRIBUTES = {
    "all": (lambda a: a, K),
    "selected": (lambda a: a[0, ::2].T, K),
    "cast": (lambda a: a.astype("f8"), K),
    "rounded": (lambda a: a.round(1).clip(0, 1), K),
    "mean": (lambda a: a.mean("time"), {**K, "cell_methods": "time: mean"}),
    "max": (lambda a: a.max(("lat", "lon")), {**K, "cell_methods": "lat: lon: maximum"}),
    "std of mean": (
        lambda a: biggus.nanmean(a, "time").std("lat"),
        {**K, "cell_methods": "time: mean lat: standard_deviation"},
    ),
    "variance": (
        lambda a: a.var("time"),
        {"standard_name": "air_temperature", "cell_methods": "time: variance"},
    ),
    "count": (lambda a: a.count("time"), {}),
    "place": (lambda a: a.argmax("time"), {}),
    "anomaly": (lambda a: a - a.mean("time"), {"units": "K"}),
    "greater": (lambda a: np.maximum(a, a[0]), {"units": "K"}),
    "absolute": (lambda a: abs(-a), {"units": "K"}),
    "chosen": (lambda a: biggus.where(a > 1, a, 0), {"units": "K"}),
    "in other units": (lambda a: a - 273.15, {}),
    "with none": (lambda a: a + unread(attributes={}), {}),
    "of other units": (lambda a: a + unread(attributes={"units": "degC"}), {}),
    "product": (lambda a: a * a, {}),
    "compared": (lambda a: a > 2, {}),
    "joined": (lambda a: biggus.LinearMosaic([a, a[::-1]]), K),
    "joined with others": (
        lambda a: biggus.LinearMosaic([a, unread(attributes={**K, "units": "degC"})]),
        {"standard_name": "air_temperature"},
    ),
}


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_actual_range_is_kept_for_whole_arrays_only(name):
    a = unread(attributes={**K, "actual_range": np.array([0.0, 9.0])})
    kept = name in ("all", "cast", "joined")
    assert ("actual_range" in ATTRIBUTES[name][0](a).attrs) is kept


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_attributes(name):
    make, attributes = ATTRIBUTES[name]
    assert make(A).attrs == attributes


def test_unpacked_values_have_no_packing_attributes():
    packed = {"scale_factor": 0.5, "_FillValue": np.int16(-1), "units": "m"}
    source = UnreadableSource((3,), "i2", dims=("x",), attributes=packed, conventions="CF")
    assert biggus.ArrayAdapter(source).attrs == {"units": "m"}
    source.conventions = None
    assert biggus.ArrayAdapter(source).attrs == {"scale_factor": 0.5, "units": "m"}


def test_reductions_over_named_axes():
    values = np.arange(60.0).reshape(4, 3, 5)
    a = unread() * 0
    for one, other in [("time", 0), (("lon", "time"), (2, 0)), (["lat"], (1,)), ("lat", -2)]:
        assert np.mean(a, axis=one).shape == np.mean(values, axis=other).shape
        assert a.sum(one, keepdims=True).shape == values.sum(other, keepdims=True).shape
    with pytest.raises(np.exceptions.AxisError, match="no axis named 'depth'; there are time, lat"):
        a.mean("depth")
    with pytest.raises(np.exceptions.AxisError, match="more than one"):
        unread(dims=("x", "x")).mean("x")
    with pytest.raises(TypeError, match="does not know the names"):
        unread(dims=None).mean("depth")
    assert unread(dims=None).mean("dim_1").shape == (4, 5)


def test_every_constructor_returns_an_array():
    a = np.zeros((2, 2))
    made = [
        biggus.ArrayAdapter(a),
        biggus.LinearMosaic([a, a]),
        biggus.ArrayStack([a, a]),
        biggus.GridMosaic(lambda _: a, (1, 1), (2, 2), "f8"),
        biggus.ConstantArray(2),
    ]
    assert {type(one) for one in made} == {biggus.Array}


@pytest.mark.parametrize("decode", [True, False])
def test_encoding(tmp_path, decode):
    netcdf4 = pytest.importorskip("netCDF4")
    with netcdf4.Dataset(tmp_path / "a.nc", "w") as file:
        file.createDimension("x", None)
        v = file.createVariable(
            "v", "i2", ("x",), chunksizes=(4,), fill_value=-9, compression="zlib", complevel=2
        )
        v.scale_factor, v.units = 0.5, "K"
        v[:] = np.arange(6) / 2
    a = biggus.open(tmp_path / "a.nc", "v", decode=decode)
    right = {"dtype": "i2", "chunks": (4,), "scale_factor": 0.5, "_FillValue": -9}
    right["unlimited"] = ("x",)
    for each in (a, a[1:3], biggus.LinearMosaic([a, a])):
        encoding = each.encoding
        assert {name: encoding[name] for name in right} == right
        assert (encoding["compression"].name, encoding["compression"].level) == ("zlib", 2)
        assert "units" not in encoding
    assert (a + 1).encoding == a.mean().encoding == biggus.ones(3).encoding == {}
    biggus.save(a, tmp_path / "b.nc::v", compression=a.encoding["compression"])
    assert biggus.open(tmp_path / "b.nc", "v").encoding["compression"] == encoding["compression"]


@pytest.mark.parametrize(("key", "right"), [(np.s_[::-1], ["", "b\ufffd", "é"]), (0, "é")])
def test_character_coordinates_are_text(tmp_path, key, right):
    netCDF4 = pytest.importorskip("netCDF4")
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        file.createDimension("station", 3)
        file.createDimension("length", 2)
        names = file.createVariable("name", "S1", ("station", "length"), fill_value=b"\0")
        names[:] = np.array([b"\xc3\xa9", b"b\xff", b""], "S2").view("S1").reshape(3, 2)
        level = file.createVariable("level", "f4", ("station",))
        level.coordinates, level[:] = "name", 0
    level = biggus.open(tmp_path / "a.nc", "level")[key]
    [name] = labels_of(level.node, coordinates=True).coordinates
    assert name.kind is None
    assert name.values().tolist() == right
