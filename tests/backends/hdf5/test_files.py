"""HDF5 sources in threads, processes and forks, and many files."""

import itertools
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")

import biggus
from biggus.backends.hdf5 import files as hdf5_files
from biggus.backends.hdf5.backend import HDF5Source
from biggus.sources.base import read, whole

BOX = whole((50, 40))


def _values(i):
    return np.arange(2000.0).reshape(50, 40) + 10_000 * i


@pytest.fixture
def paths(tmp_path):
    """Return twelve files with three datasets each."""
    found = []
    for i in range(12):
        found.append(str(tmp_path / f"{i}.h5"))
        with h5py.File(found[-1], "w") as file:
            for k in range(3):
                file.create_dataset(
                    f"v{k}", data=_values(3 * i + k), chunks=(7, 11), compression="gzip"
                )
    return found


def test_eight_threads_with_few_open_files(paths, monkeypatch):
    """Files are closed and opened again while the threads read."""
    monkeypatch.setattr(hdf5_files.files, "capacity", 3)
    monkeypatch.setattr(hdf5_files.datasets, "capacity", 5)
    sources = [(3 * i + k, HDF5Source(p, f"v{k}")) for i, p in enumerate(paths) for k in range(3)]
    ready = threading.Barrier(8)

    def work(number):
        ready.wait(30)
        rng = np.random.default_rng(number)
        for at in rng.permutation(len(sources)):
            i, source = sources[at]
            start, stop = sorted(rng.choice(51, 2, replace=False).tolist())
            box = (slice(start, stop, 1), slice(number, 40, number + 1))
            np.testing.assert_array_equal(read(source, box), _values(i)[box])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert len(hdf5_files.files) <= 3
    assert len(hdf5_files.datasets) <= 5


def test_spawned_processes(paths):
    sources = [HDF5Source(path, "v1") for path in paths[:4]]
    for source in sources:
        read(source, BOX)
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        for i, values in enumerate(pool.map(read, sources, itertools.repeat(BOX))):
            np.testing.assert_array_equal(values, _values(3 * i + 1))


def test_pickles_hold_no_values_and_open_no_files(paths):
    source = HDF5Source(paths[0], "v0")
    pickled = pickle.dumps(source)
    assert len(pickled) < 1500
    Path(paths[0]).unlink()
    assert pickle.loads(pickled).shape == (50, 40)


FORK = """
import os, sys, threading, warnings
import numpy as np
from biggus.backends.hdf5.backend import HDF5Source
from biggus.sources.base import read, whole

warnings.simplefilter("ignore")  # newer Pythons warn of forks beside threads
box = whole((50, 40))
sources = [HDF5Source(path, "v0") for path in sys.argv[1:]]
expected = [read(source, box) for source in sources]
stop = threading.Event()

def keep_reading():
    while not stop.is_set():
        for source in sources:
            read(source, box)

threads = [threading.Thread(target=keep_reading) for _ in range(3)]
for thread in threads:
    thread.start()
children = []
for _ in range(8):  # mostly while other threads are inside the library
    child = os.fork()
    if child == 0:
        good = all(np.array_equal(read(s, box), e) for s, e in zip(sources, expected))
        os._exit(0 if good else 1)
    children.append(child)
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
good = all(np.array_equal(read(s, box), e) for s, e in zip(sources, expected))
stop.set()
for thread in threads:
    thread.join()
print(codes, good)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_forks_beside_reading_threads(paths):
    done = subprocess.run(
        [sys.executable, "-c", FORK, *paths],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[0] == f"{[0] * 8} True"


MANY = """
import resource, sys
import h5py, numpy as np
from biggus.backends.hdf5.backend import HDF5Source
from biggus.backends.hdf5 import files as hdf5_files
from biggus.sources.base import read

resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[2]),) * 2)
folder, n = sys.argv[1], 400
for i in range(n):
    with h5py.File(f"{folder}/{i}.h5", "w") as file:
        file["v"] = np.arange(4) + i
sources = [HDF5Source(f"{folder}/{i}.h5", "v") for i in range(n)]
for i in [*range(n), *range(0, n, 7), *range(n - 1, 0, -50)]:
    assert read(sources[i], (slice(0, 4, 1),)).tolist() == [i, i + 1, i + 2, i + 3]
print(n, len(hdf5_files.files))
"""


@pytest.mark.machine
@pytest.mark.parametrize(("limit", "most"), [(256, 128), (60, 59)])
def test_more_files_than_descriptors(tmp_path, limit, most):
    pytest.importorskip("resource", reason="no limits of descriptors on this platform")
    done = subprocess.run(
        [sys.executable, "-c", MANY, str(tmp_path), str(limit)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    n, opened = map(int, done.stdout.split())
    assert n == 400
    assert opened <= most


def test_importing_is_light():
    code = "import sys, biggus.backends.hdf5; print(sorted({'h5py', 'netCDF4'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_missing_h5py_names_the_extra():
    code = (
        "import sys; sys.modules['h5py'] = None\n"
        "from biggus.backends.hdf5.backend import HDF5Backend\n"
        "from biggus.backends import Location\n"
        "from biggus.errors import MissingDependencyError\n"
        "try: HDF5Backend().open(Location(sys.executable), 'v')\n"
        "except MissingDependencyError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "biggus[hdf5]" in done.stdout


def test_names_that_are_not_utf8_are_listed_and_opened(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("höhe".encode("latin-1"), data=np.arange(3.0))
        file["ok"] = 1.0
    name = "höhe".encode("latin-1").decode("utf-8", "surrogateescape")
    assert set(biggus.variables(path)) == {name, "ok"}
    assert biggus.open(path, name).ndarray().tolist() == [0, 1, 2]
    assert set(biggus.open_dataset(path)) == {name, "ok"}
