"""Overviews made by biggus: their values, one pass, caching, and updates after changes."""

from __future__ import annotations

import itertools
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import biggus
from biggus.errors import CacheError, MemoryBudgetError, SourceError
from biggus.pyramids.building import build
from biggus.pyramids.of_array import coarsened, kept_overviews
from biggus.testing import ArraySource, FaultySource, RecordingSource


def expected_mean(values: np.ndarray, factor: int, axes: tuple[int, int]) -> np.ndarray:
    """Return the means of blocks, by NumPy."""
    data = np.ma.masked_invalid(values) if values.dtype.kind == "f" else np.ma.asarray(values)
    sums = np.ma.filled(data, 0).astype("f8")
    counts = (~np.ma.getmaskarray(data)).astype("i8")
    for axis in axes:
        cuts = range(0, values.shape[axis], factor)
        sums = np.add.reduceat(sums, cuts, axis=axis)
        counts = np.add.reduceat(counts, cuts, axis=axis)
    means = sums / np.maximum(counts, 1)
    if values.dtype.kind in "iu":
        means = np.rint(means)
    return np.ma.MaskedArray(means.astype(values.dtype), mask=counts == 0)


def check(pyramid: biggus.Pyramid, values: np.ndarray) -> None:
    rows, columns = pyramid.axes
    for number, level in enumerate(pyramid.levels):
        factor = 2**number
        assert level.factors[rows] == level.factors[columns] == factor
        assert level.array.dtype == values.dtype
        found = level.array.masked_array()
        right = expected_mean(values, factor, (rows, columns)) if number else values
        assert found.shape == right.shape
        assert np.array_equal(found.mask, np.ma.getmaskarray(right))
        close = np.isclose(
            found.filled(0), np.ma.filled(right, 0), rtol=1e-6, atol=1e-6, equal_nan=True
        )
        assert close.all()


@pytest.mark.parametrize(
    ("shape", "chunks", "dtype"),
    [
        ((700, 900), (100, 300), "f4"),
        ((1030, 517), (64, 64), "u1"),
        ((5, 600, 800), (1, 600, 800), "i2"),
        ((5, 600, 300), (5, 100, 75), "f8"),
        ((600, 520, 3), (256, 256, 3), "u1"),
        ((2, 3, 300, 600), None, "f4"),
        ((300, 1), None, ">i4"),
        ((1, 5000), (1, 777), "f4"),
        ((256, 256), (256, 256), "u2"),
        ((0, 600), None, "f4"),
        ((3, 0, 600), None, "f4"),
    ],
)
@pytest.mark.parametrize("kept", [True, False])
def test_levels_are_means_of_the_finest_level(shape, chunks, dtype, kept, tmp_path) -> None:
    values = (np.random.default_rng(5).random(shape) * 200).astype(dtype)
    cache = biggus.Cache(tmp_path / "cache") if kept else False
    source = ArraySource(values, chunks, token="values")
    check(biggus.overviews(biggus.ArrayAdapter(source), cache=cache), values)


@settings(max_examples=30)
@given(st.data())
def test_missing_values_do_not_count_in_means(data) -> None:
    shape = data.draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    values = np.tile(
        data.draw(npst.arrays("f4", shape, elements=st.floats(-9, 9, width=32))), (20, 30)
    )
    mask = np.tile(data.draw(npst.arrays(bool, shape)), (20, 30))
    mask[: data.draw(st.integers(0, 600))] = True
    values[data.draw(npst.arrays(bool, shape)).repeat(20, 0).repeat(30, 1)] = np.nan
    masked = np.ma.MaskedArray(values, mask=mask)
    pyramid = biggus.overviews(biggus.ArrayAdapter(masked))
    check(pyramid, masked)


@pytest.mark.parametrize("dtype", ["u1", "i4", "?", "f4", "U2", "M8[D]"])
def test_levels_of_modes(dtype) -> None:
    values = np.random.default_rng(2).integers(0, 2, (730, 750)).astype("i8").astype(dtype)
    pyramid = biggus.overviews(biggus.ArrayAdapter(values), method="mode")
    assert len(pyramid) == 3
    for number in (1, 2):
        factor = 2**number
        found = pyramid[number].ndarray()
        assert found.dtype == values.dtype
        for i, j in itertools.product((0, 7, found.shape[0] - 1), (0, 11, found.shape[1] - 1)):
            block = values[i * factor : (i + 1) * factor, j * factor : (j + 1) * factor]
            distinct, counts = np.unique(block, return_counts=True)
            assert found[i, j] == distinct[counts.argmax()]


def test_coarse_modes_hold_original_values_only() -> None:
    values = np.full((5000, 600), 7, "u1")
    values[:, 300:] = 200
    pyramid = biggus.overviews(biggus.ArrayAdapter(values), method="mode")
    assert set(np.unique(pyramid[-1].ndarray())) == {7, 200}


