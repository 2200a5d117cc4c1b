"""Attributes whose values are in a damaged heap raise errors, in files of any size."""

import subprocess
import sys

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")

import biggus
from biggus.backends.hdf5 import attribute_checks, heaps
from biggus.errors import OpenError

OPEN = """
import sys, biggus
from biggus.backends.hdf5 import heaps
heaps.MOST_BYTES = 0
try:
    biggus.open(sys.argv[1], "v")
except biggus.BiggusError as error:
    print(error)
"""


@pytest.fixture(autouse=True)
def treat_all_files_as_large(monkeypatch):
    monkeypatch.setattr(heaps, "MOST_BYTES", 0)
    monkeypatch.setattr(attribute_checks, "_last", [])


def write_file(path, count=1, **options):
    with h5py.File(path, "w", **options) as file:
        for name in "vw":
            dataset = file.create_dataset(name, data=np.arange(4.0), track_order=True)
            for number in range(count):
                dataset.attrs[f"text{number}"] = "K" * number
        dataset.dims[0].label = "time"
        file.attrs["title"] = "of the file"
    return path


def zero_first_heap(path):
    """Overwrite all objects of the first heap with zeros."""
    data = path.read_bytes()
    start = data.index(b"GCOL") + 16
    path.write_bytes(data[:start] + bytes(4080) + data[start + 4080 :])


def replace_bytes(path, old, new):
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))


def output_of_opening(path):
    command = [sys.executable, "-c", OPEN, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("count", [1, 30])
def test_valid_attributes_are_read(tmp_path, libver, count):
    path = write_file(tmp_path / "a.h5", count, libver=libver, userblock_size=512)
    array = biggus.open(path, "w")
    assert array.attrs["text0"] == ""
    assert array.attrs[f"text{count - 1}"] == "K" * (count - 1)
    assert array.dims == ("time",)


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("count", [1, 30])
def test_heap_without_an_end_raises(tmp_path, libver, count):
    path = write_file(tmp_path / "a.h5", count, libver=libver)
    zero_first_heap(path)
    for name in "vw":
        with pytest.raises(OpenError, match=r"a\.h5.* global heap .* no end"):
            biggus.open(path, name)
    with pytest.raises(OpenError, match=r"a\.h5.* global heap .* no end"):
        biggus.open_dataset(path)


@pytest.mark.parametrize("wrong_address", [False, True])
def test_attribute_longer_than_the_file_raises(tmp_path, wrong_address):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["v"] = 1.0
        file["v"].attrs["units"] = "of 13 letters"
    address = path.read_bytes().index(b"GCOL").to_bytes(8, "little")
    damaged = (8).to_bytes(8, "little") if wrong_address else address
    replace_bytes(path, b"\x0d\0\0\0" + address, b"\x0d\0\0\x70" + damaged)
    with pytest.raises(OpenError, match=r"a\.h5.* does not hold 1879048205 values"):
        biggus.open(path, "v")


def test_dataset_being_written_is_not_checked(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["v"] = np.arange(4.0)
        file["v"].attrs["units"] = "K"  # only in libhdf5's memory
        assert biggus.ArrayAdapter(file["v"]).attrs["units"] == "K"


def test_opening_a_damaged_file_does_not_hang(tmp_path):
    path = write_file(tmp_path / "a.h5")
    zero_first_heap(path)
    assert "global heap" in output_of_opening(path)


def test_opening_a_damaged_netcdf_file_does_not_hang(tmp_path):
    netcdf4 = pytest.importorskip("netCDF4")
    path = tmp_path / "a.nc"
    with netcdf4.Dataset(path, "w") as file:
        group = file.createGroup("g")
        for place in file, group:
            place.createDimension("t", 4)
            place.createVariable("t", "f8", ("t",))
            place.createVariable("v", "f8", ("t",))[:] = np.arange(4)
    assert output_of_opening(path) == ""
    zero_first_heap(path)
    assert "it is damaged: the global heap" in output_of_opening(path)
