"""A plan predicts what an evaluation reads, and reads nothing itself."""

from __future__ import annotations

import math

import numpy as np
import pytest

import biggus
from biggus.errors import MemoryBudgetError, ReadLimitError
from biggus.indexing.reduction_blocks import BLOCK
from biggus.sources.base import Source, box_shape
from biggus.testing import ArraySource, RecordingSource, UnreadableSource

VALUES = np.arange(64 * 2**16, dtype="f4").reshape(64, -1)


def recording(values=VALUES, chunks=(8, 2**16), **options):
    return RecordingSource(ArraySource(values, chunks, **options))


def read_bytes(source):
    return sum(math.prod(box_shape(box)) for box in source.boxes) * source.dtype.itemsize


def logistic(y):
    for _ in range(5):
        y = (y % 3) * (1 - y % 3)
    return y


ANALYSES = {
    "mean": lambda a: [a.mean()],
    "of a part": lambda a: [a[3:40, 100:2000].std(axis=0)],
    "strides": lambda a: [a[::-3, ::5].max(axis=1)],
    "index arrays": lambda a: [a.oindex[[3, 60, 4], [7, 5, 60_000]].sum(axis=0)],
    "several": lambda a: [a.mean(), a.std(axis=0), a.max(axis=1), (a + 1).min()],
    "elementwise": lambda a: [a * 2, a.max()],
    "needs_reduction": lambda a: [((a - a.mean(axis=0)) / a.std()).max()],
    "further pass": lambda a: [a.median(), a.mean()],
    "along an axis": lambda a: [biggus.median(a[:, :500], axis=0), a.sum()],
    "transposed operand": lambda a: [(a[:, :64] + a[:, :64].T).sum()],
    "empty": lambda a: [a[:0].sum(), a[:, :10].max()],
    "the same array twice": lambda a: [a.mean(), a.mean()],
    "shared": lambda a: [logistic(a).max(), logistic(a)[:9], (logistic(a) - a[:1]).min()],
    "tiles": lambda a: [np.concatenate([a, a + a[::-1]]).mean(axis=0), a.max()],
}


@pytest.mark.in_pairs
@pytest.mark.parametrize("name", ANALYSES)
@pytest.mark.parametrize("io_bound", [False, True])
@pytest.mark.parametrize("chunks", [(8, 2**16), ((1, 30, 33), 20_000)])
def test_plan_predicts_requests_and_bytes_read(name, io_bound, chunks):
    source = recording(chunks=chunks, io_bound=io_bound)
    arrays = ANALYSES[name](biggus.ArrayAdapter(source))
    plan = biggus.plan(arrays)
    assert source.boxes == []
    biggus.ndarrays(arrays)
    assert plan.requests == len(source.boxes)
    assert plan.read_bytes == read_bytes(source)
    assert plan.result_bytes == sum(array.nbytes for array in arrays)
    assert 0 < plan.peak_bytes <= biggus.options.current().memory


def test_plan_lists_each_pass():
    a = biggus.ArrayAdapter(UnreadableSource((64, 2**16), "f4", chunks=(8, 2**16), io_bound=False))
    plan = biggus.plan([((a - a.mean(axis=0)) / a.std(axis=0)).max()])
    assert [each.read_bytes for each in plan.passes] == [VALUES.nbytes, VALUES.nbytes]
    assert [each.times_read for each in plan.passes] == [1, 1]
    assert plan.tasks == sum(each.tasks for each in plan.passes)
    lines = str(plan).splitlines()
    assert len(lines) == 3
    assert "16.78 MB" in lines[0]


def times_read(*arrays):
    plan = biggus.plan(arrays)
    return max(each.times_read for each in plan.passes)


def test_plan_counts_reads_per_chunk():
    def array(*chunks, shape=(4096, 4096)):
        return biggus.ArrayAdapter(UnreadableSource(shape, "f4", chunks=chunks, io_bound=False))

    a = array(256, 512)
    assert times_read(a.mean(), a.std(axis=0), (a * 2).max()) == 1
    assert times_read((a + array(512, 256)).max()) == 1
    # Each chunk is needed at its own position and at the transposed one.
    assert times_read((a + a.T).max()) > 1
    assert times_read((a + array(1, 4096)).max()) >= 1
    assert times_read((array(1, 4096) + array(4096, 1)).max()) > 2
    assert times_read(a.mean(), a.T.mean()) >= 1


def test_chunks_that_cross_are_each_read_once():
    rows, columns = recording(VALUES[:, :64], (1, 64)), recording(VALUES[:, 64:128], (64, 1))
    total = (biggus.ArrayAdapter(rows) + biggus.ArrayAdapter(columns)).sum()
    plan = biggus.plan([total])
    total.ndarray()
    assert len(rows.chunks_touched()) == len(columns.chunks_touched()) == 64
    assert plan.passes[0].times_read == 1


def test_plan_counts_cached_bytes(cache):
    with biggus.set_options(cache=cache, keep_partials=False):
        a = biggus.ArrayAdapter(recording())
        assert biggus.plan([a.mean()]).cached_bytes == 0
        a[:16].ndarray()
        cache.close()  # waits for entries that are stored in the background
        plan = biggus.plan([a.mean()])
        assert plan.cached_bytes == VALUES[:16].nbytes
        assert plan.read_bytes == VALUES.nbytes
        a.ndarray()
        cache.close()
        assert biggus.plan([a.mean()]).cached_bytes == VALUES.nbytes


