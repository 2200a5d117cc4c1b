"""Damaged global heaps raise errors that name the file; libhdf5 would hang."""

import contextlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")

from biggus.backends.hdf5.heaps import MOST_BYTES, check_heaps
from biggus.errors import OpenError

OPEN = """
import sys, biggus
try:
    biggus.open(sys.argv[1], "v")
except biggus.BiggusError as error:
    print(error)
"""


def write_file(path, **options):
    with h5py.File(path, "w", **options) as file:
        dataset = file.create_dataset("v", data=np.arange(4.0))
        dataset.attrs["units"] = "K"
        dataset.attrs["long_name"] = "temperature of the air"
        file["texts"] = ["a", "", "of several", "lengths"]
    return path


def check(path):
    return check_heaps(str(path), path.stat().st_size)


def damage_first_heap(path, change):
    """Replace the bytes of the first heap of a file by `change(bytes)`, cut or padded to size."""
    data = path.read_bytes()
    start = data.index(b"GCOL")
    size = int.from_bytes(data[start + 8 : start + 16], "little")
    changed = change(data[start : start + size])
    path.write_bytes(data[:start] + changed[:size].ljust(size, b"\0") + data[start + size :])


def insert_zeros(nbytes):
    return lambda heap: heap[:16] + bytes(nbytes) + heap[16:]


def remove_bytes(nbytes):
    return lambda heap: heap[:16] + heap[16 + nbytes :]


DAMAGES = {
    "zeros": lambda heap: heap[:16].ljust(len(heap), b"\0"),
    "half of it zeros": lambda heap: heap[:48].ljust(len(heap), b"\0"),
    "bytes before it": insert_zeros(64),
    "an object fewer at its start": remove_bytes(40),
    "an object of 2**64 - 16 bytes": lambda heap: heap[:24] + b"\xf0" + 7 * b"\xff" + heap[32:],
    "an object beyond its end": lambda heap: heap[:24] + b"\0\xff" + heap[26:],
}


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("userblock_size", [0, 512])
def test_valid_heaps_pass(tmp_path, libver, userblock_size):
    path = write_file(tmp_path / "a.h5", libver=libver, userblock_size=userblock_size)
    assert check(path)
    with h5py.File(path, "a") as file:  # objects of many sizes, some of them deleted
        for size in range(40):
            file.attrs[f"t{size}"] = "x" * size
        for size in range(0, 40, 3):
            del file.attrs[f"t{size}"]
        file.attrs.create("long", "x" * 5000, dtype=h5py.string_dtype())
    assert check(path)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_heaps_without_an_end_raise(tmp_path, damage):
    path = write_file(tmp_path / "a.h5")
    damage_first_heap(path, damage)
    with pytest.raises(OpenError, match=re.escape(str(path)) + ".* global heap .* no end"):
        check(path)


def test_lengths_of_four_bytes(tmp_path):
    path = str(tmp_path / "a.h5")
    create = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    create.set_sizes(4, 4)
    file = h5py.File(h5py.h5f.create(path.encode(), h5py.h5f.ACC_TRUNC, create))
    file.attrs["units"] = "K"
    file.close()
    assert check(Path(path))
    damage_first_heap(Path(path), DAMAGES["zeros"])
    with pytest.raises(OpenError, match="no end"):
        check(Path(path))


@pytest.mark.parametrize("length", [0, 1, 2, 16, 255])
def test_any_size_of_lengths_is_handled(tmp_path, length):
    path = write_file(tmp_path / "a.h5")
    data = bytearray(path.read_bytes())
    data[14] = length
    path.write_bytes(data)
    with contextlib.suppress(OpenError):
        assert check(path)


def test_bytes_after_the_end_of_the_file_are_ignored(tmp_path):
    path = write_file(tmp_path / "a.h5")
    sound = path.read_bytes()
    for end in (b"GCOL\x01", b"GCOL\x01\0\0\0\xff\xff", b"GCOL\x01\0\0\0" + 8 * b"\xff"):
        path.write_bytes(sound + end)
        assert check(path)


def test_large_files_are_not_searched(tmp_path):
    path = tmp_path / "a.h5"
    path.write_bytes(b"GCOL\x01".ljust(MOST_BYTES + 1, b"\0"))
    assert not check(path)


def output_of_opening(path):
    command = [sys.executable, "-c", OPEN, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def test_opening_a_damaged_file_does_not_hang(tmp_path):
    path = write_file(tmp_path / "a.h5")
    assert output_of_opening(path) == ""
    damage_first_heap(path, DAMAGES["zeros"])
    assert "cannot open" in output_of_opening(path)


def test_opening_a_damaged_netcdf_file_does_not_hang(tmp_path):
    netcdf4 = pytest.importorskip("netCDF4")
    path = tmp_path / "a.nc"
    with netcdf4.Dataset(path, "w") as file:
        file.createDimension("t", 4)
        file.createVariable("t", "f8", ("t",))
        file.createVariable("v", "f8", ("t",))[:] = np.arange(4)
    assert output_of_opening(path) == ""
    damage_first_heap(path, DAMAGES["zeros"])
    assert "global heap" in output_of_opening(path)
