"""Values are read without libhdf5, which opens a file only to locate them."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")
netCDF4 = pytest.importorskip("netCDF4")

from biggus.backends.hdf5 import files as hdf5_files
from biggus.backends.hdf5.backend import HDF5Source
from biggus.backends.native import hdf5_lock
from biggus.backends.netcdf import files as netcdf_files
from biggus.backends.netcdf.source import NetCDFSource
from biggus.sources.base import read, whole

SHAPE = (6, 10)
LAYOUTS = {
    "chunked": {"chunks": (2, 5)},
    "compressed": {"chunks": (2, 5), "compression": "gzip"},
}


def write_file(path, values, layout):
    with hdf5_lock, h5py.File(path, "w") as file:
        for name, length in zip("xy", SHAPE, strict=True):
            file.create_dataset(name, data=np.arange(length)).make_scale(name)
        stored = file.create_dataset("v", data=values, **LAYOUTS.get(layout, {}))
        for dim, name in zip(stored.dims, "xy", strict=True):
            dim.attach_scale(file[name])
    return str(path)


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(size=SHAPE)


@pytest.fixture(params=[HDF5Source, NetCDFSource])
def open_source(request):
    return lambda path: request.param(path, "v")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_values_are_read_without_the_library(tmp_path, monkeypatch, open_source, values, layout):
    path = write_file(tmp_path / "a.h5", values, layout)
    source = open_source(path)
    everything = whole(SHAPE)
    np.testing.assert_array_equal(read(source, everything), values)
    assert path not in hdf5_files.files
    with hdf5_lock:
        netcdf_files.datasets.clear()
    for module in (hdf5_files, netcdf_files):
        monkeypatch.setattr(module, "_open", None)
    np.testing.assert_array_equal(read(source, everything), values)
    box = np.s_[1:6:2, 3:9:1]
    np.testing.assert_array_equal(read(source, box), values[box])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("pickled", [False, True])
def test_replaced_file_is_read_again(tmp_path, open_source, values, layout, pickled):
    path = write_file(tmp_path / "a.h5", values, layout)
    source = open_source(path)
    np.testing.assert_array_equal(read(source, whole(SHAPE)), values)
    other = "compressed" if layout == "chunked" else "chunked"
    Path(write_file(tmp_path / "b.h5", values + 1, other)).replace(path)
    if pickled:
        source = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(read(source, whole(SHAPE)), values + 1)


@pytest.mark.parametrize("layout", [*LAYOUTS, "contiguous"])
def test_source_of_a_new_file_does_not_read_the_open_file_that_it_replaced(
    tmp_path, open_source, values, layout
):
    path = write_file(tmp_path / "a.h5", values, layout)
    earlier = open_source(path)
    np.testing.assert_array_equal(read(earlier, whole(SHAPE)), values)
    Path(write_file(tmp_path / "b.h5", values + 1, layout)).replace(path)
    for source in open_source(path), earlier:
        for _ in range(2):
            np.testing.assert_array_equal(read(source, whole(SHAPE)), values + 1)
