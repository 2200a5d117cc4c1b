"""Kept partial results: repeating an analysis reads only the data that has changed."""

from __future__ import annotations

import numpy as np
import pytest

import biggus
from biggus.engine.merging import Merging
from biggus.engine.partial_cache import PartialCache
from biggus.indexing import reduction_blocks
from biggus.testing import ArraySource, RecordingSource

VALUES = np.random.default_rng(5).normal(size=(96, 50)).astype("f4")
CHUNKS = (8, 50)

pytestmark = pytest.mark.usefixtures("_kept")


@pytest.fixture
def _kept(cache):
    with biggus.set_options(cache=cache):
        yield


def recording(values=VALUES, chunks=CHUNKS, **options):
    return RecordingSource(ArraySource(values, chunks, **options))


def wrapped(*sources):
    """Return an array of sources along the first axis, whose values are not cached."""
    with biggus.set_options(cache=False):
        arrays = [biggus.ArrayAdapter(source) for source in sources]
        return arrays[0] if len(arrays) == 1 else biggus.LinearMosaic(arrays, axis=0)


def uncached(lazy):
    """Return the values, computed without a cache."""
    with biggus.set_options(cache=False):
        return lazy.ndarray()


ANALYSES = {
    "mean": lambda a: a.mean(),
    "std axis 0": lambda a: a.std(axis=0),
    "max axis 1": lambda a: a.max(axis=1),
    "argmin": lambda a: a.argmin(),
    "argmax axis 0": lambda a: a.argmax(axis=0),
    "of an expression": lambda a: (np.sqrt(abs(a)) * 2 + a[:, ::-1]).sum(),
    "histogram": lambda a: biggus.histogram(a, bins=7, range=(-1, 1))[0],
    "of medians": lambda a: biggus.median(a, axis=0).std(),
    "needs_reduction": lambda a: ((a - a.mean(axis=0)) / a.std()).max(axis=1),
    "weighted": lambda a: (a * np.arange(50)).sum(axis=1),
    "weighted by rows": lambda a: np.einsum("ij,i->j", a, np.arange(96.0)),
    "transposed": lambda a: a.T[3:].mean(axis=1),
}


@pytest.mark.parametrize("name", ANALYSES)
def test_repeated_analysis_reads_nothing(name):
    source = recording()
    analysis = ANALYSES[name]
    first = analysis(wrapped(source)).ndarray()
    assert source.boxes
    source.clear()
    again = analysis(wrapped(source)).ndarray()
    assert source.boxes == []
    assert again.tobytes() == first.tobytes() == uncached(analysis(wrapped(source))).tobytes()


def test_repeated_median_over_all_axes_reads_nothing():
    # Partial results of a smaller array are larger than its values, and are not kept.
    source = recording(np.arange(2.0**19, dtype="f4").reshape(4, -1)[:, ::-1], (4, 2**17))
    first = biggus.median(wrapped(source)).ndarray()
    source.clear()
    assert biggus.median(wrapped(source)).ndarray() == first == (2**19 - 1) / 2
    assert source.boxes == []


def test_mean_after_std_reads_nothing():
    source = recording()
    a = wrapped(source)
    a.std(ddof=1, axis=0).ndarray()
    source.clear()
    found = biggus.ndarrays([a.mean(axis=0), a.var(axis=0), a.sum(axis=0)])
    assert source.boxes == []
    expected = [uncached(each) for each in (a.mean(axis=0), a.var(axis=0), a.sum(axis=0))]
    np.testing.assert_allclose(found[2], expected[2], rtol=1e-6)
    assert [x.tobytes() for x in found[:2]] == [x.tobytes() for x in expected[:2]]


def test_keep_partials_false_keeps_nothing(cache):
    source = recording()
    with biggus.set_options(keep_partials=False):
        wrapped(source).mean().ndarray()
    assert cache.stats().entries == 0
    first = len(source.boxes)
    wrapped(source).mean().ndarray()
    assert len(source.boxes) == 2 * first
    with biggus.set_options(keep_partials=False):
        wrapped(source).mean().ndarray()
    assert len(source.boxes) == 3 * first


