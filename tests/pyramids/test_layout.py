"""How overviews are split for reading: into pieces of whole chunks, and these into strips."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import biggus
from biggus.pyramids.blocks import EXACT_LEVELS
from biggus.pyramids.layout import STRIP, PyramidLayout
from biggus.sources.base import box_shape, whole, within
from biggus.testing import ArraySource, RecordingSource

LENGTHS = st.integers(1, 20_000)
CHUNKS = st.none() | st.tuples(st.integers(1, 9), st.integers(1, 5000), st.integers(1, 5000))


@st.composite
def layouts(draw) -> PyramidLayout:
    shape = (draw(st.integers(1, 12)), draw(LENGTHS), draw(LENGTHS))
    return PyramidLayout.of(shape, (1, 2), draw(CHUNKS))


def counted(boxes: list, outer: tuple) -> np.ndarray:
    """Return how many boxes cover each position along all axes but the first."""
    times = np.zeros(box_shape(outer)[1:], np.uint8)
    for box in boxes:
        assert box[0] == outer[0]
        inside = within(box, outer)
        assert all(0 <= s.start < s.stop for s in inside)
        times[tuple(inside[1:])] += 1
    return times


@settings(max_examples=60)
@given(layouts(), st.data())
def test_pieces_and_strips_cover_their_region_once(layout, data) -> None:
    level = data.draw(st.integers(min(1, layout.levels), min(layout.levels, EXACT_LEVELS)))
    boxes = [part.chunk for part in layout.regions(level).parts(whole(layout.shape_of(level)))]
    box = data.draw(st.sampled_from([boxes[0], boxes[-1]]))
    pieces = [piece for row in layout.pieces(box, level) for piece in row]
    assert (counted(pieces, box) == 1).all()
    strips = layout.strips(pieces[0], level)
    assert (counted(strips, pieces[0]) == 1).all()
    columns = box_shape(layout.below(strips[0], level, 0))
    least = columns[0] * columns[2] << level
    assert all(np.prod(box_shape(layout.below(s, level, 0))) <= max(STRIP, least) for s in strips)


@pytest.mark.parametrize(
    ("shape", "chunks"),
    [
        ((3000, 5000), (250, 500)),
        ((2, 721, 1440), (1, 181, 360)),
        ((24, 721, 1440), (24, 181, 360)),
        ((4000, 4000), (1000, 4000)),
        ((9, 2100, 900), (9, 64, 64)),
        ((3000, 4000), None),
    ],
)
def test_overviews_read_each_chunk_once(tmp_path, shape, chunks) -> None:
    source = ArraySource(np.zeros(shape, "u1"), chunks, token="v")
    source.io_bound = False
    recorded = RecordingSource(source)
    with biggus.Cache(tmp_path / "c") as cache, biggus.set_options(workers=2):
        biggus.overviews(biggus.ArrayAdapter(recorded), cache=cache)
    times = np.zeros(shape, np.uint8)
    for box in recorded.boxes:
        times[box] += 1
    assert (times == 1).all()


def test_reading_in_strips_needs_less_memory() -> None:
    values = np.zeros((8, 2048, 2048), "u1")
    peaks = {}
    for io_bound in (False, True):
        source = ArraySource(values, (8, 256, 256), token="v")
        source.io_bound = io_bound
        array = biggus.ArrayAdapter(source)
        reducer = biggus.pyramids.of_array._Overview(array, None, None).reducer
        peaks[io_bound] = reducer.peak_bytes
    assert peaks[False] < peaks[True] - values.nbytes / 2


def test_missing_values_of_one_strip_do_not_mask_others(tmp_path) -> None:
    values = np.random.default_rng(4).random((3000, 2500), dtype="f4")
    values[700:750, 40:1000] = np.nan
    source = ArraySource(values, (500, 500), token="v")
    source.io_bound = False
    found = {}
    with biggus.Cache(tmp_path / "c") as cache, biggus.set_options(workers=2):
        kept = biggus.overviews(biggus.ArrayAdapter(source), cache=cache)
        array = biggus.ArrayAdapter(values, chunks=(500, 500))
        alone = biggus.overviews(array, cache=False)
        for name, pyramid in (("kept", kept), ("alone", alone)):
            found[name] = [level.array.masked_array() for level in pyramid.levels[1:]]
    for one, other in zip(found["kept"], found["alone"], strict=True):
        assert np.array_equal(one.mask, other.mask)
        assert one.filled(0).tobytes() == other.filled(0).tobytes()
    assert found["kept"][0].mask[350:375, 20:500].all()
    assert found["kept"][0].mask.sum() == 25 * 480
