"""Many files as one dataset: joined from records of the files as xarray joins the open files."""

from __future__ import annotations

import numpy as np
import pytest

import biggus
from biggus.datasets import recording

xr = pytest.importorskip("xarray")
netCDF4 = pytest.importorskip("netCDF4")

import biggus.xarray

JOINED = {"data_vars": "minimal", "coords": "minimal", "compat": "override"}
JOINED |= {"combine_attrs": "override", "join": "override"}


@pytest.fixture(autouse=True)
def no_remembered_records(monkeypatch):
    monkeypatch.setattr(recording, "remembered", type(recording.remembered)())
    # Records of younger files are not remembered, as such files may change unnoticed.
    monkeypatch.setattr(biggus.backends.files, "SETTLED_SECONDS", 0.0)


def part(start, days=2, units=None):
    time = np.datetime64(start, "ns") + np.arange(days) * np.timedelta64(1, "D")
    number = int(start[8:10])
    ds = xr.Dataset(
        {
            "t": (("time", "x"), number + np.arange(3.0 * days).reshape(days, 3), {"units": "K"}),
            "packed": (("time", "x"), np.arange(3.0 * days).reshape(days, 3) * 0.5),
            "mask": (("x",), np.array([1, 0, number])),
        },
        {"time": time, "x": [1.0, 2.0, 4.0], "height": 2.5},
        {"title": f"part {number}"},
    )
    ds["packed"].encoding = {"dtype": "i2", "scale_factor": 0.5, "_FillValue": np.int16(-99)}
    if units:
        ds["time"].encoding["units"] = units
    return ds


def written(folder, parts, **keywords):
    paths = []
    for number, ds in enumerate(parts):
        paths.append(folder / f"{number}.nc")
        ds.to_netcdf(paths[-1], engine="netcdf4", **keywords)
    return paths


def joined_by_xarray(paths, **keywords):
    parts = [xr.open_dataset(path, engine="netcdf4").load() for path in paths]
    for each in parts:
        each.close()
    if "concat_dim" in keywords:
        return xr.combine_nested(parts, **keywords, **JOINED)
    return xr.combine_by_coords(parts, **JOINED)


def forbid_xarray_combine(monkeypatch):
    """Make the test fail if xarray combines the datasets."""

    def refuse(*_, **__):
        raise AssertionError("xarray joined")

    monkeypatch.setattr(xr, "combine_nested", refuse)
    monkeypatch.setattr(xr, "combine_by_coords", refuse)


STARTS = ["2001-01-01", "2001-01-03", "2001-01-05"]


@pytest.mark.parametrize("units", [None, "days since 2000-01-01"])
@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
def test_join_by_coordinates_matches_combine_by_coords(tmp_path, monkeypatch, units, order):
    paths = written(tmp_path, [part(STARTS[n], units=units) for n in order])
    right = joined_by_xarray(paths)
    forbid_xarray_combine(monkeypatch)
    for _ in range(2):
        ds = biggus.xarray.open(paths)
        assert all(not ds[name].variable._in_memory for name in ("t", "packed"))
        xr.testing.assert_identical(ds.load(), right)


def test_concat_dim_joins_in_the_given_order(tmp_path, monkeypatch):
    paths = written(tmp_path, [part(STARTS[n], days=1 + n) for n in (2, 0, 1)])
    right = joined_by_xarray(paths, concat_dim="time")
    forbid_xarray_combine(monkeypatch)
    xr.testing.assert_identical(biggus.xarray.open(paths, concat_dim="time").load(), right)


def test_encodings_come_from_the_first_file(tmp_path):
    paths = written(tmp_path, [part(start) for start in STARTS])
    ds, first = biggus.xarray.open(paths), xr.open_dataset(paths[0], engine="biggus")
    for name, variable in ds.variables.items():
        assert variable.encoding == first.variables[name].encoding


UNLIKE = {
    "packing": lambda ds: ds["packed"].encoding.update(scale_factor=0.25),
    "dtype": lambda ds: ds["t"].encoding.update(dtype="f4"),
    "units": lambda ds: ds["time"].encoding.update(units="hours since 2001-01-01"),
    "names": lambda ds: (
        ds.attrs.update({"title": "another"}) or ds.update({"more": ("x", [1, 2, 3])})
    ),
}


@pytest.mark.parametrize("unlike", UNLIKE)
def test_files_that_disagree_are_joined_by_xarray(tmp_path, unlike):
    parts = [part(start) for start in STARTS]
    UNLIKE[unlike](parts[1])
    paths = written(tmp_path, parts)
    right = joined_by_xarray(paths, concat_dim="time")
    xr.testing.assert_equal(biggus.xarray.open(paths, concat_dim="time").load(), right)


@pytest.mark.parametrize("cached", [False, True])
def test_changed_file_is_noticed(tmp_path, monkeypatch, cached):
    paths = written(tmp_path, [part(start) for start in STARTS])
    cache = biggus.Cache(tmp_path / "cache") if cached else False
    before = biggus.xarray.open(paths, cache=cache)
    part(STARTS[1], days=1).to_netcdf(paths[1], engine="netcdf4")
    if cached:
        recording.remembered.clear()
    after = biggus.xarray.open(paths, cache=cache)
    assert (before.sizes["time"], after.sizes["time"]) == (6, 5)
    xr.testing.assert_identical(after.load(), joined_by_xarray(paths))
    with pytest.raises(biggus.BiggusError):
        before.load()


def test_second_open_from_cache_opens_no_file(tmp_path, monkeypatch):
    paths = written(tmp_path, [part(start) for start in STARTS])
    cache = biggus.Cache(tmp_path / "cache")
    right = biggus.xarray.open(paths, cache=cache)
    recording.remembered.clear()
    monkeypatch.setattr(netCDF4, "Dataset", None)
    again = biggus.xarray.open(paths, cache=cache)
    assert list(again.variables) == list(right.variables)
    assert again["time"].equals(right["time"])
    # Contiguous values are read without the netCDF4 library.
    values = again["t"].mean().item()
    monkeypatch.undo()
    assert values == right["t"].mean().item()


def test_cached_values_survive_deletion_of_a_file(tmp_path):
    paths = written(tmp_path, [part(start) for start in STARTS])
    cache = biggus.Cache(tmp_path / "cache")
    right = biggus.xarray.open(paths, cache=cache)["t"].values
    paths[1].unlink()
    gone = biggus.open(paths[1], "t", cache=cache, decode=False)
    assert gone.ndarray().tolist() == right[2:4].tolist()


@pytest.mark.parametrize("dtype", ["i4", "i8", "f4", "f8"])
def test_time_counts_move_to_another_reference_date(dtype):
    from biggus.datasets.joining import _moved
    from biggus.labels.times import time_units

    here, there = [time_units(f"hours since 2000-01-01 {n:02}:00") for n in (6, 0)]
    found = _moved(np.arange(3, dtype=dtype), here, there)
    assert found.dtype == dtype
    assert found.tolist() == [6, 7, 8]
    other = time_units("hours since 2000-01-01 00:30")
    assert (_moved(np.arange(3, dtype=dtype), other, there) is None) == (dtype[0] == "i")
    assert _moved(np.full(1, 2**30 + 1, dtype), here, there) is None or dtype[1] == "8"
    if dtype[0] == "f":
        assert _moved(np.array([0.1], dtype), here, there) is None
        assert _moved(np.array([np.nan], dtype), here, there) is None
