"""Leaves read nothing before evaluation, and then only chunks with a selected element."""

from __future__ import annotations

import numpy as np
import pytest

import biggus
from biggus.indexing.grid import Grid
from biggus.sources.wrappers import ObjectSource


@pytest.fixture
def planet(recorded):
    """Return a lazy (4096, 4096) array of 256 tiles, and the list of tiles that were read."""
    read = []

    class Tile(recorded):
        def __init__(self, x, y):
            super().__init__(np.full((256, 256), 16 * y + x, "u1"))
            self.place = (y, x)

        def __getitem__(self, box):
            read.append(self.place)
            return super().__getitem__(box)

    columns = [
        biggus.LinearMosaic([biggus.ArrayAdapter(Tile(x, y)) for y in range(16)], axis=0)
        for x in range(16)
    ]
    return biggus.LinearMosaic(columns, axis=1), read


@pytest.mark.parametrize(
    ("key", "tiles"),
    [
        (np.s_[300:700, 1000:1100], {(1, 3), (2, 3), (1, 4), (2, 4)}),
        (np.s_[0, 0], {(0, 0)}),
        (np.s_[[0, 4095], 0], {(0, 0), (15, 0)}),
        (np.s_[[0, 4095], [0, 4095]], {(0, 0), (15, 15)}),
        (np.s_[::3000, ::-4000], {(0, 15), (11, 15), (0, 0), (11, 0)}),
        (np.s_[4095:3000:-512, 5], {(15, 0), (13, 0)} | {(15 - 2 * i, 0) for i in range(3)}),
        (np.s_[5:5], set()),
    ],
)
def test_only_tiles_with_a_selected_element_are_read_once(planet, key, tiles):
    array, read = planet
    view = array[key]
    assert read == []
    result = view.ndarray()
    assert sorted(read) == sorted(tiles)
    whole = np.kron(np.arange(256, dtype="u1").reshape(16, 16), np.ones((256, 256), "u1"))
    np.testing.assert_array_equal(result, whole[key])


