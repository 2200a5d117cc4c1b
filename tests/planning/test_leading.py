"""Interleaved parts of an array share one pass: each needed chunk is read once."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded_arrays import numbers, recorded, times_read

import biggus
from biggus.indexing import reduction_blocks
from biggus.planning import shared_scans
from biggus.planning.groups import JobGroup

SHAPE, CHUNKS = (60, 10, 8), (12, 5, 8)


@pytest.fixture(autouse=True, params=["chunks", "arrays"])
def block_size(request, monkeypatch):
    """Make each chunk a reduction block, or else each of these small arrays."""
    if request.param == "chunks":
        monkeypatch.setattr(reduction_blocks, "RUN", 1)
        monkeypatch.setattr(reduction_blocks, "BLOCK", 1)


def keys_of(labels):
    """Return the positions of each label."""
    return [np.flatnonzero(labels == label) for label in np.unique(labels)]


MONTHS = np.arange(60) % 6
UNEVEN = np.random.default_rng(5).integers(0, 5, 60)

INTERLEAVED = {
    "strides": [np.s_[n::6] for n in range(6)],
    "backwards": [np.s_[59 - n :: -6] for n in range(6)],
    "index arrays": keys_of(MONTHS),
    "groups of unlike sizes": keys_of(UNEVEN),
    "both": [*[np.s_[n::6] for n in range(3)], *keys_of(MONTHS)[3:]],
}


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("keys", INTERLEAVED.values(), ids=INTERLEAVED)
def test_each_chunk_is_read_once(keys, workers):
    values = numbers(SHAPE)
    source, a = recorded(values, CHUNKS)
    wanted = [a[key].mean(axis=0) for key in keys]
    plan = biggus.plan(wanted)
    with biggus.set_options(workers=workers):
        found = biggus.ndarrays(wanted)
    for key, mean in zip(keys, found, strict=True):
        np.testing.assert_allclose(mean, values[key].mean(axis=0), rtol=1e-14)
    assert (times_read(source) == 1).all()
    assert [each.times_read for each in plan.passes] == [1]


@pytest.mark.parametrize("keys", INTERLEAVED.values(), ids=INTERLEAVED)
def test_results_together_are_the_same_to_the_bit_as_alone(keys):
    values = numbers(SHAPE).astype("f4")
    values[7, 3] = np.nan
    _, a = recorded(values, CHUNKS)
    wanted = [f(a[key], axis=0) for key in keys for f in (np.std, np.nanmax)]
    wanted += [(a[key] ** 2).sum() for key in keys]
    together = biggus.ndarrays(wanted)
    for array, found in zip(wanted, together, strict=True):
        np.testing.assert_array_equal(array.ndarray(), found, strict=True)


def test_interleaved_parts_of_a_transposed_selection():
    values = numbers((8, 60, 10))
    source, a = recorded(values, (8, 12, 5))
    part = a[2:6].T
    found = biggus.ndarrays([part[:, n::4].std(axis=(0, 1)) for n in range(4)])
    for n, std in enumerate(found):
        np.testing.assert_allclose(std, values[2:6].T[:, n::4].std(axis=(0, 1)), rtol=1e-13)
    times = times_read(source)
    assert (times[2:6] == 1).all()
    assert times.sum() == times[2:6].sum()


@pytest.mark.parametrize("number", [0, 7, -1])
def test_interleaved_parts_of_one_position_of_another_axis(number):
    values = numbers(SHAPE)
    source, a = recorded(values, CHUNKS)
    found = biggus.ndarrays([a[n::6, number].max(axis=0) for n in range(6)])
    for n, greatest in enumerate(found):
        np.testing.assert_array_equal(greatest, values[n::6, number].max(axis=0))
    times = times_read(source)
    assert (times[:, number] == 1).all()
    assert times.sum() == times[:, number].sum()


def test_positions_in_no_order_are_reduced_together():
    values = numbers(SHAPE)
    _, a = recorded(values, CHUNKS)
    keys = [np.random.default_rng(n).permutation(60)[:20] for n in range(3)]
    found = biggus.ndarrays([a[key].max(axis=0) for key in keys])
    for key, greatest in zip(keys, found, strict=True):
        np.testing.assert_array_equal(greatest, values[key].max(axis=0))


def test_chunks_outside_all_groups_are_not_read():
    values = numbers(SHAPE)
    source, a = recorded(values, CHUNKS)
    keys = [np.r_[n:12:3, 36 + n : 48 : 3] for n in range(3)]  # in the first chunk and the fourth
    found = biggus.ndarrays([a[key].sum(axis=0) for key in keys])
    for key, total in zip(keys, found, strict=True):
        np.testing.assert_allclose(total, values[key].sum(axis=0), rtol=1e-14)
    assert {number for number, *_ in source.chunks_touched(CHUNKS)} == {0, 3}


def test_more_groups_than_one_scan_may_hold(monkeypatch):
    monkeypatch.setattr(shared_scans, "MOST_MEMBERS", 4)
    values = numbers(SHAPE)
    source, a = recorded(values, CHUNKS)
    found = biggus.ndarrays([a[n::12].sum(axis=0) for n in range(12)])
    for n, total in enumerate(found):
        np.testing.assert_allclose(total, values[n::12].sum(axis=0), rtol=1e-14)
    assert (times_read(source) == 3).all()


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside the whole"])
def test_planning_takes_time_linear_in_the_number_of_groups(monkeypatch, beside):
    calls = []
    for name in ("_partial_bytes", "_schedule"):
        method = getattr(JobGroup, name)
        monkeypatch.setattr(
            JobGroup, name, lambda *given, _method=method: calls.append(1) or _method(*given)
        )
    counts = []
    for groups in (20, 40):
        _, a = recorded(numbers((480, 4, 3)), (40, 4, 3))
        calls.clear()
        biggus.plan([a[n::groups].mean(axis=0) for n in range(groups)] + [a.max()] * beside)
        counts.append(len(calls))
    assert counts[1] <= 2.2 * counts[0]


def test_chunks_of_length_one_are_read_once():
    source, a = recorded(numbers(SHAPE), (1, 10, 8))
    biggus.ndarrays([a[n::6].mean(axis=0) for n in range(6)])
    assert (times_read(source) == 1).all()


def test_reduction_over_the_whole_array_shares_its_reads():
    values = numbers(SHAPE)
    source, a = recorded(values, CHUNKS)
    wanted = [a.std(axis=0), *[a[key].mean(axis=0) for key in keys_of(UNEVEN)]]
    std, *means = biggus.ndarrays(wanted)
    np.testing.assert_allclose(std, values.std(axis=0), rtol=1e-14)
    for key, mean in zip(keys_of(UNEVEN), means, strict=True):
        np.testing.assert_allclose(mean, values[key].mean(axis=0), rtol=1e-14)
    assert (times_read(source) == 1).all()


def test_interleaved_groups_on_an_executor():
    values = numbers(SHAPE)
    _, a = recorded(values, CHUNKS)
    wanted = [a[key].mean(axis=0) for key in keys_of(UNEVEN)]
    with ThreadPoolExecutor(2) as pool, biggus.set_options(executor=pool):
        found = biggus.ndarrays(wanted)
    for array, mean in zip(wanted, found, strict=True):
        np.testing.assert_array_equal(array.ndarray(), mean, strict=True)


def test_interleaved_groups_do_not_depend_on_memory():
    values = numbers((60, 100, 80))
    _, a = recorded(values, (12, 50, 80))
    wanted = [a[n::6].std(axis=0) for n in range(6)]
    expected = biggus.ndarrays(wanted)
    for memory in ("8 MB", "12 MB", "20 MB", "200 MB"):
        with biggus.set_options(memory=memory):
            found = biggus.ndarrays(wanted)
        for one, other in zip(expected, found, strict=True):
            np.testing.assert_array_equal(one, other, strict=True)


def test_kept_partial_results_of_groups_are_reused(tmp_path):
    h5py = pytest.importorskip("h5py")
    values = numbers(SHAPE)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("v", data=values, chunks=CHUNKS, compression="gzip")
    cache = biggus.Cache(tmp_path / "cache")
    a = biggus.open(tmp_path / "a.h5", "v", cache=cache)
    with biggus.set_options(keep_partials=True):
        first = biggus.ndarrays([a[n::6].mean(axis=0) for n in range(5)])
        again = biggus.ndarrays([a[n::6].mean(axis=0) for n in range(6)])
    for n, mean in enumerate(again):
        np.testing.assert_allclose(mean, values[n::6].mean(axis=0), rtol=1e-14)
    for one, other in zip(first, again, strict=False):
        np.testing.assert_array_equal(one, other, strict=True)


@st.composite
def groupings(draw):
    """Return a shape, chunks, an axis and labels along it."""
    shape = draw(st.tuples(*[st.integers(1, 9)] * 2))
    chunks = draw(st.tuples(*[st.integers(1, 5)] * 2))
    axis = draw(st.integers(0, 1))
    length = shape[axis]
    labels = draw(st.lists(st.integers(0, 3), min_size=length, max_size=length))
    return shape, chunks, axis, np.array(labels)


@settings(deadline=None, max_examples=60)
@given(groupings(), st.sampled_from([0, 1, (0, 1)]))
def test_random_groups(given, reduced):
    shape, chunks, axis, labels = given
    values = numbers(shape)
    _, a = recorded(values, chunks)
    keys = keys_of(labels)
    wanted = [np.take(a, key, axis=axis).sum(axis=reduced) for key in keys]
    found = biggus.ndarrays(wanted)
    for key, total in zip(keys, found, strict=True):
        expected = values.take(key, axis=axis).sum(axis=reduced)
        np.testing.assert_allclose(total, expected, rtol=1e-13)
    for array, total in zip(wanted, found, strict=True):
        np.testing.assert_array_equal(array.ndarray(), total, strict=True)


def test_xarray_groupby_reads_each_chunk_once():
    xr = pytest.importorskip("xarray")
    values = numbers(SHAPE)
    source, a = recorded(values, CHUNKS)
    labels = ("time", UNEVEN)
    lazy, loaded = (
        xr.DataArray(v, dims=("time", "y", "x"), coords={"label": labels}) for v in (a, values)
    )
    found = lazy.groupby("label").mean()
    np.testing.assert_allclose(
        found.data.ndarray(), loaded.groupby("label").mean().data, rtol=1e-14
    )
    assert (times_read(source) == 1).all()
