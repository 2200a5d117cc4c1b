"""No value is taken of a file that was changed a moment ago; and where that guard ends."""

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
def soon_at_rest():
    """How long it takes until a file is at rest is what is tested."""


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self):
        self.now = 1000.123
        self.slept = []
        self.meanwhile = []

    def time(self):
        return self.now

    monotonic = time

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds
        if self.meanwhile:
            self.meanwhile.pop(0)()


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


def test_what_is_old_enough_is_not_waited_for(clock):
    assert settled(lambda: signature(clock.now - 0.011), "a") == signature(clock.now - 0.011)
    assert settled(lambda: signature(0), "b") == signature(0)
    assert clock.slept == []


def test_what_has_just_been_written_is_waited_for_once(clock):
    young = signature(clock.now - 0.004)
    for _ in range(3):
        assert settled(lambda: young, "a") == young
    assert clock.slept == [pytest.approx(0.006)]


@pytest.mark.parametrize(
    ("size", "seconds"), [(10, 0.01), (2**23, 0.01), (2**29, 0.5), (2**31, 2.0), (2**40, 2.0)]
)
def test_it_takes_as_long_as_writing_all_of_it(clock, size, seconds):
    assert seconds_to_settle(signature(clock.now, size)) == pytest.approx(seconds)
    assert seconds_to_settle(signature(clock.now - seconds - 1e-6, size)) == 0


def test_file_systems_that_keep_whole_seconds(clock):
    assert seconds_to_settle(signature(1000)) == pytest.approx(2 - 0.123)
    clock.now = 1002.1
    assert seconds_to_settle(signature(1000)) == 0


def test_the_clock_of_a_server_may_be_ahead(clock):
    """It is waited for as long as for what is new, and not until its time has come."""
    ahead = signature(clock.now + 500)
    for _ in range(3):
        assert settled(lambda: ahead, "a") == ahead
    assert clock.slept == [pytest.approx(0.01)]


def test_what_changed_since_it_was_seen_is_waited_for_longer(clock):
    first, second = signature(500), signature(clock.now - 0.05)
    assert settled(lambda: first, "a") == first
    assert settled(lambda: second, "a") == second
    assert clock.slept == [pytest.approx(0.2)]
    assert settled(lambda: signature(clock.now - 0.3), "a") is not None  # that is long enough
    assert len(clock.slept) == 1


def test_what_is_young_in_an_old_store_is_waited_for_as_long(clock):
    young, old = signature(clock.now - 0.05), signature(500)
    for name, first in (("a", old), ("b", young), ("c", None)):
        assert settled(lambda: young, name, lambda first=first: first) == young
    assert clock.slept == [pytest.approx(0.2)]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_chunks_are_young_in_an_old_array(zarr_format, tmp_path, clock):
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


def test_what_changes_while_it_is_waited_for_is_too(clock):
    states = [signature(clock.now)]
    clock.meanwhile.append(lambda: states.append(signature(clock.now)))
    assert settled(lambda: states[-1], "a") == states[1]
    assert clock.slept == pytest.approx([0.01, 0.25])


def test_what_changes_all_the_time_is_given_up(clock):
    with pytest.raises(SourceChangedError, match="the file a changed"):
        settled(lambda: signature(clock.now), "a")
    assert sum(clock.slept) < 1.5


def test_few_names_are_known(clock, monkeypatch):
    monkeypatch.setattr(settling, "_MOST_KNOWN", 3)
    for name in range(10):
        settled(lambda: signature(5), str(name))
        assert len(settling._known) <= 3


def test_a_change_shows_once_a_file_has_settled(tmp_path):
    path = tmp_path / "a"
    for number in range(4):
        path.write_bytes(b"%d" % number)
        before = settled_signature(str(path))
        with path.open("rb+") as file:
            file.write(b"x")
        assert signature_of(str(path)) != before


# --- where the guard ends ---------------------------------------------------------------------


def half(path, value):
    """Write half of the values over those that are there."""
    with path.open("rb+") as file:
        file.seek(128)
        file.write(np.full(500, float(value)).tobytes())


def test_who_pauses_half_way_for_longer_than_a_file_is_waited_for_is_not_noticed(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.zeros(1000))
    a = biggus.open(path)
    half(path, 1)
    assert set(a.ndarray()) == {0, 1}  # it waits until the file has settled, and so it has


def test_times_that_change_back_are_not_needed(tmp_path):
    """Who sets the time of modification by hand is noticed where the system keeps another."""
    path = tmp_path / "a.npy"
    np.save(path, np.zeros(1000))
    state = path.stat()
    before = settled_signature(str(path))
    half(path, 1)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert path.stat().st_mtime_ns == state.st_mtime_ns
    if os.name != "nt":
        assert signature_of(str(path)) != before


def test_what_is_mapped_into_memory_changes_without_a_sign(tmp_path):
    """The system notes the first write to a page, and not those that follow it."""
    path = tmp_path / "a.npy"
    np.save(path, np.zeros(1000))
    mapped = np.lib.format.open_memmap(path, "r+")
    mapped[0] = 1
    a = biggus.open(path)
    assert a[0].ndarray() == 1
    before = signature_of(str(path))
    mapped[0] = 2
    if signature_of(str(path)) == before:  # as on Linux; elsewhere it may be noticed
        assert a[0].ndarray() == 2