def tile(number):
    """Return a source as large as a reduction block, in a few chunks."""
    values = np.full((8, 2**17), number, "u1")
    values[number % 8, :100] += np.arange(100, dtype="u1")
    return recording(values, (3, 2**17), token=f"tile {number}")


def statistics(a):
    return [a.mean(), a.max(axis=1), (a > 3).sum()]


def test_grown_mosaic_reads_only_new_tiles():
    tiles = [tile(number) for number in range(5)]
    biggus.ndarrays(statistics(wrapped(*tiles[:4])))
    for each in tiles:
        each.clear()
    a = wrapped(*tiles)
    found = biggus.ndarrays(statistics(a))
    assert [len(each.boxes) for each in tiles][:4] == [0, 0, 0, 0]
    for got, lazy in zip(found, statistics(a), strict=True):
        assert got.tobytes() == uncached(lazy).tobytes()


@pytest.mark.parametrize("place", [0, 1, 2])
def test_mosaic_with_an_empty_tile_reuses_partial_results(place, monkeypatch):
    monkeypatch.setattr(reduction_blocks, "RUN", 1)
    monkeypatch.setattr(reduction_blocks, "BLOCK", 1)
    sources = [recording(np.ones((n, 50), "f4"), (1, 50), token=f"{n} rows") for n in (100, 70)]
    first = wrapped(*sources).std().ndarray()
    for source in sources:
        source.clear()
    empty = recording(np.ones((0, 50), "f4"), (1, 50), token="empty")
    assert wrapped(*sources[:place], empty, *sources[place:]).std().ndarray() == first
    assert not any(source.boxes for source in sources)


@pytest.mark.parametrize("shape", [(1, 3, 4), (2, 300, 400)])
def test_thousand_small_files_read_only_the_new_one(shape):
    tiles = [recording(np.full(shape, n, "f4"), shape, token=f"{n}") for n in range(1001)]
    wrapped(*tiles[:1000]).mean().ndarray()
    assert all(len(each.boxes) == 1 for each in tiles[:1000])
    for number in (1000, 1001):
        for each in tiles:
            each.clear()
        assert wrapped(*tiles[:number]).mean().ndarray() == (number - 1) / 2
        assert [n for n, each in enumerate(tiles) if each.boxes] == [*range(1000, number)]


def test_block_subtree_key_includes_its_offset(monkeypatch):
    monkeypatch.setattr(reduction_blocks, "RUN", 1)
    monkeypatch.setattr(reduction_blocks, "BLOCK", 1)
    values = np.arange(20.0 * 10).reshape(20, 10)
    source = recording(values, (1, 1))
    # The second subtree of all, and the first of these rows, are of 64 blocks in rows 6 to 12.
    assert wrapped(source).mean().ndarray() == values.mean()
    assert wrapped(source)[6:13].mean().ndarray() == values[6:13].mean()


def test_tile_subtree_key_includes_its_offset():
    # Tiles ten in a row: the first subtree ends, and the second begins, in the seventh.
    tiles = [
        [recording(np.full((2, 3), 10 * y + x, "f8"), (2, 3), token=f"{y} {x}") for x in range(10)]
        for y in range(13)
    ]
    with biggus.set_options(cache=False):
        rows = [biggus.LinearMosaic([biggus.ArrayAdapter(t) for t in row], 1) for row in tiles]
        a = biggus.LinearMosaic(rows, axis=0)
    for array in (a, a[12:], a[:14], a[2:-2], a[12:24]):
        assert array.mean().ndarray() == array.ndarray().mean()


def test_partial_results_of_tiles_are_reused_in_other_mosaics():
    tiles = [tile(number) for number in range(4)]
    wrapped(*tiles).std().ndarray()
    a = wrapped(tiles[3], tile(9), tiles[0], tiles[3])
    for each in tiles:
        each.clear()
    found = a.std().ndarray()
    assert [len(each.boxes) for each in tiles] == [0, 0, 0, 0]
    assert found.tobytes() == uncached(a.std()).tobytes()


