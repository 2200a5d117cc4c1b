"""Functions along an axis that is cut into short chunks: each chunk is read once."""

from __future__ import annotations

import errno
import math
import os
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import biggus
from biggus.engine.scratch import Scratch
from biggus.errors import OutputError
from biggus.indexing.grid import Grid, whole
from biggus.planning.rechunking import Rechunking
from biggus.sources.base import box_shape
from biggus.testing import ArraySource, FaultySource, RecordingSource
from biggus.testing.regions import some_boxes

VALUES = np.random.default_rng(5).normal(0, 100, (60, 90, 120)).astype("f4")
LITTLE = "4 MB"
MONTHS = ((31, 28, 1), 90, (50, 70))


def with_holes(values):
    values = values.copy()
    values[np.random.default_rng(6).random(values.shape) < 0.2] = np.nan
    values[:, 3] = np.nan
    return values


def recorded(values, chunks, io_bound=False):
    source = RecordingSource(ArraySource(values, chunks, io_bound=io_bound))
    return source, biggus.ArrayAdapter(source)


def assert_same(one, other):
    assert type(one) is type(other)
    assert one.dtype == other.dtype
    np.testing.assert_array_equal(np.ma.getmaskarray(one), np.ma.getmaskarray(other))
    assert np.ma.filled(one, 0).tobytes() == np.ma.filled(other, 0).tobytes()


CASES = {
    "percentile": (VALUES, (1, 90, 120), lambda m, a: m.percentile(a, 95, axis=0)),
    "quantiles": (VALUES, (4, 90, 120), lambda m, a: m.quantile(a, [[0.1], [0.5]], axis=0)),
    "a method": (VALUES, (1, 90, 120), lambda m, a: m.quantile(a, 0.3, axis=0, method="hazen")),
    "median": (VALUES, (1, 45, 120), lambda m, a: m.median(a, axis=0)),
    "the last axis": (VALUES, (60, 90, 1), lambda m, a: m.median(a, axis=-1, keepdims=True)),
    "two axes": (VALUES, (1, 90, 1), lambda m, a: m.percentile(a, 20, axis=(0, 2))),
    "months": (VALUES, MONTHS, lambda m, a: m.percentile(a, 95, axis=0)),
    "whole numbers": (VALUES.astype("i2"), (1, 90, 120), lambda m, a: m.median(a, axis=0)),
    "no numbers": (with_holes(VALUES), (1, 90, 120), lambda m, a: m.median(a, axis=0)),
    "computed": (VALUES, (1, 90, 120), lambda m, a: m.median(a * 2 - 1, axis=0)),
    "a part": (VALUES, (1, 90, 120), lambda m, a: m.median(a[5:, ::-2, 3:], axis=0)[1:40, 7:]),
    "computed with": (VALUES, (1, 90, 120), lambda m, a: m.median(a, axis=0)[::2] * 2),
    "sorted": (VALUES, (1, 90, 120), lambda m, a: np.sort(a, axis=0)),
    "an order": (VALUES, MONTHS, lambda m, a: np.argsort(a, axis=0, kind="stable")[::-1] - 1),
    "sorted, a part": (VALUES, (4, 45, 60), lambda m, a: np.sort(a * 2, axis=0)[3:, 1:, 2:]),
}


@pytest.mark.parametrize(
    ("name", "io_bound"), [(name, bool(number % 2)) for number, name in enumerate(CASES)]
)
def test_each_chunk_is_read_once(name, io_bound, times_read):
    values, chunks, function = CASES[name]
    source, a = recorded(values, chunks, io_bound)
    expected = function(np, values)
    whole = function(biggus, a).ndarray()
    np.testing.assert_array_equal(whole, expected)
    assert whole.dtype == expected.dtype
    for memory, workers in ((LITTLE, 1), (LITTLE, 4), ("11 MB", 2)):
        with biggus.set_options(memory=memory, workers=workers):
            lazy = function(biggus, a)
            plan = biggus.plan([lazy])
            source.clear()
            assert_same(lazy.ndarray(), whole)
            assert plan.passes[0].scratch_bytes
            assert times_read(source) in ([1], [0, 1])
            assert plan.requests == len(source.boxes)
            read = sum(math.prod(box_shape(box)) for box in source.boxes)
            assert plan.read_bytes == read * values.itemsize


