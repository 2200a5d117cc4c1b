"""Decoding of Zarr arrays that follow the CF conventions, compared with xarray if installed."""

from __future__ import annotations

import base64
import pickle
import shutil
import struct
import warnings

import numpy as np
import pytest

import biggus
from biggus.backends import files
from biggus.backends.location import Location
from biggus.backends.zarr.backend import ZarrBackend

zarr = pytest.importorskip("zarr")

FORMATS = pytest.mark.parametrize("zarr_format", [2, 3])


def write(path, data, zarr_format, attributes, fill_value=None):
    """Write the array ``v`` of a group as xarray does."""
    attributes = dict(attributes)
    dims = [f"d{axis}" for axis in range(np.ndim(data))]
    named = {}
    if zarr_format == 2:
        attributes["_ARRAY_DIMENSIONS"] = dims
    else:
        named["dimension_names"] = dims
    group = zarr.open_group(path, mode="w", zarr_format=zarr_format)
    array = group.create_array(
        "v", shape=data.shape, dtype=data.dtype, chunks=data.shape, fill_value=fill_value,
        attributes=attributes, **named,
    )  # fmt: skip
    array[...] = data
    return path


def in_base64(number):
    return base64.b64encode(struct.pack("<d", number)).decode()


def assert_masked(found, expected, mask):
    assert isinstance(found, np.ma.MaskedArray)
    np.testing.assert_array_equal(np.ma.getmaskarray(found), mask)
    np.testing.assert_array_equal(found.compressed(), np.asarray(expected)[~np.asarray(mask)])


@FORMATS
def test_packed_values_are_decoded(tmp_path, zarr_format):
    data = np.array([[0, 1, -32767], [-9, 300, 7]], "i2")
    packing = {"scale_factor": 0.01, "add_offset": 273.15}
    if zarr_format == 3:
        packing["_FillValue"] = -9
    fill = -9 if zarr_format == 2 else None
    path = write(tmp_path / "a.zarr", data, zarr_format, {"units": "K", **packing}, fill)
    lazy = biggus.open(path, "v")
    assert lazy.dtype == "f8"
    # -32767 is the default fill value of netCDF; in Zarr it is an ordinary value.
    assert_masked(lazy.masked_array(), data * 0.01 + 273.15, data == -9)
    assert_masked(pickle.loads(pickle.dumps(lazy)).masked_array(), data * 0.01 + 273.15, data == -9)
    raw = biggus.open(path, "v", decode=False)
    assert raw.dtype == "i2"
    assert not raw.masked
    np.testing.assert_array_equal(raw.ndarray(), data)


@FORMATS
def test_packed_without_a_fill_value(tmp_path, zarr_format):
    data = np.array([0, 1, -32767], "i2")
    path = write(tmp_path / "a.zarr", data, zarr_format, {"scale_factor": 0.5})
    lazy = biggus.open(path, "v")
    assert lazy.dtype == "f8"
    assert not lazy.masked
    np.testing.assert_array_equal(lazy.ndarray(), data * 0.5)


@FORMATS
@pytest.mark.parametrize("fill", [np.nan, -999.0, 1e20])
@pytest.mark.parametrize("dtype", ["f4", "f8", ">f4"])
def test_floats_with_a_fill_value(tmp_path, zarr_format, fill, dtype):
    data = np.array([1.5, fill, 9.969209968386869e36, 0], dtype)
    attributes = {"_FillValue": in_base64(fill)} if zarr_format == 3 else {}
    path = tmp_path / "a.zarr"
    write(path, data, zarr_format, attributes, fill if zarr_format == 2 else np.nan)
    lazy = biggus.open(path, "v")
    assert_masked(lazy.masked_array(), data, [False, True, False, False])
    np.testing.assert_array_equal(lazy.masked_array().fill_value, np.dtype(dtype).type(fill))
    np.testing.assert_array_equal(biggus.open(path, "v", decode=False).ndarray(), data)


@pytest.mark.parametrize("fill", ["NaN", -999.0, -999, [-999]])
def test_fill_values_not_encoded_like_xarray(tmp_path, fill):
    number = np.nan if fill == "NaN" else -999
    data = np.array([1, number], "f4")
    path = write(tmp_path / "a.zarr", data, 3, {"_FillValue": fill})
    assert_masked(biggus.open(path, "v").masked_array(), data, [False, True])


@pytest.mark.parametrize("fill", ["no base64!", "AAAA", {"a": 1}, None, 1e300, [0, "x"]])
@FORMATS
def test_nonsensical_fill_values_are_ignored(tmp_path, zarr_format, fill):
    data = np.array([1, 2, np.inf], "f4")
    path = write(tmp_path / "a.zarr", data, zarr_format, {"_FillValue": fill})
    np.testing.assert_array_equal(biggus.open(path, "v").ndarray(), data)


