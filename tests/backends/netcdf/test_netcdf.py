"""Random NetCDF-4 files: reads of random boxes, packed and decoded.

Packed values are compared with NumPy's.  Decoded values are compared with those of
netCDF4-python for the same values in a variable that is completely written.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import warnings
from pathlib import Path

import netCDF4
import netcdf_random
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from netcdf_makers import BACKEND, open_variable
from netcdf_random import files

from biggus import cf
from biggus.backends.native import hdf5_lock
from biggus.backends.netcdf import files as netcdf_files
from biggus.backends.netcdf import hdf5_datasets
from biggus.errors import MissingDependencyError
from biggus.sources.base import read, whole
from biggus.testing.strategies import boxes

EXAMPLES = int(os.environ.get("BIGGUS_EXAMPLES", 2 * settings().max_examples))


def assert_same(found, expected):
    """Assert that arrays have the same dtype, shape and values, of any dtype."""
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    if expected.dtype != object:
        np.testing.assert_array_equal(found, expected)
        if expected.dtype.kind == "f":
            np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))
    else:
        for one, other in zip(found.flat, expected.flat, strict=True):
            assert type(one) is type(other)
            np.testing.assert_array_equal(one, other)


def check_packed(source, values, box):
    for key in (whole(values.shape), box):
        assert_same(read(source, key), values[(*key, ...)])


def check_decoded(source, expected, box):
    """Compare decoded values with those of netCDF4-python."""
    decode = cf.decoder(source.dtype, source.attributes)
    for key in (whole(source.shape), box):
        found, right = read(source, key), expected[(*key, ...)]
        found = found if decode is None else decode(found)
        assert found.shape == right.shape
        assert found.dtype == right.dtype
        mask = np.ma.getmaskarray(right)
        np.testing.assert_array_equal(np.ma.getmaskarray(found), mask)
        np.testing.assert_array_equal(np.ma.getdata(found)[~mask], np.ma.getdata(right)[~mask])


def decoded_by_netcdf4(path, file):
    """Return the numeric variables of a completely written file as netCDF4-python decodes them."""
    netcdf_random.write_whole(path, file)
    decoded = {}
    with hdf5_lock, netCDF4.Dataset(path) as dataset, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about nonsensical attributes
        for name, variable in dataset.variables.items():
            # It fails on some attributes.
            with contextlib.suppress(TypeError, ValueError, IndexError):
                decoded[name] = variable[...].reshape(file.variables[name].shape)
    return decoded


def joined_strings(values):
    """Return characters as strings along the last axis, as netCDF4-python joins them."""
    if not values.ndim:
        return values
    return np.asarray(netCDF4.chartostring(values, encoding="ascii"))


def check(folder, file, without_h5py, held, data):
    path = netcdf_random.write(folder / "a.nc", file)
    decoded = decoded_by_netcdf4(folder / "whole.nc", file)
    with contextlib.ExitStack() as stack:
        dataset = None
        if without_h5py:
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            patch.setattr(hdf5_datasets, "open_file", h5py_is_missing)
        if held:
            stack.enter_context(hdf5_lock)
            dataset = stack.enter_context(netCDF4.Dataset(path, held))
        for name, variable in file.variables.items():
            place = f"{variable.group}/{name}".strip("/")
            values = variable.values()
            box = data.draw(boxes(values.shape))
            if dataset is None:
                raw, source = open_variable(path, place, decode=False), open_variable(path, place)
            else:
                dataset[place].set_auto_maskandscale(False)
                dataset[place].set_auto_chartostring(False)
                raw = BACKEND.adopt(dataset[place])
                dataset[place].set_auto_maskandscale(True)
                dataset[place].set_auto_chartostring(True)
                source = BACKEND.adopt(dataset[place])
            check_packed(raw, values, box)
            if variable.kind == "text":
                check_packed(source, joined_strings(values), box[:-1])
            elif variable.kind not in netcdf_random.NUMBERS:
                check_packed(source, values, box)
            elif name in decoded:
                check_decoded(source, decoded[name], box)


def h5py_is_missing(*_):
    raise MissingDependencyError("h5py", "hdf5", "reading HDF5 files")


@settings(max_examples=EXAMPLES)
@given(files(), st.booleans(), st.sampled_from([None, None, "r", "a"]), st.data())
def test_random_files(file, without_h5py, held, data):
    # Two handles of a file with ragged rows or strings crash the library when one is closed.
    netcdf_files.datasets.clear()
    with tempfile.TemporaryDirectory() as folder:
        check(Path(folder), file, without_h5py, held, data)
        netcdf_files.datasets.clear()
