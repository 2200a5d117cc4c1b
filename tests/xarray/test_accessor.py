"""The xarray accessor: opening several locations, plans, joint computation and saving."""

from __future__ import annotations

import numpy as np
import pytest

import biggus
from biggus.errors import GoneError
from biggus.testing import ArraySource, RecordingSource

xr = pytest.importorskip("xarray")
pytest.importorskip("netCDF4")

import biggus.xarray

VALUES = np.arange(24.0).reshape(4, 6)


@pytest.fixture
def paths(tmp_path):
    found = []
    for number in range(3):
        part = xr.Dataset(
            {"v": (("time", "x"), VALUES + 100 * number, {"units": "K"})},
            {"time": np.arange(4) + 4 * number, "x": np.arange(6.0)},
            {"title": "a test"},
        )
        found.append(tmp_path / f"part{number}.nc")
        part.to_netcdf(found[-1])
    return found


def test_open(paths, tmp_path):
    one = biggus.xarray.open(paths[0])
    assert isinstance(one["v"].variable._data, biggus.Array)
    xr.testing.assert_identical(one.load(), xr.open_dataset(paths[0]).load())
    right = xr.combine_by_coords([xr.open_dataset(path) for path in paths]).load()
    for made in (
        biggus.xarray.open(tmp_path / "part*.nc"),
        biggus.xarray.open(paths[::-1]),
        biggus.xarray.open(iter(paths), concat_dim="time"),
    ):
        assert isinstance(made["v"].variable._data, biggus.Array)
        xr.testing.assert_identical(made.load(), right)
    with pytest.raises(GoneError):
        biggus.xarray.open(tmp_path / "none*.nc")


def test_members_are_stacked_along_a_new_dimension(paths):
    made = biggus.xarray.open([paths[0], paths[0]], concat_dim="member")
    assert isinstance(made["v"].variable._data, biggus.Array)
    one = xr.open_dataset(paths[0]).load()
    assert made["v"].dims == ("member", "time", "x")
    assert set(made.coords) == set(one.coords)
    for member in range(2):
        xr.testing.assert_identical(made.isel(member=member).load(), one)
    with pytest.raises(ValueError, match="exact"):
        biggus.xarray.open(paths[:2], concat_dim="member")  # other times


def recorded():
    source = RecordingSource(ArraySource(VALUES, chunks=(2, 6)))
    return source, xr.DataArray(biggus.ArrayAdapter(source), dims=("y", "x"), name="v")


def test_compute_of_several_results_takes_one_pass():
    source, v = recorded()
    source.clear()
    mean, both = v.mean("y").biggus.compute(
        xr.Dataset({"s": v.sum(), "m": v.max("x"), "n": ("x", range(6))})
    )
    read = [box[0].stop - box[0].start for box in source.boxes]
    assert sum(read) == 4  # each row once
    np.testing.assert_allclose(mean, VALUES.mean(0))
    assert (both["s"].item(), both["m"].values.tolist()) == (VALUES.sum(), VALUES.max(1).tolist())
    assert not any(isinstance(n._data, biggus.Array) for n in both.variables.values())
    assert v.biggus.compute().values.tolist() == VALUES.tolist()


def test_plan():
    source, v = recorded()
    source.clear()
    assert v.mean().biggus.plan().read_bytes == VALUES.nbytes
    assert not source.boxes


@pytest.mark.parametrize("name", ["out.nc", "out.zarr"])
@pytest.mark.filterwarnings("ignore")  # warnings of xarray and zarr
def test_save(paths, tmp_path, name):
    if name.endswith("zarr"):
        pytest.importorskip("zarr")
    ds = biggus.xarray.open(paths)
    ds["double"] = 2 * ds["v"]
    ds.biggus.save(tmp_path / name)
    xr.testing.assert_identical(biggus.xarray.open(tmp_path / name).load(), ds.load())


@pytest.mark.filterwarnings("ignore")  # warnings of xarray and zarr
def test_to_zarr_region(paths, tmp_path):
    pytest.importorskip("zarr")
    ds = biggus.xarray.open(paths)
    xr.zeros_like(ds).load().to_zarr(tmp_path / "out.zarr")
    part = ds.isel(time=slice(4, 10)).drop_vars(["x"])
    part.to_zarr(tmp_path / "out.zarr", region={"time": slice(4, 10)}, safe_chunks=False)
    found = xr.open_zarr(tmp_path / "out.zarr", chunks=None)["v"].load()
    np.testing.assert_array_equal(found[4:10], ds["v"][4:10])
    assert not found[:4].any()


