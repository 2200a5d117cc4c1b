"""The benchmarks: all libraries compute the same, and a run prints its table."""

import importlib
import itertools
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.machine

pytest.importorskip("h5py")
pytest.importorskip("zarr")

ROOT = Path(__file__).parents[1]


@pytest.fixture
def benchmark(monkeypatch):
    """Return a function that imports a module of the benchmarks, which are not installed."""
    monkeypatch.syspath_prepend(ROOT)
    return lambda name: importlib.import_module(f"benchmarks.{name}")


@pytest.mark.parametrize(
    ("store", "peer"),
    [
        *itertools.product(["contiguous", "gzip", "zstd", "lz4"], ["library", "machine"]),
        ("gzip", "dask"),
        ("zstd", "tensorstore"),
    ],
)
def test_peers_compute_the_values_of_numpy(benchmark, tmp_path, store, peer):
    if peer in {"dask", "tensorstore"}:
        pytest.importorskip(peer, exc_type=ImportError)
    if peer not in benchmark("peers").peers_of(store):
        pytest.skip(f"{peer} reads no such store")
    size = benchmark("setup").SIZES["tiny"]
    datasets = benchmark("datasets")
    values = np.concatenate([slab for _, slab in datasets.slabs(size, 0)]).astype("f8")
    names = ("std", "mean", "max", "min")
    with benchmark("worker").Worker(peer, datasets.dataset(tmp_path, store, size)) as worker:
        answer = worker.ask(names)
    expected = [getattr(values, name)() for name in names]
    np.testing.assert_allclose(answer.values, expected, rtol=1e-12)
    assert answer.seconds > 0
    assert answer.peak > 10e6


def test_datasets_are_deterministic_and_continue_each_other(benchmark):
    field = benchmark("datasets").field
    values = field(4, (3, 20, 30))
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, field(4, (3, 20, 30)))
    assert not np.array_equal(values, field(7, (3, 20, 30)))
    assert 180 < values.min() < values.max() < 330
    size = benchmark("setup").SIZES["tiny"]
    [(first, slab), *_] = benchmark("datasets").slabs(size, 2)
    assert first == 0
    np.testing.assert_array_equal(slab, field(2 * size.shape[0], (4, 20, 30)))


def test_different_values_end_the_run(benchmark):
    agree = benchmark("compute").agree
    found = {"mean": 1.0}
    agree("one", found, {"mean": 1.0 + 1e-15, "std": 2.0})
    with pytest.raises(RuntimeError, match=r"other says that std is 2\.1, another 2\.0"):
        agree("other", found, {"std": 2.1})
    with pytest.raises(RuntimeError, match="nan"):
        agree("other", found, {"mean": math.nan})


def test_failure_of_a_peer_ends_the_run(benchmark, tmp_path, capfd):
    with (
        benchmark("worker").Worker("library", tmp_path / "gone.h5") as worker,
        pytest.raises(RuntimeError, match="library failed, see above"),
    ):
        worker.ask(("mean",))
    assert "gone.h5" in capfd.readouterr().err


def test_run_on_tiny_data_prints_its_table(tmp_path):
    found = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks", "--size", "tiny", "--data", tmp_path),
            *("--only", "gzip"),
            *("compute", "memory", "partials", "overhead", "scattered"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    store = "HDF5, gzip and shuffle"
    rows = [line for line in found.stdout.splitlines() if re.match(r"\| (?!work|the same)", line)]
    assert [row.split(" | ")[0].removeprefix("| ").partition(":")[0] for row in rows] == [
        *[store] * 3,
        store,
        "100 HDF5 files, 0.16 MB",
        *("100 chunks of 256 B in memory, all in, a chunk", "`(a - b).mean()`, 10000 values"),
        *("HDF5, contiguous", "HDF5, contiguous", "netCDF-3", "netCDF-3"),
    ]
