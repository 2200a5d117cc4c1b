"""Small arrays are read and computed without a plan, with the same values as with one."""

import itertools

import numpy as np
import pytest

import biggus
from biggus.engine.small import evaluate_small
from biggus.sources.base import Source

VALUES = np.arange(60.0).reshape(3, 4, 5)
MASKED = np.ma.masked_where(VALUES % 7 == 0, VALUES)

EXPRESSIONS = {
    "a part": lambda a: a[1, 1:3],
    "an element": lambda a: a[1, 2, 3],
    "all": lambda a: a,
    "the same values": lambda a: +a,
    "a cast": lambda a: a.astype("f4"),
    "a stride": lambda a: a[::2, ::-1],
    "other axes": lambda a: a.transpose(2, 0, 1)[:, None],
    "a broadcast": lambda a: a[0] + a[:, :1, :1] * a,
    "a product with itself": lambda a: a * a,
    "a mean": lambda a: (a - a[0]).mean(axis=(0, 2)),
    "a mean of all": lambda a: (a - 1).mean(),
    "a spread": lambda a: a.std(axis=1, ddof=1, keepdims=True),
    "an extreme": lambda a: (a * 2).max(axis=0),
    "anomalies": lambda a: ((a - a.mean(axis=0)) / a.std(axis=0)).max(axis=(1, 2)),
    "a part of a mean": lambda a: a.mean(axis=0)[1:, 0] * 2,
    "a range": lambda a: a.max() - a.min(),
    "a variance of means": lambda a: a.mean(axis=(0, 1)).var() + a[0, 0, 0],
    "nothing": lambda a: a[:0],
}


@pytest.mark.parametrize("expression", EXPRESSIONS.values(), ids=EXPRESSIONS)
@pytest.mark.parametrize("values", [VALUES, MASKED], ids=["plain", "masked"])
def test_values_match_a_planned_evaluation(values, expression):
    found = expression(biggus.ArrayAdapter(values)).masked_array()
    with biggus.set_options(deadline=1e6):
        assert evaluate_small([expression(biggus.ArrayAdapter(values)).node]) is None
        planned = expression(biggus.ArrayAdapter(values)).masked_array()
    assert found.dtype == planned.dtype
    assert found.shape == planned.shape
    np.testing.assert_array_equal(found.mask, planned.mask)
    np.testing.assert_array_equal(found.filled(-1), planned.filled(-1))


@pytest.mark.parametrize("expression", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_result_does_not_share_memory_with_the_source(expression):
    values = VALUES.copy()
    found = expression(biggus.ArrayAdapter(values)).ndarray()
    assert type(found) is np.ndarray
    assert found.flags.c_contiguous
    found[...] = -1
    np.testing.assert_array_equal(values, VALUES)


def test_shared_parts_are_computed_once():
    a = biggus.ArrayAdapter(np.full(3, 0.5))
    for _ in range(25):
        a = 3.7 * a * (1 - a)
    assert np.isfinite(a.ndarray()).all()
    assert np.isfinite(a.mean().ndarray())


def test_io_bound_sources_are_not_read_without_a_plan():
    class Waiting(Source):
        shape = (4,)
        dtype = np.dtype("f8")

        def __getitem__(self, box):
            raise AssertionError(box)

    array = biggus.ArrayAdapter(Waiting())
    for each in (array, array[1:2], array + array, array.mean()):
        assert evaluate_small([each.node]) is None


def test_several_results_are_computed_together():
    a = biggus.ArrayAdapter(MASKED)
    mean = a.mean(axis=0)
    arrays = [a, a, mean, mean, (a - mean).max()]
    assert evaluate_small([each.node for each in arrays]) is not None
    found = biggus.masked_arrays(arrays)
    for array, one in zip(arrays, found, strict=True):
        np.testing.assert_array_equal(one, array.masked_array())
    for one, other in itertools.combinations(found, 2):
        assert not np.shares_memory(one, other)


@pytest.mark.parametrize("name", ["mean", "std", "sum", "prod"])
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_values_of_uneven_chunks_match_a_planned_evaluation(name, axis):
    values = np.random.default_rng(5).normal(size=(31, 17))
    a = biggus.ArrayAdapter(values, chunks=(7, (5, 2, 6, 4)))
    for array in (getattr(a, name)(axis), (a - getattr(a, name)(axis, keepdims=True)).sum(axis)):
        found = array.ndarray()
        with biggus.set_options(deadline=1e6):
            planned = array.ndarray()
        assert found.tobytes() == planned.tobytes()