@pytest.mark.parametrize(
    "key",
    [
        np.s_[[0, 99], :],
        np.s_[:, [3, 50, 51, 98]],
        np.s_[::40, ::70],
        np.s_[17, 20:33],
        np.s_[[0, 50, 99], [99, 50, 0]],
        np.s_[::-1, 3],
        np.s_[np.arange(100) % 50 == 3],
    ],
)
def test_only_chunks_with_a_selected_element_are_read(recorded, key):
    values = np.arange(10_000).reshape(100, 100)
    source = recorded(values)
    array = biggus.ArrayAdapter(source, chunks=(10, 16))
    np.testing.assert_array_equal(array[key].ndarray(), values[key])
    rows, columns = np.unravel_index(np.unique(values[key]), values.shape)
    assert source.touched((10, 16)) == set(zip(rows // 10, columns // 16, strict=True))


def test_source_without_chunks_is_read_in_exact_boxes(recorded):
    source = recorded(np.arange(10_000).reshape(100, 100))
    array = biggus.ArrayAdapter(source)
    array[10:20, ::-3].ndarray()
    assert source.boxes == [(slice(10, 20, 1), slice(0, 100, 3))]
    source.boxes.clear()
    array[[5, 90, 6], 7].ndarray()
    assert sorted(source.boxes, key=str) == sorted(
        [(slice(5, 7, 1), slice(7, 8, 1)), (slice(90, 91, 1), slice(7, 8, 1))], key=str
    )


def test_grid_tiles_are_made_when_read():
    made = []

    def make_tile(index):
        made.append(index)
        return np.full((256, 256, 3), sum(index) % 256, "u1")

    grid = biggus.GridMosaic(make_tile, (2**22, 2**22, 1), (256, 256, 3), "u1")
    assert grid.shape == (2**30, 2**30, 3)
    view = grid[2**29 - 1 : 2**29 + 1, [0, -1], 0]
    assert made == []
    result = view.ndarray()
    assert sorted(made) == sorted((i, j, 0) for i in (2**21 - 1, 2**21) for j in (0, 2**22 - 1))
    right = [[(i + j) % 256 for j in (0, 2**22 - 1)] for i in (2**21 - 1, 2**21)]
    np.testing.assert_array_equal(result, right)


def test_broadcast_array_is_read_once(recorded):
    source = recorded(np.arange(3))
    np.testing.assert_array_equal(
        biggus.broadcast_to(biggus.ArrayAdapter(source), (1000, 3)).ndarray()[999], [0, 1, 2]
    )
    assert len(source.boxes) == 1


def test_constants_take_no_memory():
    array = biggus.full((2**40, 2**20), 7, "i2")
    assert array.nbytes == 2**61
    np.testing.assert_array_equal(array[2**39, 5:8].ndarray(), [7, 7, 7])


UNEVEN = (4, *(7, 5, 12) * 416, 12)


@pytest.mark.parametrize("chunks", [None, (7, 1000), (UNEVEN, 1000), ((1, 9_990, 9), 1000)])
@pytest.mark.parametrize("key", [np.s_[:], np.s_[::-1], np.s_[::2, ::3], np.s_[3:9000, 5]])
def test_long_reads_are_split_at_chunk_boundaries(recorded, monkeypatch, chunks, key):
    monkeypatch.setattr("biggus.graph.leaf.LONGEST_READ", 100_000)
    source = recorded(np.arange(10_000_000, dtype="i4").reshape(10_000, 1000))

    class Serial(ObjectSource):
        io_bound = False

    array = biggus.ArrayAdapter(Serial(source, chunks))[key]
    np.testing.assert_array_equal(array.ndarray(), source.values[key])
    sizes = [source.values[box].nbytes for box in source.boxes]
    if chunks is None or chunks[0] in (7, UNEVEN):
        assert len(sizes) == 1 if array.nbytes < 200_000 else max(sizes) <= 150_000
    assert sum(sizes) == array.nbytes
    if chunks and len(sizes) > 1:
        rows = Grid(source.values.shape, chunks).axes[0]
        touched = [number for box in source.boxes for number in rows.touching(box[0])]
        assert len(set(touched)) == len(touched), "no chunk is read twice"


class Counting:
    """A plain object of any shape, without chunks, that counts its reads and their bytes."""

    dtype = np.dtype("i8")

    def __init__(self, shape):
        self.shape, self.reads, self.nbytes = shape, 0, 0

    def __getitem__(self, box):
        lines = [np.arange(s.start, s.stop, s.step) for s in box]
        self.reads += 1
        values = sum(
            line.reshape([-1 if i == axis else 1 for i in range(len(box))]) * 10 ** (6 * axis)
            for axis, line in enumerate(lines)
        )
        self.nbytes += values.nbytes
        return values


def test_scattered_elements_share_reads_without_chunks():
    source = Counting((10**7,))
    index = np.random.default_rng(1).integers(0, 10**7, 100_000)
    np.testing.assert_array_equal(biggus.ArrayAdapter(source)[index].ndarray(), index)
    assert source.reads < 100
    assert source.nbytes <= 8 * 10**7


@pytest.mark.parametrize(
    ("rows", "columns", "most_reads", "most_bytes"),
    [
        (np.arange(20_000), np.arange(20_000), 500, 20_000 * 8 * 100),
        (np.arange(19_999, -1, -1), np.arange(20_000), 500, 20_000 * 8 * 100),
        (*np.indices((300, 300)), 1, 300 * 300 * 8),
        ([0, 50_000, 99_999], [99_999, 0, 50_000], 3, 24),
        (np.arange(100)[:, None], np.arange(0, 90_000, 1000), 9_000, 10**6),
    ],
)
def test_distant_points_do_not_read_the_values_between(rows, columns, most_reads, most_bytes):
    source = Counting((100_000, 100_000))
    array = biggus.ArrayAdapter(source)[rows, columns]
    right = np.asarray(rows) + np.asarray(columns) * 10**6
    np.testing.assert_array_equal(array.ndarray(), right)
    assert source.reads <= most_reads
    assert source.nbytes <= most_bytes
