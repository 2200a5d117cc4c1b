"""Means and modes of blocks of elements match NumPy."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from biggus.pyramids.blocks import Sums, halvings, modes

SHAPES = st.tuples(st.integers(1, 13), st.integers(1, 13))


def sizes(shape: tuple[int, int], factor: int) -> np.ndarray:
    """Return the number of elements of each block."""
    ones = np.ones(shape, np.int64)
    rows = np.add.reduceat(ones, range(0, shape[0], factor), axis=0)
    return np.add.reduceat(rows, range(0, shape[1], factor), axis=1)


def block(values: np.ndarray, factor: int, i: int, j: int) -> np.ndarray:
    return values[i * factor : (i + 1) * factor, j * factor : (j + 1) * factor]


def halved(values: np.ndarray, times: int) -> Sums:
    sums = Sums.of(values)
    for _ in range(times):
        sums = sums.halved((0, 1))
    return sums


@st.composite
def arrays(draw, dtypes: str) -> np.ndarray:
    dtype = np.dtype(draw(st.sampled_from(dtypes.split())))
    values = draw(npst.arrays(dtype, draw(SHAPES)))
    if draw(st.booleans()):
        return np.ma.MaskedArray(values, mask=draw(npst.arrays(bool, values.shape)))
    return values


@given(arrays("u1 i1 u2 i2 u4 i4 >i2 ?"), st.integers(1, 5))
def test_means_of_integers_are_exact_and_rounded_once(values: np.ndarray, times: int) -> None:
    factor = 2**times
    found = halved(values, times).means(sizes(values.shape, factor), values.dtype)
    assert found.dtype == values.dtype
    for i, j in np.ndindex(found.shape):
        inside = np.ma.masked_array(block(values, factor, i, j)).compressed().tolist()
        if not inside:
            assert np.ma.getmaskarray(found)[i, j]
            continue
        mean = round(Fraction(sum(inside), len(inside)))
        assert not np.ma.getmaskarray(found)[i, j]
        assert np.ma.getdata(found)[i, j] == mean


@given(
    npst.arrays(st.sampled_from([np.dtype(name) for name in ("f2", "f4", "f8", "c8")]), SHAPES),
    st.integers(1, 5),
)
def test_means_of_floats_skip_nan(values: np.ndarray, times: int) -> None:
    values = np.where(np.isfinite(values) & (abs(values) < 1e3), values, np.nan).astype(
        values.dtype
    )
    factor = 2**times
    found = halved(values, times).means(sizes(values.shape, factor), values.dtype)
    for i, j in np.ndindex(found.shape):
        inside = block(values, factor, i, j)
        inside = inside[~np.isnan(inside)]
        assert np.ma.getmaskarray(found)[i, j] == (inside.size == 0)
        if inside.size:
            mean = inside.astype("c16" if values.dtype.kind == "c" else "f8").mean()
            exact = np.finfo(values.dtype)
            slack = {"rtol": exact.eps, "atol": max(1e-12, float(exact.smallest_subnormal))}
            np.testing.assert_allclose(np.ma.getdata(found)[i, j], mean, **slack)


def test_sums_do_not_depend_on_the_split_into_parts() -> None:
    values = np.random.default_rng(1).standard_normal((32, 48)).astype("f4")
    whole = halved(values, 4).sums
    for rows, columns in ((16, 16), (32, 16), (16, 48)):
        for i in range(0, 32, rows):
            for j in range(0, 48, columns):
                part = halved(values[i : i + rows, j : j + columns], 4).sums
                mine = whole[i // 16 : (i + rows) // 16, j // 16 : (j + columns) // 16]
                assert part.tobytes() == np.ascontiguousarray(mine).tobytes()


def test_largest_values_do_not_overflow() -> None:
    for dtype in ["u1", "i1", "u2", "i2", "u4", "i4", "f2", "f4", "?"]:
        kind = np.dtype(dtype)
        top = True if dtype == "?" else (np.finfo if kind.kind == "f" else np.iinfo)(kind).max
        values = np.full((64, 64), top, dtype)
        for times in range(1, 7):
            found = halved(values, times).means(np.int64(4**times), values.dtype)
            assert (found == top).all()
    for dtype in ("i8", "u8"):
        values = np.full((8, 8), np.iinfo(dtype).max, dtype)
        found = halved(values, 2).means(np.int64(16), values.dtype)
        np.testing.assert_allclose(found.astype("f8"), float(np.iinfo(dtype).max), rtol=1e-15)


@pytest.mark.parametrize("dtype", ["f4", "i2"])
def test_numpy_buffer_size_and_error_state_are_restored(dtype: str) -> None:
    before, errors = np.getbufsize(), np.geterr()
    values = np.arange(4096).reshape(64, 64).astype(dtype)
    *_, last = halvings(values, (0, 1), 3)
    last.means(np.array(64), np.dtype(dtype))
    with pytest.raises(TypeError):
        halvings(np.array([["a"]]), (0, 1), 1)
    assert (np.getbufsize(), np.geterr()) == (before, errors)


def test_other_axes_are_kept() -> None:
    values = np.arange(2 * 6 * 4 * 3, dtype="u1").reshape(2, 6, 4, 3)
    found = Sums.of(values).halved((1, 2)).means(np.int64(4), values.dtype)
    expected = values.reshape(2, 3, 2, 2, 2, 3).astype("f8").mean(axis=(2, 4))
    assert np.array_equal(found, np.rint(expected))


@given(arrays("u1 i2 ? f4 U1 >i4"), st.integers(1, 3))
def test_mode_is_the_smallest_most_frequent_value(values: np.ndarray, times: int) -> None:
    factor = 2**times
    found = modes(values, factor, (0, 1))
    assert found.dtype == values.dtype
    for i, j in np.ndindex(found.shape):
        inside = np.ma.masked_array(block(values, factor, i, j)).compressed()
        if values.dtype.kind == "f":
            inside = inside[~np.isnan(inside)]
        assert np.ma.getmaskarray(found)[i, j] == (inside.size == 0)
        if inside.size:
            distinct, counts = np.unique(inside, return_counts=True)
            assert np.ma.getdata(found)[i, j] == distinct[counts.argmax()]


@pytest.mark.parametrize("axes", [(0, 1), (1, 2), (0, 2)])
def test_modes_of_any_two_axes(axes: tuple[int, int]) -> None:
    values = np.random.default_rng(3).integers(0, 4, (6, 8, 10), "u1")
    found = modes(values, 2, axes)
    other = ({0, 1, 2} - set(axes)).pop()
    for place in range(values.shape[other]):
        plane = modes(values.take(place, other), 2, (0, 1))
        assert np.array_equal(found.take(place, other), plane)
