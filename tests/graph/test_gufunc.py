"""Generalized ufuncs of operands broadcast along core axes, loop axes or both."""

from __future__ import annotations

import numpy as np
import pytest

import biggus
from biggus.testing import ArraySource, RecordingSource

LINE = np.random.default_rng(4).normal(size=(1, 3, 1))
FUNCTIONS = {
    "fft": np.fft.fft,
    "argsort": np.argsort,
    "gradient": np.gradient,
    "sort": np.sort,
    "unwrap": np.unwrap,
    "cumsum": np.cumsum,
}
KEYS = [
    (),
    (..., 1),
    (1, ..., slice(None, None, -2)),
    (slice(1, 3), [2, 0]),
    (..., None, [0, 2], 0),
]


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_along_broadcast_axes_match_numpy(name, axis):
    function, shape = FUNCTIONS[name], (4, 3, 5)
    right = function(np.broadcast_to(LINE, shape), axis=axis)
    found = function(np.broadcast_to(biggus.ArrayAdapter(LINE), shape), axis=axis)
    assert isinstance(found, biggus.Array)
    for key in KEYS:
        np.testing.assert_allclose(found[key].ndarray(), right[key], atol=1e-12)
    np.testing.assert_allclose(
        (found - found[:1]).sum(axis=2).ndarray(), (right - right[:1]).sum(2)
    )


@pytest.mark.parametrize(
    "shape", [(3, 1, 1), (1, 4, 1), (1, 1, 4), (3, 4, 1), (1, 4, 4), (1, 1, 1)]
)
def test_linalg_of_broadcast_matrices_matches_numpy(shape):
    values = np.random.default_rng(7).normal(size=shape)
    lazy = np.broadcast_to(biggus.ArrayAdapter(values, chunks=(1, 2, 3)), (3, 4, 4))
    plain = np.broadcast_to(values, (3, 4, 4))
    for function in (np.linalg.matrix_norm, np.linalg.trace, np.linalg.svdvals):
        found = function(lazy)
        np.testing.assert_allclose(found.ndarray(), function(plain), atol=1e-12)
        np.testing.assert_allclose(found[[2, 0]].ndarray(), function(plain)[[2, 0]], atol=1e-12)
    product = np.matmul(lazy, lazy[..., :2])
    np.testing.assert_allclose(product.ndarray(), plain @ plain[..., :2], atol=1e-12)


def test_operand_broadcast_along_loop_axes_is_read_once():
    source = RecordingSource(ArraySource(np.arange(6.0).reshape(1, 6)))
    lazy = np.broadcast_to(biggus.ArrayAdapter(source), (1000, 6))
    found = np.fft.fft(lazy, axis=1)
    right = np.fft.fft(np.arange(6.0))
    np.testing.assert_allclose(found.ndarray(), np.broadcast_to(right, (1000, 6)))
    assert len(source.boxes) == 1


def test_lexsort_with_a_broadcast_key():
    key = np.random.default_rng(3).integers(0, 3, (1, 2, 5))
    lazy, plain = (np.broadcast_to(one, (4, 2, 5)) for one in (biggus.ArrayAdapter(key), key))
    other = np.random.default_rng(3).integers(0, 9, (4, 2, 5))
    for axis in (0, 1, 2):
        for found, right in (
            (np.lexsort((lazy, other), axis=axis), np.lexsort((plain, other), axis=axis)),
            (np.lexsort((other, lazy), axis=axis), np.lexsort((other, plain), axis=axis)),
        ):
            assert isinstance(found, biggus.Array)
            np.testing.assert_array_equal(found.ndarray(), right)
