"""Files are closed with their last array, and can then be written to."""

import contextlib
import copy
import gc
import os
import pickle
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")
netCDF4 = pytest.importorskip("netCDF4")

import biggus
from biggus.backends import Location, backend_for
from biggus.backends.hdf5 import files as hdf5_files
from biggus.backends.hdf5.descriptors import descriptors
from biggus.backends.native import hdf5_lock
from biggus.backends.netcdf import files as netcdf_files
from biggus.errors import BiggusError, VariableError

VALUES = np.arange(60.0).reshape(6, 10)
KINDS = ["h5", "nc4.nc", "classic.nc"]


def write_file(path, values=VALUES, mode="w"):
    """Write `v` in this process, where the library refuses files that are open for reading."""
    with hdf5_lock:
        if path.suffix == ".h5":
            with h5py.File(path, mode) as file:
                if mode == "w":
                    file.create_dataset("v", values.shape, "f8", chunks=(2, 10))
                file["v"][...] = values
            return
        format = "NETCDF3_CLASSIC" if path.name.startswith("classic") else "NETCDF4"
        with netCDF4.Dataset(path, mode, format=format) as dataset:
            if mode == "w":
                dataset.createDimension("x", values.shape[0])
                dataset.createDimension("y", values.shape[1])
                dataset.createVariable("v", "f8", ("x", "y"))
            dataset["v"][:] = values


WRITE = """
import sys
if sys.argv[1].endswith(".h5"):
    import h5py
    with h5py.File(sys.argv[1], "r+") as file:
        file["v"][...] = -1
else:
    import netCDF4
    with netCDF4.Dataset(sys.argv[1], "a") as dataset:
        dataset["v"][:] = -1
"""