def test_arrays_with_unlike_chunks_are_each_read_once(times_read):
    gufuncs = pytest.importorskip("biggus.xarray.gufuncs", exc_type=ImportError)
    first, a = recorded(VALUES, (1, 90, 120))
    second, b = recorded(VALUES[::-1], (7, 90, 50))
    few = np.arange(60.0, dtype="f4")

    def dots(x, y, z):
        return (x * y * z).sum(axis=-1)

    lines = [np.moveaxis(each, 0, -1).copy() for each in (VALUES, VALUES[::-1])]
    expected = dots(*lines, few)
    for memory in (LITTLE, "1 GB"):
        first.clear(), second.clear()
        with biggus.set_options(memory=memory, workers=2):
            turned = [np.moveaxis(each, 0, -1) for each in (a, b)]
            found = gufuncs.apply_gufunc(dots, "(t),(t),(t)->()", *turned, few)
            np.testing.assert_array_equal(found.ndarray(), expected)
        assert times_read(first) == times_read(second) == [1]


def test_reduction_of_a_sorted_array_is_the_same_to_the_bit():
    _, a = recorded(VALUES, (1, 90, 120))
    wanted = (np.sort(a, axis=0) * np.float32(0.1)).mean(axis=1)
    plenty = wanted.ndarray()
    with biggus.set_options(memory="11 MB"):
        assert_same(wanted.ndarray(), plenty)


def test_nanpercentile_skips_nan():
    values = with_holes(VALUES)
    _, a = recorded(values, (1, 90, 120))
    with biggus.set_options(memory=LITTLE), pytest.warns(RuntimeWarning, match="All-NaN"):
        found = biggus.nanpercentile(a, [5, 95], axis=0).ndarray()
    with pytest.warns(RuntimeWarning, match="All-NaN"):
        np.testing.assert_array_equal(found, np.nanpercentile(values, [5, 95], axis=0))


def test_median_skips_missing_values(times_read):
    values = np.ma.masked_invalid(with_holes(VALUES))
    values[0, 0, 0] = 5
    source, a = recorded(values, (1, 90, 120))
    whole = biggus.median(a, axis=0).masked_array()
    np.testing.assert_array_equal(whole.mask, np.ma.median(values, axis=0).mask)
    with biggus.set_options(memory=LITTLE):
        source.clear()
        assert_same(biggus.median(a, axis=0).masked_array(), whole)
    assert times_read(source) == [1]


def test_median_shares_one_read_with_other_reductions(times_read):
    source, a = recorded(VALUES, (1, 90, 120))
    wanted = [biggus.median(a, axis=0), a.max(axis=0), biggus.percentile(a, 9, axis=0).mean()]
    plenty = biggus.ndarrays(wanted)
    with biggus.set_options(memory="8 MB"):
        source.clear()
        little = biggus.ndarrays(wanted)
    for one, other in zip(plenty, little, strict=True):
        assert_same(one, other)
    assert times_read(source) == [1]


def test_median_of_anomalies_reads_twice(times_read):
    source, a = recorded(VALUES, (1, 90, 120))
    anomaly = a - a.max(axis=0)
    wanted = [biggus.median(anomaly, axis=0), biggus.median(anomaly * 2, axis=0).min()]
    plenty = biggus.ndarrays(wanted)
    with biggus.set_options(memory="8 MB"):
        source.clear()
        little = biggus.ndarrays(wanted)
    for one, other in zip(plenty, little, strict=True):
        assert_same(one, other)
    assert times_read(source) == [2]