def test_array_is_read_once_and_then_from_the_cache(tmp_path) -> None:
    values = np.random.default_rng(0).random((2100, 3000), dtype="f4")
    source = RecordingSource(ArraySource(values, (300, 500), token="v"))
    array = biggus.ArrayAdapter(source)
    cache = biggus.Cache(tmp_path / "cache")
    with biggus.set_options(workers=2):
        pyramid = biggus.overviews(array, cache=cache)
    counts = np.zeros(values.shape, int)
    for box in source.boxes:
        counts[box] += 1
    assert (counts == 1).all()
    source.clear()
    again = biggus.overviews(array, cache=cache)
    for level, other in zip(pyramid.levels[1:], again.levels[1:], strict=True):
        assert np.array_equal(level.array.ndarray(), other.array.ndarray())
    assert not source.boxes


def test_slicing_an_overview_reads_nothing_of_the_array(tmp_path) -> None:
    values = np.random.default_rng(0).random((2100, 3000), dtype="f4")
    source = RecordingSource(ArraySource(values, (300, 500), token="v"))
    pyramid = biggus.overviews(biggus.ArrayAdapter(source), cache=biggus.Cache(tmp_path / "c"))
    source.clear()
    part = pyramid[2][100:200, ::3].ndarray()
    assert np.allclose(part, expected_mean(values, 4, (0, 1))[100:200, ::3])
    assert not source.boxes


def test_levels_are_the_same_to_the_bit_for_any_workers_memory_and_cache(tmp_path) -> None:
    values = np.random.default_rng(9).standard_normal((4500, 3100)).astype("f4")
    array = biggus.ArrayAdapter(ArraySource(values, (500, 400), token="v"))
    found = []
    for number, (workers, memory) in enumerate([(1, "1 GB"), (4, "1 GB"), (2, "400 MB")]):
        cache = biggus.Cache(tmp_path / f"cache{number}")
        with biggus.set_options(workers=workers, memory=memory):
            pyramid = biggus.overviews(array, cache=cache)
            found.append([level.array.ndarray().tobytes() for level in pyramid.levels[1:]])
    # Made again one by one after the cache is cleared:
    cache.clear()
    found.append([level.array.ndarray().tobytes() for level in pyramid.levels[1:]])
    with biggus.set_options(cache=False):
        plain = biggus.overviews(biggus.ArrayAdapter(values, chunks=(500, 400)))
    found.append([level.array.ndarray().tobytes() for level in plain.levels[1:]])
    assert all(each == found[0] for each in found)


def test_overviews_of_a_changed_file_are_made_again(tmp_path, settled_soon_after_writing) -> None:
    h5py = pytest.importorskip("h5py")
    path, cache = tmp_path / "a.h5", biggus.Cache(tmp_path / "cache")
    for value in (1.0, 2.0):
        with h5py.File(tmp_path / "new.h5", "w") as file:
            file["v"] = np.full((600, 700), value)
        os.utime(tmp_path / "new.h5", (value, value))
        (tmp_path / "new.h5").replace(path)
        pyramid = biggus.overviews(biggus.open(path, "v"), cache=cache)
        assert (pyramid[-1].ndarray() == value).all()


def test_overviews_of_an_expression(tmp_path) -> None:
    values = np.random.default_rng(1).integers(0, 99, (800, 900)).astype("i2")
    array = biggus.ArrayAdapter(ArraySource(values, (100, 100), token="v"))
    celsius = (array - 273)[::-1, 10:]
    check(biggus.overviews(celsius, cache=biggus.Cache(tmp_path / "c")), (values - 273)[::-1, 10:])


def test_failure_leaves_no_wrong_levels_in_the_cache(tmp_path) -> None:
    values = np.ones((2000, 2000))
    good = ArraySource(values, (250, 250), token="v")
    cache = biggus.Cache(tmp_path / "cache")
    faulty = FaultySource(good, OSError("gone"), on={2})
    with pytest.raises(SourceError, match="gone"):
        biggus.overviews(biggus.ArrayAdapter(faulty), cache=cache)
    check(biggus.overviews(biggus.ArrayAdapter(good), cache=cache), values)


def test_progress_ends_at_all_bytes(tmp_path) -> None:
    calls = []
    values = np.ones((900, 1100))
    with biggus.set_options(progress=lambda done, total: calls.append((done, total))):
        biggus.overviews(
            biggus.ArrayAdapter(ArraySource(values, (100, 100), token="v")),
            cache=biggus.Cache(tmp_path / "c"),
        )
    assert calls[-1] == (values.nbytes, values.nbytes)


def test_uncacheable_overviews_stay_in_memory_or_raise() -> None:
    plain = biggus.zeros((3000, 3000))
    assert len(biggus.overviews(plain)) == 5
    with biggus.set_options(memory="20 MB"), pytest.raises(MemoryBudgetError, match="token="):
        biggus.overviews(biggus.ArrayAdapter(np.zeros((3000, 3000))))


