"""Deep expressions, as loops make them, do not overflow the interpreter's stack."""

from __future__ import annotations

import copy
import gc
import pickle
import sys
import weakref
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

import biggus
from biggus.testing import ArraySource, RecordingSource

LIMIT = 300
NUMBER = LIMIT + 50
DEEP = 10 * sys.getrecursionlimit()
VALUES = np.arange(12.0).reshape(3, 4)


@pytest.fixture(autouse=True)
def limited():
    """Lower the recursion limit, so that short chains of operations exceed it."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(LIMIT)
    yield
    sys.setrecursionlimit(before)


def chain(start, link, number):
    """Apply a link `number` times to a lazy array or an ndarray."""
    for _ in range(number):
        start = link(start)
    return start


LINKS = {
    "one operand": lambda y: y + 1,
    "two operands": lambda y: y + VALUES,
    "a broadcast constant": lambda y: y * VALUES[:1] % 7,
    "a column of itself": lambda y: (y + y[:, :1]) % 7,
    "a view in between": lambda y: (y + 1)[::-1, ::-1],
    "a cast": lambda y: y.astype("f4" if y.dtype == "f8" else "f8"),
    "where": lambda y: np.where(y > 5, y - 5, y + 1),
    "itself twice": lambda y: 3.7 * (y % 1) * (1 - y % 1),
    "a part of itself": lambda y: np.concatenate([y[1:], y[:1]]),
    "joined and split": lambda y: np.concatenate([y[:1], y[1:] + VALUES[1:]], axis=0) % 7,
    "joined along alternating axes": lambda y: np.concatenate(
        [np.concatenate([y, y], axis=0), np.concatenate([y, y], axis=0)], axis=1
    )[:3, :4],
    "a median": lambda y: y - np.median(y, axis=0, keepdims=True) + VALUES,
}


@pytest.fixture(params=LINKS, ids=[name.replace(" ", "-") for name in LINKS], scope="module")
def link(request):
    return LINKS[request.param]


@pytest.fixture(scope="module")
def lazy(link):
    return chain(biggus.ArrayAdapter(ArraySource(VALUES, (2, 3))), link, NUMBER)


@pytest.fixture(scope="module")
def expected(link):
    return chain(VALUES, link, NUMBER)


def test_deep_expression_is_read(lazy, expected, link):
    np.testing.assert_array_equal(lazy.ndarray(), expected)
    np.testing.assert_array_equal(lazy[1:, ::2].ndarray(), expected[1:, ::2])
    here = chain(biggus.ArrayAdapter(VALUES), link, NUMBER)
    np.testing.assert_array_equal(here.ndarray(), expected)


def test_deep_expression_is_planned_and_reduced(lazy, expected):
    assert biggus.plan([lazy, lazy.max(axis=0)]).tasks
    least, whole = biggus.ndarrays([lazy.min(axis=1), lazy])
    np.testing.assert_array_equal(whole, expected)
    np.testing.assert_array_equal(least, expected.min(axis=1))


def test_selection_of_a_deep_reduction(lazy, expected):
    np.testing.assert_array_equal(lazy.max(axis=0)[1:3].ndarray(), expected.max(axis=0)[1:3])


def test_deep_expression_is_saved(lazy, expected, tmp_path):
    biggus.save([lazy], [tmp_path / "deep.npy"])
    np.testing.assert_array_equal(np.load(tmp_path / "deep.npy"), expected)


def test_deep_expression_is_pickled_and_copied(lazy, expected):
    there = pickle.loads(pickle.dumps(lazy))
    assert (there.shape, there.dtype, there.masked) == (lazy.shape, lazy.dtype, lazy.masked)
    assert there.grid == lazy.grid
    assert repr(there) == repr(lazy) == repr(copy.copy(lazy)) == repr(copy.deepcopy(lazy))
    np.testing.assert_array_equal(there.ndarray(), expected)


def test_deep_expression_is_freed_without_recursion(link):
    gc.disable()
    try:
        values = VALUES.copy()
        alive = weakref.ref(values)
        chain(biggus.ArrayAdapter(values), link, NUMBER)
        del values
        assert alive() is None
    finally:
        gc.enable()


def test_deep_expression_is_computed_in_a_process():
    lazy = chain(biggus.ArrayAdapter(ArraySource(VALUES, (2, 3))), LINKS["itself twice"], NUMBER)
    with (
        ProcessPoolExecutor(1, get_context("spawn"), sys.setrecursionlimit, (LIMIT,)) as executor,
        biggus.set_options(executor=executor),
    ):
        there = lazy.mean().ndarray()
    assert there == lazy.mean().ndarray()


def test_deep_expression_plans_one_read_per_chunk():
    source = RecordingSource(ArraySource(VALUES, (2, 3)))
    lazy = chain(biggus.ArrayAdapter(source), LINKS["itself twice"], NUMBER)
    assert biggus.plan([lazy]).requests == 4


def test_deep_reductions_of_reductions():
    def link(y):
        return y - y.mean(axis=0) + VALUES

    lazy = chain(biggus.ArrayAdapter(VALUES), link, 60)
    np.testing.assert_allclose(lazy.ndarray(), chain(VALUES, link, 60))


def test_ten_thousand_operations():
    lazy = chain(biggus.ArrayAdapter(VALUES), LINKS["one operand"], DEEP)
    assert (lazy.ndarray() == VALUES + DEEP).all()
    assert biggus.plan([lazy.sum()]).tasks == 1
    assert lazy.sum().ndarray() == (VALUES + DEEP).sum()
    assert (pickle.loads(pickle.dumps(lazy)).ndarray() == VALUES + DEEP).all()


def test_sum_of_many_arrays():
    sources = [RecordingSource(ArraySource(VALUES + n, (2, 3))) for n in range(NUMBER)]
    total = sum(map(biggus.ArrayAdapter, sources))
    expected = sum(VALUES + n for n in range(NUMBER))
    np.testing.assert_array_equal(total.ndarray(), expected)
    np.testing.assert_allclose(total.mean(axis=0).ndarray(), expected.mean(axis=0))
    with ThreadPoolExecutor(1) as executor, biggus.set_options(executor=executor):
        np.testing.assert_array_equal(total.ndarray(), expected)
