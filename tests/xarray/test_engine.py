"""The xarray engine gives the values and attributes of xarray's own engines, lazily."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import biggus
from biggus.testing import UnreadableSource

xr = pytest.importorskip("xarray")
netCDF4 = pytest.importorskip("netCDF4")

JOINED = {"data_vars": "all", "coords": "minimal", "compat": "override", "join": "outer"}
OWN = {"netcdf4": ".nc", "h5netcdf": ".nc", "zarr": ".zarr"}


@pytest.fixture
def dataset():
    """Packed and plain variables, times, strings, scalars and coordinates along several axes."""
    time = np.datetime64("2001-01-01", "ns") + np.arange(6) * np.timedelta64(12, "h")
    values = np.arange(72.0).reshape(6, 3, 4)
    values[1, 2, 3] = np.nan
    ds = xr.Dataset(
        {
            "t": (("time", "y", "x"), values, {"units": "K", "cell_methods": "time: mean"}),
            "packed": (("time", "y", "x"), values * 0.5, {"long_name": "packed"}),
            "whole": (("y", "x"), np.arange(12).reshape(3, 4)),
            "flag": (("y",), np.array([True, False, True])),
            "when": (("time",), time[::-1]),
            "named": (("y",), np.array(["a", "bc", "\u00e9"])),
            "scalar": ((), 2.5, {"units": "m"}),
        },
        {
            "time": time,
            "x": ("x", np.arange(4.0), {"units": "degrees_east"}),
            "lat": (("y", "x"), np.arange(12.0).reshape(3, 4), {"units": "degrees_north"}),
        },
        {"title": "a test", "number": np.int32(3)},
    )
    ds["packed"].encoding = {"dtype": "i2", "scale_factor": 0.5, "_FillValue": np.int16(-99)}
    return ds


@pytest.fixture
def files(tmp_path, dataset):
    """Return the path of the dataset by the engine that reads it."""
    dataset.to_netcdf(tmp_path / "a.nc", engine="netcdf4")
    found = {"netcdf4": tmp_path / "a.nc"}
    for engine, write in {
        "h5netcdf": lambda path: dataset.to_netcdf(path, engine="h5netcdf"),
        "zarr": lambda path: dataset.to_zarr(path, zarr_format=2),
    }.items():
        pytest.importorskip(engine)
        path = tmp_path / f"{engine}{OWN[engine]}"
        write(path)
        found[engine] = path
    return found


def lazy_of(ds):
    return {n for n, v in ds.variables.items() if isinstance(v._data, biggus.Array)}


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore:.*consolidated", "ignore:.*Zarr V3")
@pytest.mark.parametrize("engine", OWN)
def test_engine_matches_xarrays_own_engines(files, engine):
    for options in (
        {},
        {"mask_and_scale": False},
        {"decode_times": False},
        {"drop_variables": "t"},
    ):
        with xr.open_dataset(files[engine], engine=engine, **options) as right:
            ds = xr.open_dataset(files[engine], engine="biggus", **options)
            assert {"packed", "whole", "lat"} <= lazy_of(ds)
            assert set(ds.coords) == set(right.coords)
            for name, variable in right.variables.items():
                assert ds[name].dtype == variable.dtype
                for word in ("dtype", "scale_factor", "_FillValue", "units", "calendar"):
                    found, own = (each.encoding.get(word) for each in (ds[name], variable))
                    assert repr(found) == repr(own) or found == own
            xr.testing.assert_identical(ds.load(), right.load())


def test_building_an_expression_reads_no_data(files, monkeypatch):
    from biggus.backends.netcdf.source import NetCDFSource

    read = []
    values = NetCDFSource._values
    monkeypatch.setattr(
        NetCDFSource,
        "_values",
        lambda self, box, out: read.append(self.name) or values(self, box, out),
    )
    ds = xr.open_dataset(files["netcdf4"], engine="biggus")
    mean = (ds["t"] - ds["packed"].mean("time")).isel(x=0).sel(time="2001-01-02")
    assert not [name for name in read if name.endswith(("::t", "::packed", "::whole"))]
    assert isinstance(mean.data, biggus.Array)
    right = xr.open_dataset(files["netcdf4"]).load()
    right = (right["t"] - right["packed"].mean("time")).isel(x=0).sel(time="2001-01-02")
    xr.testing.assert_allclose(mean.compute(), right)


def test_datasets_are_combined_lazily_without_dask(tmp_path, dataset):
    paths = []
    for number in range(3):
        part = dataset.isel(time=slice(2 * number, 2 * number + 2))
        part.to_netcdf(tmp_path / f"{number}.nc")
        paths.append(tmp_path / f"{number}.nc")
    by_coords = {"data_vars": "minimal", "coords": "minimal", "compat": "override"}
    ds = xr.open_mfdataset(paths, engine="biggus", **by_coords)
    assert {"t", "packed"} <= lazy_of(ds)
    nested = xr.open_mfdataset(
        paths, engine="biggus", combine="nested", concat_dim="time", **by_coords
    )
    assert {"t", "packed"} <= lazy_of(nested)
    parts = [xr.open_dataset(path, engine="biggus") for path in paths]
    concat = xr.concat(parts, "time", **by_coords)
    assert {"t", "packed"} <= lazy_of(concat)
    for joined in (ds, nested, concat):
        xr.testing.assert_equal(joined[["t", "packed"]].load(), dataset[["t", "packed"]])


@pytest.mark.parametrize("empty", [0, 1, 2])
def test_files_without_time_steps_add_nothing(tmp_path, dataset, empty):
    biggus_xarray = pytest.importorskip("biggus.xarray")
    cuts = [slice(0, 2), slice(2, 4)]
    cuts.insert(empty, slice(2, 2))
    paths = [tmp_path / f"{number}.nc" for number in range(3)]
    for path, cut in zip(paths, cuts, strict=True):
        dataset.isel(time=cut).to_netcdf(path)
    for options in ({}, {"concat_dim": "time"}, {"join": "outer"}):
        joined = biggus_xarray.open(paths, **options)
        names = ["t", "packed"]
        xr.testing.assert_equal(joined[names].load(), dataset[names].isel(time=slice(0, 4)))
    assert biggus_xarray.open([paths[empty]]).sizes["time"] == 0


def test_dataset_is_computed_in_one_pass():
    from biggus.testing import ArraySource, RecordingSource

    source = RecordingSource(ArraySource(np.arange(24.0).reshape(4, 6)))
    a = xr.DataArray(biggus.ArrayAdapter(source, chunks=(2, 6)), dims=("y", "x"))
    ds = xr.Dataset({"mean": a.mean("y"), "max": a.max("y")})
    source.clear()
    ds.compute()
    assert len(source.boxes) == 1


def test_data_array_takes_dims_of_the_array():
    source = UnreadableSource((2, 3), dims=("y", "x"), attributes={"units": "K"})
    made = xr.DataArray(biggus.ArrayAdapter(source))
    assert made.dims == ("y", "x")


def test_groups(tmp_path):
    path = tmp_path / "groups.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("x", 3)
        file.title = "root"
        file.createVariable("a", "f4", ("x",))[:] = [1, 2, 3]
        inner = file.createGroup("one").createGroup("two")
        inner.createVariable("b", "i2", ("x",))[:] = [4, 5, 6]
        inner.comment = "deep"
    ds = xr.open_dataset(path, engine="biggus", group="one/two")
    assert ds["b"].values.tolist() == [4, 5, 6]
    assert ds.attrs == {"comment": "deep"}
    mine, own = (xr.open_groups(path, engine=engine) for engine in ("biggus", "netcdf4"))
    assert mine.keys() == own.keys()
    for name, right in own.items():
        xr.testing.assert_identical(mine[name].load(), right.load())
    tree = xr.open_datatree(path, engine="biggus")
    assert tree["one/two/b"].values.tolist() == [4, 5, 6]


@pytest.fixture
def kinds(tmp_path):
    """Return files along time with variables of every kind."""
    paths = []
    for number in range(2):
        paths.append(tmp_path / f"kinds{number}.nc")
        with netCDF4.Dataset(paths[-1], "w") as file:
            for name, n in {"time": None, "x": 3, "letters": 4}.items():
                file.createDimension(name, n)
            time = file.createVariable("time", "f8", ("time",))
            time.units, time.calendar = "days since 2000-01-01", "noleap"
            time[:] = [2 * number, 2 * number + 1]
            for name in ("when", "v"):
                variable = file.createVariable(name, "f8", ("time", "x"))
                variable[:] = np.arange(6).reshape(2, 3)
            file["when"].units, file["when"].calendar = time.units, time.calendar
            flag = file.createVariable("flag", "i1", ("time", "x"))
            flag.setncattr("dtype", "bool")
            flag[:] = np.arange(6).reshape(2, 3) % 2
            for dims in (("time",), ("x",)):
                text = file.createVariable(f"text_{dims[0]}", str, dims)
                text[:] = np.array(["a", "bc", "\u00e9"][: len(text)], object)
                file.createVariable(f"letters_{dims[0]}", "S1", (*dims, "letters"))[:] = b"a"
            file.createVariable("scalar", "i4", ())[...] = 3
    return paths


@pytest.mark.parametrize(
    "opened",
    {
        "coordinates": partial(xr.open_mfdataset, **JOINED),
        "nested": partial(xr.open_mfdataset, combine="nested", concat_dim="time", **JOINED),
        "one": lambda paths, **options: xr.open_dataset(paths[0], chunks={}, **options),
        "tree": lambda paths, **options: xr.open_datatree(
            paths[0], chunks={}, **options
        ).to_dataset(),
    }.values(),
)
def test_variables_of_all_kinds_are_computed_and_written(kinds, tmp_path, opened):
    ds = opened(kinds, engine="biggus")
    assert {"v", "when", "flag"} <= lazy_of(ds)
    parts = [xr.open_dataset(path).load() for path in kinds]
    right = parts[0] if ds.sizes["time"] == 2 else xr.concat(parts, "time", **JOINED)
    right = right.transpose(*ds.dims)
    xr.testing.assert_equal(opened(kinds, engine="biggus").load().transpose(*ds.dims), right)
    assert ds["flag"].dtype == bool
    assert int(ds["flag"].sum()) == int(right["flag"].sum())
    ds.to_netcdf(tmp_path / "out.nc")
    with xr.open_dataset(tmp_path / "out.nc") as found:
        xr.testing.assert_equal(found.load().transpose(*ds.dims), right)


def test_variable_length_rows_are_read(tmp_path):
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        file.createDimension("x", 2)
        rows = file.createVLType(np.int32, "rows")
        variable = file.createVariable("v", rows, ("x",))
        variable[:] = np.array([np.arange(1, dtype="i4"), np.arange(3, dtype="i4")], object)
        file.createVariable("none", str, ())
    ds = xr.open_dataset(tmp_path / "a.nc", engine="biggus")
    assert [row.tolist() for row in ds["v"].values] == [[0], [0, 1, 2]]
    assert ds["none"].values == ""


def test_dataset_repr_shows_chunks(tmp_path, dataset):
    dataset[["t"]].to_netcdf(tmp_path / "a.nc", encoding={"t": {"chunksizes": (2, 3, 4)}})
    ds = xr.open_dataset(tmp_path / "a.nc", engine="biggus")
    assert "(time, y, x) float64 576B biggus.Array<chunks=(2, 3, 4)>" in str(ds)
    without = xr.Dataset({"t": (("y", "x"), biggus.zeros((3, 4)))})
    assert str(without).endswith("float64 96B biggus.Array")


@pytest.mark.parametrize("dropped", ["lat", "time", "time_bounds", ["lat", "when", "none"]])
@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_dropped_variables_are_decoded_like_those_of_xarray(tmp_path, dataset, dropped, suffix):
    path = tmp_path / f"a{suffix}"
    dataset["time"].attrs["bounds"] = "time_bounds"
    dataset["time"].encoding["units"] = "hours since 2001-01-01"
    ends = np.stack([dataset["time"].values] * 2, 1)
    dataset = dataset.assign(time_bounds=(("time", "ends"), ends))
    if suffix == ".nc":
        dataset.to_netcdf(path)
    else:
        dataset.to_zarr(path, zarr_format=2)
    own = {".nc": "netcdf4", ".zarr": "zarr"}[suffix]
    right = xr.open_dataset(path, engine=own, drop_variables=dropped)
    found = xr.open_dataset(path, engine="biggus", drop_variables=dropped)
    xr.testing.assert_identical(found.load(), right.load())
    for name, variable in right.variables.items():
        told = found.variables[name].encoding
        assert told.get("coordinates") == variable.encoding.get("coordinates")
        assert told.get("units") == variable.encoding.get("units")
