"""Computing takes no more memory than the option allows, however large the dataset is.

Measured in separate processes, by their peak resident memory.  Only Linux reports that for a
part of a process's life.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import memory_cases as cases
import numpy as np
import peaks
import pytest

import biggus
from biggus.errors import MemoryBudgetError
from biggus.testing import RecordingSource

pytestmark = pytest.mark.machine

ALLOWED = 16 * 2**20
"""Bytes allowed beyond the budget, for memory that allocators keep and libraries loaded late."""

GENERATED = tuple([name for name in cases.EVALUATIONS if name not in ("save_hdf5", "save_zarr")])
STORED = ("std0", "needs_reduction", "save_hdf5", "save_zarr")

MEASURED = {
    "blocks*4": GENERATED,
    "blocks*8": ("mean", "std0", "median", "median0", "needs_reduction", "save", "save_transposed"),
    "waiting*4": ("std0", "median", "needs_reduction", "several", "save"),
    "rows*8": ("median0", "percentiles0", "save_columns"),
    "rows*4": ("std1", "argmax0", "parts", "transposed", "save_npy"),
    "columns*4": ("std0", "median1", "percentiles0", "histogram", "compared"),
    "uneven*4": ("std0", "median", "needs_reduction", "parts", "transposed", "save"),
    "none*4": ("std0", "median1", "save_transposed"),
    "contiguous*4": (*STORED, "std", "median", "several", "parts"),
    "contiguous*8": ("mean", "std0", "save_npy"),
    "one_chunk*4": (*STORED, "transposed"),
    "gzipped_rows*4": ("std0", "median", "save_zarr"),
    "zarr_rows*4": (*STORED, "median"),
    "zarr_one_chunk*4": (*STORED, "transposed"),
}


@pytest.mark.skipif(not peaks.peaks_are_available(), reason="needs /proc/self/clear_refs")
@pytest.mark.parametrize("dataset", MEASURED)
def test_peak_memory_stays_within_the_budget(dataset):
    layout, _, times = dataset.partition("*")
    if layout in cases.STORES:
        pytest.importorskip("h5py")
        pytest.importorskip("zarr")
    names = [f"{layout}:{evaluation}*{times}" for evaluation in MEASURED[dataset]]
    program = Path(__file__).with_name("peak_memory.py")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", program, *names],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    found = {line["name"]: line["taken"] for line in map(json.loads, done.stdout.splitlines())}
    assert len(found) == len(names)
    too_much = {name: taken for name, taken in found.items() if taken > cases.MEMORY + ALLOWED}
    assert not too_much


@pytest.fixture(scope="module")
def large_chunk(tmp_path_factory):
    """Return a source with one compressed chunk of 64 MB, which must be decoded whole."""
    h5py = pytest.importorskip("h5py")
    path = tmp_path_factory.mktemp("large") / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("a", data=np.zeros((4, 2**22), "f4"), chunks=(4, 2**22), compression=1)
    return RecordingSource(biggus.open(path).node.source)


REFUSED = {
    "mean": lambda a: a.mean().ndarray(),
    "std axis 0": lambda a: a.std(axis=0).ndarray(),
    "of a part": lambda a: a[:, :10].max(axis=1).ndarray(),
    "median": lambda a: biggus.median(a, axis=0).ndarray(),
    "needs_reduction": lambda a: (a - a.mean(axis=0)).max().ndarray(),
    "second pass": lambda a: (a[0] - biggus.zeros(4).mean()).max().ndarray(),
    "elementwise": lambda a: biggus.save(a * 2, cases.Nowhere(a.shape)),
    "difference": lambda a: (a - a[::-1]).ndarray(),
    "several": lambda a: biggus.ndarrays([biggus.zeros(3).mean(), a.mean()]),
    "a plan": lambda a: biggus.plan([a.mean()]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_chunk_larger_than_the_budget_raises_before_reading(name, large_chunk):
    a = biggus.ArrayAdapter(large_chunk)
    with biggus.set_options(memory="32 MB"), pytest.raises(MemoryBudgetError, match="memory="):
        REFUSED[name](a)
    assert large_chunk.boxes == []


def test_nothing_is_read_if_one_of_several_arrays_does_not_fit(large_chunk):
    small = RecordingSource(cases.Generated((1000, 2000)))
    arrays = [biggus.ArrayAdapter(small).mean(), biggus.ArrayAdapter(large_chunk).mean()]
    with biggus.set_options(memory="32 MB"), pytest.raises(MemoryBudgetError):
        biggus.ndarrays(arrays)
    assert small.boxes == []
    with biggus.set_options(memory="32 MB"), pytest.raises(MemoryBudgetError):
        (biggus.ArrayAdapter(large_chunk)[0] - arrays[0]).max().ndarray()
    assert small.boxes == large_chunk.boxes == []
