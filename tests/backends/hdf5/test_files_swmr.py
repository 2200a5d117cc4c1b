"""Reading HDF5 files while another process writes to them (swmr=True)."""

import json
import logging
import pickle
import subprocess
import sys

import numpy as np
import pytest

import biggus
from biggus.cli import main
from biggus.errors import OpenError, SourceError

h5py = pytest.importorskip("h5py")

WRITER = """
import sys
import h5py
import numpy as np

file = h5py.File(sys.argv[1], "w", libver="latest")
plain = file.create_dataset("plain", (0,), "i4", maxshape=(None,), chunks=(10,), fillvalue=-1)
packed = file.create_dataset(
    "group/packed", (2, 0), "f4", maxshape=(None, None), chunks=(2, 3), compression="gzip"
)
file["fixed"] = np.arange(5)
file["fixed"].attrs["units"] = "K"
if sys.argv[2] == "swmr":
    file.swmr_mode = True
file.flush()
print("ready", flush=True)
for line in sys.stdin:
    command, *numbers = line.split()
    n, value = map(int, numbers or (0, 0))
    if command == "grow":
        plain.resize((n,))
        packed.resize((2, n))
    elif command == "write":
        plain[:n] = value
        packed[:, :n] = value
    elif command == "close":
        file.close()
    if file:
        file.flush()
    print("done", flush=True)
"""


