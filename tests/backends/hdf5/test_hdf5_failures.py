"""HDF5: invalid, damaged, deleted and replaced files raise one-line errors."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")

from biggus.backends import Location, backend_for
from biggus.backends.hdf5 import files as hdf5_files
from biggus.backends.hdf5.backend import HDF5Backend, HDF5Source
from biggus.errors import BiggusError, GoneError, OpenError, SourceError
from biggus.sources.base import read, whole

BOX = (slice(0, 4, 1), slice(2, 6, 1))


@pytest.fixture
def path(tmp_path):
    """Return a file with a compressed dataset of 3 chunks with checksums."""
    path = str(tmp_path / "a.h5")
    write_file(path, np.arange(60.0).reshape(6, 10))
    return path


def write_file(path, values, **options):
    with h5py.File(path, "w") as file:
        options = {"chunks": (2, 10), "compression": "gzip", "fletcher32": True, **options}
        file.create_dataset("v", data=values, **options)


def assert_raises(action, error, *parts):
    with pytest.raises(error) as caught:
        action()
    message = str(caught.value)
    assert isinstance(caught.value, BiggusError)
    assert "\n" not in message
    for text in parts:
        assert text in message
    return caught.value


def open_source(path):
    backend = HDF5Backend()
    return backend.open(Location(path), "v")


def test_missing_folder_pipe_and_socket(tmp_path):
    assert_raises(lambda: open_source(tmp_path / "no.h5"), GoneError, "no.h5", "no such file")
    assert_raises(lambda: open_source(tmp_path), OpenError, "folder")
    (tmp_path / "f").write_bytes(b"")
    assert_raises(lambda: open_source(tmp_path / "f" / "x.h5"), GoneError, "no such file")
    assert_raises(lambda: HDF5Backend().variables(Location(tmp_path / "no.h5")), GoneError)
    assert_raises(lambda: open_source("https://host/a.h5"), OpenError, "not a local path")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.h5")
        assert_raises(lambda: open_source(tmp_path / "pipe.h5"), OpenError, "no regular file")
        assert backend_for(Location(tmp_path / "pipe.h5")).name == "hdf5"


@pytest.mark.parametrize("content", [b"", b"garbage" * 1000, b"\x89HDF\r\n\x1a\n", b"CDF\x01" * 9])
def test_garbage_raises(tmp_path, content):
    (tmp_path / "a.h5").write_bytes(content)
    assert_raises(lambda: open_source(tmp_path / "a.h5"), OpenError, "a.h5")
    assert_raises(lambda: HDF5Backend().variables(Location(tmp_path / "a.h5")), OpenError, "a.h5")


def test_truncated_file_raises(path, tmp_path):
    content = Path(path).read_bytes()
    for size in range(1, len(content) - 1, 97):
        (tmp_path / "cut.h5").write_bytes(content[:size])
        error = assert_raises(lambda: open_source(tmp_path / "cut.h5"), OpenError)
        assert "truncated" in str(error) or size < 200


def test_permission_denied(path):
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        pytest.skip("root may read everything")
    Path(path).chmod(0)
    assert_raises(lambda: open_source(path), OpenError, "ermission denied")


def test_damaged_bytes_raise_or_leave_the_values_intact(path):
    """Any damaged byte gives an error or the right values."""
    content = bytearray(Path(path).read_bytes())
    expected = np.arange(60.0).reshape(6, 10)
    refused = 0
    for at in range(0, len(content), 11):
        damaged = bytearray(content)
        damaged[at] ^= 0xFF
        Path(path + ".new").write_bytes(damaged)
        Path(path + ".new").replace(path)
        try:
            values = read(open_source(path), whole((6, 10)))
        except BiggusError as error:
            assert "\n" not in str(error)  # noqa: PT017
            refused += 1
        else:
            if values.shape == (6, 10) and values.dtype == expected.dtype:
                same = values == expected
                # Old formats have no checksum of the header: the type or the fill value may
                # change, but not the values in the chunks.
                assert same.all() or at < content.find(b"x\x9c") or at > content.rfind(b"x\x9c")
    assert refused > 10


def test_error_of_a_damaged_chunk_names_source_and_box(path):
    source = open_source(path)
    with h5py.File(path) as file:
        chunk = file["v"].id.get_chunk_info(1)
    hdf5_files.files.clear()
    with Path(path).open("r+b") as raw:
        raw.seek(chunk.byte_offset + chunk.size // 2)
        raw.write(b"\xff\xff\xff")
    error = assert_raises(lambda: read(source, BOX), SourceError, "a.h5::v", "[0:4, 2:6]")
    assert error.box == BOX
    first = (slice(0, 2, 1), slice(0, 10, 1))
    np.testing.assert_array_equal(read(source, first), np.arange(20.0).reshape(2, 10))


def test_missing_filter_raises(tmp_path):
    path = str(tmp_path / "f.h5")
    with h5py.File(path, "w") as file:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((2,))
        properties.set_filter(32999, h5py.h5z.FLAG_OPTIONAL, (1,))
        space = h5py.h5s.create_simple((4,))
        data = h5py.h5d.create(file.id, b"v", h5py.h5t.NATIVE_INT32, space, properties)
        data.write_direct_chunk((0,), b"12345678")
    source = open_source(path)
    box = (slice(0, 4, 1),)
    assert_raises(lambda: read(source, box), SourceError, "f.h5::v", "(32999)", "hdf5plugin")


def test_file_deleted_after_opening_raises(path):
    source = open_source(path)
    read(source, BOX)
    Path(path).unlink()
    assert_raises(lambda: read(source, BOX), SourceError, "no such file", "[0:4, 2:6]")
    assert source.state() is None
    Path(path).mkdir()
    assert_raises(lambda: read(source, BOX), SourceError, "folder")


def test_file_replaced_after_opening(path, tmp_path):
    source = open_source(path)
    assert read(source, BOX)[0, 0] == 2.0
    new = str(tmp_path / "new.h5")
    write_file(new, np.full((6, 10), 7.0))
    Path(new).replace(path)
    assert (read(source, BOX) == 7.0).all()
    for values in (np.zeros((6, 9)), np.zeros((6, 10), "f4")):
        write_file(new, values, chunks=(2, 3))
        Path(new).replace(path)
        assert_raises(lambda: read(source, BOX), SourceError, "changed", "open it again")
    with h5py.File(new, "w") as file:
        file["w"] = 1
    Path(new).replace(path)
    assert_raises(lambda: read(source, BOX), SourceError, "no variable 'v'", "w")
    Path(new).write_bytes(b"garbage")
    Path(new).replace(path)
    assert_raises(lambda: read(source, BOX), SourceError, "not an HDF5 file")
    write_file(new, np.full((6, 10), 8.0))
    Path(new).replace(path)
    assert (read(source, BOX) == 8.0).all()


def test_replaced_target_of_an_external_link(path, tmp_path):
    outer = str(tmp_path / "outer.h5")
    with h5py.File(outer, "w") as file:
        file["link"] = h5py.ExternalLink("a.h5", "/v")
    source = HDF5Source(outer, "link")
    assert read(source, BOX)[0, 0] == 2.0
    inner = HDF5Source(path, "v")
    assert read(inner, BOX)[0, 0] == 2.0
    new = str(tmp_path / "new.h5")
    write_file(new, np.full((6, 10), 7.0), chunks=(6, 5))
    Path(new).replace(path)
    assert (read(source, BOX) == 7.0).all()
    assert (read(inner, BOX) == 7.0).all()
    write_file(new, np.full((6, 10), 8.0), chunks=(1, 3), shuffle=True)
    shutil.copyfile(new, path)  # in place: all handles to the old content must be closed
    assert (read(source, BOX) == 8.0).all()
    assert (read(inner, BOX) == 8.0).all()
    write_file(new, np.full((6, 10), 9.0), chunks=(4, 10))
    shutil.copyfile(new, path)
    assert (read(inner, BOX) == 9.0).all()
    assert (read(source, BOX) == 9.0).all()
    Path(path).unlink()
    assert_raises(lambda: read(source, BOX), SourceError, "a.h5", "[0:4, 2:6]")


def test_locked_file_raises(path, tmp_path):
    """The error of a file that a writer has locked says so."""
    fcntl = pytest.importorskip("fcntl", reason="no advisory locks on this platform")
    hdf5_files.files.clear()
    with Path(path).open("r+b") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        if os.environ.get("HDF5_USE_FILE_LOCKING", "TRUE").upper() in ("TRUE", "1", "BEST_EFFORT"):
            assert_raises(lambda: open_source(path), OpenError, "locked")
        fcntl.flock(writer, fcntl.LOCK_UN)
    assert read(open_source(path), BOX)[0, 0] == 2.0


def test_sockets(tmp_path):
    if not hasattr(socket, "AF_UNIX"):
        pytest.skip("no sockets in the file system here")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s.h5")[-100:])
        assert_raises(lambda: open_source(tmp_path / "s.h5"), OpenError, "no regular file")


@pytest.mark.parametrize("what", ["attribute", "variable"])
def test_invalid_variable_length_types_raise(tmp_path, what):
    """libhdf5 may crash on these types, so the test reads them in another process."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", track_order=True) as file:
        file["v"] = [1, 2] if what == "attribute" else ["one", "two"]
        if what == "attribute":
            file["v"].attrs["units"] = "metres"
    text, neither = bytes.fromhex("19010100 10000000"), bytes.fromhex("19090100 10000000")
    whole = path.read_bytes()
    assert whole.count(text) == 1
    path.write_bytes(whole.replace(text, neither))
    code = """if True:
        import sys, biggus
        try:
            print(biggus.open(sys.argv[1], "v").ndarray().tolist())
        except biggus.BiggusError as error:
            print(type(error).__name__)
    """
    output = subprocess.check_output([sys.executable, "-c", code, path], text=True)
    assert output in {"OpenError\n", "[1, 2]\n" if what == "attribute" else None}
