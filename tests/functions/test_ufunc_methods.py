"""Methods of ufuncs are lazy and match NumPy."""

import itertools

import numpy as np
import pytest
from surface import check

UFUNCS = [np.add, np.multiply, np.maximum, np.minimum, np.logical_and, np.logical_or]


@pytest.mark.parametrize("ufunc", UFUNCS, ids=lambda ufunc: ufunc.__name__)
@pytest.mark.parametrize("dtype", [None, "?", "i4", "f4", "c16"])
def test_reduce_takes_a_dtype(ufunc, dtype):
    for kind, shape in itertools.product(["?", ">i2", "f8"], [(3, 4), (0, 2), ()]):
        values = (np.arange(np.prod(shape, dtype=int)).reshape(shape) % 5).astype(kind)
        for axis in (None, 0, -1, (0, 1)):
            check(lambda a, axis=axis: ufunc.reduce(a, axis, dtype, keepdims=True), values)


@pytest.mark.parametrize("ufunc", [np.logical_and, np.logical_or])
@pytest.mark.parametrize("initial", [None, True, 0, 2.5])
def test_logical_reduce_takes_an_initial_value(ufunc, initial):
    values = np.array([[1, 1, 0], [1, 0, 0]])
    check(lambda a: ufunc.reduce(a, initial=initial), values)
    check(lambda a: ufunc.reduce(a, None, initial=initial, keepdims=True), values)


@pytest.mark.parametrize("name", ["any", "all"])
@pytest.mark.parametrize("dtype", ["?", "i4", "c8", "M8[s]", "S3", "U2"])
def test_any_and_all_with_where(name, dtype):
    values = np.array([0, 1, 2, 0]).astype(dtype)
    for where in (False, True, np.array([True, False, False, True])):
        check(lambda a, where=where: getattr(np, name)(a, where=where), values)


@pytest.mark.parametrize("name", ["sum", "prod", "min", "max", "nansum", "nanmin", "nanmax"])
def test_initial_value_of_empty_or_excluded_values(name):
    function = getattr(np, name)
    for dtype, shape in itertools.product(["i4", "f4", ">f8"], [(3, 4), (0, 2), (2, 0), (0,), ()]):
        values = np.asarray(np.arange(np.prod(shape, dtype=int)).reshape(shape) - 5).astype(dtype)
        where = values % 3 > 0
        for axis, keepdims in itertools.product([None, 0, -1], [False, True]):
            keywords = {"axis": axis, "keepdims": keepdims, "initial": 2}
            check(lambda a, keywords=keywords: function(a, **keywords), values)
            check(
                lambda a, keywords=keywords, where=where: function(a, where=where, **keywords),
                values,
            )


@pytest.mark.parametrize("axis", [0, -1, 1, -3])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_accumulate_along_any_axis(axis, shape):
    check(lambda a: np.subtract.accumulate(a, axis), np.ones(shape))
