"""HDF5 files with names of netCDF files that the netCDF library cannot read."""

from __future__ import annotations

import contextlib

import netCDF4
import numpy as np
import pytest
from netcdf_makers import BACKEND, names_of, open_variable

import biggus
from biggus.backends.native import hdf5_lock
from biggus.backends.netcdf import files
from biggus.backends.signature import signature_of
from biggus.errors import OpenError, VariableError

h5py = pytest.importorskip("h5py")


def write_file(path, make):
    with hdf5_lock, h5py.File(path, "w") as file:
        make(file)
        file["plain"] = np.arange(3)
    return path


def add_empty_dataset(file):
    file["v"] = h5py.Empty("f4")


def add_dangling_link(file):
    file["v"] = h5py.SoftLink("/nowhere")


@pytest.mark.parametrize("make", [add_empty_dataset, add_dangling_link])
def test_error_suggests_the_hdf5_backend(tmp_path, make):
    path = write_file(tmp_path / "a.nc", make)
    with contextlib.suppress(OSError), netCDF4.Dataset(path):
        pytest.skip("this netCDF library opens it")
    for open_file in (lambda: biggus.open(path, "plain"), lambda: names_of(path)):
        with pytest.raises(OpenError, match="`backend='hdf5'` reads it as HDF5") as error:
            open_file()
        assert "damaged" not in str(error.value)
    assert biggus.open(path, "plain", backend="hdf5").ndarray().tolist() == [0, 1, 2]


def test_no_suggestion_for_damaged_files(tmp_path):
    path = write_file(tmp_path / "a.nc", add_empty_dataset)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(OpenError, match="damaged or cut short") as error:
        biggus.open(path, "plain")
    assert "backend" not in str(error.value)
    with pytest.raises(VariableError, match="it has no variable 'w'; it has: plain"):
        open_variable(write_file(tmp_path / "b.nc", lambda _: None), "w")


def add_array_type(file):
    file.create_dataset("v", (3,), np.dtype(("f4", (2,))))


def add_structure(file):
    file["v"] = np.zeros(3, [("a", "?"), ("b", "f4")])


@pytest.mark.parametrize("make", [add_array_type, add_structure])
def test_unlisted_variable_suggests_the_hdf5_backend(tmp_path, make):
    path = write_file(tmp_path / "a.nc", make)
    with pytest.raises(VariableError, match="that the netCDF library reads; `backend='hdf5'`"):
        biggus.open(path, "v")
    assert len(biggus.open(path, "v", backend="hdf5")) == 3


@pytest.mark.parametrize("dtype", ["f2", "g"])
@pytest.mark.parametrize("unlimited", [False, True])
def test_numbers_misread_as_text_raise(tmp_path, dtype, unlimited):
    values = np.arange(3).astype(dtype)

    def make(file):
        file.create_dataset("g/v", data=values, maxshape=(None,) if unlimited else None)

    path = write_file(tmp_path / "a.nc", make)
    with netCDF4.Dataset(path) as dataset:
        if dataset["g/v"].dtype is not str:
            pytest.skip("this netCDF library reads the dtype")
        with pytest.raises(OpenError, match=f"takes the {values.dtype} of 'g/v' for text"):
            BACKEND.adopt(dataset["g/v"])
    with pytest.raises(OpenError, match=f"takes the {values.dtype} of 'g/v' for text"):
        open_variable(path, "g/v")


@pytest.mark.parametrize("size", [10, 200_000])
@pytest.mark.parametrize("dtype", ["f2", ">f2", "g"])
def test_files_by_which_the_library_would_crash_are_refused(tmp_path, dtype, size):
    def make(file, **options):
        file.create_dataset("g/v", (size,), dtype, **options)

    for options in ({}, {"fillvalue": 0}):
        path = write_file(tmp_path / "a.nc", lambda file, o=options: make(file, **o))
        refused = pytest.raises(OpenError, match="crashes by the fill value of the")
        with hdf5_lock, refused if options else contextlib.nullcontext():
            files._check_whole(str(path), signature_of(path))
        path.unlink()
    path = write_file(tmp_path / "b.nc", lambda file: make(file, fillvalue=0))
    assert biggus.open(path, "g/v", backend="hdf5").shape == (size,)


def test_fill_values_of_other_types_are_no_reason_to_refuse_a_file(tmp_path):
    def make(file):
        for kind in ("f4", "f8", "i2"):
            file.create_dataset(kind, (3,), kind, fillvalue=1)

    path = write_file(tmp_path / "a.nc", make)
    with hdf5_lock:
        files._check_whole(str(path), signature_of(path))
        files._check_objects(str(path), signature_of(path))


def test_text_variables(tmp_path):
    path = write_file(tmp_path / "a.nc", lambda file: file.update(v=["a", "bc"], w=np.array(b"de")))
    assert biggus.open(path, "v").ndarray().tolist() == ["a", "bc"]
    assert biggus.open(path, "w").ndarray().tolist() == "de"
