"""Layers: their elements and tiles, tried exhaustively on small shapes."""

import itertools
import math

import numpy as np
import pytest

import biggus
from biggus.indexing.grid import RegularEdges, edges_of
from biggus.testing import ArraySource
from biggus.viewer import cutting, layers
from biggus.viewer.cutting import longest_piece, pieces_of
from biggus.viewer.layers import Layer, Layers, LayerSpan
from biggus.viewer.picture import Picture


def picture_of(values, chunks=None, levels=None):
    return Picture(biggus.ArrayAdapter(ArraySource(values, chunks=chunks)), levels)


def bounds(edges):
    return [edges.bounds(piece) for piece in range(edges.count)]


def test_pieces_cover_an_axis_and_keep_short_chunks_whole():
    lengths = [chunks for n in range(5) for chunks in itertools.product((0, 1, 2, 3, 7), repeat=n)]
    for chunks in lengths:
        total = sum(chunks)
        for about in (1, 2, 3, 5, 100):
            edges = edges_of(total, chunks)
            longest = longest_piece(edges, about)
            pieces = pieces_of(total, edges, longest)
            parts = [n for start, stop in bounds(pieces) for n in range(start, stop)]
            assert parts == list(range(total))
            assert all(0 < stop - start <= longest for start, stop in bounds(pieces))
            starts = {start for start, _ in bounds(edges)} | {total}
            if max(chunks, default=0) <= longest and not isinstance(edges, RegularEdges):
                assert {start for start, _ in bounds(pieces)} <= starts


@pytest.mark.parametrize("size", [1, 2, 3, 10])
def test_pieces_of_regular_chunks_are_whole_chunks(size):
    for length, about in itertools.product(range(12), (1, 2, 4, 7)):
        edges = RegularEdges(length, size)
        longest = longest_piece(edges, about)
        assert longest >= min(size, about)
        for start, stop in bounds(pieces_of(length, edges, longest)):
            assert stop == length or longest % size or stop % size == 0
            assert start < stop


def test_pieces_without_chunks():
    assert longest_piece(None, 256) == 256
    assert bounds(pieces_of(600, None, 256)) == [(0, 256), (256, 512), (512, 600)]
    assert cutting.longest_piece(RegularEdges(0, 5), 256) == 256


STEPS = [(1, 1), (2, 3), (4, 4), (16, 1)]


