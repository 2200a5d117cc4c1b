"""Virtual and external datasets: a missing part raises, and is not read as fill values."""

import os
import pickle
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")
from hypothesis import HealthCheck, given, settings

from biggus.backends.files import file_validator
from biggus.backends.hdf5.backend import AdoptedHDF5Source, HDF5Source
from biggus.errors import SourceError
from biggus.sources.base import read, whole
from biggus.testing.strategies import boxes

pytestmark = pytest.mark.usefixtures("settled_soon_after_writing")


def wait_until_settled(*paths):
    """Wait until files are old enough to be trusted."""
    while file_validator(*paths) is None:
        time.sleep(0.02)


@pytest.fixture
def virtual(tmp_path):
    """Return a virtual dataset of 4 rows, each in a file of its own."""
    layout = h5py.VirtualLayout((4, 6), "f8")
    for i in range(4):
        with h5py.File(tmp_path / f"part{i}.h5", "w") as file:
            file["g/v"] = np.arange(6) + 10.0 * i
        layout[i] = h5py.VirtualSource(f"part{i}.h5", "g/v", shape=(6,))
    path = str(tmp_path / "virtual.h5")
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("v", layout, fillvalue=-1)
    return path


EXPECTED = np.arange(6) + 10.0 * np.arange(4)[:, None]


def row(i, n=1):
    return slice(i, i + n, 1), slice(0, 6, 1)


def test_virtual_dataset_matches_h5py(virtual):
    source = HDF5Source(virtual, "v")

    @given(box=boxes((4, 6)))
    @settings(deadline=None, suppress_health_check=list(HealthCheck))
    def check(box):
        with h5py.File(virtual) as file:
            raw = file["v"][box]
        np.testing.assert_array_equal(read(source, box), raw)
        np.testing.assert_array_equal(raw, EXPECTED[box])

    check()


@pytest.mark.parametrize("handle", ["path", "pickled", "adopted"])
def test_missing_part_raises(virtual, tmp_path, handle):
    with h5py.File(virtual) as file:
        source = HDF5Source(virtual, "v")
        if handle == "adopted":
            source = AdoptedHDF5Source(file["v"])
        np.testing.assert_array_equal(read(source, whole((4, 6))), EXPECTED)
        (tmp_path / "part2.h5").rename(tmp_path / "away")
        if handle == "pickled":
            source = pickle.loads(pickle.dumps(source))
        for box in (whole((4, 6)), row(2), (slice(0, 4, 2), slice(5, 6, 1))):
            with pytest.raises(SourceError, match=r"part2\.h5.*does not exist") as caught:
                read(source, box)
            assert caught.value.box == box
            assert source.name in str(caught.value)
        # Boxes without values in the missing part can be read.
        np.testing.assert_array_equal(read(source, row(0, 2)), EXPECTED[:2])
        odd = (slice(1, 4, 2), slice(0, 6, 1))
        np.testing.assert_array_equal(read(source, odd), EXPECTED[odd])
        np.testing.assert_array_equal(read(source, row(3)), EXPECTED[3:])
        (tmp_path / "away").rename(tmp_path / "part2.h5")
        np.testing.assert_array_equal(read(source, whole((4, 6))), EXPECTED)


def test_part_missing_at_opening_raises(virtual, tmp_path):
    (tmp_path / "part0.h5").unlink()
    source = HDF5Source(virtual, "v")
    assert source.state() is None
    with pytest.raises(SourceError, match=r"part0\.h5"):
        read(source, whole((4, 6)))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda p: p.write_bytes(b"garbage"), "not an HDF5 file"),
        (lambda p: p.write_bytes(p.read_bytes()[:900]), "truncated"),
        (lambda p: (p.unlink(), p.mkdir()), "folder"),
        (lambda p: replace_file(p, "other", np.zeros(6)), "no variable 'g/v'"),
        (lambda p: replace_file(p, "g/v/x", np.zeros(6)), "is a group"),
    ],
)
def test_damaged_part_raises(virtual, tmp_path, damage, message):
    source = HDF5Source(virtual, "v")
    read(source, whole((4, 6)))
    part = tmp_path / "part1.h5"
    shutil.copyfile(part, tmp_path / "copy")
    (tmp_path / "copy").replace(part)  # another file of the same name
    damage(part)
    with pytest.raises(SourceError, match=message) as caught:
        read(source, row(1))
    assert "\n" not in str(caught.value)
    np.testing.assert_array_equal(read(source, row(0)), EXPECTED[:1])


def replace_file(path, name, values):
    path.unlink()
    with h5py.File(path, "w") as file:
        file[name] = values


