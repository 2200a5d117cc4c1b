"""Kept partial results in random analyses of random mosaics of changing files."""

from __future__ import annotations

import os
import tempfile

import numpy as np
import pytest

import biggus
from biggus.indexing import reduction_blocks
from biggus.planning import tree_levels
from biggus.testing import ArraySource

pytest.importorskip("hypothesis")
from hypothesis import given, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("BIGGUS_EXAMPLES", settings().max_examples))

STATISTICS = ["sum", "mean", "std", "max", "argmin", "count_nonzero", "any"]


class File(ArraySource):
    """Values with a state, which can be rewritten."""

    def __init__(self, number, shape, chunks):
        self.number, self.written = number, 0
        super().__init__(np.empty(shape), chunks, token=f"file {number}")
        self.write()

    def write(self):
        """Replace the values with other ones."""
        self.written += 1
        random = np.random.default_rng([self.number, self.written])
        self.array = random.integers(-50, 50, self.shape) / 4

    def state(self):
        return f"{self.written}".encode()


@st.composite
def selections(draw, shape):
    """Return a key that selects at least one element of each axis."""
    key = []
    for n in shape:
        start = draw(st.integers(0, n - 1))
        stop = draw(st.integers(start + 1, n))
        key.append(slice(start, stop, draw(st.integers(1, 2))))
    return tuple(key)


def mosaic_of(draw, files):
    """Return files side by side, in some order and arrangement."""
    chosen = draw(st.lists(st.sampled_from(files), min_size=1, max_size=12))
    arrays = [biggus.ArrayAdapter(file, cache=False) for file in chosen]
    axis = draw(st.integers(0, 1))
    across = draw(st.integers(1, 3))
    rows = [arrays[n : n + across] for n in range(0, len(arrays) - len(arrays) % across, across)]
    if not rows:
        rows = [arrays]
    lines = [biggus.LinearMosaic(row, axis) for row in rows]
    return biggus.LinearMosaic(lines, 1 - axis)


def analysis_of(draw, files):
    """Return an array of statistics of a part of a mosaic, or of an expression of it."""
    a = mosaic_of(draw, files)
    if draw(st.booleans()):
        a = a[draw(selections(a.shape))]
    if draw(st.booleans()):
        a = a * 2 - a[:1]
    axis = draw(st.sampled_from([None, 0, 1]))
    return getattr(biggus, draw(st.sampled_from(STATISTICS)))(a, axis=axis)


@settings(deadline=None, max_examples=EXAMPLES)
@given(st.data())
def test_kept_results_match_fresh_ones(data):
    draw = data.draw
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        # So that small arrays have many blocks, tiles and subtrees of both.
        patch.setattr(reduction_blocks, "RUN", draw(st.sampled_from([1, 8])))
        patch.setattr(reduction_blocks, "BLOCK", draw(st.sampled_from([1, 30])))
        patch.setattr(tree_levels, "BLOCKS_A_SUBTREE", draw(st.sampled_from([2, 5, 64])))
        tile_subtree = draw(st.sampled_from([2, 3, 64]))
        for module in (
            "biggus.planning.tree_levels",
            "biggus.engine.partial_cache",
            "biggus.engine.merging",
        ):
            patch.setattr(f"{module}.TILES_A_SUBTREE", tile_subtree)
        chunks = draw(st.tuples(st.integers(1, 4), st.integers(1, 6)))
        files = [File(number, (4, 6), chunks) for number in range(5)]
        with biggus.Cache(folder) as cache:
            for _ in range(draw(st.integers(2, 5))):
                if draw(st.booleans()):
                    draw(st.sampled_from(files)).write()
                wanted = [analysis_of(draw, files) for _ in range(draw(st.integers(1, 3)))]
                fresh = [array.ndarray() for array in wanted]
                with biggus.set_options(cache=cache):
                    kept = biggus.ndarrays(wanted)
                for one, other in zip(fresh, kept, strict=True):
                    assert one.tobytes() == other.tobytes()
