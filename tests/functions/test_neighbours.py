"""Padding and gradients are lazy and match NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import biggus
from biggus.testing import UnreadableSource

VALUES = np.random.default_rng(1).normal(size=(6, 4, 5))
WHOLE = np.random.default_rng(2).integers(-9, 9, (6, 4, 5))
CONSTANTS = ((0, 0), (1, 2), (3, 4))

FUNCTIONS = {
    "pad": lambda a: np.pad(a, 1),
    "pad per axis": lambda a: np.pad(a, ((0, 0), (1, 2), (3, 0)), constant_values=CONSTANTS),
    "pad edge": lambda a: np.pad(a, (2, 1), mode="edge"),
    "pad reflect": lambda a: np.pad(a, 2, mode="reflect"),
    "pad symmetric": lambda a: np.pad(a, 2, mode="symmetric"),
    "pad wrap": lambda a: np.pad(a, 2, mode="wrap"),
    "pad odd": lambda a: np.pad(a, (7, 9), mode="reflect", reflect_type="odd"),
    "pad maximum": lambda a: np.pad(a, ((0, 1), (2, 2), (0, 0)), mode="maximum", stat_length=2),
    "pad median": lambda a: np.pad(a, 1, mode="median", stat_length=((1, 2), (3, 1), (2, 2))),
    "pad ramp": lambda a: np.pad(
        a, ((0, 0), (3, 4), (0, 0)), mode="linear_ramp", end_values=((0, 0), (2, 9), (0, 0))
    ),
    "gradient": lambda a: np.gradient(a, axis=1),
    "gradient with coordinates": lambda a: np.gradient(
        a, np.array([0, 1, 4, 9.0]), axis=1, edge_order=2
    ),
    "gradients": lambda a: np.gradient(a, 2.0)[2],
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("values", [VALUES, WHOLE], ids=["floats", "integers"])
def test_function_is_lazy_and_matches_numpy(name, values):
    function = FUNCTIONS[name]
    right = function(values)
    unread = function(biggus.ArrayAdapter(UnreadableSource(values.shape, values.dtype)))
    assert isinstance(unread, biggus.Array)
    got = function(biggus.ArrayAdapter(values, chunks=(2, 3, 5)))
    assert (got.shape, got.dtype) == (right.shape, right.dtype)
    np.testing.assert_array_equal(got.ndarray(), right)
    np.testing.assert_array_equal(got[-1, ..., ::-1].ndarray(), right[-1, ..., ::-1])
    np.testing.assert_allclose(got.max(axis=0).ndarray(), right.max(axis=0))


def test_invalid_arguments_raise():
    a = biggus.zeros((2, 3))
    with pytest.raises(TypeError, match=r"\.ndarray\(\)"):
        np.pad(a, 1, mode=lambda vector, *_: vector)
    with pytest.raises(TypeError, match="integral"):
        np.pad(a, 1.5)
    with pytest.raises(ValueError, match="unsupported keyword"):
        np.pad(a, 1, mode="edge", constant_values=1)
    with pytest.raises(ValueError, match="can't extend empty axis"):
        np.pad(a[:0], 1, mode="mean")
    with pytest.raises(ValueError, match="negative"):
        np.pad(a, -1)
    with pytest.raises(ValueError, match="too small"):
        np.gradient(a, axis=0, edge_order=2)


def test_axis_names_are_kept():
    a = biggus.ArrayAdapter(UnreadableSource((4, 6), dims=("time", "x")))
    assert np.pad(a, 1).dims == ("time", "x")
    assert np.gradient(a, axis=1).dims == ("time", "x")
    assert np.cumsum(a, axis=0).dims == ("time", "x")
    assert np.reshape(a, (2, 2, 6)).dims == ("dim_0", "dim_1", "x")
    assert np.sort(a, axis=1).mean("time").dims == ("x",)
