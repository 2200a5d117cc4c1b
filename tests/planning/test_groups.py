"""Groups: which reductions share a pass over the data, its blocks and its memory."""

from __future__ import annotations

import numpy as np
import pytest

import biggus
from biggus.errors import MemoryBudgetError
from biggus.planning.groups import JobGroup, grouped
from biggus.planning.jobs import Output, reductions_over
from biggus.planning.rewriting import CommonSubexpressions, pushdown, reductions_of
from biggus.planning.shared_scans import SharedScan
from biggus.sources.wrappers import ObjectSource
from biggus.testing import ArraySource, RecordingSource


class Numbers:
    """An array of ones of any shape, made on read."""

    dtype = np.dtype("f4")

    def __init__(self, shape):
        self.shape = shape

    def __getitem__(self, box):
        return np.ones([len(range(s.start, s.stop, s.step)) for s in box], "f4")


def recorded(shape, chunks):
    """Return a source that records its reads, and an array over it."""
    source = RecordingSource(ObjectSource(Numbers(shape), chunks=chunks))
    return source, biggus.ArrayAdapter(source)


def groups_of(arrays, memory=10**9):
    """Return the groups of reductions that contain no other reduction."""
    intern = CommonSubexpressions()
    nodes = [intern(pushdown(array.node)) for array in arrays]
    found = {id(r): r for node in nodes for r in reductions_of(node)}
    wanted = {node: node.statistic for node in found.values()}
    return grouped(reductions_over(wanted), [], memory)


def test_blocks_hold_each_reduction_block_once():
    _, a = recorded((60, 300, 400), (12, 100, 100))
    _, b = recorded((60, 300, 400), (20, 150, 100))
    [group] = groups_of([a.mean(), (a - b).std(axis=2), (a - b).max(axis=0)])
    assert len(group.reductions) == 3
    seen = [[] for _ in group.reductions]
    for task in SharedScan(group).tasks():
        [whole] = task.blocks
        for each in whole.accumulations:
            for block in each.blocks:
                inside = zip(block.box, whole.box, strict=True)
                assert all(b.start <= c.start <= c.stop <= b.stop for c, b in inside)
                seen[each.reduction].append((block.kept, block.reduced))
    for reduction, found in zip(group.reductions, seen, strict=True):
        assert len(found) == len(set(found)) == reduction.blocks.count


@pytest.mark.parametrize("workers", [1, 2])
def test_chunks_of_nested_grids_are_read_once(workers):
    source, a = recorded((60, 300, 700), (12, 100, 100))
    other, b = recorded((60, 300, 700), (24, 100, 200))
    with biggus.set_options(workers=workers):
        biggus.ndarrays([a.mean(), (a - b).std(), b.max(axis=0), (a + 1).min(axis=(1, 2))])
    for one, shape in ((source, a.shape), (other, b.shape)):
        times = np.zeros(shape, np.uint8)
        for box in one.boxes:
            times[box] += 1
        assert times.min() == times.max() == 1


def test_arrays_without_common_data_form_separate_groups():
    _, a = recorded((60, 300), (12, 100))
    _, b = recorded((60, 300), (12, 100))
    assert len(groups_of([a.mean(), b.mean()])) == 2
    assert len(groups_of([a.mean(), a[1:].mean()])) == 2
    assert len(groups_of([a.mean(), a.std(axis=1), (a + b).max()])) == 1


def test_groups_are_split_to_fit_in_memory():
    _, a = recorded((400, 500, 600), (100, 100, 100))
    wanted = [a.mean(axis=0), a.std(axis=(1, 2)), (a * 2).max(axis=1)]
    assert len(groups_of(wanted, 10**9)) == 1
    apart = groups_of(wanted, 30 * 10**6)
    assert len(apart) > 1
    assert all(group.state + group.peak <= 30 * 10**6 for group in apart)


def test_little_memory_orders_blocks_by_output():
    _, a = recorded((40, 2000, 2000), (1, 500, 500))
    [plenty] = groups_of([a.std(axis=0)], 10**10)
    [short] = groups_of([a.std(axis=0)], 10**8)
    assert plenty.order == (0, 1, 2)
    assert short.order == (1, 2, 0)
    assert short.state < 10**8 // 2 < plenty.state


def test_block_larger_than_memory_error_states_its_size():
    source, a = recorded((8, 4000, 4000), (8, 4000, 4000))
    with (
        biggus.set_options(memory="50 MB"),
        pytest.raises(MemoryBudgetError, match=r"a block of 8 × 4000 × 4000 takes .* [MG]B"),
    ):
        a.mean().ndarray()
    assert not source.boxes


def test_task_iterator_memory_does_not_grow(traced_peak):
    _, a = recorded((10**6, 2**20), (1, 2**20))
    [group] = groups_of([a.mean()])

    def count():
        tasks = SharedScan(group).tasks()
        assert sum(1 for _ in zip(tasks, range(20_000), strict=False)) == 20_000

    assert traced_peak(count, 999_999) < 1_000_000


def test_partial_bytes_are_those_of_the_largest_block():
    source = ArraySource(np.zeros((4, 12, 400, 400), "f4"), chunks=(1, 1, 400, 400))
    node = biggus.ArrayAdapter(source).mean(axis=0).node
    [reduction] = reductions_over({node: node.statistic})
    for memory, together in ((10**9, 3), (40 * 10**6, 1)):
        group = JobGroup([reduction], [], memory)
        assert group.largest == 4 * together * 400 * 400
        assert group.partial_bytes == reduction.nbytes(together * 400 * 400)


def group_of(array, memory=10**9):
    """Return the group of one reduction."""
    node = array.node
    return JobGroup(reductions_over({node: node.statistic}), [], memory)


def test_peak_does_not_depend_on_the_order_of_chunk_lengths():
    lengths = (3, 500, 20, 477)
    peaks = set()
    for order in (lengths, lengths[::-1], (20, 477, 3, 500)):
        source = ArraySource(np.zeros((1000, 3000), "f4"), (order, 3000))
        peaks.add(group_of(biggus.ArrayAdapter(source).max(axis=1)).peak)
    assert len(peaks) == 1
    assert min(peaks) >= 500 * 3000 * 4


@pytest.mark.parametrize(("chunks", "longest"), [((4, 100, 100), 10_000), ((4, 9, 9), 4_400)])
def test_blocks_of_outputs_follow_from_the_values_behind_them(chunks, longest):
    _, a = recorded((480, 721, 1440), chunks)
    for function in (biggus.median, lambda a, axis: biggus.median(a, axis=axis) - 1):
        node = function(a, axis=0).node
        blocks = JobGroup((), [Output(node, 0, None)], 10**9).task_blocks
        assert blocks.axes[0].longest * blocks.axes[1].longest <= longest
        assert blocks.count >= 100


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("memory", ["20 MB", "90 MB", "1 GB"])
def test_blocks_along_whole_axes_nest_in_chunks(memory, workers):
    _, a = recorded((480, 721, 1440), (12, 181, 181))
    with biggus.set_options(memory=memory, workers=workers):
        blocks = biggus.median(a, axis=0).node.blocks(0)
        for edges in blocks.axes[1:]:
            assert set(range(0, edges.length, 181)) <= set(edges.offsets) or not edges.longest % 181
        assert np.prod(blocks.longest) * 4 * workers <= biggus.options.current().memory
