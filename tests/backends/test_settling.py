"""Reads wait until recently changed files have settled; and the limits of that guard."""

import os
import time

import numpy as np
import pytest

import biggus
from biggus.backends import settling
from biggus.backends.settling import seconds_to_settle, settled, settled_signature
from biggus.backends.signature import FileSignature, signature_of
from biggus.errors import SourceChangedError

NS = 10**9


@pytest.fixture(autouse=True)
def read_rewritten_files_at_once():
    """Override the fixture of all tests: these tests check the wait."""


class Clock:
    """A clock that advances during `sleep` only."""

    def __init__(self):
        self.now = 1000.123
        self.slept = []
        self.actions = []

    def time(self):
        return self.now

    monotonic = time

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds
        if self.actions:
            self.actions.pop(0)()


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(settling, "time", clock)
    monkeypatch.setattr(settling, "_SHORTEST", 0.01)
    monkeypatch.setattr(settling, "_known", {})
    return clock


def signature(changed, size=1000):
    ns = round(changed * NS)
    return FileSignature(1, 2, size, ns, ns)


def test_old_files_are_not_waited_for(clock):
    assert settled(lambda: signature(clock.now - 0.011), "a") == signature(clock.now - 0.011)
    assert settled(lambda: signature(0), "b") == signature(0)
    assert clock.slept == []


def test_new_file_is_waited_for_once(clock):
    young = signature(clock.now - 0.004)
    for _ in range(3):
        assert settled(lambda: young, "a") == young
    assert clock.slept == [pytest.approx(0.006)]


@pytest.mark.parametrize(
    ("size", "seconds"), [(10, 0.01), (2**23, 0.01), (2**29, 0.5), (2**31, 2.0), (2**40, 2.0)]
)
def test_wait_grows_with_the_size_of_the_file(clock, size, seconds):
    assert seconds_to_settle(signature(clock.now, size)) == pytest.approx(seconds)
    assert seconds_to_settle(signature(clock.now - seconds - 1e-6, size)) == 0


def test_file_times_in_whole_seconds(clock):
    assert seconds_to_settle(signature(1000)) == pytest.approx(2 - 0.123)
    clock.now = 1002.1
    assert seconds_to_settle(signature(1000)) == 0


def test_file_times_in_the_future_are_waited_for_once(clock):
    """The wait is that of a new file, not until the time of the file is reached."""
    ahead = signature(clock.now + 500)
    for _ in range(3):
        assert settled(lambda: ahead, "a") == ahead
    assert clock.slept == [pytest.approx(0.01)]


def test_file_changed_since_it_was_seen_is_waited_for_longer(clock):
    first, second = signature(500), signature(clock.now - 0.05)
    assert settled(lambda: first, "a") == first
    assert settled(lambda: second, "a") == second
    assert clock.slept == [pytest.approx(0.2)]
    assert settled(lambda: signature(clock.now - 0.3), "a") is not None  # old enough
    assert len(clock.slept) == 1


def test_new_file_in_an_old_store_is_waited_for_longer(clock):
    young, old = signature(clock.now - 0.05), signature(500)
    for name, first in (("a", old), ("b", young), ("c", None)):
        assert settled(lambda: young, name, lambda first=first: first) == young
    assert clock.slept == [pytest.approx(0.2)]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_new_chunk_in_an_old_array_is_waited_for_longer(zarr_format, tmp_path, clock):
    zarr = pytest.importorskip("zarr")
    group = zarr.create_group(tmp_path / "a.zarr", zarr_format=zarr_format)
    group.create_array("g/v", data=np.arange(20.0), chunks=(10,))
    folder = tmp_path / "a.zarr" / "g" / "v"
    time.sleep(0.3)
    chunk = folder / ("c/1" if zarr_format == 3 else "1")
    chunk.write_bytes(chunk.read_bytes())
    clock.now = chunk.stat().st_ctime + 0.05
    assert biggus.open(tmp_path / "a.zarr", "g/v").ndarray().tolist() == list(range(20))
    assert clock.slept == [pytest.approx(0.2, abs=0.01)]


def test_file_that_changes_during_the_wait_is_waited_for_again(clock):
    states = [signature(clock.now)]
    clock.actions.append(lambda: states.append(signature(clock.now)))
    assert settled(lambda: states[-1], "a") == states[1]
    assert clock.slept == pytest.approx([0.01, 0.25])


def test_file_that_changes_all_the_time_raises(clock):
    with pytest.raises(SourceChangedError, match="the file a changed"):
        settled(lambda: signature(clock.now), "a")
    assert sum(clock.slept) < 1.5


def test_remembered_names_are_bounded(clock, monkeypatch):
    monkeypatch.setattr(settling, "_MOST_KNOWN", 3)
    for name in range(10):
        settled(lambda: signature(5), str(name))
        assert len(settling._known) <= 3


def test_settled_signature_shows_later_changes(tmp_path):
    path = tmp_path / "a"
    for number in range(4):
        path.write_bytes(b"%d" % number)
        before = settled_signature(str(path))
        with path.open("rb+") as file:
            file.write(b"x")
        assert signature_of(str(path)) != before


# --- limits of the guard ----------------------------------------------------------------------


def overwrite_half(path, value):
    """Overwrite the first half of the values."""
    with path.open("rb+") as file:
        file.seek(128)
        file.write(np.full(500, float(value)).tobytes())


def test_writer_that_pauses_longer_than_the_wait_is_not_noticed(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.zeros(1000))
    a = biggus.open(path)
    overwrite_half(path, 1)
    assert set(a.ndarray()) == {0, 1}  # the file has settled half-written


def test_change_with_restored_times_is_noticed(tmp_path):
    """Setting the modification time by hand changes the time of the last status change."""
    path = tmp_path / "a.npy"
    np.save(path, np.zeros(1000))
    state = path.stat()
    before = settled_signature(str(path))
    overwrite_half(path, 1)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert path.stat().st_mtime_ns == state.st_mtime_ns
    if os.name != "nt":
        assert signature_of(str(path)) != before


def test_memory_mapped_writes_may_go_unnoticed(tmp_path):
    """The system records the first write to a mapped page, but not the next ones."""
    path = tmp_path / "a.npy"
    np.save(path, np.zeros(1000))
    mapped = np.lib.format.open_memmap(path, "r+")
    mapped[0] = 1
    a = biggus.open(path)
    assert a[0].ndarray() == 1
    before = signature_of(str(path))
    mapped[0] = 2
    if signature_of(str(path)) == before:  # as on Linux; other systems may record it
        assert a[0].ndarray() == 2
