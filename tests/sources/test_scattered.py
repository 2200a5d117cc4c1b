"""Index arrays into sources without chunks: the number of reads, and their sizes."""

from __future__ import annotations

import math

import numpy as np
import numpy_keys
import pytest

import biggus
from biggus.indexing.keys import numpy_selection, orthogonal_selection
from biggus.indexing.selection import ArrayMap, Selection
from biggus.sources.base import box_shape
from biggus.sources.scattered import OF_OBJECT, PART_BYTES, Costs, Stored, cut_scattered
from biggus.sources.wrappers import ObjectSource
from biggus.testing import RecordingSource, strategies

pytest.importorskip("hypothesis")
from hypothesis import assume, given
from hypothesis import strategies as st


class Numbers:
    """An array of any shape whose values are the flat positions of its elements."""

    def __init__(self, shape, dtype="i8"):
        self.shape = shape
        self.dtype = np.dtype(dtype)

    def __getitem__(self, box):
        places = np.ix_(*[np.arange(s.start, s.stop, s.step) for s in box])
        strides = [math.prod(self.shape[n + 1 :]) for n in range(len(self.shape))]
        numbers = sum(place * stride for place, stride in zip(places, strides, strict=True))
        return (numbers % 2**31).astype(self.dtype)


class Flat(ObjectSource):
    """A source of contiguous values."""

    streams = True


def values_and_boxes(obj, select, kind=ObjectSource):
    """Return the values of a selection of an object, and the boxes that were read."""
    source = RecordingSource(kind(obj))
    return select(biggus.ArrayAdapter(source)).ndarray(), source.boxes


def elements(boxes):
    return sum(math.prod(box_shape(box)) for box in boxes)


LIMITS = {
    "PART_BYTES": st.integers(1, 400),
    "MANY_READS": st.integers(1, 400),
    "OF_FILE": st.builds(Costs, st.integers(1, 400), st.integers(1, 400)),
    "OF_OBJECT": st.builds(Costs, st.integers(1, 400), st.integers(1, 400)),
}


@st.composite
def scattered_keys(draw, shape):
    """Draw a key with an index array, orthogonal or as NumPy has it, and how to use it."""
    orthogonal = draw(st.booleans())
    keys = numpy_keys.oindex_keys if orthogonal else numpy_keys.advanced_keys
    key = draw(keys(shape) if orthogonal else keys(shape, invalid=False))
    return (orthogonal_selection if orthogonal else numpy_selection)(key, shape)


def test_overlapping_runs_are_read_once(monkeypatch):
    """Two crossing diagonals of clumps: cells hold single points instead of runs."""
    steps = np.arange(0, 4000, 40)
    rows = (np.repeat(steps, 7) + np.tile(np.arange(7), steps.size)) % 4000
    points = {(int(row), int(row + along) % 4000) for row in rows for along in range(20)}
    points |= {(int(row), int(3999 - row - along) % 4000) for row in rows for along in range(20)}
    key = tuple(np.array(sorted(points)).T)
    selection = numpy_selection(key, (4000, 4000))
    read = np.zeros((4000, 4000), "u1")
    for part, _ in cut_scattered(
        selection, Selection.identity(selection.shape), Stored((4000, 4000), 8, flat=False)
    ):
        read[part.bounding_box()[0]] += 1
    assert read[key].min() == read.max() == 1


