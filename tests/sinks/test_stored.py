"""Packed values are saved in their packing, to the bit; computed values are saved unpacked."""

from __future__ import annotations

import numpy as np
import pytest

import biggus
from biggus.testing import assert_same

netCDF4 = pytest.importorskip("netCDF4")
h5py = pytest.importorskip("h5py")
zarr = pytest.importorskip("zarr")
xr = pytest.importorskip("xarray")

TARGETS = ["out.nc", "out.zarr", "out.h5"]

PACKED = np.array([[-7, 0, 3, 9], [2, -9, 5, 30000], [1, 1, -32767, 4]], "i2")

PACKINGS = {
    "double": {"scale_factor": 0.01, "add_offset": 273.15, "_FillValue": np.int16(-9)},
    "single": {"scale_factor": np.float32(0.01), "add_offset": np.float32(2)},
    "mixed": {"scale_factor": np.float32(0.1), "add_offset": 2.0, "_FillValue": np.int16(9)},
    "missing": {"missing_value": np.array([3, 9], "i2"), "valid_range": np.array([-8, 8], "i2")},
    "unsigned": {"_Unsigned": "true", "_FillValue": np.int16(-7), "scale_factor": 2.0},
    "plain": {"units": "K"},
}


def write(path, attributes, packed=PACKED):
    with netCDF4.Dataset(path, "w") as file:
        for name, n in zip("yx", packed.shape, strict=True):
            file.createDimension(name, n)
        for name, values in {"v": packed, "x": np.arange(4, dtype="i2")}.items():
            own_attributes = (
                dict(attributes) if name == "v" else {"scale_factor": 0.5, "add_offset": 10.0}
            )
            fill = own_attributes.pop("_FillValue", None)
            dims = ("y", "x")[-values.ndim :]
            each = file.createVariable(name, values.dtype, dims, fill_value=fill)
            each.set_auto_maskandscale(False)
            each.setncatts(own_attributes)
            each[...] = values
    return path


def raw(path):
    return biggus.open(path, "v", decode=False).ndarray()


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("target", TARGETS)
def test_packing_is_kept(tmp_path, packing, target):
    source = write(tmp_path / "in.nc", PACKINGS[packing])
    array, path = biggus.open(source, "v"), tmp_path / target
    for key in (np.s_[:], np.s_[::-1, 1], np.s_[[2, 0]]):
        biggus.save(array[key], f"{path}::v", overwrite=True)
        assert_same(biggus.open(path, "v").masked_array(), array[key].masked_array())
        widths = target == "out.zarr" and packing == "mixed"  # JSON numbers have no dtype
        if not widths:
            assert_same(raw(path), PACKED[key])
    biggus.save(array, f"{path}::v", overwrite=True, pack=False)
    assert_same(biggus.open(path, "v").masked_array(), array.masked_array())
    assert raw(path).dtype == array.dtype
    # Copies of the copy keep it, too.
    biggus.save(array, f"{path}::v", overwrite=True)
    for number, further in enumerate(TARGETS):
        place = tmp_path / f"{number}-{further}"
        biggus.save(biggus.open(path, "v"), f"{place}::v")
        again = biggus.open(place, "v").masked_array()
        np.testing.assert_array_equal(again, array.masked_array())
        assert again.dtype == array.dtype


@pytest.mark.filterwarnings("ignore:saving variable")  # of older xarray
@pytest.mark.parametrize("packing", ["double", "unsigned"])
def test_packed_values_match_xarray(tmp_path, packing):
    source = write(tmp_path / "in.nc", PACKINGS[packing])
    biggus.save(biggus.open(source, "v"), tmp_path / "own.nc::v")
    with xr.open_dataset(source, engine="netcdf4") as ds:
        ds.to_netcdf(tmp_path / "other.nc", engine="netcdf4")
    with netCDF4.Dataset(tmp_path / "own.nc") as own, netCDF4.Dataset(tmp_path / "other.nc") as it:
        for name in "vx":
            for file in (own, it):
                file[name].set_auto_maskandscale(False)
            assert_same(own[name][...], it[name][...])
            assert own[name].scale_factor == it[name].scale_factor
        assert own["v"].__dict__ == it["v"].__dict__


def test_joined_and_rechunked_arrays_stay_packed(tmp_path):
    paths = [
        write(tmp_path / f"{n}.nc", PACKINGS["double"], PACKED + np.int16(n)) for n in range(3)
    ]
    joined = biggus.LinearMosaic([biggus.open(path, "v") for path in paths], 0)
    path = tmp_path / "out.zarr"
    biggus.save(joined.T.rechunk((2, 9)), f"{path}::v")
    assert_same(raw(path), np.concatenate([PACKED + np.int16(n) for n in range(3)]).T)
    assert biggus.open(path, "v").grid == (2, 9)
    # Arrays of different packings are saved unpacked.
    paths[1] = write(tmp_path / "other.nc", PACKINGS["single"])
    joined = biggus.LinearMosaic([biggus.open(path, "v") for path in paths], 0)
    biggus.save(joined, f"{path}::v", overwrite=True)
    assert_same(biggus.open(path, "v").masked_array(), joined.masked_array())
    assert raw(path).dtype == np.float64


def test_computed_values_are_saved_unpacked(tmp_path):
    array = biggus.open(write(tmp_path / "in.nc", PACKINGS["double"]), "v")
    computed = [array + 0, array.filled(0), array.astype("f4"), array.max(0)]
    places = [tmp_path / f"{n}.nc" for n in range(4)]
    biggus.save(computed, [f"{place}::v" for place in places])
    for each, place in zip(computed, places, strict=True):
        assert raw(place).dtype == each.dtype
        assert_same(biggus.open(place, "v").masked_array(), np.ma.asarray(each.masked_array()))
    into = np.empty(array.shape)
    biggus.save(array.filled(0), into)
    assert_same(into, array.masked_array().filled(0))


def test_booleans_stay_booleans(tmp_path):
    path = tmp_path / "flags.nc"
    biggus.save(biggus.ArrayAdapter(np.array([True, False])), f"{path}::v")
    biggus.save(biggus.open(path, "v"), tmp_path / "flags.zarr::v")
    assert zarr.open_group(tmp_path / "flags.zarr", mode="r")["v"].dtype == bool


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("order", [1, -1])
def test_marker_that_only_some_joined_files_name_is_named(tmp_path, target, order):
    packed = np.array([[1, 255, 3, 4]], "u1")
    packings = [{"scale_factor": 2.0, "_FillValue": np.uint8(255)}, {"scale_factor": 2.0}]
    for n, packing in enumerate(packings[::order]):
        write(tmp_path / f"{n}.nc", packing, packed)
    joined = biggus.open_many(tmp_path / "?.nc", "v")
    biggus.save(joined, f"{tmp_path / target}::v")
    expected = joined.masked_array()
    assert expected.mask.sum() == 2
    saved = biggus.open(tmp_path / target, "v")
    assert np.ma.allequal(saved.masked_array(), expected)
    assert np.array_equal(saved.masked_array().mask, expected.mask)
    about = biggus.info(tmp_path / target)["groups"][""]["variables"]["v"]
    assert "_FillValue" in about["attributes"]
