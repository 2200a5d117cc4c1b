"""Damaged, truncated, deleted and foreign files raise one-line errors."""

from __future__ import annotations

import os
import struct
import subprocess
import sys

import netCDF4
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from netcdf_makers import BACKEND, CLASSIC, FORMATS, names_of, open_variable, write

from biggus.backends.location import Location
from biggus.backends.native import hdf5_lock
from biggus.backends.netcdf.classic import HeaderError, shortfall
from biggus.errors import BiggusError, GoneError, OpenError, SourceError, VariableError
from biggus.sources.base import read, whole

VALUES = np.arange(1, 2001, dtype="i4").reshape(500, 4)


def assert_one_line(error, *words):
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.in_pairs
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("unlimited", [False, True])
@pytest.mark.parametrize("kept", [0, 3, 8, 60, 0.5, -5, -1])
def test_truncated_file_raises(tmp_path, format, unlimited, kept):
    path = write(tmp_path / "a.nc", VALUES, format=format, unlimited=unlimited)
    source = open_variable(path)
    read(source, (slice(0, 1, 1), slice(0, 4, 1)))
    size = path.stat().st_size
    os.truncate(path, int(size * kept) if isinstance(kept, float) else kept % size)
    with pytest.raises(OpenError) as error:
        open_variable(path)
    assert_one_line(error, str(path), "cut short" if kept else "netCDF")
    with pytest.raises(OpenError):
        names_of(path)
    with pytest.raises(SourceError) as error:
        read(source, (slice(0, 1, 1), slice(0, 4, 1)))
    assert_one_line(error, source.name, "[0:1, 0:4]")


def write_several(path, format, records, length):
    """Write variables with and without records, and attributes, of the given lengths."""
    with netCDF4.Dataset(path, "w", format=format) as dataset:
        dataset.title = "abc"
        for name, n in {"t": None, "x": length, "y": 2}.items():
            dataset.createDimension(name, n)
        dataset.createVariable("fixed", "i1", ("x",))[:] = 1
        dataset.createVariable("none", "i2", ())[...] = 5
        for name, dtype in {"bytes": "i1", "shorts": "i2", "letters": "S1", "wide": "f8"}.items():
            variable = dataset.createVariable(name, dtype, ("t", "x"))
            variable.units = "m" * length
            variable.setncattr("numbers", np.arange(length, dtype="i2"))
            variable[:records] = np.ones((records, length), dtype)
        dataset.createVariable("time", "f8", ("t",))[:] = np.arange(records)


@pytest.mark.parametrize("format", CLASSIC)
@pytest.mark.parametrize("records", [0, 1, 5])
@pytest.mark.parametrize("length", [1, 3, 4])
def test_shortfall_of_truncated_files(tmp_path, format, records, length):
    path = tmp_path / "a.nc"
    write_several(path, format, records, length)
    size = path.stat().st_size
    assert shortfall(path) == 0
    # At most three bytes of padding follow the last value.
    os.truncate(path, size - 4)
    assert 1 <= shortfall(path) <= 4
    for kept in range(100, 3, -7):  # the header has more than 100 bytes
        os.truncate(path, kept)
        with pytest.raises(HeaderError):
            shortfall(path)


@pytest.mark.parametrize("records", [1, 2, 3])
@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "f8", "S1"])
def test_single_record_variable_is_not_padded(tmp_path, records, dtype):
    values = np.ones((records, 3), dtype)
    path = write(tmp_path / "a.nc", values, format="NETCDF3_CLASSIC", unlimited=True)
    assert shortfall(path) == 0
    with path.open("rb") as file:
        end = len(file.read().rstrip(b"\0")) if dtype in {"i1", "S1"} else path.stat().st_size
    os.truncate(path, end)
    assert shortfall(path) == 0
    os.truncate(path, end - 1)
    assert shortfall(path) == 1


def test_streamed_file_has_as_many_records_as_fit(tmp_path):
    path = write(tmp_path / "a.nc", VALUES, format="NETCDF3_CLASSIC", unlimited=True)
    with path.open("r+b") as file:
        file.seek(4)
        file.write(struct.pack(">I", 2**32 - 1))
    assert shortfall(path) == 0


@settings(
    max_examples=4 * settings.default.max_examples,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(st.data())
def test_damaged_header_raises_or_is_harmless(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("damage")
    path = write(folder / "a.nc", VALUES[:3], format=data.draw(st.sampled_from(CLASSIC)))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(4, 60))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        missing = shortfall(path)
    except HeaderError as error:
        assert "header" in str(error)  # noqa: PT017 - damage may be harmless
    else:
        assert missing >= 0


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"CDF",
        b"CDF\x01",
        b"CDF\x01" + bytes(range(200)),
        b"CDF\x05" + b"\xff" * 300,
        b"\x89HDF\r\n\x1a\n" + bytes(range(256)) * 8,
        b"<html>no such file</html>",
        bytes((i * i * 7 + 13) % 251 for i in range(500)),
    ],
    ids=range(8),
)
def test_garbage_raises(tmp_path, content):
    path = tmp_path / "a.nc"
    path.write_bytes(content)
    for attempt in (names_of, open_variable):
        with pytest.raises(OpenError) as error:
            attempt(path)
        assert_one_line(error, str(path))


