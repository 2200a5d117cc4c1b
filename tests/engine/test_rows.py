"""Blocks that are read a few rows at a time give the same results, and each value is read once."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import biggus
from biggus.engine.rows import Rows
from biggus.errors import SourceError
from biggus.indexing.grid import box_shape
from biggus.indexing.selection import Selection
from biggus.planning import partial_reads, schedule
from biggus.statistics.layout import RUN
from biggus.testing import ArraySource, assert_same

VALUES = np.random.default_rng(0).normal(size=(40, 30, 600)).astype("f4")
WEIGHTS = np.linspace(0, 1, 600)


class PartwiseSource(ArraySource):
    reads_parts = True

    def __init__(self, values, chunks):
        super().__init__(values, chunks=chunks)
        self.boxes = []

    def __getitem__(self, box):
        self.boxes.append(box)
        return super().__getitem__(box)

    @property
    def counts(self):
        """How often each value was read."""
        counts = np.zeros(self.shape, int)
        for box in self.boxes:
            counts[box] += 1
        return counts


@given(data=st.data())
def test_rows_in_ascending_order_are_read_once_each(data):
    shape = data.draw(st.sampled_from([(9,), (1, 12, 3), (7, 1, 2), (1, 1), (5, 6)]))
    values = np.arange(np.prod(shape), dtype="f4").reshape(shape)
    source = PartwiseSource(values, shape)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partial_reads, "_ROWS", data.draw(st.integers(1, 20)))
        rows = Rows(
            biggus.ArrayAdapter(source).node,
            Selection.identity(shape),
            lambda node, selection: node.source[selection.bounding_box()[0]],
        )
    axis = next((axis for axis, n in enumerate(shape) if n > 1), 0)
    bounds = sorted(
        data.draw(
            st.sets(st.integers(0, shape[axis]), min_size=2, max_size=6) | st.just({0, shape[axis]})
        )
    )
    for start, stop in itertools.pairwise(bounds):
        box = [slice(0, n, 1) for n in shape]
        box[axis] = slice(start, stop, 1)
        np.testing.assert_array_equal(rows[tuple(box)], values[tuple(box)], strict=True)
    assert source.counts.max() == 1


def test_rows_before_the_last_ones_are_read_again():
    source = PartwiseSource(VALUES, VALUES.shape)
    rows = Rows(
        biggus.ArrayAdapter(source).node,
        Selection.identity(VALUES.shape),
        lambda node, selection: node.source[selection.bounding_box()[0]],
    )
    for place in [slice(30, 35, 1), slice(2, 5, 1)]:
        box = (place, slice(0, 30, 1), slice(3, 600, 1))
        np.testing.assert_array_equal(rows[box], VALUES[box])


@pytest.fixture
def _short(monkeypatch):
    """Blocks are read and computed in short parts."""
    monkeypatch.setattr(schedule, "SLAB", 1000)
    monkeypatch.setattr(partial_reads, "_ROWS", 40_000)


STATISTICS = {
    "mean of all": lambda a: a.mean(),
    "sum of rows": lambda a: a.sum(axis=(1, 2)),
    "std of columns": lambda a: a.std(axis=0),
    "sum within": lambda a: a.sum(axis=1),
    "greatest of last": lambda a: a.max(axis=2),
    "two at once": lambda a: biggus.ndarrays([a.mean(axis=(1, 2)), a.std(axis=(1, 2))])[1],
    "mean of a view": lambda a: a[3:, ::-1, 5:].mean(axis=(1, 2)),
    "mean of a transposed view": lambda a: a.transpose(2, 0, 1).mean(axis=(0, 2)),
    "mean of joined": lambda a: biggus.LinearMosaic([a, a[:7]], 0).mean(axis=(1, 2)),
}


@pytest.mark.usefixtures("_short")
@pytest.mark.parametrize("chunks", [(40, 30, 600), (10, 30, 300), (40, 7, 600)])
@pytest.mark.parametrize("name", STATISTICS)
def test_computed_values_of_rows_are_reduced_as_those_of_whole_blocks(name, chunks):
    sources = [PartwiseSource(VALUES, chunks), ArraySource(VALUES, chunks=chunks)]
    found = [STATISTICS[name](biggus.ArrayAdapter(source) * WEIGHTS) for source in sources]
    assert_same(*[np.asarray(each) for each in found])
    if name in ("mean of all", "std of columns"):
        assert (sources[0].counts == 1).all()


@pytest.mark.usefixtures("_short")
def test_only_a_few_rows_are_read_at_once():
    source = PartwiseSource(VALUES, VALUES.shape)
    (biggus.ArrayAdapter(source) * WEIGHTS).sum(axis=(1, 2)).ndarray()
    assert max(box_shape(box)[0] for box in source.boxes) <= RUN // (30 * 600)
    assert (source.counts == 1).all()


def test_plan_counts_the_memory_of_a_few_rows():
    values = np.zeros((100, 30, 600), "f4")
    sources = [PartwiseSource(values, values.shape), ArraySource(values, chunks=values.shape)]
    sums = [(biggus.ArrayAdapter(each) * WEIGHTS).sum(axis=(1, 2)) for each in sources]
    by_rows, at_once = [biggus.plan([each]).peak_bytes for each in sums]
    assert by_rows < at_once - values.nbytes // 4


@pytest.mark.usefixtures("_short")
def test_failure_of_later_rows_names_their_box():
    class Broken(PartwiseSource):
        def __getitem__(self, box):
            if box[0].stop == 40:
                raise OSError("gone")
            return super().__getitem__(box)

    array = biggus.ArrayAdapter(Broken(VALUES, VALUES.shape)) * WEIGHTS
    with pytest.raises(SourceError, match=r":40, .*gone"):
        array.sum(axis=(1, 2)).ndarray()
