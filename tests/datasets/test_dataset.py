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
    assert list(ds) == ["time", "lat", "lon", "height", "t"]
    assert ds.coords == ("time", "lat", "lon", "height")
    assert ds.attrs == {"title": "a test"}
    assert ds.sizes == {"time": 90, "lat": 3, "lon": 4}
    assert ds["t"].units == "K"
    assert ds["t"].mean("time").dims == ("lat", "lon")
    assert "t (time, lat, lon) float64 masked" in repr(ds)
    with pytest.raises(KeyError, match="there is no 'q'"):
        ds["q"]
    assert list(biggus.open_dataset(path, "inner")) == ["u"]
    with pytest.raises(VariableError, match=r"no group 'iner', .*; did you mean 'inner'"):
        biggus.open_dataset(path, "iner")
    with pytest.raises(GoneError):
        biggus.open_dataset(path.with_name("none.nc"))


def test_unreadable_variable_error_suggests_drop_variables(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["null"] = h5py.Empty("f4")
        file["v"] = [1, 2]
    with pytest.raises(OpenError, match="null") as caught:
        biggus.open_dataset(tmp_path / "a.h5")
    assert caught.value.__notes__ == ["drop_variables='null' leaves it out"]
    assert list(biggus.open_dataset(tmp_path / "a.h5", drop_variables="null")) == ["v"]


def test_isel(path):
    ds = biggus.open_dataset(path)
    values = ds["t"].masked_array()
    part = ds.isel(time=slice(2, 6, 2), lon=[3, 0], lat=-1)
    np.testing.assert_array_equal(part["t"].masked_array(), values[2:6:2, -1][:, [3, 0]])
    assert part.dims("t") == ("time", "lon")
    assert part.sizes == {"time": 2, "lon": 2}
    with pytest.raises(KeyError, match="no axis 'depth'"):
        ds.isel(depth=0)
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


def test_to_xarray_matches_xarray_open_dataset(path):
    xr = pytest.importorskip("xarray")
    with netCDF4.Dataset(path, "a") as file:
        file.createDimension("letters", 2)
        text = file.createVariable("text", "S1", ("lat", "letters"))
        text._Encoding = "utf-8"
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
