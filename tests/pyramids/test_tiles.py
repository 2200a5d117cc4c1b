"""Tile pyramids: zoom levels, and windows of longitudes and latitudes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import biggus
from biggus.errors import OpenError, VariableError
from biggus.pyramids import TilePyramid

pytest.importorskip("urllib3")
pytest.importorskip("PIL")
mercantile = pytest.importorskip("mercantile")

TEMPLATE = "https://tiles.invalid/{z}/{x}/{y}.png"


@pytest.fixture(scope="module")
def world() -> TilePyramid:
    return TilePyramid(TEMPLATE, cache=False)


def test_levels_match_open_with_zoom(world: TilePyramid) -> None:
    assert world.zooms == tuple(range(20))
    for zoom in (0, 7, 19):
        opened = biggus.open(TEMPLATE, zoom=zoom, cache=False)
        assert (world[zoom].shape, world[zoom].dtype) == (opened.shape, opened.dtype)
        assert world[zoom].grid == opened.grid
    assert world.shape == (256 << 19, 256 << 19, 3)


def test_options_of_open_apply() -> None:
    grey = TilePyramid(TEMPLATE, zooms=(3, 4, 5), tile_size=512, bands=1, cache=False)
    assert [level.array.shape for level in grey.levels] == [(512 << z,) * 2 for z in (5, 4, 3)]
    assert [level.factors for level in grey.levels] == [(1, 1), (2, 2), (4, 4)]
    with pytest.raises(OpenError):
        TilePyramid(TEMPLATE, bands=7, cache=False)


def test_open_pyramid_of_tiles_rejects_other_variables_and_axes() -> None:
    for named in ({"axes": (0, 1)}, {"variable": "tiles"}, {"backend": "tiles"}):
        assert len(biggus.open_pyramid(TEMPLATE, cache=False, **named)) == 20
    with pytest.raises(VariableError, match="no variable 'red'"):
        biggus.open_pyramid(TEMPLATE, "red", cache=False)
    with pytest.raises(ValueError, match="axes=\\(1, 0\\)"):
        biggus.open_pyramid(TEMPLATE, axes=(1, 0), cache=False)


def test_missing_zooms_raise(world: TilePyramid) -> None:
    with pytest.raises(IndexError, match="0 to 19"):
        world[20]
    with pytest.raises(IndexError):
        world[-1]
    with pytest.raises(ValueError, match="at least one"):
        TilePyramid(TEMPLATE, zooms=(), cache=False)


def test_level_for_is_the_coarsest_zoom_that_fills_the_screen(world: TilePyramid) -> None:
    for zoom in range(20):
        elements = 2.0 ** (19 - zoom)
        assert world.level_for(elements, elements).array.shape == world[zoom].shape
        assert world.level_for(elements * 1.9, elements).array.shape == world[zoom].shape


longitudes = st.floats(-180, 180, allow_nan=False)
latitudes = st.floats(-85.05, 85.05, allow_nan=False)


@given(st.tuples(longitudes, latitudes), st.tuples(longitudes, latitudes), st.integers(0, 19))
def test_window_is_the_smallest_that_covers_the_area(one, other, zoom) -> None:
    world = TilePyramid(TEMPLATE, cache=False)
    (west, east), (south, north) = (sorted(pair) for pair in zip(one, other, strict=True))
    if west == east or south == north:
        return
    (rows, columns), extent = world.window(west, south, east, north, zoom)
    length = world[zoom].shape[0]
    assert 0 <= rows.start < rows.stop <= length
    assert 0 <= columns.start < columns.stop <= length
    size = mercantile.CE / length
    left, bottom = mercantile.xy(west, south)
    right, top = mercantile.xy(east, north)
    slack = 1e-4 * size
    # The window covers the area; each of its rows and columns overlaps the area.
    assert extent[0] <= left + slack < extent[0] + size + 2 * slack
    assert extent[1] >= right - slack > extent[1] - size - 2 * slack
    assert extent[2] <= bottom + slack < extent[2] + size + 2 * slack
    assert extent[3] >= top - slack > extent[3] - size - 2 * slack


@pytest.mark.parametrize("zoom", [0, 3, 12])
def test_window_of_a_tile_is_that_tile(world: TilePyramid, zoom: int) -> None:
    for x, y in {(0, 0), (2**zoom - 1, 2**zoom - 1), (2**zoom // 3, 2**zoom // 2)}:
        bounds = mercantile.bounds(x, y, zoom)
        (rows, columns), extent = world.window(*bounds, zoom)
        assert (rows, columns) == (
            slice(256 * y, 256 * (y + 1)),
            slice(256 * x, 256 * (x + 1)),
        )
        left, bottom, right, top = mercantile.xy_bounds(x, y, zoom)
        for edge, exact in zip(extent, (left, right, bottom, top), strict=True):
            assert math.isclose(edge, exact, abs_tol=1e-6)


def test_window_of_the_world_is_the_whole_array(world: TilePyramid) -> None:
    assert world.window(-180, -90, 180, 90, 2).slices == (slice(0, 1024), slice(0, 1024))


@pytest.mark.parametrize(
    "edges",
    [
        *((10, 0, -10, 5), (0, 5, 10, 0), (0, 0, 0, 5), (0, 0, 5, 0)),
        *((-181, 0, 5, 5), (0, -91, 5, 5), (0, 0, math.nan, 5)),
    ],
)
def test_invalid_window_raises(world: TilePyramid, edges) -> None:
    with pytest.raises(ValueError, match="degrees"):
        world.window(*edges)