def test_argmax_of_kept_tiles_is_relative_to_each_array():
    tiles = [recording(np.roll(VALUES, 7 * number)) for number in range(4)]
    for order in ([0, 1, 2], [2, 1, 0], [3, 0], [1], [0, 0]):
        a = wrapped(*[tiles[number] for number in order])
        values = np.concatenate([tiles[number].source.values for number in order])
        assert a.argmax().ndarray() == values.argmax()
        assert (a.argmin(axis=0).ndarray() == values.argmin(axis=0)).all()
        assert (a[5:].argmax(axis=0).ndarray() == values[5:].argmax(axis=0)).all()
        assert a.T.argmax().ndarray() == values.T.argmax()


UNLIKE = [
    lambda a: a.mean(),
    lambda a: a.mean(axis=0),
    lambda a: a.mean(axis=1),
    lambda a: a.mean(dtype="f4"),
    lambda a: a.astype("f8").mean(),
    lambda a: a.astype("f2").mean(),
    lambda a: a.std(ddof=1),
    lambda a: a.std(),
    biggus.nanmean,
    lambda a: biggus.nanstd(a, axis=0),
    lambda a: a.max(),
    biggus.nanmax,
    lambda a: a.min(),
    lambda a: a.argmax(),
    lambda a: biggus.nanargmax(np.where(a > 0, a, np.nan)),
    lambda a: (a + 1).mean(),
    lambda a: (a + 2).mean(),
    lambda a: (a - 1).mean(),
    lambda a: (1 - a).mean(),
    lambda a: (a + np.float32(1)).mean(),
    lambda a: (a + a).mean(),
    lambda a: a[::-1].mean(axis=1),
    lambda a: a[:, ::2].mean(),
    lambda a: a[:, [3, 1, 1]].mean(axis=0),
    lambda a: a[:, [1, 3, 1]].mean(axis=0),
    lambda a: a.T.mean(axis=0),
    lambda a: a.clip(-1, 0.5).sum(),
    lambda a: a.clip(-1, 0.25).sum(),
    lambda a: a.round(1).sum(),
    lambda a: a.round(2).sum(),
    lambda a: np.where(a > 0, a, 0).sum(),
    lambda a: np.where(a > 0, 0, a).sum(),
    lambda a: (a > 0).sum(),
    lambda a: (a > 0).any(axis=0),
    lambda a: (a > 0).all(axis=0),
    lambda a: biggus.histogram(a, bins=5, range=(-1, 1))[0],
    lambda a: biggus.histogram(a, bins=5, range=(-1, 2))[0],
    lambda a: biggus.histogram(a, bins=[-1, 0, 3])[0],
    lambda a: biggus.median(a, axis=0).sum(),
    lambda a: biggus.quantile(a, 0.3, axis=0).sum(),
    lambda a: biggus.quantile(a, 0.7, axis=0).sum(),
    lambda a: biggus.quantile(a, 0.7, axis=0, method="nearest").sum(),
    lambda a: (a - a.mean(axis=0)).max(),
    lambda a: (a - a.mean(axis=1, keepdims=True)).max(),
    lambda a: (a - a.max(axis=0)).max(axis=0),
    lambda a: (a - a.min(axis=0)).max(axis=0),
]


def test_different_analyses_do_not_share_results():
    source = recording()
    for lazy in UNLIKE:
        expected = uncached(lazy(wrapped(source)))
        assert lazy(wrapped(source)).ndarray().tobytes() == expected.tobytes()
    for lazy in UNLIKE:
        expected = uncached(lazy(wrapped(source)))
        assert lazy(wrapped(source)).ndarray().tobytes() == expected.tobytes()


