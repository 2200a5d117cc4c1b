"""A save that does not come to its end leaves nothing that looks as if it had."""

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


def there():
    return sorted(path.name for path in Path().iterdir())


class Failing:
    """Raises when it is read for the third time."""

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
def test_a_read_that_fails_leaves_nothing(target, error, workers):
    expected = KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else biggus.SourceError
    with biggus.set_options(workers=workers), pytest.raises(expected):
        biggus.save(failing(error) + 1, target)
    assert there() == []
    assert not placing._unfinished


@pytest.mark.parametrize("target", TARGETS)
def test_what_was_there_stays_after_a_failure(target):
    values = np.arange(6.0)
    biggus.save(values, target)
    with pytest.raises(biggus.SourceError):
        biggus.save(failing(RuntimeError("broken")), target, overwrite=True)
    path, _, name = target.partition("::")
    if path == "out.npy":
        assert np.array_equal(np.load(path), values)
    else:
        assert np.array_equal(biggus.open(path, name or None).ndarray(), values)
    assert there() == [path]


def test_one_failure_among_several_targets_leaves_none():
    a = biggus.ArrayAdapter(VALUES)
    with pytest.raises(biggus.SourceError):
        biggus.save([a, failing(RuntimeError("broken"))], ["a.npy", "b.h5::b"])
    assert there() == []


class Full:
    """A target with no room for the last row."""

    shape, chunks = SHAPE, (5, 100_000)

    def __setitem__(self, box, values):
        if box[0].stop == SHAPE[0]:
            raise OSError(28, "No space left on device")


def test_a_target_that_fails_ends_the_save_of_all():
    a = biggus.ArrayAdapter(VALUES, chunks=(5, 100_000))
    with pytest.raises(OutputError, match=r"the Full \[.*:40, 0:100000\]: .*No space left"):
        biggus.save([a, a + 1], [Full(), "out.zarr"])
    assert there() == []


def test_a_store_that_cannot_be_finished_leaves_nothing(monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zarr, "consolidate_metadata", full)
    a = biggus.ArrayAdapter(VALUES)
    with pytest.raises(OutputError, match=r"out\.zarr: .*No space left"):
        biggus.save([a, a], ["other.npy", "out.zarr::a"])
    assert there() == []


def test_a_dtype_that_the_format_does_not_hold_is_known_before_anything_is_read(recorded):
    source = recorded(np.zeros(3, [("x", "i4"), ("y", "f8")]))
    with pytest.raises(OutputError, match=r"out\.zarr"):
        biggus.save(biggus.ArrayAdapter(source), "out.zarr")
    assert source.boxes == []
    assert there() == []


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


def killed(*arguments):
    """Save in another process, and kill that in the middle."""
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "stuck\n"
        process.kill()


@pytest.mark.machine
@pytest.mark.parametrize("target", TARGETS[:1] + TARGETS[2:])
def test_a_process_that_is_killed_leaves_nothing_that_looks_finished(target):
    path, _, name = target.partition("::")
    killed(target)
    assert all(left.startswith(f".{path}.") and left.endswith(".partial") for left in there())
    assert list(Path().glob("out*")) == []
    with pytest.raises(biggus.errors.GoneError):
        biggus.open(path, name or None, backend="hdf5" if path.endswith("y") else None)
    biggus.save(VALUES[:2], target)  # what is left is in nobody's way
    if path == "out.npy":
        assert np.array_equal(np.load(path), VALUES[:2])
    else:
        assert np.array_equal(biggus.open(path, name).ndarray(), VALUES[:2])


def test_a_process_that_is_killed_leaves_what_was_there():
    biggus.save(VALUES[:2], "out.h5::a")
    killed("out.h5::a", "overwrite")
    assert np.array_equal(biggus.open("out.h5", "a").ndarray(), VALUES[:2])
