"""Coordinates, bounds and grid mappings are saved together with an array."""

from __future__ import annotations

import logging

import numpy as np
import pytest

import biggus

netCDF4 = pytest.importorskip("netCDF4")
xr = pytest.importorskip("xarray")

pytestmark = pytest.mark.filterwarnings("ignore")  # warnings of xarray about times and Zarr


def write(path, times=(0.5, 1.5, 2.5, 3.5), since="2000-01-01"):
    with netCDF4.Dataset(path, "w") as file:
        for name, n in {"time": len(times), "y": 3, "x": 5, "bnds": 2}.items():
            file.createDimension(name, n)
        time = file.createVariable("time", "f8", ("time",))
        time.units, time.bounds, time.calendar = f"days since {since}", "time_bnds", "noleap"
        time[:] = times
        bounds = file.createVariable("time_bnds", "f8", ("time", "bnds"))
        bounds[:] = np.stack([time[:] - 0.5, time[:] + 0.5], 1)
        for name in "yx":
            along = file.createVariable(name, "f4", (name,))
            along.standard_name, along.units = f"projection_{name}_coordinate", "m"
            along[:] = np.arange(len(file.dimensions[name]))
        for name, units in {"lat": "degrees_north", "lon": "degrees_east"}.items():
            curved = file.createVariable(name, "f8", ("y", "x"))
            curved.units = units
            curved[:] = np.arange(15).reshape(3, 5)
        file.createVariable("height", "f8", ())[...] = 2
        crs = file.createVariable("crs", "i4", ())
        crs.grid_mapping_name = "polar_stereographic"
        tas = file.createVariable("tas", "i2", ("time", "y", "x"), fill_value=-9)
        tas.scale_factor, tas.units, tas.standard_name = 0.5, "K", "air_temperature"
        tas.coordinates, tas.grid_mapping = "lat lon height", "crs"
        tas.cell_methods = "area: mean"
        tas[:] = np.arange(15 * len(times)).reshape(-1, 3, 5)
    return path


@pytest.fixture
def source(tmp_path):
    return write(tmp_path / "source.nc")


def seen(path):
    engine = "zarr" if path.suffix == ".zarr" else "netcdf4"
    return xr.open_dataset(path, engine=engine, decode_coords="all").load()


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
@pytest.mark.parametrize("decode", [True, False])
def test_coordinates_and_grid_mapping_are_saved(source, tmp_path, suffix, decode):
    if suffix == ".zarr":
        pytest.importorskip("zarr")
    path = tmp_path / f"out{suffix}"
    biggus.save(biggus.open(source, "tas", decode=decode), f"{path}::tas")
    xr.testing.assert_identical(seen(path), seen(source))


@pytest.mark.parametrize("target", ["out.nc", "out.zarr", "out.h5"])
@pytest.mark.parametrize("stored", ["source.nc", "source.zarr"])
def test_array_keeps_its_name_and_its_coordinates(source, tmp_path, stored, target):
    tas = biggus.open(source, "tas")
    if stored.endswith(".zarr"):
        pytest.importorskip("zarr")
        biggus.save(tas, tmp_path / stored)
        tas = biggus.open(tmp_path / stored, "tas")
    path = tmp_path / target
    biggus.save(tas[:, 1].max("time"), path)
    ds = biggus.open_dataset(path)
    assert "tas" in ds.data_vars
    assert {"x", "y", "lat", "lon", "height", "time"} <= set(ds.variables)
    assert ds.lat.ndarray().tolist() == [5, 6, 7, 8, 9]
    assert ds.time_bnds.ndarray().tolist() == [0, 4]
    again = biggus.open(path)
    assert again.name == "tas"
    np.testing.assert_array_equal(again.masked_array(), tas[:, 1].max("time").masked_array())


def test_array_in_a_group_keeps_the_last_part_of_its_name(source, tmp_path):
    biggus.save(biggus.open(source, "tas"), tmp_path / "a.nc::inner/tas")
    biggus.save(biggus.open(tmp_path / "a.nc", "inner/tas"), tmp_path / "b.nc")
    assert biggus.open(tmp_path / "b.nc").shape == (4, 3, 5)