class Writer:
    """A process that writes to a file, step by step."""

    def __init__(self, path, mode):
        self.process = subprocess.Popen(
            [sys.executable, "-c", WRITER, path, mode],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout.readline() == "ready\n"

    def __call__(self, *command):
        self.process.stdin.write(" ".join(map(str, command)) + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "scan.h5")


@pytest.fixture
def start(path):
    started = []

    def start(mode="swmr"):
        started.append(Writer(path, mode))
        return started[-1]

    yield start
    for writer in started:
        writer.stop()


@pytest.fixture
def write(start):
    writer = start()
    writer("grow", 15, 0)
    writer("write", 15, 1)
    return writer


def expected_values(path, name):
    with h5py.File(path, "r", swmr=True) as file:
        return file[name][()]


NAMES = ("plain", "group/packed", "fixed")


@pytest.mark.parametrize("name", NAMES)
def test_reads_while_the_writer_has_the_file_open(write, path, name):
    a = biggus.open(path, name, swmr=True)
    np.testing.assert_array_equal(a.ndarray(), expected_values(path, name), strict=True)
    np.testing.assert_array_equal(a[..., 1::3].ndarray(), expected_values(path, name)[..., 1::3])
    assert a.sum().ndarray() == expected_values(path, name).sum()


def test_error_without_swmr_suggests_the_option(write, path):
    with pytest.raises(OpenError, match="pass `swmr=True`") as caught:
        biggus.open(path, "plain")
    assert "h5clear" not in str(caught.value)
    assert biggus.open(path, "plain", swmr=True).shape == (15,)


@pytest.mark.parametrize("name", NAMES[:2])
def test_shape_is_fixed_and_values_are_current(write, path, name):
    a = biggus.open(path, name, swmr=True)
    source = a.node.source
    for n, value in ((15, 2), (40, 3), (41, 4), (400, 5)):
        write("grow", n, 0)
        write("write", n, value)
        np.testing.assert_array_equal(a.ndarray(), np.full(a.shape, value))
        assert source.shape == a.shape
        again = biggus.open(path, name, swmr=True)
        assert again.shape[-1] == n
        np.testing.assert_array_equal(again.ndarray(), expected_values(path, name))


@pytest.mark.parametrize("name", NAMES[:2])
def test_chunks_written_after_opening(write, path, name):
    write("grow", 100, 0)
    a = biggus.open(path, name, swmr=True)
    before = a.ndarray()
    np.testing.assert_array_equal(before, expected_values(path, name))
    write("write", 100, 7)
    np.testing.assert_array_equal(a.ndarray(), np.full(a.shape, 7))
    np.testing.assert_array_equal(a[..., 90:].ndarray(), np.full(a[..., 90:].shape, 7))


def test_shrunk_dataset_raises(write, path):
    a = biggus.open(path, "plain", swmr=True)
    write("grow", 10, 0)
    with pytest.raises(SourceError, match=r"now int32 of shape \(10,\)"):
        a.ndarray()


@pytest.mark.parametrize("name", NAMES[:2])
def test_cached_chunks_are_revalidated(write, path, name, tmp_path, monkeypatch):
    # Trust the file as if it had not changed for long before each read.
    monkeypatch.setattr("biggus.backends.files.SETTLED_SECONDS", -1.0)
    cache = biggus.Cache(tmp_path / "cache")
    a = biggus.open(path, name, swmr=True, cache=cache)
    for n, value in ((15, 1), (15, 2), (30, 3), (300, 4)):
        write("grow", n, 0)
        write("write", n, value)
        for _ in range(2):
            np.testing.assert_array_equal(a.ndarray(), np.full(a.shape, value))
            again = biggus.open(path, name, swmr=True, cache=cache)
            np.testing.assert_array_equal(again.ndarray(), expected_values(path, name))


def test_pickled_array_reads_current_values(write, path):
    a = biggus.open(path, "plain", swmr=True)
    copy = pickle.loads(pickle.dumps(a))
    write("grow", 30, 0)
    write("write", 30, 9)
    np.testing.assert_array_equal(copy.ndarray(), np.full(15, 9))
    del a, copy
    code = "import pickle, sys; print(set(pickle.load(sys.stdin.buffer).ndarray()) == {9})"
    given = pickle.dumps(biggus.open(path, "plain", swmr=True)[:15])
    done = subprocess.run(
        [sys.executable, "-c", code], input=given, capture_output=True, check=True
    )
    assert done.stdout.strip() == b"True"


def test_variables_and_info(write, path, capsys):
    from biggus.backends import Location, backend_named

    assert set(backend_named("hdf5").variables(Location(path), swmr=True)) == set(NAMES)
    assert main(["info", path, "-O", "swmr=true", "--json"]) == 0
    variables = json.loads(capsys.readouterr().out)["variables"]
    assert {facts["name"]: facts["shape"] for facts in variables} == {
        "plain": [15],
        "group/packed": [2, 15],
        "fixed": [5],
    }
    assert main(["info", path]) == 1
    assert "swmr=True" in capsys.readouterr().err


def test_reads_after_the_writer_has_closed(write, path):
    a = biggus.open(path, "plain", swmr=True)
    write("grow", 20, 0)
    write("write", 20, 3)
    write("close")
    np.testing.assert_array_equal(a.ndarray(), np.full(15, 3))
    del a
    np.testing.assert_array_equal(biggus.open(path, "plain").ndarray(), np.full(20, 3))
    again = biggus.open(path, "plain", swmr=True)
    np.testing.assert_array_equal(again.ndarray(), np.full(20, 3))


def test_opening_with_and_without_swmr_at_once_raises(write, path, tmp_path):
    a = biggus.open(path, "plain", swmr=True)
    with pytest.raises(OpenError, match="with `swmr=True` already"):
        biggus.open(path, "plain")
    (tmp_path / "link.h5").symlink_to(path)
    with pytest.raises(OpenError, match="with `swmr=True` already"):
        biggus.open(tmp_path / "link.h5", "plain")
    del a
    write("close")
    b = biggus.open(path, "plain")
    with pytest.raises(OpenError, match="without `swmr=True` already"):
        biggus.open(path, "plain", swmr=True)
    np.testing.assert_array_equal(b.ndarray(), np.full(15, 1))


def test_replaced_file(write, path, tmp_path):
    a = biggus.open(path, "plain", swmr=True)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["plain"] = np.full(15, 8, "i4")
    (tmp_path / "other.h5").replace(path)
    np.testing.assert_array_equal(a.ndarray(), np.full(15, 8))


def test_writer_without_swmr_raises(start, path):
    writer = start("plain")
    for swmr in (False, True):
        with pytest.raises(OpenError, match="try again when it is done") as caught:
            biggus.open(path, "plain", swmr=swmr)
        assert "h5clear" not in str(caught.value)
    writer.stop()
    with pytest.raises(OpenError, match="or has ended without closing it"):
        biggus.open(path, "plain", swmr=True)


def test_virtual_datasets_and_external_links_raise(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["v"] = np.arange(4)
    with h5py.File(tmp_path / "b.h5", "w") as file:
        layout = h5py.VirtualLayout((4,), "i8")
        layout[:] = h5py.VirtualSource(tmp_path / "a.h5", "v", (4,))
        file.create_virtual_dataset("virtual", layout)
        file["link"] = h5py.ExternalLink(str(tmp_path / "a.h5"), "v")
    for name in ("virtual", "link"):
        with pytest.raises(OpenError, match="are in other files: with `swmr=True`, open those"):
            biggus.open(tmp_path / "b.h5", name, swmr=True)


def test_adopted_dataset(write, path):
    with h5py.File(path, "r", swmr=True) as file:
        a = biggus.ArrayAdapter(file["plain"])
        np.testing.assert_array_equal(a.ndarray(), np.full(15, 1))
        write("grow", 40, 0)
        write("write", 40, 6)
        a.node.source._held.refresh()
        np.testing.assert_array_equal(a.ndarray(), np.full(15, 6))
        copy = pickle.loads(pickle.dumps(a))
        assert copy.node.source.swmr
        np.testing.assert_array_equal(copy[:5].ndarray(), np.full(5, 6))


def test_cached_description_does_not_depend_on_swmr(write, path, tmp_path, caplog):
    caplog.set_level(logging.ERROR)
    write("close")
    cache = biggus.Cache(tmp_path / "cache")
    assert biggus.open(path, "plain", swmr=True, cache=cache).shape == (15,)
    (tmp_path / "scan.h5").unlink()
    for options in ({}, {"swmr": True}):
        assert biggus.open(path, "plain", cache=cache, **options).shape == (15,)