@FORMATS
def test_complex_fill_value(tmp_path, zarr_format):
    data = np.array([1 + 2j, -9 + 1j], "c8")
    v3 = zarr_format == 3
    attributes = {"_FillValue": [in_base64(-9.0), in_base64(1.0)]} if v3 else {}
    path = write(tmp_path / "a.zarr", data, zarr_format, attributes, None if v3 else -9 + 1j)
    assert_masked(biggus.open(path, "v").masked_array(), data, [False, True])


@FORMATS
def test_characters(tmp_path, zarr_format):
    data = np.array([b"a", b"x", b""], "S1")
    encoded = base64.b64encode(b"x").decode()
    attributes, fill = ({}, b"x") if zarr_format == 2 else ({"_FillValue": encoded}, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # S1 has no specification in format 3
        path = write(tmp_path / "a.zarr", data, zarr_format, attributes, fill)
    assert_masked(biggus.open(path, "v").masked_array(), data, [False, True, False])


@FORMATS
def test_unsigned(tmp_path, zarr_format):
    data = np.array([0, -1, -2, 127], "i1")
    v3 = zarr_format == 3
    attributes = {"_Unsigned": "true", **({"_FillValue": -1} if v3 else {})}
    path = write(tmp_path / "a.zarr", data, zarr_format, attributes, None if v3 else -1)
    lazy = biggus.open(path, "v")
    assert lazy.dtype == "u1"
    assert_masked(lazy.masked_array(), [0, 255, 254, 127], [False, True, False, False])


@FORMATS
def test_bounds_and_missing_value(tmp_path, zarr_format):
    data = np.array([0.05, 0.1, 1, 5, 1e20], "f4")
    attributes = {"valid_min": 0.1, "valid_max": 2, "missing_value": 1e20}
    path = write(tmp_path / "a.zarr", data, zarr_format, attributes)
    assert_masked(biggus.open(path, "v").masked_array(), data, [True, False, False, True, True])


def test_fill_value_attribute_overrides_that_of_format_2(tmp_path):
    data = np.array([0, -9, 1], "i4")
    path = write(tmp_path / "a.zarr", data, 2, {"_FillValue": -9}, 0)
    assert_masked(biggus.open(path, "v").masked_array(), data, [False, True, False])


def test_integer_fill_value_of_format_2_with_xarray_dims(tmp_path):
    data = np.array([0, 7, 1], "i4")
    path = write(tmp_path / "a.zarr", data, 2, {}, 7)
    assert_masked(biggus.open(path, "v").masked_array(), data, [False, True, False])


@FORMATS
@pytest.mark.parametrize(
    ("dtype", "fill"),
    [("i2", 0), ("i2", -32767), ("f4", 0), ("f2", 0), ("f4", np.nan), ("f8", 7), ("u1", 255)],
)
def test_arrays_without_conventions_match_zarr_python(tmp_path, zarr_format, dtype, fill):
    data = np.array([1, fill, 3], dtype)
    path = tmp_path / "a.zarr"
    array = zarr.create_array(
        path, shape=(6,), chunks=(3,), dtype=dtype, fill_value=fill, zarr_format=zarr_format,
        attributes={"units": "K", "long_name": "temperature"},
    )  # fmt: skip
    array[:3] = data
    lazy = biggus.open(path)
    assert not lazy.masked
    assert lazy.dtype == array.dtype
    np.testing.assert_array_equal(lazy.ndarray(), array[...])
    source = ZarrBackend().open(Location(path), "/")
    assert source.conventions is None
    assert source.attributes == {"units": "K", "long_name": "temperature"}


def test_fill_value_of_format_3_does_not_mask(tmp_path):
    data = np.array([0, 7, 1], "i2")
    path = write(tmp_path / "a.zarr", data, 3, {"scale_factor": 2.0}, 7)
    lazy = biggus.open(path, "v")
    assert not lazy.masked
    np.testing.assert_array_equal(lazy.ndarray(), [0, 14, 2])


@pytest.mark.parametrize("in_memory", [False, True])
def test_adopted_arrays_are_not_decoded(tmp_path, in_memory):
    data = np.array([0, -9, 1], "i2")
    store = zarr.storage.MemoryStore() if in_memory else tmp_path / "a.zarr"
    write(store, data, 2, {"scale_factor": 0.5}, -9)
    lazy = biggus.ArrayAdapter(zarr.open_group(store, mode="r")["v"])
    assert lazy.dtype == "i2"
    assert not lazy.masked
    np.testing.assert_array_equal(lazy.ndarray(), data)
    if not in_memory:
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(lazy)).ndarray(), data)


