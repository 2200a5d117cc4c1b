"""Fusing: steps that follow one another are one entry, and give what they give one by one."""

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


def _schedule(*arrays):
    whole = Selection.identity(SHAPE)
    return Schedule([(array.node, whole) for array in arrays])


def _lazy():
    return biggus.ArrayAdapter(ArraySource(VALUES, chunks=(2, 3, 999)))


def _forked(a):
    b = a * 2
    return np.where(b > 1, b, -b) + a[:, :1] / (a[:1] + 3)


@pytest.mark.parametrize(
    ("made", "entries"),
    [
        (lambda a: np.sqrt(np.abs(a * 2 + 1)).astype("i8"), 2),
        (_forked, 5),  # what is broadcast is read, and computed, once
        (lambda a: (a.max() - a) * 2, None),
        (lambda a: (a + 1) * 2 + np.ma.masked_less(VALUES, 0), None),
    ],
)
def test_values_are_those_of_each_step_alone(made, entries):
    lazy = made(_lazy())
    if entries is not None:
        schedule = _schedule(lazy)
        assert len(schedule.entries) == entries
        assert len(schedule.entries[-1].steps) > 1
    right = made(VALUES)
    for memory in ("9 MB", "200 MB"):
        with biggus.set_options(memory=memory, workers=2):
            assert_same(lazy.ndarray() if not lazy.masked else lazy.masked_array(), right)


def test_what_others_need_too_is_an_entry_of_its_own():
    a = _lazy()
    b = np.abs(a + 1)
    c = np.sqrt(b * 2)
    schedule = _schedule(c, b)
    assert [len(entry.steps) for entry in schedule.entries] == [0, 2, 2]
    assert schedule.roots == [2, 1]
    assert [entry.uses for entry in schedule.entries] == [1, 2, 1]


def test_less_memory_is_needed_than_for_each_step_alone():
    a = _lazy()
    assert footprint(_schedule(a * 2 + 1)).peak < 3 * VALUES.nbytes + 16 * SLAB
