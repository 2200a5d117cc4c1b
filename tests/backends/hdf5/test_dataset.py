"""Packed HDF5 datasets are decoded by their attributes, as by netCDF4-python."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import biggus
from biggus.backends.hdf5.backend import HDF5Backend
from biggus.backends.location import Location

h5py = pytest.importorskip("h5py")
netCDF4 = pytest.importorskip("netCDF4")

# None of these is a default fill value of netCDF; biggus ignores those in HDF5.
INTEGERS = np.array([[0, 1, 2], [7, 100, 5]])
PACKINGS = {
    "fill": {"_FillValue": 7},
    "missing": {"missing_value": 5},
    "both": {"_FillValue": 7, "missing_value": np.array([1, 100])},
    "scale": {"scale_factor": np.float32(0.5)},
    "offset": {"add_offset": 273.15},
    "packed": {"_FillValue": 7, "scale_factor": 0.01, "add_offset": -1.0},
    "minimum": {"valid_min": 2},
    "maximum": {"valid_max": 50},
    "range": {"valid_range": np.array([1, 7])},
    "unsigned": {"_Unsigned": "true", "_FillValue": 7},
}


def write(path, values, attributes, scales, wrapped=False):
    with h5py.File(path, "w", track_order=True) as file:
        dataset = file.create_dataset("g/v", data=values)
        for name, value in attributes.items():
            number = np.asarray(value)
            if number.dtype.kind == "i":
                number = number.astype(values.dtype)
            text = number.dtype.kind == "U"
            dataset.attrs[name] = value if text else np.atleast_1d(number) if wrapped else number
        if scales:
            for axis, name in enumerate("yx"):
                scale = file.create_dataset(f"g/{name}", data=np.arange(values.shape[axis]))
                scale.make_scale(name)
                dataset.dims[axis].attach_scale(scale)
    return path


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", ">i4", "u8", "f4", ">f8"])
@pytest.mark.parametrize("packing", PACKINGS)
def test_decodes_like_netcdf4_python(tmp_path, packing, dtype):
    values = INTEGERS.astype(dtype)
    if packing == "unsigned" and values.dtype.kind == "i":
        values[0, 0] = -3
    path = write(tmp_path / "a.h5", values, PACKINGS[packing], scales=True)
    with netCDF4.Dataset(path) as dataset:
        expected = dataset["g/v"][...]
    lazy = biggus.open(path, "g/v")
    got = lazy.masked_array()
    assert lazy.dtype == got.dtype == expected.dtype.newbyteorder(got.dtype.byteorder)
    mask = np.ma.getmaskarray(expected)
    np.testing.assert_array_equal(np.ma.getmaskarray(got), mask)
    np.testing.assert_array_equal(got.data[~mask], expected.data[~mask])
    np.testing.assert_array_equal(biggus.open(path, "g/v", decode=False).ndarray(), values)


@pytest.mark.parametrize("scales", [False, True])
@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("packing", PACKINGS)
def test_decoding_by_open_open_many_and_pickles(tmp_path, packing, scales, wrapped):
    values = INTEGERS.astype("i2")
    attributes = PACKINGS[packing]
    paths = [
        write(tmp_path / f"{name}.h5", values, attributes, scales, wrapped and packing != "both")
        for name in "ab"
    ]
    decode = biggus.open(paths[0], "g/v", decode=True)
    expected = decode.masked_array()
    assert expected.dtype != values.dtype or decode.masked or packing == "unsigned"
    joined = biggus.open_many(tmp_path / "?.h5", "g/v")
    for lazy in (biggus.open(paths[0], "g/v"), joined[:2], pickle.loads(pickle.dumps(decode))):
        got = lazy.masked_array()
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(np.ma.getmaskarray(got), np.ma.getmaskarray(expected))
        np.testing.assert_array_equal(got.compressed(), expected.compressed())
    raw = biggus.open(paths[0], "g/v", decode=False)
    assert not raw.masked
    np.testing.assert_array_equal(raw.ndarray(), values)


def test_adopted_dataset_is_not_decoded(tmp_path):
    values = INTEGERS.astype("i2")
    path = write(tmp_path / "a.h5", values, PACKINGS["packed"], scales=True)
    with h5py.File(path) as file:
        lazy = biggus.ArrayAdapter(file["g/v"])
        assert not lazy.masked
        np.testing.assert_array_equal(lazy.ndarray(), values)
        again = pickle.loads(pickle.dumps(lazy))
        assert not again.masked
        np.testing.assert_array_equal(again.ndarray(), values)


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
@pytest.mark.parametrize("attributes", [{}, {"units": "K"}, {"scale_factor": 2.0}])
def test_default_fill_values_of_netcdf_are_ignored(tmp_path, dtype, attributes):
    default = netCDF4.default_fillvals[dtype]
    values = np.array([[0, default]], dtype)
    path = write(tmp_path / "a.h5", values, attributes, scales=True)
    lazy = biggus.open(path, "g/v")
    assert not lazy.masked
    np.testing.assert_array_equal(lazy.ndarray(), values * attributes.get("scale_factor", 1))
    source = HDF5Backend().open(Location(path), "g/v")
    assert source.conventions == ("CF-HDF5" if "scale_factor" in attributes else None)


@pytest.mark.parametrize("decode", [False, True])
def test_cache_stores_raw_values(tmp_path, decode, settled):
    values = INTEGERS.astype("i2")
    path = write(tmp_path / "a.h5", values, PACKINGS["packed"], scales=False)
    cache = biggus.Cache(tmp_path / "cache")
    expected = biggus.open(path, "g/v").masked_array()
    biggus.open(path, "g/v", cache=cache, decode=not decode).masked_array()
    got = biggus.open(path, "g/v", cache=cache, decode=decode).masked_array()
    path.unlink()
    after_deletion = biggus.open(path, "g/v", cache=cache, decode=decode).masked_array()
    for found in (got, after_deletion):
        if decode:
            np.testing.assert_array_equal(found.mask, expected.mask)
            np.testing.assert_array_equal(found.compressed(), expected.compressed())
        else:
            np.testing.assert_array_equal(found.filled(), values)


def test_nonsensical_attributes_are_ignored(tmp_path):
    values = np.array([b"ab", b"c"])
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, data in (("s", values), ("i", np.arange(2)), ("r", np.zeros(2, "i4,f8"))):
            dataset = file.create_dataset(name, data=data)
            dataset.attrs["_FillValue"] = "none"
            dataset.attrs["scale_factor"] = np.array([1.0, 2.0])
    for name in "sir":
        lazy = biggus.open(tmp_path / "a.h5", name)
        with h5py.File(tmp_path / "a.h5") as file:
            assert lazy.ndarray().tolist() == file[name][...].tolist()