def test_median_is_saved(tmp_path, times_read):
    source, a = recorded(VALUES, (1, 90, 120))
    with biggus.set_options(memory=LITTLE):
        biggus.save(biggus.median(a, axis=0), tmp_path / "a.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), np.median(VALUES, axis=0))
    assert times_read(source) == [1]


def test_median_with_an_executor():
    _, a = recorded(VALUES, (1, 90, 120))
    with ThreadPoolExecutor(2) as pool, biggus.set_options(memory="8 MB", executor=pool):
        found = biggus.median(a, axis=0).ndarray()
    np.testing.assert_array_equal(found, np.median(VALUES, axis=0))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return the folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("call", ["posix_fallocate", "pwrite"])
def test_full_disk_raises_output_error(folder, monkeypatch, call):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    source, a = recorded(VALUES, (1, 90, 120))
    monkeypatch.setattr(os, call, full, raising=False)
    with (
        biggus.set_options(memory=LITTLE),
        pytest.raises(OutputError, match=r"2.592 MB has no room in .*: No space left"),
    ):
        biggus.median(a, axis=0).ndarray()
    assert not list(folder.iterdir())
    assert call == "pwrite" or not source.boxes


def test_failed_read_leaves_no_file(folder):
    whole = ArraySource(VALUES, (1, 90, 120), io_bound=False)
    source = FaultySource(whole, OSError("gone"), on={1})
    with biggus.set_options(memory=LITTLE), pytest.raises(biggus.SourceError, match="gone"):
        biggus.median(biggus.ArrayAdapter(source), axis=0).ndarray()
    assert not list(folder.iterdir())


KILLED = """
import os, signal
import numpy as np
import biggus

class Ending:
    shape, dtype = (60, 90, 120), np.dtype("f4")
    reads = 0

    def __getitem__(self, box):
        Ending.reads += 1
        if Ending.reads == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return np.zeros([s.stop - s.start for s in box], "f4")

biggus.set_options(memory="4 MB", workers=1)
biggus.median(biggus.ArrayAdapter(Ending(), chunks=(1, 90, 120)), axis=0).ndarray()
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_killed_process_leaves_no_file(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", KILLED], env={**os.environ, "TMPDIR": str(tmp_path)}, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert not list(tmp_path.iterdir())


def test_selected_percentiles_are_computed_by_tasks(monkeypatch):
    values = np.random.default_rng(0).normal(size=(40, 6, 50))
    lazy = biggus.percentile(biggus.ArrayAdapter(ArraySource(values)), [5, 95], axis=0)

    def refuse(*_):
        raise AssertionError("one thread alone reads it")

    monkeypatch.setattr("biggus.engine.evaluation.evaluate_small", lambda _: None)
    monkeypatch.setattr("biggus.engine.evaluation.BLOCK", 1000)  # fewer than the values
    monkeypatch.setattr("biggus.engine.reading.whole", refuse)
    right = np.percentile(values, [5, 95], axis=0)
    assert_same((lazy[1] + 1).ndarray(), right[1] + 1)
    assert_same(lazy[0, ::2].ndarray(), right[0, ::2])


def boxes_of(chunks):
    return [part.chunk for part in Grid(VALUES.shape, chunks).parts(whole(VALUES.shape))]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("held", [False, True])
def test_scratch_returns_the_values_written(held, masked):
    values = np.ma.masked_invalid(with_holes(VALUES)) if masked else VALUES
    node = biggus.ArrayAdapter(ArraySource(values, (7, 90, 120))).node
    scratch = Scratch(Rechunking(node, (60, (20, 33, 37), 50)), held)
    for box in boxes_of((7, 40, 120)):
        scratch.write(box, values[box])
    for box in boxes_of((60, 33, 50)):
        found = scratch[tuple([slice(s.start, s.stop, 3) for s in box])]
        assert_same(found, values[box][::3, ::3, ::3])
    for box in some_boxes(VALUES.shape, most=30):
        assert_same(scratch[box], values[box])