def test_dask_arrays_compute_to_ndarrays():
    da = pytest.importorskip("dask.array")
    for chunks in ("auto", (2, 3)):
        made = da.from_array(biggus.ArrayAdapter(VALUES), chunks=chunks)
        assert type(made.compute()) is np.ndarray
        np.testing.assert_array_equal(made.compute(), VALUES)
        np.testing.assert_allclose((made + 1).mean(0).compute(), (VALUES + 1).mean(0))


def test_files_with_different_packings_are_written_unpacked(tmp_path):
    netcdf = pytest.importorskip("netCDF4")
    values = {"a.nc": (1e-4, [300.0, 301.0]), "b.nc": (1e-2, [280.0, 281.0])}
    for number, (name, (scale, line)) in enumerate(values.items()):
        with netcdf.Dataset(tmp_path / name, "w") as file:
            file.createDimension("time", None)
            file.createDimension("x", 2)
            file.createVariable("time", "f8", ("time",))[:] = number
            variable = file.createVariable("t", "i2", ("time", "x"), fill_value=-32767)
            variable.scale_factor, variable.add_offset = scale, line[0]
            variable[0] = line
    ds = biggus.xarray.open([tmp_path / name for name in values], concat_dim="time")
    ds.to_netcdf(tmp_path / "both.nc")
    with xr.open_dataset(tmp_path / "both.nc") as found:
        np.testing.assert_allclose(found["t"], [line for _, line in values.values()])
    alone = biggus.xarray.open(tmp_path / "a.nc")
    assert alone["t"].encoding["scale_factor"] == 1e-4


@pytest.mark.parametrize("func", ["mean", "max", "std"])
def test_groupby_reduce_matches_xarray_in_one_pass(func):
    pd = pytest.importorskip("pandas")
    values = np.random.default_rng(1).random((6, 24, 8))
    source = RecordingSource(ArraySource(values, (3, 4, 8)))
    coords = {
        "time": pd.date_range("2001-01-01", periods=24, freq="MS"),
        "y": np.arange(6),
        "step": ("time", np.arange(24)),
    }
    lazy = xr.DataArray(biggus.ArrayAdapter(source), coords, ("y", "time", "x"), "v")
    found = lazy.biggus.groupby_reduce("time.month", func)
    assert not source.boxes
    theirs = getattr(xr.DataArray(values, coords, lazy.dims, "v").groupby("time.month"), func)()
    xr.testing.assert_allclose(found.biggus.compute(), theirs)
    assert found.dims == theirs.dims
    assert all(source.boxes.count(box) == 1 for box in source.boxes)
    dataset = xr.Dataset({"v": lazy, "w": ("y", np.arange(6)), "u": ("time", np.arange(24.0))})
    both = dataset.biggus.groupby_reduce(lazy["time.month"], func)
    xr.testing.assert_allclose(both["v"].load(), theirs)
    assert both["w"].dims == ("y",)
    assert isinstance(both["u"].values, np.ndarray)
    with pytest.raises(ValueError, match="dimensions of the labels"):
        dataset[["w"]].biggus.groupby_reduce(lazy["time.month"], func)


@pytest.mark.parametrize("way", ["load", "compute", "persist"])
def test_load_compute_and_persist(way):
    values = np.arange(6.0).reshape(2, 3)
    ds = xr.Dataset({"v": (("y", "x"), biggus.ArrayAdapter(values)), "w": ("x", values[0])})
    ds["m"] = ds["v"].mean("y")
    for each in (ds, ds["v"]):
        found = getattr(each.copy(), way)()
        right = xr.Dataset({"v": (("y", "x"), values), "w": ("x", values[0])})
        right["m"] = right["v"].mean("y")
        xr.testing.assert_identical(found.compute(), right if each is ds else right["v"])
        held = [v._data for v in (found.variables.values() if each is ds else [found.variable])]
        # Persisted arrays stay lazy, over values in memory.
        lazy = [isinstance(data, biggus.Array) for data in held]
        assert any(lazy) == (way == "persist")
    assert isinstance(ds["v"].variable._data, biggus.Array)