@given(st.data())
def test_each_element_inside_the_bounding_box_is_read_at_most_once(data):
    shape = data.draw(strategies.shapes(min_dims=1, max_dims=4, min_side=1, max_side=12))
    selection = data.draw(scattered_keys(shape))
    assume(0 < math.prod(selection.shape) < 10_000)
    flat = data.draw(st.booleans())
    values = np.arange(1, math.prod(shape) + 1).reshape(shape)
    right = selection.take_from(values)
    result, written, read = (np.zeros(s, int) for s in (selection.shape, selection.shape, shape))
    calls = 0
    longer = 2 if flat else 1
    with pytest.MonkeyPatch.context() as patch:
        limits = {name: data.draw(limit) for name, limit in LIMITS.items()}
        for name, value in limits.items():
            patch.setattr(f"biggus.sources.scattered.{name}", value)
        patch.setattr("biggus.sources.scattered._FEW_POINTS", data.draw(st.sampled_from([1, 1000])))
        parts = cut_scattered(
            selection, Selection.identity(selection.shape), Stored(shape, 8, flat)
        )
        for part, part_out in parts:
            box, local = part.bounding_box()
            calls += 1
            nbytes = 8 * math.prod(box_shape(box))
            assert nbytes <= max(8, longer * limits["PART_BYTES"])
            read[box] += 1
            found = local.take_from(values[box])
            part_out.put_into(result, found)
            part_out.put_into(written, np.ones_like(found))
    np.testing.assert_array_equal(result, right)
    assert (written == 1).all()
    assert read.max() == 1
    box, _ = selection.bounding_box()
    outside = np.ones(shape, bool)
    outside[box] = False
    assert not read[outside].any()
    wanted = len(np.unique(right))
    if not flat and not tied(selection) and read.sum() == wanted and calls <= limits["MANY_READS"]:
        return  # exactly the wanted elements, in a few reads
    # It costs no more than reading the whole bounding box in parts.
    part = limits["PART_BYTES"]
    call, seek = limits["OF_FILE" if flat else "OF_OBJECT"]
    extent = math.prod(box_shape(box))
    pieces = extent if box[-1].step > 1 else extent // box_shape(box)[-1]
    most = call + 8 * extent + pieces * seek
    assert calls * call + 8 * read.sum() <= most + 4 * call * 8 * read.sum() / part


def gathered(selection):
    return [axis for axis, m in enumerate(selection.maps) if isinstance(m, ArrayMap)]


def tied(selection):
    joint = [selection.joint_dims(axis) for axis in gathered(selection)]
    return len(set(joint)) < len(joint)


def test_few_rows_are_read_without_the_rows_between():
    boxes = values_and_boxes(Numbers((131_072, 131_072, 3), "u1"), lambda a: a[[0, -1], :10])[1]
    assert sorted(boxes, key=lambda box: box[0].start) == [  # by threads, in any order
        (slice(row, row + 1, 1), slice(0, 10, 1), slice(0, 3, 1)) for row in (0, 131_071)
    ]
    for kind in (ObjectSource, Flat):
        values, boxes = values_and_boxes(
            Numbers((131_072, 1000, 1000)), lambda a: a[[131_071, 0], 5, ::100], kind
        )
        assert values[1].tolist() == list(range(5000, 6000, 100))
        assert len(boxes) == 2
        assert elements(boxes) == 20


@given(
    st.lists(st.integers(-31, 30), min_size=1, max_size=12), st.lists(st.integers(0, 3), min_size=1)
)
def test_few_rows_and_columns_are_read_without_those_between(rows, columns):
    values, boxes = values_and_boxes(Numbers((31, 5)), lambda a: a.oindex[rows, columns])
    right = np.arange(31 * 5).reshape(31, 5)[np.ix_(rows, columns)]
    np.testing.assert_array_equal(values, right)
    assert elements(boxes) == len(np.unique(right))
    assert len(boxes) <= len({row % 31 for row in rows}) * len(set(columns))


@pytest.mark.parametrize(
    ("kind", "most_reads", "most_bytes"), [(ObjectSource, 80, 40e6), (Flat, 40, 94.7e6)]
)
def test_orthogonal_rows_and_columns_take_few_reads(kind, most_reads, most_bytes):
    """Reading each combination of runs would take 1,600 reads."""
    rng = np.random.default_rng(0)
    rows, columns = (rng.choice(n, size, replace=False) for n, size in ((180, 40), (360, 60)))
    obj = Numbers((365, 180, 360), "f4")
    values, boxes = values_and_boxes(obj, lambda a: a.oindex[:, rows, columns], kind)
    right = obj[slice(0, 365, 1), slice(0, 180, 1), slice(0, 360, 1)]
    np.testing.assert_array_equal(values, right[:, rows][:, :, columns])
    assert len(boxes) <= most_reads
    assert 4 * elements(boxes) <= most_bytes
    longest = 2 * PART_BYTES if kind is Flat else PART_BYTES
    assert max(4 * elements([box]) for box in boxes) <= longest


