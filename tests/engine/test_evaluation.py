"""Results are the same to the bit, whatever the executor, the memory and the order."""

from __future__ import annotations

import multiprocessing
import random
import threading
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

import biggus

pytest.importorskip("h5py")
pytest.importorskip("zarr")

SHAPE = (40, 170, 160)
VALUES = np.random.default_rng(3).normal(280, 20, SHAPE).astype("f4")


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """Write an HDF5 file and a Zarr store of the same values with different chunks."""
    import h5py
    import zarr

    folder = tmp_path_factory.mktemp("identity")
    with h5py.File(folder / "a.h5", "w") as file:
        file.create_dataset("v", data=VALUES, chunks=(7, 31, 33), compression="gzip")
    array = zarr.create_array(str(folder / "b.zarr"), shape=SHAPE, chunks=(9, 60, 50), dtype="f4")
    array[:] = VALUES[::-1]
    return folder


def wanted(folder):
    """Return reductions and expressions, some of which take several passes."""
    a = biggus.open(folder / "a.h5", "v")
    b = biggus.open(folder / "b.zarr")
    mosaic = biggus.LinearMosaic([a, b[:33], a[::-1]], axis=0)
    mean = a.mean(axis=0)
    return [
        a.mean(),
        a.std(axis=(0, 2)),
        mean,
        ((a - mean) / a.std(axis=0)).max(),
        (a - b).var(axis=1),
        mosaic.std(),
        mosaic.sum(axis=0),
        a.argmax(axis=0),
        biggus.median(a, axis=0),
        a.median(),
        (a * 2 - b)[3:7],
    ]


@pytest.fixture(scope="module")
def expected(stores):
    return [array.ndarray() for array in wanted(stores)]


def check(found, expected):
    for number, (one, other) in enumerate(zip(found, expected, strict=True)):
        assert one.dtype == other.dtype
        assert one.tobytes() == other.tobytes(), f"result {number}"


def test_results_match_numpy(stores, expected):
    wide = VALUES.astype("f8")
    np.testing.assert_allclose(expected[0], wide.mean(), rtol=1e-6)
    np.testing.assert_allclose(expected[1], wide.std(axis=(0, 2)), rtol=1e-6)
    np.testing.assert_allclose(expected[4], (wide - wide[::-1]).var(axis=1), rtol=1e-5)
    np.testing.assert_array_equal(expected[7], VALUES.argmax(axis=0))
    np.testing.assert_array_equal(expected[8], np.median(VALUES, axis=0))
    np.testing.assert_array_equal(expected[9], np.median(VALUES))


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("memory", ["40 MB", "1 GB"])
def test_results_do_not_depend_on_workers_and_memory(stores, expected, workers, memory):
    with biggus.set_options(workers=workers, memory=memory):
        check(biggus.ndarrays(wanted(stores)), expected)


def test_results_are_the_same_in_processes(stores, expected):
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, spawn) as pool, biggus.set_options(executor=pool, workers=2):
        check(biggus.ndarrays(wanted(stores)), expected)


class Shuffling(Executor):
    """Runs calls in threads, and completes their futures in another order."""

    def __init__(self, seed):
        self._threads = ThreadPoolExecutor(2)
        self._random = random.Random(seed)
        self._held = []
        self._lock = threading.Lock()

    def submit(self, function, /, *args, **kwargs):
        future = Future()

        def call():
            result = function(*args, **kwargs)
            with self._lock:
                self._held.append((future, result))
                self._random.shuffle(self._held)
                self._held, completed = self._held[:2], self._held[2:]
            for one, found in completed:
                one.set_result(found)

        self._threads.submit(call).add_done_callback(lambda _: self._idle())
        return future

    def _idle(self):
        # There may be no further calls: the held futures complete a little later.
        threading.Timer(0.01, self._complete_all).start()

    def _complete_all(self):
        with self._lock:
            completed, self._held = self._held, []
        for one, found in completed:
            one.set_result(found)


@pytest.mark.parametrize("seed", range(3))
def test_results_do_not_depend_on_the_order_of_tasks(stores, expected, seed):
    with biggus.set_options(executor=Shuffling(seed), workers=4):
        check(biggus.ndarrays(wanted(stores)), expected)


@pytest.mark.usefixtures("settled_soon_after_writing")
def test_results_are_the_same_from_kept_partials(stores, expected, tmp_path):
    cache = biggus.Cache(tmp_path / "cache")
    with biggus.set_options(cache=cache):
        for _ in range(2):
            check(biggus.ndarrays(wanted(stores)), expected)
    with biggus.set_options(cache=cache, keep_partials=False):
        check(biggus.ndarrays(wanted(stores)), expected)
