"""Functions that xarray applies: those that decode have a name, under which results are kept."""

from __future__ import annotations

import functools

import numpy as np
import pytest

pytest.importorskip("netCDF4")
xr = pytest.importorskip("xarray")

import biggus
import biggus.xarray
from biggus.xarray.steps import Mapped


@pytest.fixture
def dataset(tmp_path, monkeypatch):
    """A packed variable with missing values, opened with a cache in force."""
    monkeypatch.setattr("biggus.backends.files.SETTLED_SECONDS", -1.0)
    values = np.arange(4800.0).reshape(200, 24) / 4
    values[3, 5] = np.nan
    packing = {"dtype": "i2", "scale_factor": 0.25, "add_offset": 2.0, "_FillValue": -9}
    cut = {"chunksizes": (100, 24)}
    xr.Dataset({"v": (("y", "x"), values)}).to_netcdf(
        tmp_path / "a.nc", engine="netcdf4", encoding={"v": packing | cut}
    )
    with biggus.set_options(cache=biggus.Cache(tmp_path / "cache"), chunk_memory=0):
        yield biggus.xarray.open(tmp_path / "a.nc")


def test_results_of_decoded_values_are_kept(dataset):
    mean = dataset["v"].mean("y")
    expected = mean.values
    again = dataset["v"].mean("y")
    assert again.biggus.plan().read_bytes == 0
    np.testing.assert_array_equal(again.values, expected)


def test_results_of_a_users_function_are_not(dataset):
    mapped = xr.apply_ufunc(lambda block: block * 2, dataset["v"], dask="parallelized")
    mapped.mean("y").load()
    assert mapped.mean("y").biggus.plan().read_bytes > 0


def named(function, **keywords):
    return Mapped(functools.partial(function, **keywords), (None,), {}, np.dtype("f8")).key


def test_other_arguments_have_another_name():
    from xarray.coding import variables

    apply_mask = variables._apply_mask
    given = {"encoded_fill_values": {np.int16(-9)}, "decoded_fill_value": np.nan, "dtype": float}
    names = [
        named(apply_mask, **given),
        named(apply_mask, **{**given, "encoded_fill_values": {np.int16(-9), np.int16(-8)}}),
        named(apply_mask, **{**given, "encoded_fill_values": {np.int32(-9)}}),
        named(apply_mask, **{**given, "dtype": np.float32}),
        named(np.asarray, dtype=np.dtype("u2")),
        named(np.asarray, dtype=np.dtype("u1")),
    ]
    assert None not in names
    assert len(set(names)) == len(names)
    assert named(apply_mask, **given) == names[0]


@pytest.mark.parametrize("unknown", [np.arange(3), [1], lambda: 1], ids=["array", "list", "code"])
def test_unknown_arguments_and_functions_have_no_name(unknown):
    assert named(np.asarray, dtype=unknown) is None
    assert named(np.negative, dtype=np.dtype("f8")) is None
    assert named(lambda block, dtype: block, dtype=np.dtype("f8")) is None