@pytest.mark.parametrize("way", ["argument", "option"])
def test_cache_false_neither_reads_nor_fills_a_cache(way) -> None:
    array = biggus.ArrayAdapter(ArraySource(np.ones((600, 600)), token=f"no cache {way}"))
    arguments = {"cache": False} if way == "argument" else {}
    with biggus.set_options(**({} if arguments else {"cache": False})):
        assert len(biggus.overviews(array, **arguments)) == 3
        assert kept_overviews(array, **arguments) is None
        assert kept_overviews(array, cache=True) is None
        biggus.overviews(array, cache=True)
        assert kept_overviews(array, cache=True) is not None
        assert kept_overviews(array, **arguments) is None
        with biggus.set_options(memory="1 kB"), pytest.raises(MemoryBudgetError, match="no cache"):
            biggus.overviews(array, **arguments)


def test_source_without_a_validator_raises_cache_error(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("biggus.pyramids.of_array._SETTLING_SECONDS", 0.0)
    source = ArraySource(np.ones((600, 600)), token="v")
    monkeypatch.setattr(source, "cached_validator", lambda box: None, raising=False)
    with pytest.raises(CacheError, match="state of the data"):
        biggus.overviews(biggus.ArrayAdapter(source), cache=biggus.Cache(tmp_path / "c"))


@pytest.mark.parametrize(
    ("array", "options", "kind", "problem"),
    [
        (np.zeros(5), {}, ValueError, "two axes"),
        (np.zeros((5, 5)), {"axes": (0, 0)}, ValueError, "axes="),
        (np.zeros((5, 5)), {"method": "median"}, ValueError, "'mean' or 'mode'"),
        (np.full((600, 600), "a"), {}, TypeError, "mode"),
        (np.zeros((5, 5), "c8"), {"method": "mode"}, TypeError, "the mode of"),
    ],
)
def test_invalid_arguments_raise(array, options, kind, problem) -> None:
    with pytest.raises(kind, match=problem):
        biggus.overviews(biggus.ArrayAdapter(array), **options)


@pytest.mark.parametrize("method", ["mean", "mode"])
def test_coarsened_is_the_finest_level_that_is_small_enough(method) -> None:
    values = np.ma.masked_less(np.random.default_rng(0).integers(-2, 9, (2499, 300)), 0)
    array = biggus.ArrayAdapter(values)
    levels = biggus.overviews(array, method=method, cache=False).levels
    for most in (1, 300, 624, 625, 1250, 2499, 2500):
        found, factor = coarsened(array, most, method=method)
        small = [each for each in levels if max(each.array.shape) <= most]
        expected = (small or levels[-1:])[0]
        assert factor == expected.factors[0], most
        assert found.shape == expected.array.shape, most
        ours, theirs = found.masked_array(), expected.array.masked_array()
        assert np.array_equal(np.ma.getmaskarray(ours), np.ma.getmaskarray(theirs)), most
        assert np.ma.allclose(ours, theirs), most


def test_coarsened_keeps_only_the_returned_level(monkeypatch) -> None:
    held = []

    def spy(reducer, keeper):
        build(reducer, keeper)
        held.extend(keeper.arrays.values())

    monkeypatch.setattr("biggus.pyramids.of_array.build", spy)
    found, _ = coarsened(biggus.ones((4000, 1500), dtype="f4"), 600)
    assert [each.shape for each in held] == [found.shape] == [(500, 188)]
    assert found.ndarray().min() == found.ndarray().max() == 1


@pytest.mark.parametrize(
    "compute",
    [
        lambda a: a.mean(axis=0),
        lambda a: a[1] - a.mean(axis=0),
        lambda a: (a - a.mean(axis=0)).max(axis=0)[::-1],
        lambda a: np.median(a, axis=0) / a.std(),
        lambda a: np.cumsum(a, axis=0)[1],
    ],
)
@pytest.mark.parametrize("token", [None, "some"])
def test_computed_array_has_a_pyramid_and_is_read_once_for_each_statistic(compute, token, tmp_path):
    values = np.random.default_rng(0).normal(size=(3, 600, 520))
    source = RecordingSource(ArraySource(values, (1, 600, 520), token))
    with biggus.set_options(cache=biggus.Cache(tmp_path / "cache"), chunk_memory=0):
        pyramid = biggus.overviews(compute(biggus.ArrayAdapter(source)))
        assert len(source.boxes) <= 9
        check(pyramid, compute(values))


def test_statistic_has_no_kept_overviews(tmp_path) -> None:
    with biggus.set_options(cache=biggus.Cache(tmp_path / "cache")):
        assert kept_overviews(biggus.zeros((2, 600, 520)).mean(axis=0)) is None
