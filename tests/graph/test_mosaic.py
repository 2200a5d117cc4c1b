"""Mosaics: selections of their reductions, the edges of their tiles, and whether they wait."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import biggus
from biggus.planning.rewriting import io_bound, tile_edges_of
from biggus.testing import ArraySource, RecordingSource

VALUES = np.random.default_rng(0).normal(size=(9, 8, 5))
CUTS = (0, 2, 3, 6, 9)


def recorded_tiles():
    """Return a recording source for each tile, and the mosaic of the tiles."""
    sources = [
        RecordingSource(ArraySource(VALUES[start:stop], (1, 8, 5)))
        for start, stop in itertools.pairwise(CUTS)
    ]
    return sources, biggus.LinearMosaic([biggus.ArrayAdapter(each) for each in sources], axis=0)


@pytest.mark.parametrize("function", [np.sum, np.median, np.sort])
@pytest.mark.parametrize(
    "key",
    [0, 2, -1, slice(3, 6), slice(None, None, -2), [8, 0, 0, 4], [[2], [5]], [], slice(4, 4)],
    ids=str,
)
def test_selected_functions_of_a_mosaic_read_only_touched_tiles(function, key):
    sources, array = recorded_tiles()
    right = function(VALUES, axis=1)[key]
    np.testing.assert_allclose(function(array, axis=1)[key].ndarray(), right)
    touched = np.atleast_1d(np.arange(9)[key])
    for source, (start, stop) in zip(sources, itertools.pairwise(CUTS), strict=True):
        assert bool(source.boxes) == bool(((start <= touched) & (touched < stop)).any())


def test_tiles_of_tiles_have_the_edges_that_all_share():
    def tile(rows, columns):
        return biggus.zeros((rows, columns))

    upper = biggus.LinearMosaic([tile(2, 3), tile(2, 5)], axis=1)
    lower = biggus.LinearMosaic([tile(4, 3), tile(4, 5)], axis=1)
    assert tile_edges_of(biggus.LinearMosaic([upper, lower], axis=0).node) == ((2, 4), (3, 5))
    unlike = biggus.LinearMosaic([tile(4, 4), tile(4, 4)], axis=1)
    assert tile_edges_of(biggus.LinearMosaic([upper, unlike], axis=0).node) == ((2, 4), 8)


@pytest.mark.parametrize("waits", [False, True])
def test_mosaic_waits_if_a_tile_waits(waits):
    quick = biggus.ArrayAdapter(ArraySource(VALUES, io_bound=False))
    other = biggus.ArrayAdapter(ArraySource(VALUES, io_bound=waits))
    assert io_bound(biggus.LinearMosaic([quick, quick, other], axis=0).node) == waits
