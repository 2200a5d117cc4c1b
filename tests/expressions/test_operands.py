"""Operands of lazy arrays: objects of other libraries, sequences and plain objects."""

from __future__ import annotations

import operator

import numpy as np
import pytest
from lazy_calls import ADAPT, check_call, values_of

import biggus


def test_operands_with_array_ufunc_take_precedence():
    class Other:
        def __init__(self, way):
            self.__array_ufunc__ = way

        def __radd__(self, other):
            return "added"

        def __rdivmod__(self, other):
            return "divided"

    class None_(Other):
        __array_ufunc__ = None

    class Own(Other):
        def __array_ufunc__(self, ufunc, method, *inputs, **keywords):
            return ufunc.__name__

    lazy = biggus.zeros(3)
    for kind in (None_, Own):
        assert lazy + kind(None) == "added"
        assert divmod(lazy, kind(None)) == "divided"
        with pytest.raises(TypeError):
            lazy - kind(None)
    assert np.subtract(lazy, Own(None)) == "subtract"
    with pytest.raises(TypeError):
        np.subtract(lazy, None_(None))


def test_comparison_with_any_object(check_same):
    for values in (values_of("i4", (3,)), values_of("U2", (3,)), np.zeros(3, "i2,f4")):
        for other in (None, "2", object(), 2, [1, 2, 3], (2, 2, 2), values, np.zeros(3, "i2,f4")):
            for act in (operator.eq, operator.ne):
                check_call(check_same, act, values, other)
    with pytest.raises(TypeError, match="unhashable"):
        hash(biggus.zeros(3))


def test_lists_and_other_sequences(check_same):
    values = values_of("f4", (2, 3))
    for other in ([1, 2, 3], (1, 2, 3), [[1], [2]], range(3), [], "ab", [1, [2]], [None] * 3):
        check_call(check_same, np.add, values, other)
        check_call(check_same, operator.mul, values, other)


def test_adding_a_plain_object_reads_nothing(recorded):
    source = recorded(np.arange(6.0).reshape(2, 3))
    total = ADAPT(np.ones(3)) + source
    assert source.boxes == []
    np.testing.assert_array_equal(total[1].ndarray(), [4, 5, 6])
    assert source.boxes == [(slice(1, 2, 1), slice(0, 3, 1))]


def test_datasets_of_h5py_zarr_and_netcdf4_become_operands(tmp_path):
    h5py = pytest.importorskip("h5py")
    zarr = pytest.importorskip("zarr")
    netcdf = pytest.importorskip("netCDF4")
    values = np.arange(6.0).reshape(2, 3)
    stored = zarr.create_array(tmp_path / "a.zarr", shape=(2, 3), dtype="f8", chunks=(1, 3))
    stored[:] = values
    with h5py.File(tmp_path / "a.h5", "w") as file, netcdf.Dataset(tmp_path / "a.nc", "w") as other:
        dataset = file.create_dataset("x", data=values)
        other.createDimension("y", 2), other.createDimension("x", 3)
        variable = other.createVariable("v", "f8", ("y", "x"), fill_value=0.0)
        variable[:] = values
        lazy = biggus.ones((2, 3))
        for found in (lazy + dataset, lazy + stored, np.add(lazy, dataset), lazy + variable):
            assert type(found) is biggus.Array
            np.testing.assert_array_equal(
                found.masked_array().compressed()[-5:], 1 + values.flat[1:]
            )
        assert (lazy + variable).masked
