"""Attributes whose values are in a damaged heap: errors, in files of any size."""

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
def _all_files_are_large(monkeypatch):
    monkeypatch.setattr(heaps, "MOST_BYTES", 0)
    monkeypatch.setattr(attribute_checks, "_last", [])


def _written(path, count=1, **how):
    with h5py.File(path, "w", **how) as file:
        for name in "vw":
            dataset = file.create_dataset(name, data=np.arange(4.0), track_order=True)
            for number in range(count):
                dataset.attrs[f"text{number}"] = "K" * number
        dataset.dims[0].label = "time"
        file.attrs["title"] = "of the file"
    return path


def _zero(path):
    """Put zeros in the place of all objects of the first heap."""
    data = path.read_bytes()
    start = data.index(b"GCOL") + 16
    path.write_bytes(data[:start] + bytes(4080) + data[start + 4080 :])


def _replace(path, old, new):
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))


def _opened(path):
    command = [sys.executable, "-c", OPEN, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("count", [1, 30])
def test_sound_ones_are_read(tmp_path, libver, count):
    path = _written(tmp_path / "a.h5", count, libver=libver, userblock_size=512)
    array = biggus.open(path, "w")
    assert array.attrs["text0"] == ""
    assert array.attrs[f"text{count - 1}"] == "K" * (count - 1)
    assert array.dims == ("time",)


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("count", [1, 30])
def test_a_heap_without_an_end_is_an_error(tmp_path, libver, count):
    path = _written(tmp_path / "a.h5", count, libver=libver)
    _zero(path)
    for name in "vw":
        with pytest.raises(OpenError, match=r"a\.h5.* global heap .* no end"):
            biggus.open(path, name)
    with pytest.raises(OpenError, match=r"a\.h5.* global heap .* no end"):
        biggus.open_dataset(path)


def test_more_values_than_there_are_bytes_are_an_error(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["v"] = 1.0
        file["v"].attrs["units"] = "of 13 letters"
    address = path.read_bytes().index(b"GCOL").to_bytes(8, "little")
    count = (13).to_bytes(4, "little")
    _replace(path, count + address, b"\x0d\0\0\x70" + address)
    with pytest.raises(OpenError, match=r"a\.h5.* does not hold 1879048205 values"):
        biggus.open(path, "v")


def test_many_values_that_are_nowhere_are_an_error(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["v"] = 1.0
        file["v"].attrs["units"] = "of 13 letters"
    address = path.read_bytes().index(b"GCOL").to_bytes(8, "little")
    nowhere = (8).to_bytes(8, "little")
    _replace(path, b"\x0d\0\0\0" + address, b"\x0d\0\0\x70" + nowhere)
    with pytest.raises(OpenError, match=r"a\.h5.* does not hold 1879048205 values"):
        biggus.open(path, "v")


def test_a_dataset_that_is_being_written_is_not_checked(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["v"] = np.arange(4.0)
        file["v"].attrs["units"] = "K"  # in libhdf5's memory alone
        assert biggus.ArrayAdapter(file["v"]).attrs["units"] == "K"


def test_opening_comes_back(tmp_path):
    path = _written(tmp_path / "a.h5")
    _zero(path)
    assert "global heap" in _opened(path)


def test_opening_netcdf_comes_back(tmp_path):
    netcdf4 = pytest.importorskip("netCDF4")
    path = tmp_path / "a.nc"
    with netcdf4.Dataset(path, "w") as file:
        group = file.createGroup("g")
        for place in file, group:
            place.createDimension("t", 4)
            place.createVariable("t", "f8", ("t",))
            place.createVariable("v", "f8", ("t",))[:] = np.arange(4)
    assert _opened(path) == ""
    _zero(path)
    assert "it is damaged: the global heap" in _opened(path)
