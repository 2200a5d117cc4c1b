"""Partial results of files are not reused after the files have changed."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from waiting import settle

import biggus
from biggus.cache import Cache
from biggus.testing import RecordingSource

pytestmark = pytest.mark.usefixtures("settled_soon_after_writing")

VALUES = np.arange(4 * 2**19, dtype="f4").reshape(4, -1)


@pytest.fixture(autouse=True)
def _kept(cache):
    with biggus.set_options(cache=cache):
        yield


def store_hdf5(folder, values):
    h5py = pytest.importorskip("h5py")
    with h5py.File(folder / "a.h5", "w") as file:
        file.create_dataset("a", data=values, chunks=(1, values.shape[1] // 2))
    return folder / "a.h5"


def store_contiguous(folder, values):
    h5py = pytest.importorskip("h5py")
    with h5py.File(folder / "a.h5", "w") as file:
        file["a"] = values
    return folder / "a.h5"


def store_zarr(folder, values):
    zarr = pytest.importorskip("zarr")
    path = folder / "a.zarr"
    zarr.create_array(path, data=values, chunks=(1, values.shape[1] // 2), compressors=None)
    return path


STORES = [store_hdf5, store_contiguous, store_zarr]


def opened(path):
    """Return an array whose values are not cached, and its recording source."""
    with biggus.set_options(cache=False):
        source = RecordingSource(biggus.open(path).node.source)
        return biggus.ArrayAdapter(source), source


def overwrite(path, row, value):
    """Overwrite the first value of a row in the stored file."""
    if path.suffix == ".h5":
        import h5py

        with h5py.File(path) as file:  # open elsewhere, so it must not be opened for writing
            stored = file["a"]
            if stored.chunks is None:
                offset = stored.id.get_offset() + row * stored[row].nbytes
            else:
                offset = stored.id.get_chunk_info_by_coord((row, 0)).byte_offset
        with path.open("r+b") as raw:
            raw.seek(offset)
            raw.write(np.float32(value).tobytes())
    else:
        import zarr

        zarr.open_array(path)[row, 0] = value


@pytest.mark.parametrize("store", STORES)
def test_repeated_analysis_of_a_file_reads_nothing(store, tmp_path):
    path = store(tmp_path, VALUES)
    settle(path)
    for _ in range(2):
        a, source = opened(path)
        source.clear()
        assert a.max().ndarray() == VALUES.max()
        assert a.sum(axis=1).ndarray().tolist() == VALUES.sum(axis=1, dtype="f8").tolist()
    assert source.boxes == []


@pytest.mark.parametrize("store", STORES)
def test_results_computed_alone_are_reused_together(store, tmp_path):
    path = store(tmp_path, VALUES)
    settle(path)
    least, most = opened(path)[0].min().ndarray(), opened(path)[0].max().ndarray()
    a, source = opened(path)
    source.clear()
    found = biggus.ndarrays([a.max(), a.min(), a.ptp()])
    assert [x.tolist() for x in found] == [most, least, most - least]
    assert source.boxes == []
    # Results computed together are reused alone.
    rows = biggus.ndarrays([a.min(axis=1), a.max(axis=1)])
    source.clear()
    assert a.max(axis=1).ndarray().tolist() == rows[1].tolist() == VALUES.max(axis=1).tolist()
    assert a.ptp(axis=1).ndarray().tolist() == np.ptp(VALUES, axis=1).tolist()
    assert source.boxes == []


@pytest.mark.parametrize("store", STORES)
def test_rewritten_file_is_read_again(store, tmp_path):
    path = store(tmp_path, VALUES)
    settle(path)
    for value in (2.0**30, 2.0**31):
        assert opened(path)[0].max().ndarray() != value
        before = sum(f.stat().st_size for f in [path, *path.rglob("*")] if f.is_file())
        overwrite(path, 3, value)
        assert before == sum(f.stat().st_size for f in [path, *path.rglob("*")] if f.is_file())
        assert opened(path)[0].max().ndarray() == value  # not settled: not to be trusted
        settle(path)
        assert opened(path)[0].max().ndarray() == value
        assert opened(path)[0].max().ndarray() == value


@pytest.mark.parametrize("store", STORES)
def test_open_array_sees_rewritten_values(store, tmp_path):
    path = store(tmp_path, VALUES)
    settle(path)
    a, source = opened(path)
    assert a.max().ndarray() == VALUES.max()
    overwrite(path, 0, 2.0**30)
    settle(path)
    assert a.max().ndarray() == 2.0**30
    source.clear()
    assert a.max().ndarray() == 2.0**30
    assert source.boxes == []


def test_store_with_chunk_validators_reads_only_changed_chunks(tmp_path):
    path = store_zarr(tmp_path, np.zeros((4, 2**21), "f4"))
    settle(path)
    opened(path)[0].max(axis=1).ndarray()
    overwrite(path, 2, 7)
    settle(path)
    a, source = opened(path)
    assert a.max(axis=1).ndarray().tolist() == [0, 0, 7, 0]
    assert {(box[0].start, box[0].stop) for box in source.boxes} == {(2, 3)}


@pytest.mark.parametrize("store", STORES)
def test_change_between_lookup_and_read_is_not_kept_as_the_old_state(store, tmp_path):
    path = store(tmp_path, VALUES)
    settle(path)
    _, source = opened(path)
    read = source.source.__getitem__
    begun = []

    class Late(RecordingSource):
        def __getitem__(self, box):
            if not begun:
                begun.append(box)
                overwrite(path, 0, 2.0**30)
                settle(path)
            return read(box)

    with biggus.set_options(cache=False):
        late = biggus.ArrayAdapter(Late(source.source))
    # The lookup saw another state than the read: the evaluation starts again.
    with biggus.set_options(retry_changed=1):
        assert late.max().ndarray() == 2.0**30
    overwrite(path, 0, 0)
    settle(path)
    assert opened(path)[0].max().ndarray() == VALUES.max()


@pytest.mark.parametrize("bit", [0, 3, 40, 77, -9, -1])
def test_damaged_entry_is_computed_again(bit, tmp_path, cache):
    path = store_zarr(tmp_path, VALUES)
    settle(path)
    opened(path)[0].std().ndarray()
    entries = [f for f in (cache.path / "entries").rglob("*") if f.is_file()]
    assert entries
    for entry in entries:
        content = bytearray(entry.read_bytes())
        content[bit % len(content)] ^= 1 << (bit % 8)
        entry.write_bytes(content)
    a, source = opened(path)
    source.clear()
    with biggus.set_options(cache=False):
        expected = a.std().ndarray()
    source.clear()
    assert a.std().ndarray() == expected
    assert source.boxes
    source.clear()
    assert a.std().ndarray() == expected
    assert source.boxes == []


def test_truncated_entries_are_computed_again(tmp_path, cache):
    path = store_zarr(tmp_path, VALUES)
    settle(path)
    expected = opened(path)[0].std().ndarray()
    for keep in (0, 5, 60):
        for entry in (cache.path / "entries").rglob("*"):
            if entry.is_file():
                entry.write_bytes(entry.read_bytes()[:keep])
        assert opened(path)[0].std().ndarray() == expected


PROGRAM = """
import sys, biggus
from biggus.backends import files
files.SETTLED_SECONDS = 0.1
with biggus.set_options(cache=biggus.Cache(sys.argv[2], "1 GB")):
    a = biggus.open(sys.argv[1], cache=False)
    for _ in range(5):
        print(*[x.tobytes().hex() for x in biggus.ndarrays([a.std(), a.mean(axis=0)[:9]])])
"""


def test_concurrent_processes_give_the_same_results(tmp_path, cache):
    path = store_zarr(tmp_path, VALUES)
    settle(path)
    command = [sys.executable, "-c", PROGRAM, str(path), str(cache.path)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    lines = [line for process in processes for line in process.communicate()[0].splitlines()]
    assert [process.returncode for process in processes] == [0, 0]
    a, _ = opened(path)
    with biggus.set_options(cache=False):
        expected = [x.tobytes().hex() for x in biggus.ndarrays([a.std(), a.mean(axis=0)[:9]])]
    assert lines == [" ".join(expected)] * 10


def test_unwritable_cache_is_ignored(tmp_path, caplog):
    path = store_zarr(tmp_path, VALUES)
    settle(path)
    with Cache(tmp_path / "small", 1) as small, biggus.set_options(cache=small):
        assert opened(path)[0].max().ndarray() == VALUES.max()
        assert opened(path)[0].max().ndarray() == VALUES.max()
