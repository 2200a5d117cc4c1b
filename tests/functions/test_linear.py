"""The numpy.linalg functions of the array API standard match NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import biggus
from biggus.testing import UnreadableSource

A = np.arange(12.0).reshape(2, 2, 3) - 5
SQUARE = A[..., :2] + np.eye(2)
X = np.arange(4) - 1
LA = np.linalg

CASES = {
    "diagonal": (lambda a, s, x: LA.diagonal(a, offset=1)),
    "trace": (lambda a, s, x: LA.trace(a)),
    "matrix_transpose": (lambda a, s, x: LA.matrix_transpose(a)),
    "outer": (lambda a, s, x: LA.outer(x, x)),
    "tensordot": (lambda a, s, x: LA.tensordot(a, s, axes=((0, 1), (0, 1)))),
    "vecdot": (lambda a, s, x: LA.vecdot(a, a)),
    "vector_norm": (lambda a, s, x: LA.vector_norm(x)),
    "vector_norm of all": (lambda a, s, x: LA.vector_norm(a, ord=np.inf, keepdims=True)),
    "vector_norm of two axes": (lambda a, s, x: LA.vector_norm(a, axis=(0, 2), ord=1)),
    "matrix_norm": (lambda a, s, x: LA.matrix_norm(a, keepdims=True)),
    "matrix_norm of rows": (lambda a, s, x: LA.matrix_norm(a, ord=1)),
    "matrix_power": (lambda a, s, x: LA.matrix_power(s, 3)),
    "inverse power": (lambda a, s, x: LA.matrix_power(s, -1)),
    "matmul": (lambda a, s, x: LA.matmul(s, a)),
    "cross": (lambda a, s, x: LA.cross(a, a[..., ::-1])),
    "cross of columns": (lambda a, s, x: LA.cross(a.T, a.T + 1, axis=0)),
    "matrix_rank": (lambda a, s, x: LA.matrix_rank(s)),
    "matrix_rank within a tolerance": (lambda a, s, x: LA.matrix_rank(s, 0.1)),
    "matrix_rank of a vector": (lambda a, s, x: LA.matrix_rank(x)),
    "norm of big-endian values": (lambda a, s, x: LA.norm(a.astype(">f4"), 3, axis=0)),
    "norm of an empty array": (lambda a, s, x: LA.norm(x[:0], 1)),
    "pinv": (lambda a, s, x: LA.pinv(a)),
    "pinv with cutoffs": (lambda a, s, x: LA.pinv(a, np.array([1e-9, 0.5]))),
}


@pytest.mark.parametrize("case", CASES)
def test_values_and_dtypes_match_numpy(case):
    function = CASES[case]
    right = np.asarray(function(A, SQUARE, X))
    found = function(*[biggus.ArrayAdapter(each) for each in (A, SQUARE, X)])
    assert type(found) is biggus.Array
    assert found.dtype == right.dtype
    np.testing.assert_allclose(found.ndarray(), right, rtol=1e-13, atol=1e-13)
    unread = [UnreadableSource(each.shape, each.dtype) for each in (A, SQUARE, X)]
    assert function(*map(biggus.ArrayAdapter, unread)).shape == right.shape


def test_invalid_shapes_raise():
    with pytest.raises(ValueError, match="one-dimensional"):
        LA.outer(biggus.ones((2, 2)), biggus.ones(2))
    with pytest.raises(LA.LinAlgError):
        LA.matrix_power(biggus.ones((2, 3)), 2)
    with pytest.raises(LA.LinAlgError, match="two-dimensional"):
        LA.matrix_power(biggus.ones(()), 2)


@pytest.mark.parametrize(
    "call",
    [
        LA.inv,
        lambda a: LA.solve(a, np.ones((2, 2))),
        lambda a: LA.solve(np.eye(2), a),
        lambda a: LA.lstsq(a, np.ones(2)),
        lambda a: LA.matrix_power(a, 2),
        lambda a: LA.pinv(a, np.array([0.1])),
        LA.qr,
    ],
)
def test_missing_values_are_refused(call):
    matrix = np.ma.MaskedArray(2 * np.eye(2), [[False, False], [True, False]])
    with pytest.raises(TypeError, match="values can be missing"):
        call(biggus.ArrayAdapter(matrix))
