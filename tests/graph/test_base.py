"""A new kind of node needs one file: its methods suffice for all operations."""

from __future__ import annotations

import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from rolled import Rolled

import biggus
from biggus.array import Array
from biggus.engine.fingerprint import fingerprint
from biggus.errors import CacheError
from biggus.indexing.selection import Selection
from biggus.labels import labels_of
from biggus.planning.rewriting import CommonSubexpressions
from biggus.testing import ArraySource, RecordingSource

VALUES = np.random.default_rng(1).normal(0, 1, (7, 10))

OPERANDS = {
    "a source": lambda a: a,
    "an expression": lambda a: a * 2 - a[::-1],
    "a mosaic": lambda a: np.concatenate([a[:3], a[3:] * 2]),
    "a median": lambda a: a - np.median(a, axis=0),
    "a reduction": lambda a: a - a.mean(axis=0, keepdims=True),
    "values that can be missing": np.log,
}


def roll(array, shift=3, axis=1):
    if isinstance(array, Array):
        return Array.from_node(Rolled(array.node, shift, axis))
    return np.roll(array, shift, axis)


def lazy(**options):
    source = RecordingSource(ArraySource(VALUES, (2, 4), **options))
    return source, biggus.ArrayAdapter(source)


@pytest.fixture(params=OPERANDS, ids=[name.replace(" ", "-") for name in OPERANDS])
def pair(request):
    """Return a rolled lazy array and the same values from NumPy."""
    make = OPERANDS[request.param]
    with np.errstate(invalid="ignore"):
        return roll(make(lazy()[1])), roll(make(VALUES))


KEYS = [
    np.s_[:],
    np.s_[1:5, ::-2],
    np.s_[3],
    np.s_[:, 2],
    np.s_[[4, 0, 4], 1:],
    np.s_[:, [9, 0, 2, 3]],
    np.s_[None, ..., 5:7],
    np.s_[2:2],
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_selection_matches_numpy(pair, key):
    array, expected = pair
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(array[key].ndarray(), expected[key])
        np.testing.assert_allclose((array[key] + 1).T.ndarray(), (expected[key] + 1).T)


@pytest.mark.parametrize("axis", [0, 1])
def test_reductions_match_numpy(pair, axis):
    array, expected = pair
    wanted = [array.mean(), array.std(axis=axis), array.max(axis=axis)[::2][:2]]
    with np.errstate(invalid="ignore"):
        found = biggus.ndarrays(wanted)
    np.testing.assert_allclose(found[0], expected.mean())
    np.testing.assert_allclose(found[1], expected.std(axis=axis))
    np.testing.assert_allclose(found[2], expected.max(axis=axis)[::2][:2])


def test_plan():
    source, a = lazy()
    plan = biggus.plan([roll(a).mean()])
    assert plan.read_bytes == VALUES.nbytes
    assert plan.passes[0].tasks == 1
    assert source.boxes == []


def test_prefetch(tmp_path):
    with pytest.raises(CacheError, match="not cached"):
        biggus.prefetch(roll(lazy()[1]))
    source = RecordingSource(ArraySource(VALUES, (2, 4), token="values"))
    with biggus.Cache(tmp_path) as cache:
        a = biggus.ArrayAdapter(source, cache=cache)
        biggus.prefetch(roll(a)[:2])
        assert 0 < cache.stats().entries < 12
        del source.boxes[:]
        np.testing.assert_array_equal(roll(a)[:2].ndarray(), roll(VALUES)[:2])
        assert not source.boxes


def test_shared_operands_are_read_at_most_once_per_position():
    source, a = lazy()
    y, expected = a, VALUES
    for _ in range(40):
        y, expected = y + roll(y), expected + roll(expected)
    np.testing.assert_array_equal(y.ndarray(), expected)
    times = np.zeros(VALUES.shape, int)
    for box in source.boxes:
        times[box] += 1
    # The rolled operand is read beside the original: one part for each position of it.
    assert times.max() <= 40


def test_tiles_of_a_mosaic():
    _, a = lazy()
    joined = np.concatenate([roll(a), a, roll(a, 2, 0)])
    expected = np.concatenate([roll(VALUES), VALUES, roll(VALUES, 2, 0)])
    np.testing.assert_array_equal(joined[3:18, ::3].ndarray(), expected[3:18, ::3])


def test_pickle_round_trip(pair):
    array, expected = pair
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(pickle.loads(pickle.dumps(array)).ndarray(), expected)


def test_evaluation_in_processes():
    _, a = lazy()
    with ProcessPoolExecutor(1, get_context("spawn")) as pool, biggus.set_options(executor=pool):
        there = (roll(a) - a).max(axis=0).ndarray()
    np.testing.assert_array_equal(there, (roll(VALUES) - VALUES).max(axis=0))


def test_labels():
    source = ArraySource(VALUES, (2, 4))
    source.dims = "y", "x"
    assert labels_of(roll(biggus.ArrayAdapter(source))[3].node).dims == ("x",)


def identifiers(array):
    return fingerprint(array.node, Selection.identity(array.shape)).identity


def test_fingerprints():
    a, same = lazy()[1], lazy()[1]
    assert identifiers(roll(a)) == identifiers(roll(same))
    others = [a, roll(a, 2), roll(a, 3, 0), roll(a) + 1, roll(a[::-1])]
    assert len({identifiers(each) for each in [roll(a), *others]}) == 6


def test_partial_results_are_kept(tmp_path):
    source, a = lazy()
    with biggus.set_options(cache=biggus.Cache(tmp_path), keep_partials=True):
        first = roll(a).mean().ndarray()
        reads = len(source.boxes)
        assert biggus.plan([roll(a).mean()]).requests == 0
        assert roll(a).mean().ndarray() == first
    assert len(source.boxes) == reads


def test_equal_nodes_are_interned():
    a = lazy()[1]
    intern = CommonSubexpressions()
    assert intern(roll(a).node) is intern(roll(a).node)
    assert intern(roll(a).node) is not intern(roll(a, 2).node)
