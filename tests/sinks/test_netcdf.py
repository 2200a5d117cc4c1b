"""Saving into netCDF4 variables: numbers, missing and packed values, strings."""

import numpy as np
import pytest

import biggus
from biggus.errors import MaskedValueError

netCDF4 = pytest.importorskip("netCDF4")

SHAPE = (7, 10)
NUMBERS = np.arange(70).reshape(SHAPE)


def values_of(dtype):
    return NUMBERS.astype(dtype)


def lazy(values, chunks=(3, 4)):
    return biggus.ArrayAdapter(values, chunks=chunks)


def missing(values):
    return np.ma.MaskedArray(values.copy(), mask=NUMBERS % 4 == 1)


@pytest.fixture
def dataset(tmp_path):
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as dataset:
        dataset.createDimension("y", 7)
        dataset.createDimension("x", 10)
        yield dataset


@pytest.mark.parametrize("dtype", ["i1", "u2", "i4", "i8", "f4", "f8"])
@pytest.mark.parametrize("chunks", [(2, 5), None])
def test_numbers(dataset, dtype, chunks):
    variable = dataset.createVariable("v", dtype, ("y", "x"), chunksizes=chunks)
    biggus.save(lazy(values_of(dtype).astype(f">{dtype}")), variable)
    assert np.array_equal(variable[...], values_of(dtype))


def test_unlimited_dimensions_grow(dataset):
    for name in ("t", "u"):
        dataset.createDimension(name, None)
    both = dataset.createVariable("both", "f8", ("t", "u"), chunksizes=(2, 5))
    first = dataset.createVariable("first", "f8", ("t", "x"))
    last = dataset.createVariable("last", "f8", ("y", "u"))
    for variable in (both, first, last):
        biggus.save(lazy(NUMBERS), variable)
        assert np.array_equal(variable[...], NUMBERS)
    for shape in ((6, 10), (8, 9), (8,), (8, 10, 1)):
        with pytest.raises(ValueError, match="does not fit"):
            biggus.save(biggus.zeros(shape), first)
    biggus.save(biggus.ones((9, 10)), first)
    assert np.array_equal(first[...], np.ones((9, 10)))


def test_scalar(dataset):
    variable = dataset.createVariable("v", "f8", ())
    biggus.save(lazy(NUMBERS).sum() * 1.0, variable)
    assert variable[...] == NUMBERS.sum()


@pytest.mark.parametrize("fill", [None, -9])
def test_missing_values(dataset, fill):
    variable = dataset.createVariable("v", "i4", ("y", "x"), fill_value=fill)
    biggus.save(lazy(missing(NUMBERS)).astype("i4"), variable)
    found = variable[...]
    assert np.array_equal(np.ma.getmaskarray(found), missing(NUMBERS).mask)
    assert np.array_equal(found.compressed(), missing(NUMBERS).compressed())


def test_missing_bytes_need_a_fill_value(dataset):
    variable = dataset.createVariable("v", "i1", ("y", "x"))
    with pytest.raises(MaskedValueError):
        biggus.save(lazy(missing(values_of("i1"))), variable)


def test_packed_values(dataset):
    variable = dataset.createVariable("v", "i2", ("y", "x"), fill_value=-99)
    variable.scale_factor = 0.5
    variable.add_offset = 10.0
    values = missing(NUMBERS / 2)
    biggus.save(lazy(values), variable)
    found = variable[...]
    assert np.array_equal(np.ma.getmaskarray(found), values.mask)
    assert np.array_equal(found.compressed(), values.compressed())
    variable.set_auto_scale(False)
    assert variable[0, 0] == -20


def test_floats_into_a_variable_without_auto_scale_raise(dataset):
    variable = dataset.createVariable("v", "i2", ("y", "x"))
    variable.scale_factor = 0.5
    variable.set_auto_scale(False)
    with pytest.raises(TypeError, match="astype"):
        biggus.save(lazy(NUMBERS / 2), variable)


def test_fill_value_is_written_without_auto_mask(dataset):
    variable = dataset.createVariable("v", "f4", ("y", "x"), fill_value=-9)
    variable.set_auto_mask(False)
    biggus.save(lazy(missing(values_of("f4"))), variable)
    assert np.array_equal(variable[...], missing(values_of("f4")).filled(-9))


def test_strings(dataset):
    variable = dataset.createVariable("v", str, ("y",))
    words = np.array(["a", "zwölf", "", "b", "c", "d", "e"])
    biggus.save(lazy(words, (3,)), variable)
    assert variable[...].tolist() == words.tolist()


def test_closed_dataset_raises(tmp_path):
    with netCDF4.Dataset(tmp_path / "b.nc", "w") as dataset:
        dataset.createDimension("y", 7)
        dataset.createDimension("x", 10)
        variable = dataset.createVariable("v", "f4", ("y", "x"))
    with pytest.raises((ValueError, RuntimeError)):
        biggus.save(lazy(NUMBERS), variable)