def test_missing_values_are_kept_in_partial_results():
    values = np.ma.MaskedArray(VALUES, VALUES > 1)
    source = recording(values)
    statistics = [lambda a: a.mean(axis=0), lambda a: a.std(), lambda a: a.count(axis=1)]
    statistics.append(lambda a: a[:, 0].max())
    first = biggus.masked_arrays([each(wrapped(source)) for each in statistics])
    source.clear()
    again = biggus.masked_arrays([each(wrapped(source)) for each in statistics])
    assert source.boxes == []
    for one, other in zip(first, again, strict=True):
        assert one.tobytes() == other.tobytes()
        assert (np.ma.getmaskarray(one) == np.ma.getmaskarray(other)).all()
    # The same values with none missing have another token.
    plain = recording()
    assert wrapped(plain).mean(axis=0).ndarray().tobytes() != first[0].tobytes()


def test_changed_source_is_read_again():
    source = recording(token="measurements")
    assert wrapped(source).max().ndarray() == VALUES.max()
    source.source.change(VALUES + 1)
    assert wrapped(source).max().ndarray() == (VALUES + 1).max()
    source.clear()
    assert wrapped(source).max().ndarray() == (VALUES + 1).max()
    assert source.boxes == []


def test_results_of_a_source_changing_while_read_are_not_kept(cache):
    class Changing(RecordingSource):
        def __getitem__(self, box):
            values = super().__getitem__(box)
            self.source.change(self.source.values + 1)
            return values

    source = Changing(ArraySource(VALUES, CHUNKS, token="measurements"))
    wrapped(source).max().ndarray()
    assert cache.stats().entries == 0


def test_sources_without_a_state_are_read_again(cache):
    for source in (
        recording(token="measurements"),
        RecordingSource(ArraySource(VALUES, CHUNKS)),
    ):
        source.source.revision = None
        wrapped(source).max().ndarray()
        assert cache.stats().entries == 0


def test_concurrent_threads_give_the_same_results():
    from concurrent.futures import ThreadPoolExecutor

    source = recording()
    with ThreadPoolExecutor(4) as pool:
        context = [__import__("contextvars").copy_context() for _ in range(8)]
        found = list(
            pool.map(lambda c: c.run(lambda: wrapped(source).std(axis=0).ndarray()), context)
        )
    assert {each.tobytes() for each in found} == {uncached(wrapped(source).std(axis=0)).tobytes()}


def test_merging_lock_is_free_while_results_are_kept(monkeypatch):
    mergings, locked = [], []
    add, keep = Merging.add, PartialCache.keep

    def adding(merging, *arguments):
        mergings.append(merging)
        return add(merging, *arguments)

    def keeping(cache, *arguments):
        locked.extend(merging._lock.locked() for merging in mergings)
        return keep(cache, *arguments)

    monkeypatch.setattr(Merging, "add", adding)
    monkeypatch.setattr(PartialCache, "keep", keeping)
    array = wrapped(recording(), recording(VALUES + 1, token="other"))
    with biggus.set_options(workers=1):
        biggus.ndarrays([array.mean(), array.max(axis=1)])
    assert locked
    assert not any(locked)


def test_partial_results_of_other_weights_are_computed_anew():
    source, weights = recording(), np.arange(50.0)
    totals = []
    for change in (0, 1, 0):
        source.clear()
        weights[7] += change
        totals.append((wrapped(source) * weights).sum().ndarray())
        assert bool(source.boxes) is (len(totals) < 3)
        assert totals[-1] == uncached((wrapped(source) * weights).sum())
    assert totals[0] != totals[1] == totals[2]


@pytest.mark.parametrize("dims", [["y", "x"], "y", None])
def test_weighted_mean_of_xarray_is_repeated_without_reads(dims):
    xr = pytest.importorskip("xarray")
    source, weights = recording(), xr.DataArray(np.cos(np.arange(96.0) / 60), dims="y")
    found = []
    for _ in range(2):
        source.clear()
        array = xr.DataArray(wrapped(source), dims=("y", "x"))
        found.append(array.weighted(weights).mean(dims).compute().values)
    assert not source.boxes
    right = xr.DataArray(VALUES, dims=("y", "x")).weighted(weights).mean(dims)
    np.testing.assert_allclose(found[0], right, rtol=1e-5, atol=1e-6)
    assert found[0].tobytes() == found[1].tobytes()