UNNAMED = {
    "product": lambda tas: tas * tas,
    "anomaly": lambda tas: tas - tas.mean("time"),
    "sum of reductions": lambda tas: tas.max("time") + tas.min("time"),
}


@pytest.mark.parametrize("name", UNNAMED)
def test_zarr_array_without_a_name_is_called_data_beside_its_coordinates(source, tmp_path, name):
    pytest.importorskip("zarr")
    array = UNNAMED[name](biggus.open(source, "tas"))
    assert array.name is None
    biggus.save(array, tmp_path / "out.zarr")
    biggus.save(array, tmp_path / "named.zarr::data")
    xr.testing.assert_identical(seen(tmp_path / "out.zarr"), seen(tmp_path / "named.zarr"))
    assert {"lat", "lon", "x", "y"} <= set(seen(tmp_path / "out.zarr").coords)
    found = biggus.open(tmp_path / "out.zarr")
    np.testing.assert_array_equal(found.masked_array(), array.masked_array())


def test_zarr_array_without_name_and_coordinates_is_the_root(tmp_path):
    pytest.importorskip("zarr")
    biggus.save(biggus.ones((2, 3)), tmp_path / "out.zarr")
    assert biggus.variables(tmp_path / "out.zarr") == ("/",)


def test_target_named_slash_is_the_root_of_a_zarr_store(source, tmp_path):
    pytest.importorskip("zarr")
    biggus.save(biggus.open(source, "tas"), f"{tmp_path}/a.zarr::/")
    assert biggus.variables(tmp_path / "a.zarr") == ("/",)


def test_coordinates_of_a_selection(source, tmp_path):
    biggus.save(biggus.open(source, "tas")[2, ::-1], tmp_path / "out.nc::inner/tas")
    found = xr.open_dataset(tmp_path / "out.nc", group="inner", decode_coords="all").load()
    right = seen(source).isel(time=2, y=slice(None, None, -1))
    xr.testing.assert_identical(found.reset_coords(), right.reset_coords())


def test_coordinates_of_reductions_and_anomalies(source, tmp_path):
    tas = biggus.open(source, "tas")
    biggus.save(
        [tas.mean("time"), tas - tas.mean("time")], [tmp_path / "m.nc::m", tmp_path / "d.nc::d"]
    )
    mean, anomaly = seen(tmp_path / "m.nc"), seen(tmp_path / "d.nc")
    right = seen(source)
    assert set(mean.coords) == {"y", "x", "lat", "lon", "height", "crs", "time", "time_bnds"}
    assert mean["m"].attrs["cell_methods"] == "area: mean time: mean"
    np.testing.assert_allclose(mean["m"], right["tas"].mean("time"))
    assert anomaly["d"].attrs == {"units": "K"}
    xr.testing.assert_identical(anomaly["time"].variable, right["time"].variable)
    np.testing.assert_array_equal(anomaly["time_bnds"], right["time_bnds"])


def bounds_of(path, name):
    with netCDF4.Dataset(path) as file:
        each = file[name]
        ends = file[each.bounds]
        assert set(file[each.bounds].dimensions) == {*each.dimensions, "bnds"}
        return each[...].tolist(), ends[...].tolist()


def test_bounds_of_a_reduced_axis(source, tmp_path):
    tas = biggus.open(source, "tas")
    path = tmp_path / "mean.nc"
    biggus.save(2 * tas[1:].mean("time") + 1, f"{path}::m")
    assert bounds_of(path, "time") == (2.5, [1, 4])
    biggus.save([tas.std(("y", "x")), tas.max()], [f"{tmp_path}/s.nc::{name}" for name in "ab"])
    assert bounds_of(tmp_path / "s.nc", "x") == (2, [0, 4])  # the range of x, which has no bounds
    assert bounds_of(tmp_path / "s.nc", "time_span") == (2, [0, 4])
    found = seen(tmp_path / "s.nc")
    assert found["a"].cell_methods == "area: mean y: x: standard_deviation"
    assert found["b"].cell_methods == "area: mean time_span: y: x: maximum"
    biggus.save(tas.mean("time", keepdims=True), f"{path}::m", overwrite=True)
    assert bounds_of(path, "time") == ([2], [[0, 4]])
    assert "time" not in biggus.open(path, "m").attrs["coordinates"]


