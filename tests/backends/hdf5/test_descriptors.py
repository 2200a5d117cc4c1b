"""Values are read beside the library, which has a file open only to tell where they lie."""

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


def _written(path, values, layout):
    with hdf5_lock, h5py.File(path, "w") as file:
        for name, length in zip("xy", SHAPE, strict=True):
            file.create_dataset(name, data=np.arange(length)).make_scale(name)
        stored = file.create_dataset("v", data=values, **LAYOUTS[layout])
        for dim, name in zip(stored.dims, "xy", strict=True):
            dim.attach_scale(file[name])
    return str(path)


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(size=SHAPE)


@pytest.fixture(params=[HDF5Source, NetCDFSource])
def opened(request):
    return lambda path: request.param(path, "v")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_library_need_not_have_a_file_open(tmp_path, monkeypatch, opened, values, layout):
    path = _written(tmp_path / "a.h5", values, layout)
    source = opened(path)
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
@pytest.mark.parametrize("copied", [False, True])
def test_a_file_that_is_replaced_is_read_anew(tmp_path, opened, values, layout, copied):
    path = _written(tmp_path / "a.h5", values, layout)
    source = opened(path)
    np.testing.assert_array_equal(read(source, whole(SHAPE)), values)
    other = "compressed" if layout == "chunked" else "chunked"
    Path(_written(tmp_path / "b.h5", values + 1, other)).replace(path)
    if copied:
        source = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(read(source, whole(SHAPE)), values + 1)
