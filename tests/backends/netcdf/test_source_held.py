"""Sources adopted from netCDF4 variables: read through the user's handle, by the user's flags."""

from __future__ import annotations

import pickle
import warnings

import netCDF4
import numpy as np
import pytest
from netcdf_makers import BACKEND, write, write_types

from biggus import cf
from biggus.backends.native import hdf5_lock
from biggus.errors import SourceError
from biggus.sources.base import read, whole

PACKED = np.array([[1, 2, -1], [7, 9, 200]], "i2")
ATTRIBUTES = {"scale_factor": np.float32(0.5), "add_offset": 10.0, "valid_max": np.int16(100)}


@pytest.fixture
def variable(tmp_path):
    path = write(tmp_path / "a.nc", PACKED, attributes=ATTRIBUTES, fill=-1)
    with netCDF4.Dataset(path) as dataset:
        yield dataset["v"]


@pytest.fixture
def types(tmp_path):
    with netCDF4.Dataset(write_types(tmp_path / "types.nc")) as dataset:
        yield dataset


def flags(variable):
    return variable.mask, variable.scale, variable.always_mask, variable.chartostring


@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("always_mask", [False, True])
def test_flags_select_masking_and_scaling(variable, mask, scale, always_mask):
    variable.set_auto_mask(mask)
    variable.set_auto_scale(scale)
    variable.set_always_mask(always_mask)
    before = flags(variable)
    source = BACKEND.adopt(variable)
    assert source.conventions == ("CF" if mask and scale else None)
    values = read(source, whole(source.shape))
    if mask == scale:
        np.testing.assert_array_equal(values, PACKED, strict=True)
    if mask and scale:
        values = cf.decoder(source.dtype, source.attributes)(values)
    expected = variable[:]
    assert values.dtype == expected.dtype
    assert isinstance(values, np.ma.MaskedArray) == mask
    np.testing.assert_array_equal(np.ma.getmaskarray(values), np.ma.getmaskarray(expected))
    np.testing.assert_array_equal(np.ma.filled(values, 0), np.ma.filled(expected, 0))
    assert flags(variable) == before


def test_flags_are_restored_when_reading_fails(variable, monkeypatch):
    source = BACKEND.adopt(variable)
    before = flags(variable)
    with pytest.raises(SourceError):
        read(source, (slice(0, 1, 1), slice(0, 3, 1), slice(0, 1, 1)))
    assert flags(variable) == before


def test_attributes_of_an_adopted_source(variable):
    source = BACKEND.adopt(variable)
    assert (source.shape, source.dtype, source.dims) == ((2, 3), "i2", ("d0", "d1"))
    assert source.token is None
    assert source.state() is None
    assert source.name.endswith("a.nc::v")
    assert source.attributes["scale_factor"].dtype == "f4"


def test_strings_follow_chartostring(types):
    assert BACKEND.adopt(types["text_utf-8"]).dtype == "U4"
    types["text_utf-8"].set_auto_chartostring(False)
    source = BACKEND.adopt(types["text_utf-8"])
    assert (source.shape, source.dtype) == ((3, 4), "S1")
    assert source[(slice(0, 1, 1), slice(0, 2, 1))].tolist() == [[b"a", b"b"]]


def test_every_type(types):
    for name, variable in types.variables.items():
        source = BACKEND.adopt(variable)
        if all(source.shape):
            values = read(source, whole(source.shape))
            assert values.shape == source.shape, name
    deep = BACKEND.adopt(types["outer/inner/deep"])
    assert deep.name.endswith("types.nc::outer/inner/deep")


def test_values_not_yet_on_disk():
    with netCDF4.Dataset("nowhere", "w", memory=1024) as dataset:
        dataset.createDimension("x", 3)
        variable = dataset.createVariable("v", "f4", ("x",))
        variable[:] = [1, 2, 3]
        source = BACKEND.adopt(variable)
        variable[1] = 9
        assert read(source, whole(source.shape)).tolist() == [1, 9, 3]


def test_closed_dataset_raises(tmp_path):
    first = write(tmp_path / "a.nc", PACKED, format="NETCDF3_CLASSIC")
    second = write(tmp_path / "b.nc", PACKED + 1, format="NETCDF3_CLASSIC")
    dataset = netCDF4.Dataset(first)
    variable = dataset["v"]
    source = BACKEND.adopt(variable)
    dataset.close()
    # The library reuses the number of the first file for the second.
    with netCDF4.Dataset(second) as other:
        assert other["v"].shape == (2, 3)
        with pytest.raises(SourceError, match="its dataset was closed") as error:
            read(source, whole(source.shape))
        assert source.name in str(error.value)
        with pytest.raises(SourceError, match="its dataset was closed"):
            BACKEND.adopt(variable)


def test_adopted_source_cannot_be_pickled(variable):
    with pytest.raises(pickle.PicklingError, match=r"use biggus\.open"):
        pickle.dumps(BACKEND.adopt(variable))


def test_multi_file_dataset_raises(tmp_path):
    paths = [tmp_path / "a.nc", tmp_path / "b.nc"]
    for path in paths:
        write(path, PACKED, format="NETCDF3_CLASSIC", unlimited=True)
    with netCDF4.MFDataset([str(path) for path in paths]) as dataset:
        with pytest.raises(TypeError, match=r"biggus\.open_many"):
            BACKEND.adopt(dataset["v"])
        with pytest.raises(TypeError, match="give one of its variables"):
            BACKEND.adopt(dataset)


def test_other_objects_are_not_adopted(types):
    assert BACKEND.adopt(types.dimensions["x"]) is None
    assert BACKEND.adopt(object()) is None


def test_nonsensical_attributes_do_not_warn(tmp_path):
    # netCDF4-python warns of each of these; biggus ignores them.
    attributes = {"scale_factor": "two", "missing_value": "none", "valid_min": 0.5}
    path = write(tmp_path / "a.nc", PACKED, attributes=attributes)
    with warnings.catch_warnings(), hdf5_lock, netCDF4.Dataset(path) as dataset:
        warnings.simplefilter("error")
        source = BACKEND.adopt(dataset["v"])
        values = cf.decoder(source.dtype, source.attributes)(read(source, whole(source.shape)))
    assert values.tolist() == PACKED.tolist()
