"""An unfinished save leaves nothing that looks like a finished store."""

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import biggus
from biggus.errors import OutputError
from biggus.sinks import placing

h5py = pytest.importorskip("h5py")
netCDF4 = pytest.importorskip("netCDF4")
zarr = pytest.importorskip("zarr")

SHAPE = (40, 100_000)
VALUES = np.arange(4_000_000, dtype="f4").reshape(SHAPE)
TARGETS = ["out.npy", "out.zarr", "out.zarr::a", "out.h5::a", "out.nc::a"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def files_here():
    return sorted(path.name for path in Path().iterdir())


class Failing:
    """A source whose third read raises."""

    shape, dtype = SHAPE, VALUES.dtype

    def __init__(self, error):
        self.error = error
        self.reads = 0
        self.lock = threading.Lock()

    def __getitem__(self, box):
        with self.lock:
            self.reads += 1
            if self.reads == 3:
                raise self.error
        return VALUES[box]


def failing(error):
    return biggus.ArrayAdapter(Failing(error), chunks=(5, 100_000))


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "error", [RuntimeError("broken"), KeyboardInterrupt()], ids=["error", "^C"]
)
def test_failed_read_leaves_no_file(target, error, workers):
    expected = KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else biggus.SourceError
    with biggus.set_options(workers=workers), pytest.raises(expected):
        biggus.save(failing(error) + 1, target)
    assert files_here() == []
    assert not placing._unfinished


@pytest.mark.parametrize("target", TARGETS)
def test_failed_overwrite_keeps_the_old_store(target):
    values = np.arange(6.0)
    biggus.save(values, target)
    with pytest.raises(biggus.SourceError):
        biggus.save(failing(RuntimeError("broken")), target, overwrite=True)
    path, _, name = target.partition("::")
    if path == "out.npy":
        assert np.array_equal(np.load(path), values)
    else:
        assert np.array_equal(biggus.open(path, name or None).ndarray(), values)
    assert files_here() == [path]


def test_failure_of_one_array_leaves_no_target():
    a = biggus.ArrayAdapter(VALUES)
    with pytest.raises(biggus.SourceError):
        biggus.save([a, failing(RuntimeError("broken"))], ["a.npy", "b.h5::b"])
    assert files_here() == []


class Full:
    """A target with no room for the last row."""

    shape, chunks = SHAPE, (5, 100_000)

    def __setitem__(self, box, values):
        if box[0].stop == SHAPE[0]:
            raise OSError(28, "No space left on device")


def test_failing_target_ends_the_whole_save():
    a = biggus.ArrayAdapter(VALUES, chunks=(5, 100_000))
    with pytest.raises(OutputError, match=r"the Full \[.*:40, 0:100000\]: .*No space left"):
        biggus.save([a, a + 1], [Full(), "out.zarr"])
    assert files_here() == []


def test_failure_while_finishing_a_store_leaves_nothing(monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zarr, "consolidate_metadata", full)
    a = biggus.ArrayAdapter(VALUES)
    with pytest.raises(OutputError, match=r"out\.zarr: .*No space left"):
        biggus.save([a, a], ["other.npy", "out.zarr::a"])
    assert files_here() == []


def test_unsupported_dtype_raises_before_reading(recorded):
    source = recorded(np.zeros(3, [("x", "i4"), ("y", "f8")]))
    with pytest.raises(OutputError, match=r"out\.zarr"):
        biggus.save(biggus.ArrayAdapter(source), "out.zarr")
    assert source.boxes == []
    assert files_here() == []


KILLED = """
import sys, threading
import numpy as np
import biggus

class Stuck:
    shape, dtype = (40, 100_000), np.dtype("f4")
    reads = 0

    def __getitem__(self, box):
        self.reads += 1
        if self.reads == 6:
            print("stuck", flush=True)
            threading.Event().wait()
        return np.ones([s.stop - s.start for s in box], "f4")

array = biggus.ArrayAdapter(Stuck(), chunks=(5, 100_000))
with biggus.set_options(workers=1):
    biggus.save(array, sys.argv[1], overwrite=len(sys.argv) > 2)
"""


def save_and_kill(*arguments):
    """Save in another process, and kill it halfway."""
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "stuck\n"
        process.kill()


@pytest.mark.machine
@pytest.mark.parametrize("target", TARGETS[:1] + TARGETS[2:])
def test_killed_process_leaves_partial_files_only(target):
    path, _, name = target.partition("::")
    save_and_kill(target)
    assert all(left.startswith(f".{path}.") and left.endswith(".partial") for left in files_here())
    assert list(Path().glob("out*")) == []
    with pytest.raises(biggus.errors.GoneError):
        biggus.open(path, name or None, backend="hdf5" if path.endswith("y") else None)
    biggus.save(VALUES[:2], target)  # partial files do not disturb a new save
    if path == "out.npy":
        assert np.array_equal(np.load(path), VALUES[:2])
    else:
        assert np.array_equal(biggus.open(path, name).ndarray(), VALUES[:2])


def test_killed_overwrite_keeps_the_old_store():
    biggus.save(VALUES[:2], "out.h5::a")
    save_and_kill("out.h5::a", "overwrite")
    assert np.array_equal(biggus.open("out.h5", "a").ndarray(), VALUES[:2])