def test_different_spans_have_different_names(source, tmp_path):
    with netCDF4.Dataset(source, "a") as file:
        file["time"].standard_name = "time"
    tas, path = biggus.open(source, "tas"), tmp_path / "out.nc"
    several = [tas, tas.mean("time"), tas[:2].min("time"), tas.std("time"), tas.argmax("time")]
    biggus.save(several, [f"{path}::{name}" for name in "abcde"])
    found = seen(path)
    xr.testing.assert_identical(found["time"].variable, seen(source)["time"].variable)
    assert found["b"].cell_methods == "area: mean time: mean"
    beside = [
        found[name].encoding["coordinates"].removeprefix("lat lon height") for name in "abcde"
    ]
    assert beside == ["", " time_span", " time_span1", " time_span", ""]
    assert bounds_of(path, "time_span")[1] == [0, 4]
    assert bounds_of(path, "time_span1")[1] == [0, 2]
    # A stack of means covers several spans, so none is saved.
    biggus.save(biggus.ArrayStack([tas[:2].mean(0), tas[2:].mean(0)]), tmp_path / "s.nc::s")
    assert "time" not in seen(tmp_path / "s.nc")


def test_anomaly_keeps_the_time_axis(source, tmp_path):
    tas = biggus.open(source, "tas")
    for number, anomaly in enumerate([tas.mean("time") - tas, tas - tas.mean("time")]):
        biggus.save(anomaly, tmp_path / f"{number}.nc::d")
        xr.testing.assert_identical(
            seen(tmp_path / f"{number}.nc")["time"].variable, seen(source)["time"].variable
        )


def test_coordinates_of_joined_files(source, tmp_path):
    other = write(tmp_path / "source2.nc", times=(0.5, 1.5), since="2000-01-05")
    joined = biggus.open_many([source, other], "tas")
    biggus.save(joined, tmp_path / "out.nc::tas")
    found = seen(tmp_path / "out.nc")
    right = xr.concat(
        [seen(source), seen(other)],
        "time",
        data_vars="minimal",
        coords="minimal",
        compat="override",
    )
    np.testing.assert_array_equal(found["time"], right["time"])
    np.testing.assert_array_equal(found["time_bnds"], right["time_bnds"])
    assert found["tas"].attrs == right["tas"].attrs


def test_conflicting_coordinates_are_left_out(source, tmp_path, caplog):
    tas = biggus.open(source, "tas")
    with caplog.at_level(logging.WARNING, "biggus.sinks"):
        biggus.save([tas, tas[:, ::-1]], [tmp_path / "out.nc::a", tmp_path / "out.nc::b"])
    assert "y is left out" in caplog.text
    found = xr.open_dataset(tmp_path / "out.nc", decode_coords="all")
    assert "y" not in found.coords
    assert "lat" not in found.variables
    assert {"x", "time", "crs", "height"} <= set(found.coords)
    assert found["a"].encoding["coordinates"] == "height"


def test_coordinates_saved_as_arrays_are_not_saved_twice(source, tmp_path):
    ds = biggus.open_dataset(source, decode=False)
    targets = [tmp_path / f"out.nc::{name}" for name in ds]
    biggus.save(list(ds.values()), targets)
    xr.testing.assert_identical(seen(tmp_path / "out.nc"), seen(source))
    biggus.save(list(ds.values()), targets, overwrite=True)


@pytest.mark.parametrize("suffix", [".nc", ".h5", ".zarr"])
def test_global_attributes_are_kept_if_all_sources_agree(source, tmp_path, suffix):
    if suffix == ".zarr":
        pytest.importorskip("zarr")
    with netCDF4.Dataset(source, "a") as file:
        file.title, file.Conventions, file.version = "a test", "CF-1.8", np.int32(3)
    tas = biggus.open(source, "tas")
    places = [tmp_path / f"out{suffix}::{name}" for name in ("tas", "mean", "own")]
    biggus.save([tas, tas.mean("time"), biggus.ones(2)], places)
    attributes = biggus.open_dataset(tmp_path / f"out{suffix}").attrs
    right = {"title": "a test", "Conventions": "CF-1.8", "version": 3}
    assert {name: attributes[name] for name in right} == right
    with netCDF4.Dataset(write(tmp_path / "other.nc"), "a") as file:
        file.title, file.version = "another", np.int32(3)
    other = biggus.open(tmp_path / "other.nc", "tas")
    biggus.save([tas, other], [f"{tmp_path}/two{suffix}::{name}" for name in ("one", "two")])
    attributes = biggus.open_dataset(tmp_path / f"two{suffix}").attrs
    assert "title" not in attributes
    assert attributes["version"] == 3
    # A copy of the copy keeps them, too.
    again = biggus.open(tmp_path / f"out{suffix}", "tas")
    biggus.save(again[1:], tmp_path / f"copy{suffix}::tas")
    assert biggus.open_dataset(tmp_path / f"copy{suffix}").attrs["title"] == "a test"


