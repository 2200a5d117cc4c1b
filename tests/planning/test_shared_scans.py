"""Shared scans: parts of an array are read together with the whole array or a larger part."""

from __future__ import annotations

import io
import pickle
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recorded_arrays import Held, numbers, recorded, times_read

import biggus
from biggus.indexing import reduction_blocks
from biggus.sources.wrappers import ObjectSource
from biggus.testing import RecordingSource


@pytest.fixture(autouse=True, params=["chunks", "arrays"])
def cell_size(request, monkeypatch):
    """Make each chunk a reduction block, or else each of these small arrays."""
    if request.param == "chunks":
        monkeypatch.setattr(reduction_blocks, "RUN", 1)
        monkeypatch.setattr(reduction_blocks, "BLOCK", 1)


PARTS = {
    "first": np.s_[:10],
    "last": np.s_[-7:],
    "middle": np.s_[13:31, 40:80],
    "one": np.s_[17],
    "one of another axis": np.s_[:, 33],
    "every third": np.s_[::3],
    "backwards": np.s_[::-1],
    "backwards by two": np.s_[40:5:-2, ::-3],
    "a new axis": np.s_[None, 5:50],
    "the same": np.s_[:],
}


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("part", PARTS)
def test_part_is_read_with_the_whole(part, workers):
    values = numbers((60, 100, 50))
    source, a = recorded(values, (12, 50, 50))
    key = PARTS[part]
    with biggus.set_options(workers=workers):
        whole, some = biggus.ndarrays([a.mean(axis=0), a[key].max()])
    np.testing.assert_allclose(whole, values.mean(axis=0), rtol=1e-15)
    assert some == values[key].max()
    assert (times_read(source) == 1).all()


def test_results_together_are_the_same_to_the_bit_as_alone():
    values = numbers((60, 100, 50)).astype("f4")
    _, a = recorded(values, (12, 50, 50))
    wanted = [a.std(), a[7:].std(axis=0), a[::-1, :30].mean(), a[3], a.T[:20].var(axis=1), a * 2]
    together = biggus.ndarrays(wanted)
    for array, found in zip(wanted, together, strict=True):
        np.testing.assert_array_equal(array.ndarray(), found, strict=True)


