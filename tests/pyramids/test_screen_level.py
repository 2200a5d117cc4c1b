"""The extra level for the view of a whole large array: its values, caching and size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import biggus
from biggus.pyramids.layout import PyramidLayout
from biggus.pyramids.of_array import kept_overviews
from biggus.pyramids.screen_level import SCREEN, between_of
from biggus.testing import ArraySource, RecordingSource

SHAPE = (58_300, 61)
"""On a screen, a row of pixels covers 72 rows of elements."""

SIDE = 72


def blocks(values: np.ndarray) -> np.ma.MaskedArray:
    """Return the means of blocks, by NumPy."""
    data = np.ma.masked_invalid(values) if values.dtype.kind == "f" else np.ma.asarray(values)
    sums, counts = np.ma.filled(data, 0).astype("f8"), (~np.ma.getmaskarray(data)).astype("f8")
    for axis, n in enumerate(values.shape):
        sums = np.add.reduceat(sums, range(0, n, SIDE), axis=axis)
        counts = np.add.reduceat(counts, range(0, n, SIDE), axis=axis)
    means = sums / np.maximum(counts, 1)
    if values.dtype.kind in "iu":
        means = np.rint(means)
    return np.ma.MaskedArray(means.astype(values.dtype), mask=counts == 0)


def level_between(pyramid: biggus.Pyramid) -> biggus.Array:
    (found,) = [level for level in pyramid.levels if max(level.factors) == SIDE]
    assert found.factors == (SIDE, SIDE)
    factors = [level.factors[0] for level in pyramid.levels]
    assert factors == sorted(factors)
    return found.array


@pytest.mark.parametrize("dtype", ["f4", "u1", ">i2"])
@pytest.mark.parametrize("kept", [True, False])
def test_extra_level_holds_means(dtype, kept, tmp_path) -> None:
    values = np.random.default_rng(3).integers(0, 255, SHAPE).astype(dtype)
    source = RecordingSource(ArraySource(values, (3000, 61), token="v"))
    array = biggus.ArrayAdapter(source)
    with biggus.Cache(tmp_path / "c") as cache:
        pyramid = biggus.overviews(array, cache=cache if kept else False)
        source.clear()
        found = level_between(pyramid)
        right = blocks(values)
        assert found.dtype == dtype
        assert found.shape == right.shape
        # The level below was rounded already: integers may be off by one.
        slack = 1 if np.dtype(dtype).kind in "iu" else 1e-3
        assert np.allclose(found.ndarray().astype("f8"), right.filled(0), rtol=0, atol=slack)
        assert not source.boxes
        if kept:
            again = kept_overviews(array, cache=cache)
            assert again is not None
            assert level_between(again).ndarray().tobytes() == found.ndarray().tobytes()
            assert not source.boxes


def test_extra_level_keeps_missing_values(tmp_path) -> None:
    values = np.ones(SHAPE, "f4")
    values[100 * SIDE : 300 * SIDE] = np.nan
    values[500 * SIDE : 500 * SIDE + SIDE // 2] = np.nan
    source = ArraySource(values, (3000, 61), token="v")
    with biggus.Cache(tmp_path / "c") as cache:
        found = level_between(biggus.overviews(biggus.ArrayAdapter(source), cache=cache))
        found = found.masked_array()
    assert (found.compressed() == 1).all()
    assert np.array_equal(np.ma.getmaskarray(found), np.ma.getmaskarray(blocks(values)))


def test_extra_level_of_categories_holds_modes() -> None:
    values = np.full(SHAPE, 7, "u1")
    values[: SIDE * 300] = 200
    pyramid = biggus.overviews(biggus.ArrayAdapter(values), method="mode", cache=False)
    assert np.array_equal(level_between(pyramid).ndarray()[298:302, 0], [200, 200, 7, 7])


def test_evicted_extra_level_is_made_from_the_level_below(tmp_path) -> None:
    values = np.random.default_rng(3).random(SHAPE, dtype="f4")
    source = RecordingSource(ArraySource(values, (3000, 61), token="v"))
    array = biggus.ArrayAdapter(source)
    with biggus.Cache(tmp_path / "c") as cache:
        found = level_between(biggus.overviews(array, cache=cache))
        right, kept = found.ndarray(), found.node.source
        for part in kept.grid.parts(tuple(slice(0, n, 1) for n in kept.shape)):
            cache.files.remove(kept.key(part.chunk))
        source.clear()
        assert kept_overviews(array, cache=cache) is not None  # with the others
        again = level_between(biggus.overviews(array, cache=cache))
        assert again.ndarray().tobytes() == right.tobytes()
        assert not source.boxes


LENGTHS = st.integers(1, 10**7)


@given(LENGTHS, LENGTHS)
def test_level_that_fills_a_screen_has_few_more_elements_than_pixels(rows, columns) -> None:
    layout = PyramidLayout.of((rows, columns), (0, 1), None)
    elements = max(rows / SCREEN[0], columns / SCREEN[1])
    factors = [1 << level for level in range(layout.levels + 1)]
    found = between_of(layout)
    if found is not None:
        level, side = found
        factors.append(side << level)
        assert level <= layout.levels
    coarsest = max((factor for factor in factors if factor <= elements), default=1)
    if elements >= 64:
        assert elements < coarsest * 9 / 8
    else:
        assert found is None