@pytest.mark.parametrize("steps", STEPS, ids=str)
@pytest.mark.parametrize("chunks", [None, (3, 4), (20, 17), ((1, 5, 14), (8, 9))], ids=str)
def test_tiles_cover_the_layer_once(monkeypatch, chunks, steps):
    monkeypatch.setattr(layers, "SIDE", 4)
    monkeypatch.setattr(layers, "SHORT", 4)
    values = np.arange(20 * 17).reshape(20, 17)
    layer = Layer(picture_of(values, chunks).planes(())[0], (0,), steps)
    everything = LayerSpan((0, layer.shape[0]), (0, layer.shape[1]))
    seen = np.full(layer.shape, -1)
    for tile in layer.tiles(everything):
        (top, bottom), (left, right) = layer.bounds(tile)
        assert (seen[top:bottom, left:right] == -1).all()
        seen[top:bottom, left:right] = layer.values(tile).ndarray()
    rows, columns = (
        np.minimum(np.arange(0, n, step) + step // 2, np.arange(0, n, step) + (n - 1) % step)
        for n, step in zip(values.shape, steps, strict=True)
    )
    np.testing.assert_array_equal(seen, values[np.ix_(rows, columns)])
    for (top, bottom), (left, right) in itertools.product(
        itertools.combinations(range(layer.shape[0] + 1), 2),
        itertools.combinations(range(layer.shape[1] + 1), 2),
    ):
        tiles = list(layer.tiles(LayerSpan((top, bottom), (left, right))))
        assert len(set(tiles)) == len(tiles)
        for tile in tiles:
            for (first, last), (start, stop) in zip(
                layer.bounds(tile), ((top, bottom), (left, right)), strict=True
            ):
                assert max(first, start) < min(last, stop)
        covered = sum(math.prod(layer.bounds(tile).shape) for tile in tiles)
        assert covered >= (bottom - top) * (right - left)


@pytest.mark.parametrize("steps", STEPS, ids=str)
def test_span_covers_exactly_its_window(steps):
    layer = Layer(picture_of(np.zeros((20, 17))).planes(())[0], (0,), steps)
    for start, stop in itertools.product(np.arange(0, 17, 0.7), repeat=2):
        if start >= stop:
            continue
        first, last = layer.span((0, 1, start, stop)).columns
        factor = layer.factors[1]
        assert first * factor <= start < (first + 1) * factor
        assert (last - 1) * factor < stop <= last * factor
        wider = layer.span((0, 1, start, stop), 2).columns
        assert wider == (max(0, first - 2), min(layer.shape[1], last + 2))


def test_cost_counts_the_touched_chunks(monkeypatch):
    monkeypatch.setattr(layers, "SHORT", 1)
    values = np.zeros((6, 40, 60), "f4")
    picture = picture_of(values, (2, 10, 15))
    (plane,) = picture.planes((3,))
    chunk = 2 * 10 * 15 * 4
    for steps, whole in (((1, 1), 16), ((4, 4), 16), ((20, 30), 4), ((64, 64), 1)):
        layer = Layer(plane, (0,), steps)
        everything = LayerSpan((0, layer.shape[0]), (0, layer.shape[1]))
        assert layer.cost(everything) == whole * chunk
    assert Layer(plane, (0,)).cost(LayerSpan((9, 11), (0, 15))) == 2 * chunk


def test_tiles_of_a_large_image_take_few_megabytes():
    for chunks in (None, (256, 256), (5000, 5000), (1, 10**6), (10**6, 1), (1000, 333)):
        array = biggus.zeros((10**6, 10**6)) if chunks is None else unread(chunks)
        layer = Layers(Picture(array).planes(()), ()).at(0)
        (top, bottom), (left, right) = layer.bounds(
            next(iter(layer.tiles(LayerSpan((5 * 10**5, 5 * 10**5 + 1), (7, 8)))))
        )
        assert (bottom - top) * (right - left) * 8 <= layers.MOST_BYTES
        if min(chunks or (64, 64)) >= 64:
            assert min(bottom - top, right - left) >= 64


def unread(chunks):
    from biggus.testing import UnreadableSource

    return biggus.ArrayAdapter(UnreadableSource((10**6, 10**6), chunks=chunks))


# -- Pictures ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "shown", "others"),
    [
        ((5, 6), (5, 6), ()),
        ((5, 6, 3), (5, 6, 3), ()),
        ((5, 6, 4), (5, 6, 4), ()),
        ((5, 6, 1), (5, 6), ()),
        ((7, 5, 6), (5, 6), (0,)),
        ((2, 7, 5, 6, 3), (5, 6, 3), (0, 1)),
        ((2, 7, 5, 6), (5, 6), (0, 1)),
    ],
)
def test_picture_axes_of_arrays(shape, shown, others):
    picture = picture_of(np.arange(math.prod(shape)).reshape(shape))
    assert (picture.shape, picture.others) == (shown, others)
    index = tuple(1 for _ in others)
    assert picture.normal_index(index) == index
    values = np.arange(math.prod(shape)).reshape(shape)[index]
    np.testing.assert_array_equal(
        picture.planes(index)[0].array.ndarray(), values.reshape(values.shape[:2] + shown[2:])
    )


def test_picture_axes_of_pyramids():
    values = np.arange(2 * 8 * 3 * 6).reshape(2, 8, 3, 6)
    coarse = values[:, ::2, :, ::2]
    levels = [(biggus.ArrayAdapter(v), f) for v, f in ((values, (1,) * 4), (coarse, (1, 2, 1, 2)))]
    picture = Picture(biggus.Pyramid(levels, axes=(3, 1)))
    assert (picture.shape, picture.others) == ((6, 8), (0, 2))
    for plane, expected in zip(picture.planes((1, 2)), (values, coarse), strict=True):
        np.testing.assert_array_equal(plane.array.ndarray(), expected[1, :, 2].T)
    assert [plane.factors for plane in picture.planes((0, 0))] == [(1, 1), (2, 2)]


def test_indices_follow_numpy():
    picture = picture_of(np.zeros((3, 4, 5, 6)))
    assert picture.normal_index(2) == (2, 0)
    assert picture.normal_index((-1, -4)) == (2, 0)
    for wrong in (3, (0, 4), -4, (0, 0, 0)):
        with pytest.raises(IndexError):
            picture.normal_index(wrong)
    with pytest.raises(TypeError):
        picture.normal_index(1.5)


def test_levels_argument():
    values = np.zeros((11, 8))
    picture = picture_of(values, levels=[values[::2, ::2], np.zeros((3, 2))])
    assert [plane.factors for plane in picture.planes(())] == [(1, 1), (2, 2), (4, 4)]
    with pytest.raises(TypeError, match="its own levels"):
        Picture(picture.pyramid, [values])
    with pytest.raises(TypeError, match="axes"):
        picture_of(values, levels=[np.zeros(3)])
    with pytest.raises(TypeError, match="rows and columns"):
        picture_of(np.zeros(3))