@pytest.mark.parametrize(("kind", "most_reads"), [(ObjectSource, 500), (Flat, 30)])
@pytest.mark.parametrize("order", [np.sort, np.flip, np.asarray])
def test_random_points_take_few_reads(kind, most_reads, order):
    rng = np.random.default_rng(1)
    shape = (365, 180, 360)
    flat = order(rng.choice(math.prod(shape), 5000))
    points = np.unravel_index(flat, shape)
    values, boxes = values_and_boxes(Numbers(shape, "f4"), lambda a: a[points], kind)
    np.testing.assert_array_equal(values, flat.astype("f4"))
    assert len(boxes) <= most_reads
    assert elements(boxes) <= math.prod(shape)


@pytest.mark.parametrize("kind", [ObjectSource, Flat])
def test_distant_points_are_read_one_by_one(kind):
    rng = np.random.default_rng(2)
    points = tuple(rng.integers(0, 2**20, 200) for _ in range(3))
    _, boxes = values_and_boxes(Numbers((2**20,) * 3, "f4"), lambda a: a[points], kind)
    assert len(boxes) == elements(boxes) == 200


@pytest.mark.parametrize("kind", [ObjectSource, Flat])
def test_clusters_of_points_take_few_reads(kind):
    rng = np.random.default_rng(3)
    middles = rng.integers(100, 2**20, (20, 3))
    points = np.concatenate([middle + rng.integers(0, 5, (50, 3)) for middle in middles])
    source = Numbers((2**20, 2**20, 2**20), "f4")
    _, boxes = values_and_boxes(source, lambda a: a[tuple(points.T)], kind)
    assert len(boxes) <= 20 * 5 * 5
    assert elements(boxes) * 4 <= len(boxes) * OF_OBJECT.read
    near = tuple((points % [2**20, 5000, 8]).T)
    _, boxes = values_and_boxes(Numbers((2**20, 5120, 8), "f4"), lambda a: a[near], kind)
    assert len(boxes) <= 20 * 6


def test_boolean_mask_of_most_elements_is_read_in_parts():
    values = np.arange(3_000_000).reshape(3, 1000, 1000)
    mask = values % 3 > 0
    got, boxes = values_and_boxes(Numbers(values.shape), lambda a: a[mask])
    np.testing.assert_array_equal(got, values[mask])
    assert len(boxes) <= 9
    assert elements(boxes) <= values.size


def test_positions_beyond_int64():
    shape = (2**40, 2**40)
    points = np.array([0, 2**40 - 1, 17, 2**39, 17]), np.array([0, 2**40 - 1, 5, 1, 6])
    values, boxes = values_and_boxes(Numbers((2**40, 1)), lambda a: a[[2**40 - 1, 3, 2**39], 0])
    assert values.tolist() == [(2**40 - 1) % 2**31, 3, 2**39 % 2**31]
    got, boxes = values_and_boxes(Pairs(shape), lambda a: a[points])
    assert got.tolist() == [int(a) ^ int(b) for a, b in zip(*points, strict=True)]
    assert len(boxes) == 3
    assert elements(boxes) <= 18 * 7 + 2


class Pairs(Numbers):
    def __getitem__(self, box):
        rows, columns = (np.arange(s.start, s.stop, s.step) for s in box)
        return rows[:, None] ^ columns


def test_repeated_and_empty_indices():
    values, boxes = values_and_boxes(Numbers((50, 4)), lambda a: a[[7, 7, -43, 7]])
    assert values[:, 0].tolist() == [28] * 4
    assert len(boxes) == 1
    assert elements(boxes) == 4
    for key in ([], (np.zeros((0, 3), int), 1), np.zeros((50, 4), bool)):
        assert values_and_boxes(Numbers((50, 4)), lambda a, key=key: a[key])[1] == []
