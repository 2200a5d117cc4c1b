"""Saving with other chunks than the source's reads and writes each chunk once."""

from __future__ import annotations

import math

import numpy as np
import pytest

import biggus
from biggus.planning.jobs import Output
from biggus.planning.rechunking import Rewriting, placed
from biggus.testing import ArraySource, RecordingSource

VALUES = np.random.default_rng(8).normal(0, 100, (60, 90, 120)).astype("f4")


class Target:
    """A target that keeps its values, and counts the writes of each element."""

    def __init__(self, shape, dtype, chunks):
        self.shape, self.dtype, self.chunks = shape, np.dtype(dtype), chunks
        self.values = np.zeros(shape, dtype)
        self.writes = np.zeros(shape, int)
        self.boxes = []

    def __setitem__(self, box, values):
        for s, n, length in zip(box, self.chunks, self.shape, strict=True):
            assert s.start % n == 0
            assert s.stop % n == 0 or s.stop == length
        self.boxes.append(box)
        self.values[box] = values
        self.writes[box] += 1


def recorded(values, chunks, io_bound=False):
    source = RecordingSource(ArraySource(values, chunks, io_bound=io_bound))
    return source, biggus.ArrayAdapter(source)


CHUNKS = {
    "maps to columns": ((1, 90, 120), (60, 9, 12)),
    "columns to maps": ((60, 5, 7), (1, 90, 120)),
    "blocks to rows": ((20, 30, 40), (1, 1, 120)),
    "unaligned": ((7, 90, 11), (13, 17, 120)),
    "months": (((31, 28, 1), 90, (50, 70)), (60, 10, 10)),
}


@pytest.mark.parametrize("io_bound", [False, True])
@pytest.mark.parametrize("memory", ["1 MB", "8 MB"])
@pytest.mark.parametrize("name", CHUNKS)
def test_each_chunk_is_read_and_written_once(name, memory, io_bound, times_read):
    read, written = CHUNKS[name]
    source, a = recorded(VALUES, read, io_bound)
    target = Target(VALUES.shape, "f4", written)
    with biggus.set_options(memory=memory):
        biggus.save(a, target)
    np.testing.assert_array_equal(target.values, VALUES)
    assert times_read(source) == [1]
    assert (target.writes == 1).all()


@pytest.mark.parametrize("memory", [2**17, 2**19, 2**20])
@pytest.mark.parametrize("name", CHUNKS)
def test_bands_hold_as_many_target_chunks_as_fit(name, memory):
    read, written = CHUNKS[name]
    _, a = recorded(VALUES, read)
    rewriting = placed(Output(a.node, 0, written), memory)
    assert isinstance(rewriting, Rewriting)
    bands = rewriting.bands.longest
    most = max(math.prod(written), memory // 32 // a.dtype.itemsize)
    assert math.prod(bands) <= most
    for axis, (band, chunk, n) in enumerate(zip(bands, written, a.shape, strict=True)):
        assert band % chunk == 0 or band == n
        longer = min(n, band + chunk)
        assert band == n or math.prod(bands) // bands[axis] * longer > most


def test_transposed_array_is_read_once(times_read):
    source, a = recorded(VALUES, (1, 90, 120))
    target = Target((120, 90, 60), "f4", (1, 90, 60))
    with biggus.set_options(memory="1 MB"):
        biggus.save(a.T, target)
    np.testing.assert_array_equal(target.values, VALUES.T)
    assert times_read(source) == [1]


def test_masked_array_is_read_once(tmp_path, times_read):
    zarr = pytest.importorskip("zarr")
    values = np.ma.masked_greater(VALUES, 100)
    source, a = recorded(values, (1, 90, 120))
    out = zarr.create_array(
        tmp_path / "a.zarr", shape=a.shape, chunks=(60, 9, 12), dtype="f4", fill_value=-9
    )
    with biggus.set_options(memory="1 MB"):
        biggus.save(a, out)
    np.testing.assert_array_equal(out[:], values.filled(-9))
    assert times_read(source) == [1]


def test_arrays_saved_together_share_reads(times_read):
    source, a = recorded(VALUES, (1, 90, 120))
    column, anomaly = (Target(VALUES.shape, "f4", (60, 9, 12)) for _ in range(2))
    mean = np.empty((90, 120), "f4")
    with biggus.set_options(memory="6 MB"):
        biggus.save([a, a.max(axis=0), a - a.max(axis=0)], [column, mean, anomaly])
    np.testing.assert_array_equal(column.values, VALUES)
    np.testing.assert_array_equal(anomaly.values, VALUES - VALUES.max(axis=0))
    assert times_read(source) == [2]