def test_kept_partial_results_are_not_planned_to_be_read(cache):
    source = recording()
    a = biggus.ArrayAdapter(source)
    with biggus.set_options(cache=cache):
        a.mean().ndarray()
        source.clear()
        plan = biggus.plan([a.mean()])
        assert (plan.requests, plan.tasks) == (0, 0)
        assert plan.passes[0].kept_blocks > 0
        # Of several arrays, only those without kept results are read.
        other = recording(VALUES + 1)
        arrays = [a.mean(), (biggus.ArrayAdapter(other) - a).max(), a.std(axis=1)]
        plan = biggus.plan(arrays)
        biggus.ndarrays(arrays)
        assert plan.requests == len(source.boxes) + len(other.boxes)
        assert plan.read_bytes == read_bytes(source) + read_bytes(other)


def test_max_bytes_is_checked_before_reading():
    source = recording()
    a = biggus.ArrayAdapter(source)
    for refused in (
        lambda: biggus.ndarrays([a.mean()], max_bytes="16 MB"),
        lambda: biggus.masked_arrays([a[:, 0]], max_bytes=100),
        lambda: biggus.plan([a.mean(), a.std(axis=0)], max_bytes=VALUES.nbytes - 1),
    ):
        with pytest.raises(ReadLimitError, match="would be read"):
            refused()
    assert source.boxes == []
    assert biggus.ndarrays([a.mean()], max_bytes=VALUES.nbytes)[0] == VALUES.mean(dtype="f8")


def test_plan_over_memory_budget_raises():
    a = biggus.ArrayAdapter(UnreadableSource((4, 2**20), "f8", chunks=(4, 2**20), io_bound=False))
    with biggus.set_options(memory="1 MB"), pytest.raises(MemoryBudgetError):
        biggus.plan([a.mean()])


class Endless(Source):
    """A source with 2**64 chunks."""

    shape, dtype, chunks, io_bound = (2**40, 2**40), np.dtype("u1"), (256, 256), False

    def __getitem__(self, box):
        return np.zeros(box_shape(box), "u1")


def test_plan_of_a_window_into_an_endless_array():
    a = biggus.ArrayAdapter(Endless())
    window = a[2**39 : 2**39 + 1000, :1000]
    plan = biggus.plan([window.mean(), window.max(axis=0)])
    assert plan.read_bytes == 10**6
    assert plan.passes[0].times_read == 1
    assert window.sum().ndarray() == 0


def test_plan_of_one_array_is_that_of_a_list_of_it():
    mean = biggus.ArrayAdapter(UnreadableSource((64, 64))).mean(axis=0)
    assert str(biggus.plan(mean)) == str(biggus.plan([mean]))


@pytest.mark.parametrize("rows", [500, 5_000])
def test_plan_memory_does_not_grow_with_tasks(rows, traced_peak):
    a = biggus.ArrayAdapter(
        UnreadableSource((rows, BLOCK), "f4", chunks=(1, BLOCK), io_bound=False)
    )
    arrays = [a.mean(), a.max()]
    assert biggus.plan(arrays).tasks == rows
    assert traced_peak(lambda: biggus.plan(arrays), 300_000) < 300_000


class RemoteSource(ArraySource):
    """A source on a server that must be asked whether a copy is still valid."""

    remote = True
    validations = 0

    def state(self):
        return None

    def validator(self, box):
        self.validations += 1
        return b"1"


def test_plan_asks_no_server(tmp_path):
    source = RemoteSource(VALUES, (8, 2**16))
    cache = biggus.Cache(tmp_path)
    with biggus.set_options(cache=cache, keep_partials=True):
        a = biggus.ArrayAdapter(source)
        wanted = [a.mean(), a[:20].max(axis=0)]
        assert biggus.plan(wanted).cached_bytes == 0
        for _ in range(2):  # partial results are kept only of values in the cache
            biggus.ndarrays(wanted)
            cache.close()  # waits for entries that are stored in the background
        assert source.validations
        source.validations = 0
        plan = biggus.plan(wanted)
        assert (plan.requests, source.validations) == (0, 0)
        assert sum(each.kept_blocks for each in plan.passes)
        assert biggus.plan([a.std()]).cached_bytes == VALUES.nbytes
        assert source.validations == 0


def test_little_memory_splits_blocks_of_small_tiles():
    class Year(Source):
        shape, dtype, chunks = (12, 361, 720), np.dtype("f4"), (1, 361, 720)

        def __getitem__(self, box):
            raise AssertionError("a plan reads nothing")

    years = biggus.ArrayStack([biggus.ArrayAdapter(Year()) for _ in range(10)])
    mean = years.mean(axis=0)
    with biggus.set_options(memory="1 GB", workers=1):
        assert biggus.plan([mean]).passes[0].tasks == 20
    with biggus.set_options(memory="100 MB", workers=1):
        little = biggus.plan([mean]).passes[0]
        assert little.tasks == 120
        assert little.peak_bytes <= 100_000_000