def test_replaced_part_is_read_again(virtual, tmp_path):
    source = HDF5Source(virtual, "v")
    wait_until_settled(virtual, *(tmp_path / f"part{i}.h5" for i in range(4)))
    before = source.state()
    assert before is not None
    np.testing.assert_array_equal(read(source, row(1)), EXPECTED[1:2])
    with h5py.File(tmp_path / "new", "w") as file:
        file["g/v"] = np.full(6, 77.0)
    (tmp_path / "new").replace(tmp_path / "part1.h5")
    assert source.state() != before  # None, until it has settled
    assert read(source, row(1)).tolist() == [[77.0] * 6]


def test_part_smaller_than_its_mapping_raises(tmp_path):
    layout = h5py.VirtualLayout((4,), "i4")
    layout[:] = h5py.VirtualSource(str(tmp_path / "small.h5"), "v", shape=(8,))[4:]
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file.create_virtual_dataset("v", layout, fillvalue=-1)
    with h5py.File(tmp_path / "small.h5", "w") as file:
        file["v"] = np.arange(6, dtype="i4")
    with pytest.raises(SourceError, match=r"\(6,\).*needs at least \(8,\)"):
        read(HDF5Source(str(tmp_path / "v.h5"), "v"), whole((4,)))


def test_nested_virtual_datasets(virtual, tmp_path):
    layout = h5py.VirtualLayout((4, 6), "f8")
    layout[:] = h5py.VirtualSource("virtual.h5", "v", shape=(4, 6))
    outer = str(tmp_path / "outer.h5")
    with h5py.File(outer, "w") as file:
        file.create_virtual_dataset("v", layout, fillvalue=-1)
    source = HDF5Source(outer, "v")
    np.testing.assert_array_equal(read(source, whole((4, 6))), EXPECTED)
    (tmp_path / "part3.h5").unlink()
    with pytest.raises(SourceError, match=r"part3\.h5"):
        read(source, whole((4, 6)))


def test_cycle_of_virtual_datasets_raises(tmp_path):
    for name, other in (("a", "b"), ("b", "a")):
        layout = h5py.VirtualLayout((4,), "f8")
        layout[:] = h5py.VirtualSource(f"{other}.h5", "v", shape=(4,))
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file.create_virtual_dataset("v", layout)
    with pytest.raises(SourceError, match="deep"):
        read(HDF5Source(str(tmp_path / "a.h5"), "v"), whole((4,)))


def test_virtual_dataset_of_its_own_file(tmp_path):
    path = str(tmp_path / "self.h5")
    with h5py.File(path, "w") as file:
        file["x"] = np.arange(4.0)
        layout = h5py.VirtualLayout((2, 4), "f8")
        for i in range(2):
            layout[i] = h5py.VirtualSource(file["x"])
        file.create_virtual_dataset("v", layout)
    np.testing.assert_array_equal(read(HDF5Source(path, "v"), whole((2, 4))), [np.arange(4.0)] * 2)


def write_numbered(path, n_unlimited):
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    unlimited = h5py.h5s.UNLIMITED
    space = h5py.h5s.create_simple((0, 4), (unlimited, 4))
    space.select_hyperslab((0, 0), (unlimited, 1), (2, 4), (2, 4))
    properties.set_virtual(space, b"n%b.h5", b"v%b", h5py.h5s.create_simple((2, 4)))
    properties.set_fill_value(np.array(-1.0))
    with h5py.File(path, "w", libver="latest") as file:
        extent = h5py.h5s.create_simple((0, 4), (unlimited, 4))
        h5py.h5d.create(file.id, b"v", h5py.h5t.IEEE_F64LE, extent, properties)


def test_numbered_parts(tmp_path):
    path = str(tmp_path / "numbered.h5")
    for i in range(12):
        with h5py.File(tmp_path / f"n{i}.h5", "w") as file:
            file[f"v{i}"] = np.full((2, 4), float(i))
    write_numbered(path, 12)
    source = HDF5Source(path, "v")
    assert source.shape == (24, 4)
    expected = np.repeat(np.arange(12.0), 2)[:, None] * np.ones(4)
    np.testing.assert_array_equal(read(source, whole((24, 4))), expected)
    with h5py.File(path) as file:
        held = AdoptedHDF5Source(file["v"])
        np.testing.assert_array_equal(read(held, whole((24, 4))), expected)
        (tmp_path / "n10.h5").unlink()
        for box in (whole((24, 4)), (slice(20, 21, 1), slice(0, 4, 1))):
            with pytest.raises(SourceError, match=r"n10\.h5"):
                read(held, box)
        inside = (slice(3, 20, 1), slice(1, 2, 1))
        np.testing.assert_array_equal(read(held, inside), expected[inside])
    with pytest.raises(SourceError, match=r"changed|n10\.h5"):
        read(source, whole((24, 4)))