def test_coordinates_without_missing_values_have_no_fill_value(source, tmp_path):
    biggus.save(biggus.open(source, "tas"), tmp_path / "out.nc::tas")
    with netCDF4.Dataset(tmp_path / "out.nc") as out, netCDF4.Dataset(source) as given:
        for name in ("time", "time_bnds", "y", "x", "lat", "height"):
            assert "_FillValue" not in out[name].ncattrs()
            np.testing.assert_array_equal(out[name][:], given[name][:])
            assert out[name][:].dtype == given[name].dtype
        assert out["tas"]._FillValue is not None
    with netCDF4.Dataset(source, "a") as file:
        file["lat"][1, 1] = np.ma.masked
    biggus.save(biggus.open(source, "tas"), tmp_path / "holes.nc::tas")
    with netCDF4.Dataset(tmp_path / "holes.nc") as out:
        assert np.ma.count_masked(out["lat"][:]) == 1


@pytest.mark.parametrize("decode", [True, False])
def test_unlimited_axes_stay_unlimited(tmp_path, decode):
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        file.createDimension("time", None)
        file.createDimension("x", 3)
        file.createVariable("time", "f8", ("time",))[:4] = np.arange(4)
        v = file.createVariable("v", "i2", ("time", "x"), fill_value=-9)
        v.scale_factor = 0.5
        v[:] = np.arange(12).reshape(4, 3)
    v = biggus.open(tmp_path / "a.nc", "v", decode=decode)
    made = {
        "whole": v,
        "cut": v[1:],
        "anomaly": v - v.mean(axis=0),
        "line": v.mean(axis=1),
        "map": v.mean(axis=0),
        "transposed": v.T,
    }
    for name, array in made.items():
        biggus.save(array, tmp_path / f"{name}.nc::v")
        with netCDF4.Dataset(tmp_path / f"{name}.nc") as file:
            found = {dim: file.dimensions[dim].isunlimited() for dim in array.dims}
        assert found == {dim: dim == "time" for dim in array.dims}
        again = biggus.open(tmp_path / f"{name}.nc", "v", decode=decode)
        np.testing.assert_array_equal(again.masked_array(), array.masked_array())


def test_actual_range_is_saved_for_whole_variables_only(source, tmp_path):
    with netCDF4.Dataset(source, "a") as file:
        for name in ("time", "y", "tas"):
            file[name].actual_range = np.array([0.0, 1.0])
    tas = biggus.open(source, "tas")
    kept = {}
    joined = biggus.LinearMosaic([tas, tas])
    for number, array in enumerate([tas, tas[::-1], tas[1:], tas[:, 0], joined]):
        path = tmp_path / f"{number}.nc"
        biggus.save(array, f"{path}::tas")
        with netCDF4.Dataset(path) as file:
            kept[number] = {
                name for name, each in file.variables.items() if "actual_range" in each.ncattrs()
            }
    all_three = {"time", "y", "tas"}
    assert kept == {0: all_three, 1: all_three, 2: {"y"}, 3: {"time"}, 4: {"y", "tas"}}


def test_extended_grid_mapping_attribute(source, tmp_path):
    with netCDF4.Dataset(source, "a") as file:
        file["tas"].grid_mapping = "crs: x y"
    biggus.save(biggus.open(source, "tas"), tmp_path / "out.nc::tas")
    with netCDF4.Dataset(tmp_path / "out.nc") as file:
        assert file["tas"].grid_mapping == "crs"
        assert file["crs"].grid_mapping_name == "polar_stereographic"


