"""Evaluations on a Dask cluster: a scheduler and two workers on the loopback interface."""

from __future__ import annotations

import pickle
from importlib.util import find_spec

import numpy as np
import pytest

import biggus
from biggus.engine.passes import Passes, Prepared
from biggus.errors import SourceError
from biggus.planning.pruning import pruned

if find_spec("distributed") is None:
    pytest.skip("distributed is not installed", allow_module_level=True)
pytest.importorskip("h5py")
pytest.importorskip("zarr")

# Older releases leave sockets to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

SHAPE = (30, 180, 200)
VALUES = np.random.default_rng(5).normal(0, 1, SHAPE).astype("f4")
MOST_BYTES = 24_000
"""The most bytes to send for one task: enough to open a source, too few for values."""


@pytest.fixture(scope="module")
def executor():
    """Return the executor of a cluster."""
    import dask
    import distributed

    quiet = {"distributed.admin.log-length": 0, "distributed.worker.memory.terminate": False}
    with (
        dask.config.set(quiet),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", host="127.0.0.1"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client.get_executor()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    import h5py
    import zarr

    folder = tmp_path_factory.mktemp("cluster")
    with h5py.File(folder / "a.h5", "w") as file:
        file.create_dataset("v", data=VALUES, chunks=(8, 50, 60), compression="gzip")
    zarr.create_array(str(folder / "b.zarr"), data=VALUES + 1, chunks=(10, 60, 50))
    return folder


def wanted(folder):
    a, b = biggus.open(folder / "a.h5", "v"), biggus.open(folder / "b.zarr")
    return [
        a.mean(),
        b.std(axis=0),
        ((a - a.mean(axis=0)) / a.std(axis=0)).max(),
        (b - a)[::3],
        biggus.median(b, axis=0),
    ]


def test_cluster_results_match_threads(executor, folder):
    here = biggus.ndarrays(wanted(folder))
    with biggus.set_options(executor=executor):
        there = biggus.ndarrays(wanted(folder))
    for one, other in zip(here, there, strict=True):
        assert one.tobytes() == other.tobytes()
    np.testing.assert_allclose(there[0], VALUES.mean(dtype="f8"), rtol=1e-4)


def test_save_on_a_cluster(executor, folder, tmp_path):
    import zarr

    with biggus.set_options(executor=executor):
        biggus.save(biggus.open(folder / "a.h5", "v") * 2, tmp_path / "twice.zarr")
    np.testing.assert_array_equal(zarr.open(tmp_path / "twice.zarr")[:], VALUES * 2)


def test_failure_on_a_worker_is_raised_locally(executor, folder, tmp_path):
    damaged = tmp_path / "damaged.h5"
    data = bytearray((folder / "a.h5").read_bytes())
    data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    damaged.write_bytes(data)
    with (
        biggus.set_options(executor=executor),
        pytest.raises(SourceError, match=r"damaged\.h5::v \["),
    ):
        biggus.open(damaged, "v").mean().ndarray()


class Sizes(Passes):
    """Passes that record the pickled size of each task instead of running it."""

    def target(self, node):
        raise AssertionError("reductions are made below")

    leaf = open_scratch = use_scratches = target

    def make(self, planned):
        self.sizes = []
        for scan in planned.scans:
            for task in scan.tasks():
                self.sizes.append(len(pickle.dumps(pruned(task))))
        return {}


def sizes_of(array):
    """Return the bytes that are sent for each task of reading an array."""
    passes = Sizes(Prepared([array.node]), [None])
    passes.run()
    return passes.sizes


def test_tasks_pickle_to_few_bytes(folder):
    a = biggus.open(folder / "a.h5", "v")
    many = biggus.LinearMosaic([biggus.open(folder / "b.zarr")[:1] * 2 for _ in range(1000)], 0)
    for array in (a * 2, a.T - a.T, many[400:450] + 1, many):
        sizes = sizes_of(array)
        assert sizes
        assert max(sizes) < MOST_BYTES
