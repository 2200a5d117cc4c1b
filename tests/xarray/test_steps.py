"""Functions applied by xarray: decoding functions have keys, so results of them are kept."""

from __future__ import annotations

import functools

import numpy as np
import pytest

pytest.importorskip("netCDF4")
xr = pytest.importorskip("xarray")

import biggus
import biggus.xarray
from biggus.expressions.names import call_of


@pytest.fixture
def dataset(tmp_path, monkeypatch):
    """Open a packed variable with missing values, with a cache."""
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


def test_results_of_user_functions_are_not_kept(dataset):
    mapped = xr.apply_ufunc(lambda block: block * 2, dataset["v"], dask="parallelized")
    mapped.mean("y").load()
    assert mapped.mean("y").biggus.plan().read_bytes > 0


def key_of(function, **keywords):
    return call_of(functools.partial(function, **keywords), ["#0"], {})


def test_keys_depend_on_arguments():
    from xarray.coding import variables

    apply_mask = variables._apply_mask
    given = {"encoded_fill_values": {np.int16(-9)}, "decoded_fill_value": np.nan, "dtype": float}
    names = [
        key_of(apply_mask, **given),
        key_of(apply_mask, **{**given, "encoded_fill_values": {np.int16(-9), np.int16(-8)}}),
        key_of(apply_mask, **{**given, "encoded_fill_values": {np.int32(-9)}}),
        key_of(apply_mask, **{**given, "dtype": np.float32}),
        key_of(np.asarray, dtype=np.dtype("u2")),
        key_of(np.asarray, dtype=np.dtype("u1")),
    ]
    assert None not in names
    assert len(set(names)) == len(names)
    assert key_of(apply_mask, **given) == names[0]


@pytest.mark.parametrize(
    "unknown", [np.array([dict]), [1], lambda: 1], ids=["objects", "list", "code"]
)
def test_unknown_arguments_and_functions_have_no_key(unknown):
    assert key_of(np.asarray, dtype=unknown) is None
    assert key_of(lambda block, dtype: block, dtype=np.dtype("f8")) is None
