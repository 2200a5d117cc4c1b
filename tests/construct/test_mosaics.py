"""Mosaics: shapes, promotion of dtypes, and checks of the tiles."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import biggus
from biggus.errors import SourceError


def test_masked_tiles_in_a_mosaic():
    masked = np.ma.masked_array([1.0, 2.0], [True, False])
    mosaic = biggus.LinearMosaic([biggus.ones(2), biggus.ArrayAdapter(masked)])
    assert mosaic.masked
    np.testing.assert_array_equal(mosaic.masked_array().mask, [False, False, True, False])
    np.testing.assert_array_equal(mosaic[:2].masked_array().mask, [False, False])


@pytest.mark.parametrize(
    "make",
    [
        lambda a, b: biggus.LinearMosaic([a, b]),
        lambda a, b: biggus.LinearMosaic([a, b], axis=1),
        lambda a, b: biggus.ArrayStack([a, b]),
        lambda a, b: biggus.LinearMosaic([a[0], b]),
        lambda a, b: biggus.LinearMosaic([a[0, 0]]),
        lambda a, b: biggus.LinearMosaic([]),
        lambda a, b: biggus.LinearMosaic([a], axis=2),
        lambda a, b: biggus.ArrayStack([]),
        lambda a, b: biggus.ArrayStack([[a, a], [a]]),
        lambda a, b: biggus.broadcast_to(a, (3, 3)),
        lambda a, b: biggus.broadcast_to(a, (3,)),
        lambda a, b: biggus.GridMosaic(print, (2,), (2, 2), "u1"),
        lambda a, b: biggus.full(3, [1, 2]),
        lambda a, b: biggus.zeros((-1,)),
        lambda a, b: biggus.ArrayAdapter(np.ones(3), chunks=(1, 1)),
        lambda a, b: biggus.ArrayAdapter(np.ones(3), chunks=(0,)),
        lambda a, b: biggus.ArrayAdapter(np.ones(3), chunks=((1, 1),)),
    ],
)
def test_mismatched_shapes_raise(make):
    a, b = biggus.zeros((2, 3)), biggus.zeros((4, 5))
    with pytest.raises(ValueError) as caught:
        make(a, b)
    assert len(str(caught.value)) > 10


def test_joined_dtypes_promote_like_numpy(check_same):
    pairs = [("i1", "u1"), (">i2", ">i2"), ("f4", "i8"), ("U1", "U3"), ("?", "i2"), ("S2", "U1")]
    for first, second in pairs:
        a, b = np.ones(2, first), np.zeros(3, second)
        check_same(
            lambda a=a, b=b: biggus.LinearMosaic([a, b]), lambda a=a, b=b: np.concatenate([a, b])
        )


def test_grid_tile_of_another_shape_or_dtype_raises():
    for tile, message in [(np.zeros((2, 3), "u1"), "shape"), (np.zeros((2, 2), "i2"), "dtype")]:
        grid = biggus.GridMosaic(lambda index, tile=tile: tile, (4, 4), (2, 2), "u1")
        with pytest.raises(SourceError, match=rf"tile \(1, 0\).*{message}"):
            grid[2, 0].ndarray()


@pytest.mark.parametrize("cause", [ZeroDivisionError("x"), None])
def test_error_of_a_grid_tile_names_the_tile(cause):
    def make_tile(index):
        if cause is not None and index == (1,):
            raise cause
        return np.zeros(2, "u1") if index == (0,) else None

    grid = biggus.GridMosaic(make_tile, 4, 2, "u1")
    assert grid.shape == (8,)
    np.testing.assert_array_equal(grid[:2].ndarray(), [0, 0])
    with pytest.raises(SourceError, match=r"tile \(1,\) of a GridMosaic") as caught:
        grid.ndarray()
    assert caught.value.__cause__ is cause or isinstance(caught.value.__cause__, TypeError)


def test_array_likes_can_be_joined():
    mosaic = biggus.LinearMosaic([[1, 2], np.array([3]), biggus.zeros(1, int)])
    np.testing.assert_array_equal(mosaic.ndarray(), [1, 2, 3, 0])


def test_mosaic_grown_one_array_at_a_time():
    mosaic = biggus.LinearMosaic([np.arange(2)])
    for i in range(2, 3000):
        mosaic = biggus.LinearMosaic([mosaic, np.array([i])])
    again = pickle.loads(pickle.dumps(mosaic))
    for array in (mosaic, again):
        np.testing.assert_array_equal(array[::-7].ndarray(), np.arange(3000)[::-7])
    assert sum(mosaic.grid[0]) == 3000


def test_mosaics_of_mosaics_promote_level_by_level():
    for dtypes in (["f4", "u1", "f4"], ["u1", "i1", "i2"], ["U1", "U3", "U2"]):
        a, b, c = (np.arange(2).astype(dtype) for dtype in dtypes)
        for inner in (0, 1):
            parts = [[a, b], [c, c]] if inner else [[a], [b, c]]
            mosaic = biggus.LinearMosaic([biggus.LinearMosaic(part) for part in parts])
            expected = np.concatenate([np.concatenate(part) for part in parts])
            assert mosaic.dtype == expected.dtype
            np.testing.assert_array_equal(mosaic.ndarray(), expected)