@pytest.mark.parametrize("target", ["out.nc", "out.zarr"])
def test_dataset_and_mapping_are_saved_under_the_names_of_their_arrays(source, tmp_path, target):
    with netCDF4.Dataset(source, "a") as file:
        file.createVariable("other", "f4", ("y", "x"))[:] = 3
    ds = biggus.open_dataset(source)
    part = ds.isel(time=slice(1, 3))
    biggus.save(part, tmp_path / target)
    found = biggus.open_dataset(tmp_path / target)
    assert set(found) == set(ds)
    assert set(found.coords) == set(ds.coords)
    assert found.sizes == part.sizes
    np.testing.assert_array_equal(found.tas.masked_array(), part.tas.masked_array())
    biggus.save({"low": ds.tas.min("time"), "high": ds.tas.max("time")}, tmp_path / f"two_{target}")
    assert {"low", "high", "lat"} <= set(biggus.variables(tmp_path / f"two_{target}"))


def test_object_of_xarray_is_saved_without_labels_with_a_warning(source, tmp_path, caplog):
    pytest.importorskip("xarray")
    variable = biggus.open_dataset(source).to_xarray()["tas"]
    with caplog.at_level("WARNING", logger="biggus"):
        biggus.save(variable, tmp_path / "out.zarr")
    assert ".biggus.save keeps them" in caplog.text


def test_only_saved_variables_are_named(source, tmp_path):
    with netCDF4.Dataset(source, "a") as file:
        file.external_variables = "areacella"
        file["tas"].ancillary_variables = "quality count"
        file["tas"].cell_measures = "area: areacella volume: count"
        file["y"].formula_terms = "a: quality b: count"
        for name in ("quality", "count"):
            file.createVariable(name, "f8", ("y",))[:] = 0
    arrays = {name: biggus.open(source, name) for name in ("tas", "quality", "count")}
    for saved in (["tas"], ["tas", "quality"], ["tas", "quality", "count"]):
        path = tmp_path / f"{len(saved)}.nc"
        biggus.save([arrays[name] for name in saved], [f"{path}::{name}" for name in saved])
        with netCDF4.Dataset(path) as file:
            assert getattr(file["tas"], "ancillary_variables", "").split() == saved[1:]
            assert hasattr(file["y"], "formula_terms") is (len(saved) == 3)
            volume = " volume: count" if len(saved) == 3 else ""
            assert file["tas"].cell_measures == "area: areacella" + volume
            assert file.external_variables == "areacella"


@pytest.mark.parametrize("target", ["out.nc", "out.zarr", "out.h5"])
def test_coordinates_that_no_array_has_are_saved_with_a_dataset(tmp_path, target):
    """Such as those of the stations, beside values along observations (CF conventions, 9)."""
    path = tmp_path / "ragged.nc"
    with netCDF4.Dataset(path, "w") as file:
        for name, length in {"station": 3, "obs": 9, "level": 2, "length": 4}.items():
            file.createDimension(name, length)
        file.createVariable("lat", "f8", ("station",))[:] = [1, 2, 3]
        file.createVariable("level", "f8", ("level",))[:] = [10, 20]
        file.createVariable("time", "f8", ("obs",))[:] = np.arange(9)
        names = file.createVariable("station_name", "S1", ("station", "length"))
        names[:] = netCDF4.stringtochar(np.array(["Kiel", "Ulm", "Bonn"], "S4"))
        humidity = file.createVariable("humidity", "f4", ("obs",), fill_value=-9)
        humidity[:] = np.ma.masked_less(np.arange(9), 2)
        humidity.coordinates = "time lat station_name"
    ds = biggus.open_dataset(path)
    biggus.save(ds, tmp_path / target)
    saved = biggus.open_dataset(tmp_path / target)
    assert set(saved.variables) == set(ds.variables)
    for name, array in ds.variables.items():
        np.testing.assert_array_equal(saved[name].masked_array(), array.masked_array())
    biggus.save(ds[["humidity"]], tmp_path / f"one_{target}")
    assert set(biggus.variables(tmp_path / f"one_{target}")) == {"humidity", "time"}