def test_expressions_share_what_they_read():
    values, others = numbers((60, 100)), numbers((60, 100), 1)
    one, a = recorded(values, (12, 50))
    two, b = recorded(others, (12, 50))
    found = biggus.ndarrays([(a - b).std(), (a * 2)[24:].sum(), (b[:12] + 1).max(), b[30].min()])
    expected = [
        (values - others).std(),
        (values * 2)[24:].sum(),
        others[:12].max() + 1,
        others[30].min(),
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    assert (times_read(one) == 1).all()
    assert (times_read(two) == 1).all()


def test_parts_of_a_mosaic_share_its_scan():
    tiles = [numbers((12, 18, 36), seed) for seed in range(5)]
    sources, arrays = zip(*[recorded(tile, (1, 18, 36)) for tile in tiles], strict=True)
    both = biggus.LinearMosaic(arrays, axis=0)
    values = np.concatenate(tiles)
    if reduction_blocks.BLOCK == 1:
        assert biggus.plan([both.mean()]).tasks == 60
    anomaly = both[-12:].mean(axis=0) - both.mean(axis=0)
    expected = values[-12:].mean(axis=0) - values.mean(axis=0)
    plan = biggus.plan([anomaly])
    np.testing.assert_allclose(anomaly.ndarray(), expected, atol=1e-12)
    for source in sources:
        assert (times_read(source) == 1).all()
    assert plan.passes[0].times_read == 1
    assert plan.passes[0].requests == sum(len(source.boxes) for source in sources)


def test_part_of_a_part_shares_its_scan():
    values = numbers((60, 100))
    source, a = recorded(values, (12, 50))
    biggus.ndarrays([a[5:40].mean(), a[10:20, ::2].max(), a[12]])
    times = times_read(source)
    assert (times[5:40] == 1).all()
    assert not times[:5].any()
    assert not times[40:].any()


def test_overlapping_parts_are_read_separately():
    values = numbers((60, 100))
    source, a = recorded(values, (12, 50))
    plan = biggus.plan([a[:40].mean(), a[20:].max()])
    found = biggus.ndarrays([a[:40].mean(), a[20:].max()])
    np.testing.assert_allclose(found, [values[:40].mean(), values[20:].max()])
    assert (times_read(source)[20:40] == 2).all()
    assert plan.passes[0].times_read > 1


def test_scan_with_kept_results_reads_only_the_rest(tmp_path):
    values, others = numbers((60, 100)), numbers((60, 100), 1)
    one = RecordingSource(ObjectSource(Held(values), chunks=(12, 50), token="one"))
    two = RecordingSource(ObjectSource(Held(others), chunks=(12, 50), token="two"))
    a, b = biggus.ArrayAdapter(one), biggus.ArrayAdapter(two)
    with biggus.Cache(tmp_path) as cache, biggus.set_options(cache=cache):
        (a - b).mean().ndarray()
        a.mean().ndarray()
        one.boxes.clear(), two.boxes.clear()
        plan = biggus.plan([(a - b).mean(), a.mean(), b[:12].max()])
        found = biggus.ndarrays([(a - b).mean(), a.mean(), b[:12].max()])
    np.testing.assert_allclose(found, [(values - others).mean(), values.mean(), others[:12].max()])
    assert not one.boxes
    times = times_read(two)
    assert (times[:12] == 1).all()
    assert not times[12:].any()
    assert plan.requests == len(two.boxes)


def test_shared_scans_stay_within_the_memory_budget():
    values = numbers((40, 300, 400))
    source, a = recorded(values, (4, 300, 400))
    wanted = [a.std(axis=0), a[:30].std(axis=(1, 2)), a[::2].median(axis=0)]
    expected = [values.std(axis=0), values[:30].std(axis=(1, 2)), np.median(values[::2], axis=0)]
    for memory in ("400 MB", "70 MB"):
        with biggus.set_options(memory=memory, workers=1):
            plan = biggus.plan(wanted)
            for found, right in zip(biggus.ndarrays(wanted), expected, strict=True):
                np.testing.assert_allclose(found, right, rtol=1e-12)
        assert plan.peak_bytes <= int(memory.split()[0]) * 10**6
    assert source.boxes


@st.composite
def keys(draw):
    """Return a slice or an integer for each of two axes of 24."""
    found = []
    for _ in range(2):
        if draw(st.booleans()):
            found.append(draw(st.integers(-24, 23)))
        else:
            found.append(draw(st.slices(24)))
    return tuple(found)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(keys(), min_size=1, max_size=4),
    st.tuples(st.integers(1, 24), st.integers(1, 24)),
    st.sampled_from([None, 0, -1]),
)
def test_random_parts_share_one_read(parts, chunks, axis):
    values = numbers((24, 24))
    source, a = recorded(values, chunks)
    arrays, expected = [a.sum(axis=axis)], [values.sum(axis=axis)]
    for key in parts:
        arrays += [a[key].sum(axis=None), a[key]]
        expected += [values[key].sum(), values[key]]
    for found, right in zip(biggus.ndarrays(arrays), expected, strict=True):
        np.testing.assert_array_equal(found, right)
    assert (times_read(source) == 1).all()


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(keys(), min_size=1, max_size=3),
    st.tuples(st.integers(1, 8), st.integers(1, 8)),
    st.sampled_from([1, 4, 16, 64]),
    st.sampled_from([1, 4, 16, 64]),
)
def test_plan_counts_reads_of_blocks_that_do_not_nest(parts, chunks, run, block):
    values = numbers((24, 24))
    source, a = recorded(values, chunks)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reduction_blocks, "RUN", run)
        patch.setattr(reduction_blocks, "BLOCK", block)
        arrays = [a.T.sum(axis=0), *[a[key].sum() for key in parts]]
        plan = biggus.plan(arrays)
        found = biggus.ndarrays(arrays)
    for one, right in zip(
        found, [values.sum(axis=1), *[values[k].sum() for k in parts]], strict=True
    ):
        np.testing.assert_array_equal(one, right)
    assert plan.requests == len(source.boxes)
    assert (times_read(source) >= 1).all()


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.tuples(st.slices(9), st.slices(9)),
    st.tuples(st.integers(0, 8), st.integers(0, 8)),
    st.sampled_from([(True, False), (False, True), (True, True)]),
    st.tuples(st.integers(2, 9), st.integers(2, 9)),
)
def test_broadcast_parts_are_computed_with_the_whole(key, at, repeats, chunks):
    values = numbers((9, 9))
    _, a = recorded(values, chunks)
    one = tuple(
        slice(n, n + 1) if repeat else part
        for part, n, repeat in zip(key, at, repeats, strict=True)
    )
    wanted = [a, a[one] - a[key], (a[one] * a[key]).sum()]
    expected = [values, values[one] - values[key], (values[one] * values[key]).sum()]
    for found, right in zip(biggus.ndarrays(wanted), expected, strict=True):
        np.testing.assert_array_equal(found, right)


class PicklingExecutor(ThreadPoolExecutor):
    """Threads that pickle their tasks, except the sources, as processes do."""

    def submit(self, fn, *args):
        buffer = io.BytesIO()
        _Pickler(buffer).dump(args)
        return super().submit(fn, *_Unpickler(io.BytesIO(buffer.getvalue())).load())


class _Pickler(pickle.Pickler):
    def persistent_id(self, value):
        return id(value) if isinstance(value, RecordingSource) and known(value) else None


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, key):
        return _sources[key]


_sources = weakref.WeakValueDictionary()


def known(source):
    """Remember a source by its id."""
    _sources[id(source)] = source
    return True


@pytest.mark.parametrize("part", PARTS)
def test_pickled_tasks_share_their_reads(part):
    tiles = [numbers((12, 100, 50), seed) for seed in range(5)]
    sources, arrays = zip(*[recorded(tile, (4, 100, 50)) for tile in tiles], strict=True)
    a, values = biggus.LinearMosaic(arrays, axis=0), np.concatenate(tiles)
    key = PARTS[part]
    with PicklingExecutor(2) as executor, biggus.set_options(executor=executor):
        wanted = [(a * 2).sum(axis=0), (a[key] + 1).max(), a[key]]
        plan = biggus.plan(wanted)
        doubled, most, some = biggus.ndarrays(wanted)
    np.testing.assert_allclose(doubled, 2 * values.sum(axis=0), rtol=1e-14)
    assert most == values[key].max() + 1
    np.testing.assert_array_equal(some, values[key])
    assert all((times_read(source) == 1).all() for source in sources)
    assert plan.requests == sum(len(source.boxes) for source in sources)
