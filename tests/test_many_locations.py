"""Several locations as one array: patterns, lists, and deleted files."""

from __future__ import annotations

import numpy as np
import pytest

import biggus
from biggus.errors import (
    GoneError,
    OpenError,
)

h5py = pytest.importorskip("h5py")

VALUES = np.arange(60, dtype="f4").reshape(6, 10)


pytestmark = pytest.mark.usefixtures("settled")


@pytest.fixture
def cache(tmp_path):
    with biggus.Cache(tmp_path / "cache") as made:
        yield made


@pytest.fixture
def series(tmp_path):
    """Make three files of two rows each."""
    paths = []
    for number in range(3):
        paths.append(tmp_path / f"part-{number}.h5")
        with h5py.File(paths[-1], "w") as file:
            file["a"] = VALUES[2 * number : 2 * number + 2]
    return paths


@pytest.mark.parametrize("mismatch", ["raise", "ignore"])
@pytest.mark.parametrize("axis", [0, 1, -1, -2, 2, -3, 7])
def test_axes_are_numbered_as_by_numpy(series, check_same, axis, mismatch):
    halves = [VALUES[:2], VALUES[2:4]]
    check_same(
        lambda: biggus.open_many(series[:2], "a", axis, mismatch=mismatch),
        lambda: np.concatenate(halves, axis),
    )


def test_open_many(series, tmp_path, check_same):
    check_same(lambda: biggus.open_many(str(tmp_path / "part-*.h5"), "a"), lambda: VALUES)
    check_same(lambda: biggus.open_many(tmp_path / "part-*.h5"), lambda: VALUES)
    check_same(lambda: biggus.open_many(series[::-1], "a")[0], lambda: VALUES[4])
    check_same(
        lambda: biggus.open_many(iter(series), "a", axis=1),
        lambda: VALUES.reshape(3, 2, 10).transpose(1, 0, 2).reshape(2, 30),
    )
    check_same(lambda: biggus.open_many(series, "a", stack=True), lambda: VALUES.reshape(3, 2, 10))
    assert isinstance(biggus.open_many(series, "a", stack=True), biggus.Array)


def test_path_with_brackets_is_opened(series):
    named = series[0].rename(series[0].with_name("part[1].h5"))
    assert biggus.open_many(named, "a").shape == (2, 10)


def test_open_many_without_files_raises(tmp_path, series):
    with pytest.raises(GoneError, match="no file matches"):
        biggus.open_many(str(tmp_path / "*.nothing"), "a")
    with pytest.raises(OpenError, match="empty"):
        biggus.open_many([], "a")
    with pytest.raises(ValueError, match="axis"):
        biggus.open_many(series, "a", axis=1, stack=True)


@pytest.mark.parametrize("kind", [set, frozenset])
def test_unordered_locations_raise(kind, series):
    with pytest.raises(TypeError, match="order of the locations matters"):
        biggus.open_many(kind(series), "a")


def test_deleted_files_match_a_pattern_in_the_cache(series, tmp_path, cache, check_same):
    pattern = str(tmp_path / "part-*.h5")
    biggus.open_many(pattern, "a", cache=cache).ndarray()
    for path in series:
        path.unlink()
    check_same(lambda: biggus.open_many(pattern, "a", cache=cache), lambda: VALUES)


def test_files_of_different_shapes_raise(series, tmp_path):
    with h5py.File(tmp_path / "part-9.h5", "w") as file:
        file["a"] = np.zeros((2, 3))
    with pytest.raises(ValueError, match="array 3"):
        biggus.open_many(str(tmp_path / "part-*.h5"), "a")


@pytest.mark.parametrize("shape", [(2,), (2, 3)])
def test_open_many_opens_files_once_and_reads_nothing(tmp_path, monkeypatch, shape):
    """Unnamed axes cause no search for other variables either."""
    from biggus.backends.hdf5.source import HDF5Source

    for n in range(50):
        with h5py.File(tmp_path / f"{n:02}.h5", "w") as file:
            file["time"] = np.broadcast_to(np.arange(2).reshape(2, *[1] * (len(shape) - 1)), shape)
            if len(shape) == 1:
                file["time"].attrs["units"] = f"hours since 2000-01-01 {n % 24:02}:00"
    walked = []
    monkeypatch.setattr("biggus.backends.hdf5.files._walk", lambda *args: walked.append(args) or ())
    opened, read = [], []
    init, getitem = HDF5Source.__init__, HDF5Source.__getitem__
    monkeypatch.setattr(
        HDF5Source, "__init__", lambda self, *args: opened.append(args) or init(self, *args)
    )
    monkeypatch.setattr(
        HDF5Source, "__getitem__", lambda self, box: read.append(box) or getitem(self, box)
    )
    found = biggus.open_many(str(tmp_path / "*.h5"), "time")
    assert len(opened) == 50
    assert not read
    assert not walked
    first = found[[0, 2, 99]].ndarray().reshape(3, -1)[:, 0]
    assert first.tolist() == ([0, 1, 2] if len(shape) == 1 else [0, 0, 1])
