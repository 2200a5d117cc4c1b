"""NetCDF sources in many threads, files and processes, and beside h5py."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import netCDF4
import numpy as np
import pytest
from netcdf_makers import FORMATS, open_variable, write

from biggus.backends.hdf5 import heaps
from biggus.backends.native import hdf5_lock
from biggus.backends.netcdf import files
from biggus.sources.base import read, whole


@pytest.mark.parametrize("format", ["NETCDF4", "NETCDF4_CLASSIC"])
def test_valid_attributes_are_checked_once_per_file_state(tmp_path, monkeypatch, format):
    path = write(tmp_path / "a.nc", np.arange(4.0), format=format)
    checked = []
    monkeypatch.setattr(heaps, "MOST_BYTES", 0)
    monkeypatch.setattr(files, "check_all_attributes", checked.append)
    for _ in range(3):
        with hdf5_lock:
            files.datasets.discard(str(path))
        open_variable(path)
    assert len(checked) == 1
    os.utime(path, ns=(1, 1))
    open_variable(path)
    assert len(checked) == 2


def test_threads_beside_h5py(tmp_path):
    h5py = pytest.importorskip("h5py")
    values = np.random.default_rng(1).integers(0, 1000, (40, 30, 20)).astype("i4")
    sources = [
        open_variable(write(tmp_path / f"{format}.nc", values + i, format=format))
        for i, format in enumerate(FORMATS)
    ]
    compressed = write(tmp_path / "z.nc", values, zlib=True, chunksizes=(7, 30, 20))
    sources.append(open_variable(compressed))
    offsets = [*range(len(FORMATS)), 0]
    with hdf5_lock, h5py.File(tmp_path / "a.h5", "w") as file:
        file["v"] = values

    def read_by_biggus(seed):
        rng = np.random.default_rng(seed)
        for _ in range(60):
            i = rng.integers(len(sources))
            start = [int(n) for n in rng.integers(0, np.array(values.shape) - 1)]
            box = tuple(
                slice(a, int(rng.integers(a + 1, n + 1)), int(rng.integers(1, 4)))
                for a, n in zip(start, values.shape, strict=True)
            )
            np.testing.assert_array_equal(read(sources[i], box), values[box] + offsets[i])

    def read_by_h5py(seed):
        for _ in range(60):
            with hdf5_lock, h5py.File(tmp_path / "a.h5") as file:
                assert np.array_equal(file["v"][seed : seed + 5], values[seed : seed + 5])

    with ThreadPoolExecutor(10) as pool:
        jobs = [pool.submit(read_by_biggus, seed) for seed in range(8)]
        jobs += [pool.submit(read_by_h5py, seed) for seed in range(2)]
        for job in jobs:
            job.result(120)


MANY = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (MOST, MOST))
from pathlib import Path
from biggus.backends.location import Location
from biggus.backends.netcdf.backend import NetCDFBackend
paths = sorted(Path(sys.argv[1]).glob("*.nc"))
sources = [NetCDFBackend().open(Location(path), "v") for path in paths]
for order in (sources, sources[::-1], sources[::7] * 3):
    for source in order:
        assert source[(slice(0, 1, 1),)].item() == int(Path(source.path).stem), source
print(len(sources))
"""


@pytest.mark.machine
@pytest.mark.parametrize("limit", [64, 1024])
def test_hundreds_of_files_with_few_descriptors(tmp_path, limit):
    pytest.importorskip("resource")
    for i in range(300):
        format = "NETCDF4" if i % 2 else "NETCDF3_CLASSIC"
        write(tmp_path / f"{i:03}.nc", np.array([i], "i4"), format=format)
    code = MANY.replace("MOST", str(limit))
    run = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False
    )
    assert (run.stdout.strip(), run.returncode) == ("300", 0), run.stderr


def read_all(source):
    return read(source, whole(source.shape))


def test_spawned_processes(tmp_path):
    values = np.arange(24.0).reshape(4, 6)
    sources = [open_variable(write(tmp_path / f"{f}.nc", values, format=f)) for f in FORMATS]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for got in pool.map(read, sources, [whole(source.shape) for source in sources]):
            np.testing.assert_array_equal(got, values, strict=True)


FORKED = """
import os, sys, warnings, threading
warnings.simplefilter("ignore", DeprecationWarning)  # the test forks beside threads
import numpy as np
from biggus.backends.location import Location
from biggus.backends.netcdf.backend import NetCDFBackend
from biggus.sources.base import read, whole
sources = [NetCDFBackend().open(Location(path), "v") for path in sys.argv[1:]]
expected = [read(source, whole(source.shape)) for source in sources]
stop = threading.Event()
def keep_reading():
    while not stop.is_set():
        for source, values in zip(sources, expected):
            assert np.array_equal(read(source, whole(source.shape)), values)
threads = [threading.Thread(target=keep_reading) for _ in range(3)]
for thread in threads:
    thread.start()
for _ in range(20):
    child = os.fork()
    if child == 0:
        same = all(np.array_equal(read(s, whole(s.shape)), v) for s, v in zip(sources, expected))
        os._exit(0 if same else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
stop.set()
for thread in threads:
    thread.join()
print("done")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_forked_processes(tmp_path):
    values = np.random.default_rng(3).random((50, 60))
    paths = [write(tmp_path / f"{f}.nc", values, format=f) for f in FORMATS]
    run = subprocess.run(
        [sys.executable, "-c", FORKED, *paths],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (run.stdout.strip(), run.returncode) == ("done", 0), run.stderr


def test_file_of_many_variables(tmp_path):
    path = tmp_path / "many.nc"
    with netCDF4.Dataset(path, "w") as dataset:
        dataset.createDimension("x", 3)
        for i in range(200):
            dataset.createVariable(f"v{i}", "i4", ("x",))[:] = i
    with ThreadPoolExecutor(8) as pool:
        sources = list(pool.map(lambda i: open_variable(path, f"v{i}"), range(200)))
        for i, values in enumerate(pool.map(read_all, sources)):
            assert values.tolist() == [i] * 3
