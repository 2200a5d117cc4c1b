"""Fusing: consecutive steps are one entry, with the same values as separate steps."""

from __future__ import annotations

import numpy as np
import pytest

import biggus
from biggus.graph import SLAB
from biggus.indexing.selection import Selection
from biggus.planning.footprint import footprint
from biggus.planning.schedule import Schedule
from biggus.testing import ArraySource, assert_same

SHAPE = (7, 3, SLAB // 8)
VALUES = np.random.default_rng(0).normal(size=SHAPE).astype("f4")


def _schedule(*arrays, in_parts=()):
    whole = Selection.identity(SHAPE)
    return Schedule([(array.node, whole) for array in arrays], in_parts=in_parts)


def _lazy():
    return biggus.ArrayAdapter(ArraySource(VALUES, chunks=(2, 3, 999)))


def _forked(a):
    b = a * 2
    return np.where(b > 1, b, -b) + a[:, :1] / (a[:1] + 3)


@pytest.mark.parametrize(
    ("made", "entries"),
    [
        (lambda a: np.sqrt(np.abs(a * 2 + 1)).astype("i8"), 2),
        (_forked, 5),  # broadcast operands are read and computed once
        (lambda a: (a.max() - a) * 2, None),
        (lambda a: (a + 1) * 2 + np.ma.masked_less(VALUES, 0), None),
    ],
)
def test_fused_steps_have_the_values_of_separate_steps(made, entries):
    lazy = made(_lazy())
    if entries is not None:
        schedule = _schedule(lazy)
        assert len(schedule.entries) == entries
        assert len(schedule.entries[-1].steps) > 1
    right = made(VALUES)
    for memory in ("9 MB", "200 MB"):
        with biggus.set_options(memory=memory, workers=2):
            assert_same(lazy.ndarray() if not lazy.masked else lazy.masked_array(), right)


def test_shared_values_are_a_separate_entry():
    a = _lazy()
    b = np.abs(a + 1)
    c = np.sqrt(b * 2)
    schedule = _schedule(c, b)
    assert [len(entry.steps) for entry in schedule.entries] == [0, 2, 2]
    assert schedule.roots == [2, 1]
    assert [entry.uses for entry in schedule.entries] == [1, 2, 1]


def test_fused_steps_need_less_memory():
    a = _lazy()
    assert footprint(_schedule(a * 2 + 1)).peak < 3 * VALUES.nbytes + 16 * SLAB


def test_values_accumulated_in_parts_need_less_memory():
    a = _lazy()
    double, sums = a.astype("f8"), a + 1
    schedule = _schedule(double, sums, in_parts=[0])
    assert [entry.in_parts for entry in schedule.entries] == [False, True, False]
    assert [len(entry.steps) for entry in schedule.entries] == [0, 1, 0]
    whole = footprint(_schedule(double)).peak
    assert footprint(_schedule(double, in_parts=[0])).peak < whole
    for shared in (_schedule(double, double, in_parts=[0]), _schedule(double, double * 2)):
        assert not any(entry.in_parts for entry in shared.entries)


@pytest.mark.parametrize("axes", [0, 1, 2, (0, 1), (0, 2), (1, 2), None])
def test_statistics_computed_together_are_the_same_to_the_bit(axes):
    lazy = _lazy() * 1.1 + 0.1
    for name in ("sum", "nanmean", "var", "nanstd", "min", "ptp"):
        alone = getattr(np, name)(lazy, axes)
        beside = [getattr(np, name)(lazy, axes), lazy.sum(0), lazy.max(), lazy[::2, :1]]
        with biggus.set_options(workers=1):
            right = biggus.ndarrays(beside)[0]  # the whole block is computed first
        for memory in ("20 MB", "200 MB"):
            with biggus.set_options(memory=memory, workers=2):
                np.testing.assert_array_equal(alone.ndarray(), right, strict=True)