def test_hdf5_file_with_a_netcdf_name(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "a.nc"
    with hdf5_lock, h5py.File(path, "w") as file:
        file["values"] = np.arange(3.0)
        file["complex"] = np.array([1j])
    # The library reads some of these and refuses others; neither may crash or warn.
    try:
        source = open_variable(path, "values")
    except BiggusError as error:
        assert "\n" not in str(error)  # noqa: PT017 - see above
    else:
        assert read(source, whole(source.shape)).tolist() == [0, 1, 2]


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(GoneError) as error:
        open_variable(tmp_path / "none.nc")
    assert_one_line(error, "none.nc", "there is no such file")
    with pytest.raises(GoneError):
        open_variable(tmp_path / "none" / "none.nc")
    with pytest.raises(OpenError, match="it is a folder"):
        open_variable(tmp_path)
    with pytest.raises(OpenError, match="is not a local path"):
        BACKEND.open(Location("https://example.org/a.nc"), "v")


def test_missing_variable(tmp_path):
    path = write(tmp_path / "a.nc", VALUES)
    for name in ("w", "group/v", "v/v", "", "V"):
        with pytest.raises(VariableError) as error:
            open_variable(path, name)
        assert_one_line(error, repr(name), "it has: v")
        assert error.value.available == ("v",)


def test_unknown_option(tmp_path):
    path = write(tmp_path / "a.nc", VALUES)
    with pytest.raises(TypeError, match="colour"):
        open_variable(path, "v", colour="red")


@pytest.mark.parametrize("format", ["NETCDF3_CLASSIC", "NETCDF4"])
def test_unreadable_file_raises(tmp_path, format):
    path = write(tmp_path / "a.nc", VALUES, format=format)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(OpenError, match="Permission denied"):
        open_variable(path)


@pytest.mark.parametrize("format", ["NETCDF3_CLASSIC", "NETCDF4"])
def test_file_deleted_while_open(tmp_path, format):
    path = write(tmp_path / "a.nc", VALUES, format=format)
    source = open_variable(path)
    box = (slice(2, 4, 1), slice(0, 4, 2))
    read(source, box)
    path.unlink()
    with pytest.raises(SourceError) as error:
        read(source, box)
    assert_one_line(error, source.name, "[2:4, 0:4:2]", "there is no such file")
    write(path, VALUES + 1, format=format)
    assert np.array_equal(read(source, box), VALUES[box] + 1)


@pytest.mark.parametrize("at", range(7))
def test_damaged_chunk_raises(tmp_path, at):
    noise = np.random.default_rng(0).integers(0, 2**31, (100, 50)).astype("i4")
    path = write(tmp_path / "a.nc", noise, zlib=True, chunksizes=(100, 50), fletcher32=True)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 + at
    content[middle] ^= 0xFF
    path.write_bytes(content)
    source = open_variable(path)
    with pytest.raises(SourceError) as error:
        read(source, (slice(0, 10, 1), slice(0, 50, 1)))
    assert_one_line(error, source.name, "[0:10, 0:50]")


def test_missing_library_names_the_extra(tmp_path):
    path = write(tmp_path / "a.nc", VALUES)
    code = f"""
import sys
sys.modules["netCDF4"] = None
from biggus.backends.location import Location
from biggus.backends.netcdf.backend import NetCDFBackend
from biggus.errors import MissingDependencyError
try:
    NetCDFBackend().variables(Location({str(path)!r}))
except MissingDependencyError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == (
        "reading netCDF files needs the package netCDF4: pip install 'biggus[netcdf]'"
    )


def test_attributes_of_types_unknown_to_netcdf(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = write(tmp_path / "a.nc", VALUES)
    with hdf5_lock, h5py.File(path, "a") as file:
        attributes = file["v"].attrs
        attributes["empty"] = h5py.Empty("f4")
        attributes["half"] = np.float16(1)
        attributes["truth"] = True
        attributes["complex"] = 1j
        attributes["opaque"] = np.void(b"abc")
        attributes["reference"] = file["v"].ref
        attributes["bytes"] = b"\xff\xfe"
        attributes["units"] = "K"
    source = open_variable(path)
    assert source.attributes["units"] == "K"
    assert np.array_equal(read(source, whole(source.shape)), VALUES)
