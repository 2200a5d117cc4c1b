"""Rewriting: equal expressions become one node."""

from __future__ import annotations

import numpy as np
import pytest

import biggus
from biggus.graph import Rechunked
from biggus.planning.rewriting import CommonSubexpressions
from biggus.testing import ArraySource

ARRAY = biggus.ArrayAdapter(ArraySource(np.arange(24.0).reshape(6, 4), chunks=(2, 4)))


def _padded(value, array=ARRAY):
    return np.pad(~np.isnan(array), ((2, 0), (0, 0)), constant_values=value)


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (_padded(False), _padded(False), True),
        (_padded(False), _padded(True), False),
        (ARRAY + np.full((), 2.0), ARRAY + np.full((), 2.0), True),
        (np.where(ARRAY > 1, np.nan, ARRAY), np.where(ARRAY > 1, np.nan, ARRAY), True),
        (ARRAY + np.zeros(1), ARRAY - np.zeros(1), False),
        (biggus.concatenate([ARRAY, ARRAY], 0), biggus.concatenate([ARRAY, ARRAY], 1), False),
    ],
)
def test_equal_constants_and_short_mosaics_are_interned(one, other, equal):
    intern = CommonSubexpressions()
    assert (intern(one.node) is intern(other.node)) is equal


def test_interned_mosaic_keeps_its_grid():
    node = _padded(False).node
    made = CommonSubexpressions()(node)
    assert made.grid == node.grid
    assert isinstance(made.tiles[0], Rechunked)
