"""Datasets: named arrays, selection by value and time, and conversion to xarray."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

import biggus
from biggus.datasets.selecting import AxisPositions
from biggus.errors import GoneError, OpenError, VariableError

netCDF4 = pytest.importorskip("netCDF4")


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.title = "a test"
        for name, n in {"time": 90, "lat": 3, "lon": 4}.items():
            file.createDimension(name, n)
        time = file.createVariable("time", "f8", ("time",))
        time.units, time.calendar = "days since 2001-01-01 12:00", "noleap"
        time[:] = np.arange(90)
        lat = file.createVariable("lat", "f4", ("lat",))
        lat.units = "degrees_north"
        lat[:] = [60, 45, 30]
        file.createVariable("lon", "f4", ("lon",))[:] = [0, 10, 20, 30]
        height = file.createVariable("height", "f8", ())
        height[...] = 2
        t = file.createVariable("t", "i2", ("time", "lat", "lon"), fill_value=-9)
        t.scale_factor, t.units, t.coordinates = 0.5, "K", "height"
        t[:] = np.ma.masked_equal(np.arange(1080).reshape(90, 3, 4) * 0.5, 3)
        inner = file.createGroup("inner")
        inner.createVariable("u", "f8", ("lat",))[:] = [1, 2, 3]
    return path


def test_dataset_lists_variables_coordinates_and_attributes(path):
    ds = biggus.open_dataset(path)
    assert list(ds.variables) == ["time", "lat", "lon", "height", "t"]
    assert list(ds.coords) == ["time", "lat", "lon", "height"]
    assert ds.attrs == {"title": "a test"}
    assert ds["t"].units == "K"
    assert ds["t"].mean("time").dims == ("lat", "lon")
    assert list(biggus.open_dataset(path, "inner")) == ["u"]
    with pytest.raises(KeyError, match=r"there is no variable 'T'; did you mean 't'\?"):
        ds["T"]
    with pytest.raises(VariableError, match=r"no group 'iner', .*; did you mean 'inner'"):
        biggus.open_dataset(path, "iner")
    with pytest.raises(GoneError):
        biggus.open_dataset(path.with_name("none.nc"))


def test_repr_shows_dimensions_coordinates_variables_and_attributes(path):
    ds = biggus.open_dataset(path).isel(time=0)[["t"]]
    assert repr(ds).splitlines()[1:] == [
        "Dimensions: (lat: 3, lon: 4)",
        "Coordinates:",
        "    time   () float64 masked 'days since 2001-01-01 12:00'",
        "  * lat    (lat) float32 masked 'degrees_north'",
        "  * lon    (lon) float32 masked",
        "    height () float64 masked",
        "Data variables:",
        "    t      (lat, lon) float64 masked 'K'",
        "Attributes:",
        "    title: a test",
    ]
    assert "t      (lat, lon)" in ds._repr_html_()


LOOKED_AT = {
    "dims": lambda ds: dict(ds.sizes),
    "one of dims": lambda ds: ("time" in ds.dims, "depth" in ds.dims, list(ds.dims)),
    "iterated": lambda ds: (list(ds), list(ds.keys()), len(ds), bool(ds)),
    "data_vars": lambda ds: list(ds.data_vars),
    "coords": lambda ds: sorted(ds.coords),
    "variables": lambda ds: sorted(ds.variables),
    "in": lambda ds: [name in ds for name in ("t", "time", "q")],
    "attrs": lambda ds: ds.attrs,
    "encoding": lambda ds: ds.encoding,
    "attributes": lambda ds: (ds.t.shape, ds.lat.dims, ds.title),
    "completed": lambda ds: {"t", "lat"} <= set(dir(ds)),
    "items": lambda ds: [(name, array.shape) for name, array in ds.items()],
    "no attribute": lambda ds: hasattr(ds, "q"),
    "got": lambda ds: (ds.get("q"), ds.get("lat").shape),
    "listed": lambda ds: (list(ds[["t"]]), sorted(ds[["t"]].coords), sorted(ds[["lat"]].coords)),
    "isel": lambda ds: (dict(ds.isel(time=0, lat=[0, 2]).sizes), sorted(ds.isel(time=0).coords)),
    "isel by mapping": lambda ds: dict(ds.isel({"time": slice(3), "lat": 0}).sizes),
    "isel without axes": lambda ds: sorted(ds.isel(time=0, drop=True).variables),
    "sel by mapping": lambda ds: ds.sel({"lat": 45}, drop=True).sizes,
    "sel without axes": lambda ds: sorted(ds.sel(lat=45, drop=True).variables),
    "sel with a step": lambda ds: np.asarray(ds.sel(lon=slice(0, 30, 2)).lon).tolist(),
}


@pytest.mark.parametrize("look", LOOKED_AT.values(), ids=LOOKED_AT)
@pytest.mark.filterwarnings("ignore:The return type of `Dataset.dims`")
def test_attributes_iteration_and_selection_match_xarray(path, look):
    xr = pytest.importorskip("xarray")
    with xr.open_dataset(path, decode_times=False) as right:
        assert look(biggus.open_dataset(path)) == look(right)


@pytest.mark.parametrize(
    "at", [{"lat": 0}, {"lat": 0, "lon": 1}, {"lat": [0]}, {"time": 0}], ids=str
)
def test_dropping_leaves_coordinates_of_other_axes_as_xarray_does(path, at):
    xr = pytest.importorskip("xarray")
    with netCDF4.Dataset(path, "a") as file:
        file.createVariable("area", "f8", ("lat", "lon"))[:] = np.ones((3, 4))
        file["t"].coordinates = "height area"
    with xr.open_dataset(path, decode_times=False) as right:
        for part in (at, {**at, "time": slice(0)}):
            theirs = right.isel(part, drop=True)
            ours = biggus.open_dataset(path).isel(part, drop=True)
            assert {name: a.dims for name, a in ours.variables.items()} == {
                name: a.dims for name, a in theirs.variables.items()
            }


@pytest.mark.parametrize("method", ["nearest", "pad", "ffill", "backfill", "bfill"])
@pytest.mark.parametrize("tolerance", [None, 2.0, 6])
def test_sel_with_method_and_tolerance_matches_xarray(path, method, tolerance):
    xr = pytest.importorskip("xarray")
    ds = biggus.open_dataset(path)
    with xr.open_dataset(path, decode_times=False) as right:
        for label in (-1, 0, 3.5, 8, 11, 15.1, 30, 36.5, [1, 12], [1, 16]):
            given = {"lon": label, "method": method, "tolerance": tolerance}
            try:
                expected = right.sel(**given).lon.values.tolist()
            except KeyError:
                with pytest.raises(KeyError):
                    ds.sel(**given)
            else:
                assert ds.sel(**given).lon.ndarray().tolist() == expected


@pytest.mark.parametrize("hours", [2, 4, None])
def test_sel_with_a_duration_as_tolerance(path, hours):
    xr = pytest.importorskip("xarray")
    tolerance = None if hours is None else np.timedelta64(hours, "h")
    near = {"time": "2001-01-03T09:00", "method": "nearest", "tolerance": tolerance}
    with netCDF4.Dataset(path, "a") as file:
        file["time"].calendar = "standard"
    found = []
    for ds in (biggus.open_dataset(path), xr.open_dataset(path)):
        try:
            found.append(np.asarray(ds.sel(**near)["t"]).tolist())
        except KeyError:
            found.append(None)
    assert found[0] == found[1]
    assert (found[0] is None) is (hours == 2)


FAILING = {
    "isel of no axis": lambda ds: ds.isel(depth=0),
    "isel out of bounds": lambda ds: ds.isel(lat=9),
    "isel by None": lambda ds: ds.isel(lat=None),
    "sel of no axis": lambda ds: ds.sel(depth=0),
    "sel of no value": lambda ds: ds.sel(lat=44),
    "sel of values": lambda ds: ds.sel(lat=[45, 44]),
    "sel too far": lambda ds: ds.sel(lat=40, method="nearest", tolerance=1),
    "sel by an unknown method": lambda ds: ds.sel(lat=40, method="near"),
    "slice by a method": lambda ds: ds.sel(lat=slice(50, 40), method="nearest"),
    "no variable": lambda ds: ds["q"],
    "no variables": lambda ds: ds[["t", "q"]],
    "no attribute": lambda ds: ds.q,
}


@pytest.mark.parametrize("fail", FAILING.values(), ids=FAILING)
def test_errors_have_the_types_of_xarray(path, fail):
    xr = pytest.importorskip("xarray")
    with xr.open_dataset(path, decode_times=False) as right, pytest.raises(Exception) as expected:
        fail(right)
    with pytest.raises(expected.type):
        fail(biggus.open_dataset(path))


def test_sel_by_position_along_an_axis_without_coordinate(path):
    with netCDF4.Dataset(path, "a") as file:
        file.renameVariable("lon", "east")
    ds = biggus.open_dataset(path)
    assert ds.sel(lon=slice(1, 3)).sizes["lon"] == 2
    with pytest.raises(ValueError, match="no coordinate for `method"):
        ds.sel(lon=1, method="nearest")


def test_unreadable_variable_error_suggests_drop_variables(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["null"] = h5py.Empty("f4")
        file["v"] = [1, 2]
    with pytest.raises(OpenError, match="null") as caught:
        biggus.open_dataset(tmp_path / "a.h5")
    assert caught.value.__notes__ == ["`drop_variables='null'` leaves it out"]
    assert list(biggus.open_dataset(tmp_path / "a.h5", drop_variables="null")) == ["v"]


def test_isel(path):
    ds = biggus.open_dataset(path)
    values = ds["t"].masked_array()
    part = ds.isel(time=slice(2, 6, 2), lon=[3, 0], lat=-1)
    np.testing.assert_array_equal(part["t"].masked_array(), values[2:6:2, -1][:, [3, 0]])
    assert part["t"].dims == ("time", "lon")
    assert part.sizes == {"time": 2, "lon": 2}
    assert list(part.coords) == list(ds.coords)
    with pytest.raises(TypeError, match="time is selected by"):
        ds.isel(time=None)


@pytest.mark.parametrize(
    ("labels", "key"),
    [
        ({"lat": 45}, np.s_[:, 1]),
        ({"lat": [30, 60]}, np.s_[:, [2, 0]]),
        ({"lat": slice(50, 20)}, np.s_[:, 1:]),
        ({"lat": slice(20, 50)}, np.s_[:, :0]),  # as in xarray: the axis falls
        ({"lon": 12, "method": "nearest"}, np.s_[:, :, 1]),
        ({"time": "2001-02"}, np.s_[31:59]),
        ({"time": "2001-02-03"}, np.s_[33:34]),
        ({"time": slice("2001-01-31", "2001-02")}, np.s_[30:59]),
        ({"time": np.datetime64("2001-01-02T12:00:00")}, np.s_[1]),
        ({"time": np.datetime64("2001-01-02T17:00"), "method": "nearest"}, np.s_[1]),
        ({"time": 3.0}, np.s_[3]),
    ],
)
def test_sel(path, labels, key):
    ds = biggus.open_dataset(path)
    np.testing.assert_array_equal(ds.sel(**labels)["t"].masked_array(), ds["t"].masked_array()[key])


@pytest.mark.parametrize(
    "labels",
    [{"lat": 44}, {"time": "2002"}, {"time": "2001-02-29"}, {"depth": 3}, {"time": "noon"}],
)
def test_sel_of_missing_label_raises_key_error(path, labels):
    with pytest.raises(KeyError):
        biggus.open_dataset(path).sel(**labels)


def test_axis_positions_of_datetime64():
    days = np.datetime64("2000-01-30") + np.arange(5)
    positions = AxisPositions("time", days.astype("M8[ns]"), {})
    assert positions.of("2000-02") == slice(2, 5)
    assert positions.of(np.datetime64("2000-02-01")) == 2


@pytest.mark.parametrize("encoding", [None, "utf-8"])
def test_to_xarray_matches_xarray_open_dataset(path, encoding):
    xr = pytest.importorskip("xarray")
    with netCDF4.Dataset(path, "a") as file:
        file.createDimension("letters", 2)
        text = file.createVariable("text", "S1", ("lat", "letters"))
        if encoding is not None:
            text._Encoding = encoding
        text.set_auto_chartostring(False)
        text[:] = netCDF4.stringtochar(np.array(["a", "bc", ""], "S2"))
    made = biggus.open_dataset(path).to_xarray()
    assert isinstance(made["t"].variable._data, biggus.Array)
    with xr.open_dataset(path) as right:
        np.testing.assert_array_equal(made["t"].values, right["t"].values)
        assert list(made["time"].values) == list(right["time"].values)
        assert made["t"].attrs == right["t"].attrs
        assert made.attrs == right.attrs
        assert made["text"].values.tolist() == right["text"].values.tolist()


def test_info_is_json_serializable(path):
    found = biggus.info(path)
    assert json.loads(json.dumps(found)) == found
    assert found["groups"].keys() == {"", "inner"}
    root = found["groups"][""]
    assert root["attributes"] == {"title": "a test"}
    assert root["dimensions"] == {"time": 90, "lat": 3, "lon": 4}
    assert root["variables"]["t"]["attributes"]["units"] == "K"
    assert biggus.variables(path) == ("time", "lat", "lon", "height", "t", "inner/u")


def test_dataset_pickles(path):
    ds = pickle.loads(pickle.dumps(biggus.open_dataset(path)))
    assert ds["inner" if "inner" in ds else "lat"].ndarray().tolist() == [60, 45, 30]


def half_named_hdf5(path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file["x"] = np.arange(4.0)
        file["x"].make_scale("x")
        file["v"] = np.arange(12.0).reshape(3, 4)
        file["v"].dims[1].attach_scale(file["x"])


def labelled_array_type(path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        made = file.create_dataset("v", (4,), np.dtype(("f8", (3,))))
        made[...] = np.arange(12.0).reshape(4, 3)
        made.dims[0].label = "x"


def half_named_zarr(path):
    zarr = pytest.importorskip("zarr", minversion="3")
    group = zarr.create_group(path)
    made = group.create_array("v", shape=(3, 4), dtype="f8", dimension_names=(None, "x"))
    made[...] = np.arange(12.0).reshape(3, 4)
    group.create_array("x", shape=4, dtype="f8", dimension_names=("x",))[...] = np.arange(4.0)


@pytest.mark.parametrize("write", [half_named_hdf5, labelled_array_type, half_named_zarr])
def test_axes_with_names_keep_them_beside_axes_without(tmp_path, write):
    path = tmp_path / ("a.zarr" if write is half_named_zarr else "a.h5")
    write(path)
    a = biggus.open(path, "v")
    axis = a.dims.index("x")
    assert a.dims == (("dim_0", "x") if axis else ("x", "dim_1"))
    np.testing.assert_array_equal(a.mean("x").ndarray(), a.ndarray().mean(axis=axis))
    assert biggus.info(path)["groups"][""]["variables"]["v"]["dims"] == list(a.dims)
    selected = biggus.open_dataset(path).isel(x=2)["v"]
    np.testing.assert_array_equal(selected.ndarray(), a.ndarray().take(2, axis))
    biggus.save(a, tmp_path / "saved.nc")
    assert biggus.open(tmp_path / "saved.nc", "v").dims == a.dims
