"""Values in another byte order than the promised dtype are accepted and swapped."""

from __future__ import annotations

import pickle
import sys

import numpy as np
import pytest

import biggus
from biggus.sources.byte_order import same_but_for_order
from biggus.testing import UnreadableSource

ADAPT = biggus.ArrayAdapter
NESTED = [("a", ">i4"), ("b", [("c", ">f8", (2,)), ("d", "<u2"), ("e", "S3")]), ("t", ">M8[s]")]
DTYPES = [
    *(">i2", "<i4", ">u8", ">f2", ">f4", "<f8", ">g", ">c8", ">c16", ">U3", "<U3", ">M8[ms]"),
    *("<m8[D]", "?", "u1", "S3", "V3", "O", "i2,>f4", NESTED),
]


def values_of(dtype):
    new = np.dtype(dtype)
    numbers = np.arange(12)
    if new.kind == "V" and new.names is None:
        return np.array([b"abc"] * 12, "S3").view(new).reshape(3, 4)
    if new.names is None:
        return numbers.astype(new).reshape(3, 4)
    made = np.zeros(12, new)
    for name in new.names:
        made[name] = values_of(new[name]).ravel() if new[name].shape == () else 1
    return made.reshape(3, 4)


class Other:
    """A plain object whose dtype differs from that of its values."""

    def __init__(self, values, dtype):
        self.values, self.shape, self.dtype = values, values.shape, np.dtype(dtype)

    def __getitem__(self, box):
        return self.values[box]


class OtherSource(UnreadableSource):
    def __init__(self, values, dtype, masked=False):
        super().__init__(values.shape, np.dtype(dtype))
        self.values, self.masked = values, masked

    def __getitem__(self, box):
        return self.values[(*box, ...)]


def equal(got, right):
    assert got.dtype == right.dtype
    assert got.shape == right.shape
    if right.dtype.names is None:
        np.testing.assert_array_equal(got, right)
    else:
        assert got.tobytes() == right.tobytes()


def test_explicit_native_byte_order_is_normalized():
    """Equal dtypes with different byte order marks would differ as dictionary keys."""
    named = np.dtype("f8").newbyteorder("<" if sys.byteorder == "little" else ">")
    assert named.byteorder != np.dtype("f8").byteorder
    values = np.arange(6.0).astype(named)
    array = ADAPT(values)
    for lazy in (array, array[1:], array * 2, array.mean(), ADAPT(Other(values, named))):
        assert lazy.dtype.byteorder == "="
        assert lazy.ndarray().dtype == np.dtype("f8")
    assert ADAPT(values.view(named.newbyteorder())).dtype.byteorder not in "=|"


@pytest.mark.parametrize("order", ["<", ">", "S"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("wrap", [Other, OtherSource])
def test_read_values_have_the_promised_dtype(wrap, dtype, order):
    right = values_of(dtype)
    given = right.astype(right.dtype.newbyteorder(order))
    array = ADAPT(wrap(given, right.dtype))
    for key in (..., np.s_[1:, ::2], 0, [2, 0], np.s_[1, 1, ...]):
        equal(array[key].ndarray(), right[key])
    chunked = ADAPT(Other(given, right.dtype), chunks=(2, 3))
    equal(chunked.ndarray(), right)
    whole = ADAPT(wrap(given[1, 1, ...], right.dtype))
    equal(whole.ndarray(), right[1, 1, ...])
    joined = biggus.LinearMosaic([array, right])
    equal(joined.ndarray(), np.concatenate([right, right]))
    grid = biggus.GridMosaic(lambda _: given, (2, 1), (3, 4), right.dtype)
    equal(grid.ndarray(), np.concatenate([right, right]).astype(right.dtype))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", [">i2", "<i4", ">f4", "<f8", ">c8", ">M8[D]"])
def test_expressions_of_swapped_values(dtype, order):
    right = values_of(dtype)
    array = ADAPT(Other(right.astype(right.dtype.newbyteorder(order)), right.dtype), (2, 3))
    equal((array - array[:1]).ndarray(), right - right[:1])
    equal(array.max(axis=0).ndarray(), right.max(axis=0))
    if right.dtype.kind != "M":
        np.testing.assert_allclose(array.mean(axis=1).ndarray(), right.mean(axis=1), rtol=1e-6)
        equal((array * 2 + 1).ndarray(), right * 2 + 1)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_pickled_arrays(dtype, protocol):
    # NumPy unpickles to native order, unless the array is contiguous and the protocol 5.
    values = values_of(dtype)
    for right in (values, values[::-1, ::2], values.T, values[0, 1, ...]):
        again = pickle.loads(pickle.dumps(ADAPT(right), protocol))
        equal(again.ndarray(), right)
        if right.ndim == 2:
            joined = biggus.LinearMosaic([ADAPT(right)[1:], right])
            again = pickle.loads(pickle.dumps(joined, protocol))
            equal(again.ndarray(), np.concatenate([right[1:], right]))


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("dtype", [">i2", "<i4", ">f8", ">c8", ">M8[D]", "U3"])
def test_pickled_masked_arrays(dtype, protocol):
    values = np.ma.masked_array(values_of(dtype), np.arange(12).reshape(3, 4) % 5 == 0)
    for array in (ADAPT(values), ADAPT(values)[::-1, 1:]):
        again, right = pickle.loads(pickle.dumps(array, protocol)), array.masked_array()
        equal(again.masked_array(), right)
        np.testing.assert_array_equal(again.masked_array().mask, right.mask)


@pytest.mark.parametrize("order", ["<", ">"])
def test_masked_values(order):
    right = np.ma.masked_array(values_of(">f4"), np.arange(12).reshape(3, 4) % 5 == 0, fill_value=9)
    array = ADAPT(OtherSource(right.astype(order + "f4"), ">f4", masked=True))
    equal(array.masked_array(), right)
    assert array.sum().masked_array() == right.sum()


def test_native_dtype_with_big_endian_values():
    right = values_of(">f4")
    section = Other(right, np.dtype("f4").newbyteorder("="))  # as sections of FITS files
    equal(ADAPT(section)[1:].ndarray(), right[1:].astype("=f4"))


@pytest.mark.parametrize(
    ("given", "promised"),
    [
        *((">i4", "<i8"), (">i4", "<u4"), (">i4", ">f4"), (">U3", "<U4"), ("<M8[s]", ">M8[ms]")),
        *(("S3", "V3"), ("i2,>f4", "i2,<f8"), ("O", "<f8"), ("<f8", "O")),
        ([("a", "<i2")], [("b", ">i2")]),
    ],
)
def test_values_of_another_dtype_raise(given, promised):
    assert not same_but_for_order(np.dtype(given), np.dtype(promised))
    with pytest.raises(biggus.SourceError, match="got dtype"):
        ADAPT(Other(np.zeros(3, given), promised)).ndarray()
    with pytest.raises(biggus.SourceError, match="has dtype"):
        biggus.GridMosaic(lambda _: np.zeros(3, given), (1,), (3,), promised).ndarray()