def other_process_can_write(path):
    """Return whether another process can write to `path`."""
    done = subprocess.run(
        [sys.executable, "-c", WRITE, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 or "Error" in done.stderr.strip().splitlines()[-1]
    return done.returncode == 0


def open_files_in(folder):
    """Return the files in `folder` that are open in this process, checked with the system."""
    pools = (hdf5_files.files, descriptors, netcdf_files.datasets)
    keys = {key for pool in pools for key in pool.open_keys()}
    pooled = {Path(key) for key in keys if Path(key).is_relative_to(folder)}
    descriptors_folder = Path("/proc/self/fd")
    for descriptor in descriptors_folder.iterdir() if descriptors_folder.is_dir() else ():
        with contextlib.suppress(OSError):  # it may be closed by now
            file = descriptor.readlink()
            unrelated = not file.is_relative_to(folder) or file.is_relative_to(folder / "cache")
            assert unrelated or file in pooled, "a file is open outside of the pools"
    return sorted(path.name for path in pooled)


@pytest.fixture(params=KINDS)
def path(request, tmp_path):
    """Return a file with the variable `v`."""
    write_file(tmp_path / request.param)
    return tmp_path / request.param


@pytest.mark.parametrize("mode", ["w", "r+"])
def test_rewriting_in_this_process_after_the_array_is_deleted(path, mode):
    array = biggus.open(path)
    np.testing.assert_array_equal(array.ndarray(), VALUES)
    part = array[2:4]
    del array
    np.testing.assert_array_equal(part.ndarray(), VALUES[2:4])
    assert open_files_in(path.parent) == [path.name]
    del part
    assert open_files_in(path.parent) == []
    write_file(path, VALUES + 1, mode)
    np.testing.assert_array_equal(biggus.open(path, "v").ndarray(), VALUES + 1)
    assert open_files_in(path.parent) == []


def test_rewriting_in_another_process_after_the_array_is_deleted(path):
    array = biggus.open(path, "v")
    array[:1].ndarray()
    if path.name.startswith("classic") or "HDF5_USE_FILE_LOCKING" in os.environ:
        assert open_files_in(path.parent) == [path.name]  # files are not locked
    elif sys.platform == "linux":
        assert not other_process_can_write(path)
        np.testing.assert_array_equal(array.ndarray(), VALUES)
    del array
    assert other_process_can_write(path)
    assert (biggus.open(path, "v").ndarray() == -1).all()


def test_arrays_of_one_file_share_a_handle(path):
    arrays = [biggus.open(path, "v") for _ in range(5)]
    assert all(array[0].ndarray().shape == (10,) for array in arrays)
    assert open_files_in(path.parent) == [path.name]
    while arrays:
        assert open_files_in(path.parent) == [path.name]
        arrays.pop()
    assert open_files_in(path.parent) == []


def test_copies_and_pickles_hold_the_file(path):
    source = backend_for(Location(path)).open(Location(path), "v")
    box = (slice(1, 3, 1), slice(0, 10, 1))
    source[box]
    copies = [copy.copy(source), copy.deepcopy(source), pickle.loads(pickle.dumps(source))]
    del source
    assert open_files_in(path.parent) == []
    while copies:
        np.testing.assert_array_equal(copies[-1][box], VALUES[box])
        assert open_files_in(path.parent) == [path.name]
        copies.pop()
    assert open_files_in(path.parent) == []


def test_listing_and_failed_opening_leave_no_open_files(path):
    backend, location = backend_for(Location(path)), Location(path)
    assert backend.variables(location) == ("v",)
    assert open_files_in(path.parent) == []
    with pytest.raises(VariableError) as kept:
        backend.open(location, "w")
    assert open_files_in(path.parent) == []
    assert kept.traceback  # it refers to all local variables
    array = biggus.open(path, "v")
    assert backend.variables(location) == ("v",)
    assert open_files_in(path.parent) == [path.name]
    del array
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BiggusError):
        biggus.open(path, "v").ndarray()
    path.write_bytes(whole)
    assert open_files_in(path.parent) == []
    write_file(path)


def test_garbage_collection_in_another_thread_closes_the_file(path):
    ring = [biggus.open(path, "v")]
    ring[0].ndarray()
    ring.append(ring)
    del ring
    with ThreadPoolExecutor(1) as executor:
        executor.submit(gc.collect).result()
    assert open_files_in(path.parent) == []
    write_file(path)


def test_deletion_does_not_wait_for_a_reading_thread(path):
    array = biggus.open(path, "v")
    array.ndarray()
    inside, leave = threading.Event(), threading.Event()

    def busy():
        with hdf5_lock:
            inside.set()
            assert leave.wait(30)

    thread = threading.Thread(target=busy)
    thread.start()
    assert inside.wait(30)
    del array
    assert open_files_in(path.parent) == [path.name]
    leave.set()
    thread.join()
    assert open_files_in(path.parent) == []
    write_file(path)


def test_array_deleted_while_the_library_is_locked(path):
    """The garbage collector may delete an array at any moment."""
    array = biggus.open(path, "v")
    array.ndarray()
    with hdf5_lock:
        del array
        assert open_files_in(path.parent) == [path.name]
    assert open_files_in(path.parent) == []
    if path.suffix == ".h5":
        array = biggus.open(path, "v")
        with h5py._objects.phil:
            del array
            assert open_files_in(path.parent) == [path.name]
        biggus.open(path, "v")
        assert open_files_in(path.parent) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_forked_child_does_not_close_files_of_its_parent(path):
    arrays = [biggus.open(path, "v")]
    arrays[0].ndarray()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        code = 1
        try:
            first = np.array_equal(arrays[0].ndarray(), VALUES)
            arrays.clear()
            again = np.array_equal(biggus.open(path, "v")[1:].ndarray(), VALUES[1:])
            code = 0 if first and again else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    np.testing.assert_array_equal(arrays[0].ndarray(), VALUES)
    assert open_files_in(path.parent) == [path.name]
    arrays.clear()
    assert open_files_in(path.parent) == []
    assert other_process_can_write(path)


def test_cached_arrays_release_files(path, tmp_path):
    array = biggus.open(path, "v", cache=biggus.Cache(tmp_path / "cache"))
    for _ in range(2):
        np.testing.assert_array_equal(array.ndarray(), VALUES)
    assert path.name in open_files_in(path.parent)
    del array
    gc.collect()
    assert open_files_in(path.parent) == []
    write_file(path, VALUES + 2)
    array = biggus.open(path, "v", cache=biggus.Cache(tmp_path / "cache"))
    np.testing.assert_array_equal(array.ndarray(), VALUES + 2)


def test_files_of_links_and_virtual_datasets_are_released(tmp_path):
    """Links and virtual datasets open further files."""
    parts = [tmp_path / f"part{i}.h5" for i in range(3)]
    for i, part in enumerate(parts):
        write_file(part, VALUES + i)
    top = tmp_path / "top.h5"
    layout = h5py.VirtualLayout((3, 6, 10), "f8")
    for i, part in enumerate(parts):
        layout[i] = h5py.VirtualSource(part.name, "v", (6, 10))
    with hdf5_lock, h5py.File(top, "w") as file:
        file.create_virtual_dataset("all", layout)
        file["link"] = h5py.ExternalLink(parts[0].name, "/v")
    for name, expected in [("all", np.stack([VALUES, VALUES + 1, VALUES + 2])), ("link", VALUES)]:
        array = biggus.open(top, name)
        np.testing.assert_array_equal(array.ndarray(), expected)
        del array
        assert open_files_in(tmp_path) == []
        for i, part in enumerate(parts):
            write_file(part, VALUES + i)
        assert other_process_can_write(parts[0])
        write_file(parts[0])


def test_files_of_the_user_stay_open(path):
    with hdf5_lock:
        file = h5py.File(path) if path.suffix == ".h5" else netCDF4.Dataset(path)
    array, opened = biggus.ArrayAdapter(file["v"]), biggus.open(path, "v")
    for each in (array, opened):
        np.testing.assert_array_equal(each.ndarray(), VALUES)
    del array, opened, each
    with hdf5_lock:
        np.testing.assert_array_equal(file["v"][...], VALUES)
        file.close()
    write_file(path)


def test_threads_that_open_read_and_delete_arrays(tmp_path, monkeypatch):
    monkeypatch.setattr(hdf5_files.files, "capacity", 7)
    monkeypatch.setattr(netcdf_files.datasets, "capacity", 7)
    paths = [tmp_path / f"{i}.{'h5' if i % 2 else 'nc'}" for i in range(50)]
    for i, path in enumerate(paths):
        write_file(path, VALUES + i)

    def work(seed):
        rng = np.random.default_rng(seed)
        kept = []
        for n in range(120):
            i = int(rng.integers(50))
            array = biggus.open(paths[i], "v")
            start = int(rng.integers(6))
            np.testing.assert_array_equal(array[start:].ndarray(), VALUES[start:] + i)
            ring = [array]
            ring.append(ring)
            kept.append((i, array))
            if len(kept) > 5:
                i, array = kept.pop(int(rng.integers(5)))
                np.testing.assert_array_equal(array[:start].ndarray(), VALUES[:start] + i)
            if n % 40 == 0:
                gc.collect()

    before = gc.get_threshold()
    gc.set_threshold(50, 2, 2)  # many collections, at arbitrary moments
    try:
        with ThreadPoolExecutor(4) as executor:
            list(executor.map(work, range(4)))
    finally:
        gc.set_threshold(*before)
    gc.collect()
    assert open_files_in(tmp_path) == []
    for path in paths:
        write_file(path, mode="r+")


MANY = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
import h5py, netCDF4, numpy as np
import biggus
folder = sys.argv[1]
paths = [f"{folder}/{i}.h5" for i in range(300)]
for i, path in enumerate(paths):
    with h5py.File(path, "w") as file:
        file["v"] = np.full(4, i)
at_first = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
mosaic = biggus.open_many(paths, "v")
expected = np.repeat(np.arange(300), 4)
assert (mosaic.ndarray() == expected).all()
kept = biggus.open(paths[100], "v")
del mosaic
assert (kept.ndarray() == 100).all()
for i in (*range(100), *range(101, 300)):
    with h5py.File(paths[i], "r+") as file:
        file["v"][...] += 1
del kept
assert not at_first or len(os.listdir("/proc/self/fd")) == at_first
assert (biggus.open_many(paths[:100], "v").ndarray() == expected[:400] + 1).all()
"""


@pytest.mark.machine
def test_mosaic_of_more_files_than_descriptors(tmp_path):
    pytest.importorskip("resource", reason="no limits of descriptors on this platform")
    done = subprocess.run(
        [sys.executable, "-c", MANY, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
