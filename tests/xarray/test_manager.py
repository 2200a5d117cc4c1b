"""xarray writes lazy arrays into its stores, under the library's lock."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

import biggus
from biggus.backends.native import hdf5_lock
from biggus.testing import ArraySource, RecordingSource

xr = pytest.importorskip("xarray")
netCDF4 = pytest.importorskip("netCDF4")

VALUES = np.arange(48.0).reshape(8, 2, 3) % 5


@pytest.fixture
def path(tmp_path):
    """Return a file that grows along time, in compressed chunks."""
    ds = xr.Dataset({"t": (("time", "y", "x"), VALUES)}, {"time": np.arange(8)})
    chunked = {"zlib": True, "complevel": 3, "shuffle": True, "chunksizes": (2, 2, 3)}
    ds.to_netcdf(tmp_path / "a.nc", unlimited_dims=["time"], encoding={"t": chunked})
    return tmp_path / "a.nc"


@pytest.mark.parametrize("engine", ["netcdf4", "h5netcdf"])
@pytest.mark.parametrize("backend", ["netcdf", "hdf5"])
def test_file_is_written_with_its_original_encoding(path, tmp_path, engine, backend):
    pytest.importorskip("h5netcdf")
    options = {"options": {"backend": backend}}
    ds = xr.open_dataset(path, engine="biggus", backend_kwargs=options)
    assert isinstance(ds["t"].data, biggus.Array)
    ds.to_netcdf(tmp_path / "b.nc", engine=engine)
    with netCDF4.Dataset(tmp_path / "b.nc") as file:
        found = {name: each.isunlimited() for name, each in file.dimensions.items()}
        assert found == {"time": True, "y": False, "x": False}
        filters, chunks = file["t"].filters(), file["t"].chunking()
        assert (filters["zlib"], filters["complevel"], filters["shuffle"]) == (True, 3, True)
        assert chunks == [2, 2, 3]
        np.testing.assert_array_equal(file["t"][:], VALUES)


@pytest.mark.parametrize("engine", ["netcdf4", "h5netcdf"])
def test_computed_arrays_along_unlimited_dimensions(path, tmp_path, engine):
    pytest.importorskip("h5netcdf")
    ds = xr.open_dataset(path, engine="biggus") + 1
    ds.to_netcdf(tmp_path / "b.nc", engine=engine, unlimited_dims=["time", "y"])
    with netCDF4.Dataset(tmp_path / "b.nc") as file:
        assert file.dimensions["time"].isunlimited()
        np.testing.assert_array_equal(file["t"][:], VALUES + 1)


@pytest.mark.filterwarnings("ignore")  # warnings of xarray and zarr
def test_chunks_are_kept_in_zarr(path, tmp_path):
    zarr = pytest.importorskip("zarr")
    xr.open_dataset(path, engine="biggus").to_zarr(tmp_path / "a.zarr")
    again = xr.open_dataset(tmp_path / "a.zarr", engine="biggus")
    again.isel(time=slice(1, 8)).to_zarr(tmp_path / "b.zarr")
    for name in "ab":
        assert zarr.open(tmp_path / f"{name}.zarr")["t"].chunks == (2, 2, 3)
    np.testing.assert_array_equal(zarr.open(tmp_path / "b.zarr")["t"][:], VALUES[1:])


@pytest.mark.parametrize("engine", ["netcdf4", "h5netcdf"])
def test_library_lock_is_held_while_xarray_writes(path, tmp_path, engine, monkeypatch):
    pytest.importorskip("h5netcdf")
    wrapper = importlib.import_module("xarray.backends.netCDF4_").BaseNetCDF4Array
    assign, held = wrapper.__setitem__, []

    def assigned(self, key, values):
        held.append(hdf5_lock._depth)
        assign(self, key, values)

    monkeypatch.setattr(wrapper, "__setitem__", assigned)
    lazy = xr.Dataset({"t": xr.open_dataset(path, engine="biggus")["t"].variable})
    lazy.to_netcdf(tmp_path / "b.nc", engine=engine)
    assert held
    assert all(held)


@pytest.mark.filterwarnings("ignore")  # warnings of xarray and zarr
@pytest.mark.parametrize("suffix", ["zarr", "nc"])
def test_delayed_write_computes_nothing_before(tmp_path, suffix):
    pytest.importorskip("dask")
    pytest.importorskip("zarr")
    source = RecordingSource(ArraySource(VALUES))
    ds = xr.Dataset({"t": (("time", "y", "x"), biggus.ArrayAdapter(source))})
    write = {"zarr": ds.to_zarr, "nc": ds.to_netcdf}[suffix]
    delayed = write(tmp_path / f"a.{suffix}", compute=False)
    assert not source.boxes
    delayed.compute()
    found = xr.open_dataset(tmp_path / f"a.{suffix}", engine="biggus")
    np.testing.assert_array_equal(found["t"], VALUES)


@pytest.mark.filterwarnings("ignore")  # warnings of xarray and zarr
def test_zarr_regions_after_metadata(path, tmp_path):
    pytest.importorskip("dask")
    pytest.importorskip("zarr")
    ds = xr.open_dataset(path, engine="biggus")
    ds.to_zarr(tmp_path / "a.zarr", compute=False)
    for start in (4, 0):
        part = ds[["t"]].isel(time=slice(start, start + 4))
        part.to_zarr(tmp_path / "a.zarr", region="auto")
    found = xr.open_dataset(tmp_path / "a.zarr", engine="biggus")
    xr.testing.assert_equal(found.load(), ds.load())


@pytest.mark.parametrize("core", [[], ["t"]])
@pytest.mark.parametrize("masked", [False, True])
def test_apply_ufunc_gets_broadcast_blocks(core, masked):
    values = np.arange(24.0).reshape(2, 3, 4)
    line = np.ma.masked_less(np.arange(12.0).reshape(3, 4), 2 if masked else -1)
    whole = xr.DataArray(biggus.ArrayAdapter(values, chunks=(1, 2, 4)), dims=("y", "x", "t"))
    spread = xr.DataArray(biggus.ArrayAdapter(line), dims=("x", "t")).broadcast_like(whole)

    def joined(*blocks):
        assert len({block.shape for block in blocks}) == 1
        return np.concatenate([np.asarray(block)[None] for block in blocks]).sum(axis=0)

    dims = {"input_core_dims": [core, core], "output_core_dims": [core]}
    for first, second in ((whole, spread), (spread, whole), (spread, spread)):
        lazy = xr.apply_ufunc(
            joined, first, second, dask="parallelized", output_dtypes=["f8"], **dims
        )
        right = xr.apply_ufunc(joined, first.compute(), second.compute(), **dims)
        np.testing.assert_array_equal(lazy.compute().fillna(-1), right.fillna(-1))