def test_many_parts_with_few_descriptors(tmp_path):
    """The files of one dataset are not all kept open after the read."""
    layout = h5py.VirtualLayout((200, 2), "i4")
    for i in range(200):
        with h5py.File(tmp_path / f"m{i}.h5", "w") as file:
            file["v"] = np.array([i, -i], "i4")
        layout[i] = h5py.VirtualSource(f"m{i}.h5", "v", shape=(2,))
    path = str(tmp_path / "many.h5")
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("v", layout, fillvalue=-1)
    source = HDF5Source(path, "v")
    expected = np.arange(200)[:, None] * [1, -1]
    np.testing.assert_array_equal(read(source, whole((200, 2))), expected)
    box = (slice(199, 200, 1), slice(0, 2, 1))
    np.testing.assert_array_equal(read(source, box), expected[box])
    descriptors = Path("/proc/self/fd")
    if descriptors.is_dir():
        links = [str(link.resolve()) for link in descriptors.iterdir()]
        assert sum(link.startswith(str(tmp_path)) for link in links) <= 128


FEW = """
import resource, sys
import numpy as np
from biggus.backends.hdf5.backend import AdoptedHDF5Source, HDF5Source
from biggus.sources.base import read, whole
import h5py

box, expected = whole((200, 2)), np.arange(200)[:, None] * [1, -1]
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
np.testing.assert_array_equal(read(HDF5Source(sys.argv[1], "v"), box), expected)
with h5py.File(sys.argv[1]) as file:
    try:
        values = read(AdoptedHDF5Source(file["v"]), box)
    except OSError as error:
        print("refused", error)
    else:
        np.testing.assert_array_equal(values, expected)
"""


def test_out_of_descriptors_raises(tmp_path):
    pytest.importorskip("resource", reason="no limits of descriptors on this platform")
    test_many_parts_with_few_descriptors(tmp_path)
    command = [sys.executable, "-c", FEW, str(tmp_path / "many.h5")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "refused" in done.stdout
    assert "Too many open files" in done.stdout


@pytest.fixture
def external(tmp_path, monkeypatch):
    """Return a dataset whose values lie in two other files."""
    monkeypatch.chdir(tmp_path)
    path = str(tmp_path / "external.h5")
    with h5py.File(path, "w") as file:
        parts = [("first.bin", 16, 160), (str(tmp_path / "second.bin"), 0, h5py.h5f.UNLIMITED)]
        data = file.create_dataset("v", (10, 4), "f8", external=parts)
        data[...] = np.arange(40.0).reshape(10, 4)
    return path


WHOLE = whole((10, 4))
VALUES = np.arange(40.0).reshape(10, 4)


def test_external_files(external, tmp_path):
    source = HDF5Source(external, "v")
    np.testing.assert_array_equal(read(source, WHOLE), VALUES)
    wait_until_settled(external, tmp_path / "first.bin", tmp_path / "second.bin")
    state = source.state()
    assert state is not None
    assert len(state) == 3 * len(file_validator(external))
    first = (slice(0, 5, 1), slice(0, 4, 1))
    (tmp_path / "second.bin").rename(tmp_path / "away")
    with pytest.raises(SourceError, match=r"second\.bin.*does not exist"):
        read(source, WHOLE)
    np.testing.assert_array_equal(read(source, first), VALUES[first])
    assert source.state() is None
    (tmp_path / "away").rename(tmp_path / "second.bin")
    os.truncate(tmp_path / "second.bin", 100)
    with pytest.raises(SourceError, match=r"second\.bin.*160 bytes, but has only 100"):
        read(source, WHOLE)
    short = (slice(0, 8, 1), slice(0, 4, 1))  # ends with byte 96 of the second file
    np.testing.assert_array_equal(read(source, short), VALUES[short])


def test_external_files_in_another_folder(external, tmp_path, monkeypatch):
    source = HDF5Source(external, "v")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(SourceError, match="working directory"):
        read(source, WHOLE)


def test_plain_file_replaced_by_a_virtual_one(virtual, tmp_path):
    path = str(tmp_path / "plain.h5")
    with h5py.File(path, "w") as file:
        file["v"] = np.zeros((4, 6))
    source = HDF5Source(path, "v")
    assert not read(source, whole((4, 6))).any()
    Path(shutil.copyfile(virtual, path + ".new")).replace(path)
    np.testing.assert_array_equal(read(source, whole((4, 6))), EXPECTED)
    (tmp_path / "part1.h5").unlink()
    with pytest.raises(SourceError, match=r"part1\.h5"):
        read(source, whole((4, 6)))
