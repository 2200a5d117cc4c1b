"""Pyramids: their attributes, and the level that fills a screen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import biggus
from biggus.pyramids import Pyramid
from biggus.viewer.picture import Picture


def made(*factors: tuple[float, ...], shape: tuple[int, ...] = (64, 48)) -> Pyramid:
    return Pyramid(
        [
            (biggus.zeros([-(-n // int(f)) for n, f in zip(shape, each, strict=True)], "u1"), each)
            for each in factors
        ]
    )


def test_attributes_are_those_of_the_finest_level() -> None:
    pyramid = made((1, 1), (2, 2), (4, 4))
    assert (pyramid.shape, pyramid.dtype, pyramid.ndim) == ((64, 48), np.dtype("u1"), 2)
    assert (len(pyramid), pyramid[2].shape, pyramid[-1].shape) == (3, (16, 12), (16, 12))
    assert [array.shape for array in pyramid] == [(64, 48), (32, 24), (16, 12)]
    assert not pyramid.masked


def test_pyramid_is_masked_if_a_level_is_masked() -> None:
    fine = biggus.zeros((4, 4))
    coarse = biggus.ArrayAdapter(np.ma.masked_equal(np.zeros((2, 2)), 0))
    assert Pyramid([(fine, (1, 1)), (coarse, (2, 2))]).masked


@given(st.floats(0.01, 200), st.floats(0.01, 200))
def test_level_for_is_the_coarsest_that_fills_the_screen(rows: float, columns: float) -> None:
    pyramid = made((1, 1), (2, 2), (8, 8), (16, 32))
    level = pyramid.level_for(rows, columns)
    number = pyramid.levels.index(level)

    def fills(number: int) -> bool:
        row, column = pyramid.levels[number].factors
        return row <= rows and column <= columns

    assert number == 0 or fills(number)
    assert not any(fills(coarser) for coarser in range(number + 1, len(pyramid)))


@pytest.mark.parametrize("further", [(), (4,), (3, 2)])
@pytest.mark.parametrize("last", [None, 1, 2, 3, 4, 5])
def test_viewer_and_overviews_agree_on_rows_and_columns(further, last) -> None:
    shape = (*further, 6, 7, *(() if last is None else (last,)))
    array = biggus.zeros(shape)
    first = len(shape) - 2 - (last in {1, 3, 4})
    assert Picture(array).axes == biggus.overviews(array).axes == (first, first + 1)


def test_rows_and_columns_can_be_any_axes() -> None:
    arrays = [biggus.zeros((5, 8 // f, 8 // f)) for f in (1, 2)]
    pyramid = Pyramid([(arrays[0], (1, 1, 1)), (arrays[1], (1, 2, 2))], axes=(-2, -1))
    assert pyramid.axes == (1, 2)
    assert pyramid.level_for(2, 2).array.shape == (5, 4, 4)


@pytest.mark.parametrize(
    ("levels", "axes", "problem"),
    [
        ([], (0, 1), "at least one"),
        ([(np.zeros((4, 4)), (1, 1))], (0, 1), "is an Array"),
        ([((4, 4), (2, 2))], (0, 1), "factors are 1"),
        ([((4, 4), (1, 1)), ((2,), (2,))], (0, 1), "same axes"),
        ([((4, 4), (1, 1)), ((2, 2), (2,))], (0, 1), "same axes"),
        ([((4, 4), (1, 1)), ((2, 2), (4, 4))], (0, 1), "does not cover"),
        ([((4, 4), (1, 1)), ((8, 8), (0.5, 0.5))], (0, 1), "or more"),
        ([((4, 4), (1, 1))], (0, 0), "axes="),
        ([((4, 4), (1, 1))], (0, -2), "axes="),
        ([((4, 4), (1, 1))], (0, 2), "axes="),
    ],
)
def test_invalid_levels_raise(levels, axes, problem) -> None:
    made = [(biggus.zeros(a) if isinstance(a, tuple) else a, f) for a, f in levels]
    with pytest.raises((ValueError, TypeError), match=problem):
        Pyramid(made, axes)
