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


@pytest.mark.parametrize("name", ["sum", "prod", "min", "max", "nansum", "nanmin", "nanmax"])
def test_an_initial_value_of_values_that_may_be_none(name):
    function = getattr(np, name)
    for dtype, shape in itertools.product(["i4", "f4", ">f8"], [(3, 4), (0, 2), (2, 0), (0,), ()]):
        values = np.asarray(np.arange(np.prod(shape, dtype=int)).reshape(shape) - 5).astype(dtype)
        where = values % 3 > 0
        for axis, keepdims in itertools.product([None, 0, -1], [False, True]):
            how = {"axis": axis, "keepdims": keepdims, "initial": 2}
            check(lambda a, how=how: function(a, **how), values)
            check(lambda a, how=how, where=where: function(a, where=where, **how), values)
