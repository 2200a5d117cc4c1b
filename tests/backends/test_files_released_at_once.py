"""A file can be written to as soon as its last array is deleted: no reference cycle holds it.

The tests run with the cyclic garbage collector switched off.
"""

import gc
import pickle
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")

import biggus
from biggus.backends.native import hdf5_lock
from biggus.errors import BiggusError
from biggus.testing import ArraySource, FaultySource

VALUES = np.arange(60.0).reshape(6, 10)
SECONDS = 60


@pytest.fixture
def path(tmp_path):
    gc.disable()
    write_file(tmp_path / "a.h5")
    yield tmp_path / "a.h5"
    gc.enable()


def write_file(path):
    with hdf5_lock, h5py.File(path, "w") as file:
        file.create_dataset("v", data=VALUES, chunks=(2, 10))


def on_an_executor(a):
    with ThreadPoolExecutor(2) as executor, biggus.set_options(executor=executor):
        (a - a.mean(axis=0)).ndarray()


def with_progress(a):
    with biggus.set_options(progress=lambda *_: None):
        a.mean().ndarray()


USES = {
    "reading": lambda a: a.ndarray(),
    "computing": lambda a: (a * 2 - a[::-1]).ndarray(),
    "reducing": lambda a: a.mean(axis=0).ndarray(),
    "several passes": lambda a: ((a - a.mean(axis=0)) / a.std(axis=0)).max().ndarray(),
    "a selection of a reduction": lambda a: (a - a.mean(axis=0)).max(axis=1)[2:4].ndarray(),
    "a median": lambda a: (a - np.median(a, axis=0)).ndarray(),
    "several arrays": lambda a: biggus.ndarrays([a.mean(), a[:2].max(), (a - a[:1]).min()]),
    "a plan": lambda a: biggus.plan([a.mean(), (a - a.std(axis=0)).max()]),
    "a mosaic": lambda a: np.concatenate([a, a * 2]).mean(axis=0).ndarray(),
    "a pickle": lambda a: pickle.loads(pickle.dumps(a - a.mean())).ndarray(),
    "an executor": on_an_executor,
    "progress": with_progress,
}


@pytest.mark.parametrize("use", USES.values(), ids=[name.replace(" ", "-") for name in USES])
def test_file_is_released_after_use(path, use):
    use(biggus.open(path, "v"))
    write_file(path)  # raises an error while the file is open for reading
    np.testing.assert_array_equal(biggus.open(path, "v").ndarray(), VALUES)


def test_file_is_released_after_saving(path, tmp_path):
    a = biggus.open(path, "v")
    biggus.save([a - a.mean(axis=0)], [tmp_path / "out.npy"])
    del a
    write_file(path)
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), VALUES - VALUES.mean(axis=0))


@pytest.mark.in_pairs
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("io_bound", [False, True])
@pytest.mark.parametrize("use", USES.values(), ids=[name.replace(" ", "-") for name in USES])
def test_file_is_released_after_failures(path, use, io_bound, workers):
    broken = FaultySource(ArraySource(VALUES, (2, 10), io_bound=io_bound), OSError)
    a = biggus.open(path, "v") + biggus.ArrayAdapter(broken)
    with biggus.set_options(workers=workers):
        if use is USES["a plan"]:
            use(a)
        else:
            with pytest.raises(BiggusError):
                use(a)
    del a
    give_up = time.monotonic() + SECONDS
    while True:  # tasks in other threads may still be finishing
        try:
            write_file(path)
        except OSError:
            assert time.monotonic() < give_up
            time.sleep(0.01)
        else:
            return
