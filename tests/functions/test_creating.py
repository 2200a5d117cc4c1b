"""Functions of NumPy's that create arrays, with ``like=`` a lazy array."""

from __future__ import annotations

import io

import numpy as np
import pytest

import biggus
from biggus.testing import UnreadableSource

LIKE = biggus.ArrayAdapter(UnreadableSource((3, 4)))

CALLS = {
    "arange": lambda **like: np.arange(2, 9, 2, dtype="i2", **like),
    "array": lambda **like: np.array([[1, 2]], "f4", ndmin=3, **like),
    "asanyarray": lambda **like: np.asanyarray((1, 2), **like),
    "asarray": lambda **like: np.asarray([1.5, 2], **like),
    "ascontiguousarray": lambda **like: np.ascontiguousarray(3, **like),
    "asfortranarray": lambda **like: np.asfortranarray([[1, 2], [3, 4]], dtype="u1", **like),
    "eye": lambda **like: np.eye(3, 4, k=1, dtype=int, **like),
    "frombuffer": lambda **like: np.frombuffer(b"abcdefgh", "u2", **like),
    "fromfunction": lambda **like: np.fromfunction(lambda i, j: i - j, (2, 3), **like),
    "fromfunction of one value": lambda **like: np.fromfunction(lambda i: 3, (2,), **like),
    "fromiter": lambda **like: np.fromiter(iter([1, 2]), "f8", **like),
    "fromstring": lambda **like: np.fromstring("1 2", sep=" ", **like),
    "full": lambda **like: np.full((2, 3), 7, **like),
    "full of rows": lambda **like: np.full((2, 3), [1, 2, 3], "f4", "F", **like),
    "genfromtxt": lambda **like: np.genfromtxt(io.StringIO("1,2"), delimiter=",", **like),
    "identity": lambda **like: np.identity(3, **like),
    "loadtxt": lambda **like: np.loadtxt(io.StringIO("1 2\n3 4"), **like),
    "ones": lambda **like: np.ones((2, 3), "c8", **like),
    "require": lambda **like: np.require([1, 2], "f4", ["C"], **like),
    "tri": lambda **like: np.tri(3, k=-1, **like),
    "zeros": lambda **like: np.zeros(4, dtype=None, **like),
    "zeros of texts": lambda **like: np.zeros((), "U3", **like),
}


@pytest.mark.parametrize("name", CALLS)
def test_arrays_like_a_lazy_one_are_lazy(name):
    made, expected = CALLS[name](like=LIKE), np.asarray(CALLS[name]())
    assert type(made) is biggus.Array
    assert (made.dtype, made.shape) == (expected.dtype, expected.shape)
    np.testing.assert_array_equal(made.ndarray(), expected)


def test_empty_arrays_are_zeros_and_take_no_memory():
    made = np.empty((2**40, 2**20), "i2", like=LIKE)
    assert made.shape == (2**40, 2**20)
    assert made[5:7, 3].ndarray().tolist() == [0, 0]


@pytest.mark.parametrize(
    "convert", [np.array, np.asarray, np.asanyarray, np.ascontiguousarray, np.require]
)
def test_lazy_arrays_are_converted_without_reading(convert):
    assert convert(LIKE, like=LIKE).shape == LIKE.shape
    assert convert(LIKE, "i4", like=LIKE).dtype == np.int32


def test_least_number_of_axes_of_a_lazy_array():
    assert np.array(LIKE, ndmin=4, like=LIKE).shape == (1, 1, 3, 4)
    assert np.ascontiguousarray(LIKE[0, 0], like=LIKE).shape == (1,)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda **like: np.full(3, 1, device="gpu", **like), ValueError),
        (lambda **like: np.ones(3, order="X", **like), ValueError),
        (lambda **like: np.zeros(-1, **like), ValueError),
        (lambda **like: np.asarray("a", "f4", **like), ValueError),
        (lambda **like: np.eye(3, "x", **like), TypeError),
    ],
)
def test_errors_are_those_of_numpy(call, error):
    for like in ({}, {"like": LIKE}):
        with pytest.raises(error):
            call(**like)