@FORMATS
def test_deleted_store_is_decoded_from_the_cache(tmp_path, monkeypatch, zarr_format):
    monkeypatch.setattr(files, "SETTLED_SECONDS", -1.0)  # trust files that were just written
    data = np.array([0, -9, 1, -32767], "i2")
    v3 = zarr_format == 3
    attributes = {"scale_factor": 0.01, **({"_FillValue": -9} if v3 else {})}
    path = write(tmp_path / "a.zarr", data, zarr_format, attributes, None if v3 else -9)
    cache = biggus.Cache(tmp_path / "cache")
    before = biggus.open(path, "v", cache=cache).masked_array()
    raw = biggus.open(path, "v", cache=cache, decode=False).ndarray()
    shutil.rmtree(path)
    after = biggus.open(path, "v", cache=cache)
    assert after.dtype == before.dtype
    assert_masked(after.masked_array(), data * 0.01, data == -9)
    assert_masked(before, data * 0.01, data == -9)
    found = biggus.open(path, "v", cache=cache, decode=False).ndarray()
    np.testing.assert_array_equal(found, raw)
    np.testing.assert_array_equal(found, data)


def test_masked_values_survive_the_command_line(tmp_path):
    netcdf4 = pytest.importorskip("netCDF4")
    from biggus.cli import main

    with netcdf4.Dataset(tmp_path / "masked.nc", "w") as dataset:
        dataset.createDimension("x", 4)
        dataset.createVariable("t", "i2", ("x",), fill_value=-9)[:] = np.ma.array(
            [1, 2, 3, -32767], mask=[0, 1, 0, 0]
        )
    assert main(["get", str(tmp_path / "masked.nc"), "t", "-o", str(tmp_path / "o.zarr")]) == 0
    lazy = biggus.open(tmp_path / "o.zarr", "t")
    assert lazy.dtype == "i2"
    assert_masked(lazy.masked_array(), [1, 2, 3, -32767], [False, True, False, False])


ENCODINGS = {
    "packed": {"dtype": "i2", "scale_factor": 0.01, "add_offset": 273.15, "_FillValue": -32768},
    "packed at the default fill": {"dtype": "i2", "scale_factor": 0.1, "_FillValue": -32767},
    "packed in i4": {"dtype": "i4", "scale_factor": 0.001, "add_offset": 250.0, "_FillValue": -1},
    "packed by float32": {"dtype": "i2", "scale_factor": np.float32(0.01), "_FillValue": -1},
    "scaled by integers": {"dtype": "i2", "scale_factor": 2, "add_offset": 270, "_FillValue": -1},
    "missing_value": {"dtype": "i2", "scale_factor": 0.01, "missing_value": -32768},
    "unsigned": {"dtype": "i1", "_Unsigned": "true", "scale_factor": 2.0, "_FillValue": -1},
    "NaN": {"dtype": "f4"},
    "-999": {"dtype": "f4", "_FillValue": -999.0},
    "1e20": {"dtype": "f4", "_FillValue": np.float32(1e20)},
    "f8": {"dtype": "f8", "_FillValue": -999.9},
    "none": {"dtype": "f4", "_FillValue": None},
}


@FORMATS
@pytest.mark.parametrize("name", ENCODINGS)
def test_decodes_like_xarray(tmp_path, zarr_format, name):
    xarray = pytest.importorskip("xarray")
    rng = np.random.default_rng(1)
    values = rng.uniform(270, 300, (5, 7))
    values[2, 3] = values[4, 0] = np.nan
    if name == "none":
        values = np.nan_to_num(values)
    dataset = xarray.Dataset(
        {
            "v": (("y", "x"), values, {"units": "K"}),
            "counts": ("y", np.array([0, 1, -2147483647, 7, -1], "i4")),
            "days": ("y", np.array([0, 1, 2, 3, 4], "i8"), {"units": "days since 2000-01-01"}),
        },
        coords={"x": np.arange(7.0)},
    )
    path = tmp_path / "a.zarr"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        encoding = {"v": ENCODINGS[name]}
        dataset.to_zarr(path, zarr_format=zarr_format, encoding=encoding, consolidated=False)
        by_xarray = xarray.open_zarr(path, decode_times=False, consolidated=False)
        raw = xarray.open_zarr(path, decode_times=False, consolidated=False, mask_and_scale=False)
    for variable in ("v", "counts", "days", "x"):
        expected, found = by_xarray[variable].values, biggus.open(path, variable)
        if found.masked:
            assert np.isnan(expected[found.masked_array().mask]).all()
        assert found.dtype == expected.dtype or found.dtype == raw[variable].dtype or "int" in name
        decoded = found.masked_array().astype("f8").filled(np.nan)
        ulp = np.spacing(np.abs(np.nan_to_num(expected)).astype(expected.dtype))
        assert np.array_equal(np.isnan(decoded), np.isnan(expected))
        assert (np.abs(np.nan_to_num(decoded - expected)) <= ulp).all()
        stored = biggus.open(path, variable, decode=False).ndarray()
        assert stored.dtype == raw[variable].dtype
        np.testing.assert_array_equal(stored, raw[variable].values)
