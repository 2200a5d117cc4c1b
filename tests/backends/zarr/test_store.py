"""Zarr stores on disk: states of chunks, zip files, threads and processes, adopted arrays."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import shutil
import subprocess
import sys
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from zarr_samples import BACKEND, assert_same, create, open_zarr

from biggus.backends.location import Location
from biggus.backends.zarr.store import FolderStore
from biggus.errors import BiggusError, GoneError, SourceError
from biggus.sources.base import read, whole

zarr = pytest.importorskip("zarr")
numcodecs = pytest.importorskip("numcodecs")


# Validators -----------------------------------------------------------------------------


@pytest.mark.parametrize("shards", [None, (4,)])
def test_rewritten_chunk_changes_only_its_own_validator(tmp_path, settled, shards):
    path = tmp_path / "a.zarr"
    array = zarr.create_array(path, shape=(12,), dtype="i4", chunks=(2,), shards=shards)
    array[:8] = np.arange(1, 9)
    source = open_zarr(path)
    parts = [(slice(i, i + 2, 1),) for i in range(0, 12, 2)]
    before = [source.validator(part) for part in parts]
    assert None not in before
    assert before == [source.validator(part) for part in parts]
    array[2:4] = [-1, -2]
    array[10:12] = 7
    after = [source.validator(part) for part in parts]
    changed = [i for i, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
    assert changed == ([1, 5] if shards is None else [0, 1, 4, 5])
    both = (slice(0, 12, 1),)
    assert source.fetch(both)[1] == source.validator(both) is not None
    array.attrs["units"] = "K"
    assert all(a != source.validator(part) for a, part in zip(after, parts, strict=True))


def test_new_file_has_no_validator(tmp_path):
    path = tmp_path / "a.zarr"
    zarr.create_array(path, data=np.arange(4), chunks=(2,))
    assert open_zarr(path).validator(whole((4,))) is None


def test_zip_has_one_validator(tmp_path, settled):
    path = make_zip(tmp_path, np.arange(4))
    source = open_zarr(path, "a")
    before = source.validator((slice(0, 1, 1),))
    assert before is not None
    assert before == source.validator((slice(3, 4, 1),))
    make_zip(tmp_path, np.arange(4) + 1)
    assert source.validator((slice(0, 1, 1),)) != before
    assert read(source, whole((4,))).tolist() == [1, 2, 3, 4]


# Zip files ----------------------------------------------------------------------------


def make_zip(folder, data, compression=zipfile.ZIP_STORED, name="a.zarr.zip", **kwargs):
    path = folder / name
    path.unlink(missing_ok=True)
    with zarr.storage.ZipStore(path, mode="w", compression=compression) as store:
        create_in = zarr.create_group(store)
        create_in.create_array("a", data=data, **kwargs)
    return path


@pytest.mark.parametrize(
    "compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2]
)
@pytest.mark.parametrize("shards", [None, (50, 20)])
def test_concurrent_reads_of_a_zip(tmp_path, compression, shards):
    data = np.random.default_rng(1).normal(size=(200, 20))
    path = make_zip(tmp_path, data, compression, "odd name", chunks=(10, 10), shards=shards)
    assert BACKEND.claims(Location(path)) == BACKEND.BY_CONTENT
    assert BACKEND.variables(Location(path)) == ("a",)
    source = open_zarr(path, "a")
    parts = [(slice(i, i + 7, 1), slice(3, 17, 2)) for i in range(0, 190, 3)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda part: read(source, part), parts))
    for part, values in zip(parts, found, strict=True):
        assert_same(values, data[part])


def test_damaged_and_deleted_zips_raise(tmp_path):
    data = np.random.default_rng(1).normal(size=1000)
    path = make_zip(tmp_path, data, chunks=(100,), compressors=None)
    source = open_zarr(path, "a")
    raw = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        at = archive.getinfo("a/c/3").header_offset + 200
    path.write_bytes(raw[:at] + b"!!!!" + raw[at + 4 :])
    assert_same(read(source, (slice(0, 100, 1),)), data[:100])
    with pytest.raises(SourceError, match="damaged at a/c/3"):
        read(source, whole((1000,)))
    path.write_bytes(raw[: len(raw) // 2])
    with pytest.raises(SourceError, match="damaged"):
        read(source, whole((1000,)))
    path.unlink()
    with pytest.raises(SourceError, match="gone"):
        read(source, whole((1000,)))
    with pytest.raises(GoneError):
        open_zarr(path, "a")


# Threads and processes ----------------------------------------------------------------


def test_concurrent_reads(tmp_path):
    data = np.random.default_rng(1).integers(0, 9, (64, 64))
    zarr.create_array(tmp_path / "a.zarr", data=data, chunks=(8, 8))
    source = open_zarr(tmp_path / "a.zarr")
    barrier = threading.Barrier(8)

    def work(i):
        barrier.wait()
        return [read(source, (slice(j, j + 9, 1), slice(i, 64, 3))) for j in range(0, 48, 8)]

    with ThreadPoolExecutor(8) as pool:
        for i, results in enumerate(pool.map(work, range(8))):
            for j, values in zip(range(0, 48, 8), results, strict=True):
                assert_same(values, data[j : j + 9, i::3])


def test_pickles_by_location(tmp_path):
    create(tmp_path / "a.zarr", np.arange(10_000.0))
    source = open_zarr(tmp_path / "a.zarr")
    text = pickle.dumps(source)
    assert len(text) < 500
    again = pickle.loads(text)
    assert again.token == source.token
    assert_same(read(again, whole((10_000,))), np.arange(10_000.0))


def test_pickles_by_absolute_path(tmp_path, monkeypatch):
    create(tmp_path / "a.zarr", np.arange(3))
    monkeypatch.chdir(tmp_path)
    text = pickle.dumps(open_zarr("a.zarr"))
    monkeypatch.chdir("/")
    assert read(pickle.loads(text), whole((3,))).tolist() == [0, 1, 2]


def read_all(source):
    return read(source, whole(source.shape)).tolist()


def test_spawned_process(tmp_path):
    path = tmp_path / "a.zarr"
    zarr.create_array(path, data=np.arange(6), chunks=(2,))
    source = open_zarr(path)
    (tmp_path / "source.pickle").write_bytes(pickle.dumps(source))
    code = (
        "import pickle, sys; from biggus.sources.base import read, whole;"
        "s = pickle.load(open(sys.argv[1], 'rb')); print(read(s, whole(s.shape)).tolist())"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(tmp_path / "source.pickle")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == "[0, 1, 2, 3, 4, 5]"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("zipped", [False, True])
def test_forked_process(tmp_path, zipped):
    path = tmp_path / "a.zarr"
    if zipped:
        path = make_zip(tmp_path, np.arange(6), chunks=(2,))
    else:
        zarr.create_group(path).create_array("a", data=np.arange(6), chunks=(2,))
    source = open_zarr(path, "a")
    assert read_all(source) == [0, 1, 2, 3, 4, 5]
    assert read(source, (slice(0, 1, 1),)).tolist() == [0]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        found = pool.map_async(read_one_and_all, [(open_zarr, path), (open_zarr, path)])
        assert found.get(timeout=60) == [[[0], [0, 1, 2, 3, 4, 5]]] * 2
        # The child also inherits open files of the parent.
        _inherited.append(source)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        found = pool.map_async(read_inherited, [0])
        assert found.get(timeout=60) == [[[0], [0, 1, 2, 3, 4, 5]]]
    assert read_all(source) == [0, 1, 2, 3, 4, 5]
    _inherited.clear()


_inherited = []


def read_one_and_all(opener_and_path):
    source = opener_and_path[0](opener_and_path[1], "a")
    return [read(source, (slice(0, 1, 1),)).tolist(), read_all(source)]


def read_inherited(_):
    return [read(_inherited[0], (slice(0, 1, 1),)).tolist(), read_all(_inherited[0])]


def test_inside_a_running_event_loop(tmp_path):
    import asyncio

    zarr.create_array(tmp_path / "a.zarr", data=np.arange(6), chunks=(2,))
    source = open_zarr(tmp_path / "a.zarr")

    async def main():
        return read(source, (slice(0, 1, 1),)).tolist(), read_all(source)

    assert asyncio.run(main()) == ([0], [0, 1, 2, 3, 4, 5])


# Adoption -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["folder", "memory", "zip"])
@pytest.mark.parametrize("shape", [(), (6,), (4, 5)])
def test_adopted_arrays(tmp_path, kind, shape):
    data = np.arange(int(np.prod(shape)), dtype="<i4").reshape(shape)
    store = tmp_path / "a.zarr"
    if kind == "memory":
        store = zarr.storage.MemoryStore()
    elif kind == "zip":
        path = make_zip(tmp_path, data, name="b.zip")
        store = zarr.storage.ZipStore(path, mode="r")
    if kind == "zip":
        array = zarr.open_array(store, path="a", mode="r")
    else:
        array = zarr.create_array(store, data=data, name="g/a", attributes={"units": "K"})
    source = BACKEND.adopt(array)
    assert source.shape == shape
    assert source.dtype == array.dtype
    values = read(source, whole(shape))
    assert isinstance(values, np.ndarray)
    np.testing.assert_array_equal(values, data)
    assert (source.token is None) == (kind == "memory")
    if kind != "memory":
        assert_same(read(pickle.loads(pickle.dumps(source)), whole(shape)), values)
    if kind != "zip":
        assert dict(source.attributes) == {"units": "K"}
    if kind == "zip":
        store.close()


def test_other_objects_are_not_adopted(tmp_path):
    assert BACKEND.adopt(zarr.create_group(tmp_path / "g")) is None
    assert BACKEND.adopt(object()) is None


def test_adopted_array_shows_later_writes():
    array = zarr.create_array({}, shape=(4,), dtype="i4", chunks=(2,))
    source = BACKEND.adopt(array)
    assert read(source, whole((4,))).tolist() == [0, 0, 0, 0]
    array[1:3] = 5
    assert read(source, whole((4,))).tolist() == [0, 5, 5, 0]
    assert source.validator(whole((4,))) is None


def test_errors_name_the_source(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", data=np.arange(6), chunks=(2,))
    source = open_zarr(tmp_path / "a.zarr")
    shutil.rmtree(tmp_path / "a.zarr")
    with pytest.raises(BiggusError) as caught:
        source[whole((6,))]
    assert pickle.loads(pickle.dumps(caught.value)).source == source.name


def test_long_objects_are_read_in_several_steps(tmp_path, monkeypatch):
    monkeypatch.setattr("biggus.backends.zarr.store._LONGEST", 7)
    data = bytes(range(100))
    (tmp_path / "c").write_bytes(data)
    store = FolderStore(tmp_path)
    for span in ((None, None), (3, 90), (-20, None), (95, 200)):
        assert store.get("c", span).data == data[slice(*span)]
