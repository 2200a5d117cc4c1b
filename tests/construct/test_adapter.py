"""ArrayAdapter: the attributes that objects must have, and the values that they must return."""

from __future__ import annotations

import numpy as np
import pytest

import biggus
from biggus.errors import SourceError
from biggus.sources.base import Source


def test_undeclared_masked_values_raise(recorded):
    values = recorded(np.ma.masked_array([1.0, 2.0], [True, False]))
    with pytest.raises(SourceError, match="masked=True"):
        biggus.ArrayAdapter(values).ndarray()
    assert biggus.ArrayAdapter(values, masked=True).masked_array().mask[0]


@pytest.mark.parametrize("chunks", [[2, 3], [[3, 1], [4, 2]], ([3, 1], 3)])
def test_chunks_of_a_source_may_be_lists(chunks):
    values = np.arange(24.0).reshape(4, 6)

    class Listed(Source):
        shape, dtype = values.shape, values.dtype

        def __getitem__(self, box):
            return values[box]

    source = Listed()
    source.chunks = chunks
    array = biggus.ArrayAdapter(source)
    assert np.array_equal(array[1:, ::2].ndarray(), values[1:, ::2])
    assert np.array_equal(array[::2].mean(axis=0).ndarray(), values[::2].mean(axis=0))
    assert (array - array.mean()).std().ndarray() == pytest.approx(values.std())


class WrongAnswer:
    """A plain object that returns or raises `answer`."""

    shape, dtype = (4,), np.dtype("i4")

    def __init__(self, answer):
        self.answer = answer

    def __getitem__(self, box):
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (np.zeros(3, "i4"), "shape"),
        (np.zeros(4, "i8"), "dtype"),
        (None, "dtype|shape"),
        (OSError("no such thing"), "no such thing"),
        (KeyError("x"), "KeyError: 'x'"),
        (ZeroDivisionError(), "ZeroDivisionError"),
    ],
)
def test_error_names_the_source_that_breaks_its_contract(answer, message):
    with pytest.raises(SourceError, match=message) as caught:
        biggus.ArrayAdapter(WrongAnswer(answer)).ndarray()
    assert "WrongAnswer object [0:4]" in str(caught.value)
    assert "\n" not in str(caught.value)
    if isinstance(answer, Exception):
        assert caught.value.__cause__ is answer


@pytest.mark.parametrize("missing", ["shape", "dtype", "__getitem__"])
def test_object_without_a_required_attribute_raises(missing):
    names = {"shape": (1,), "dtype": np.dtype("i4"), "__getitem__": lambda self, box: None}
    del names[missing]
    with pytest.raises(TypeError, match=missing):
        biggus.ArrayAdapter(type("Lacking", (), names)())


def test_shapes_and_dtypes_are_normalised():
    class Loose:
        shape, dtype = [np.int64(2), 3], "u1"

        def __getitem__(self, box):
            return np.zeros((2, 3), "u1")[box]

    array = biggus.ArrayAdapter(Loose())
    assert array.shape == (2, 3)
    assert all(type(n) is int for n in array.shape)
    assert biggus.ArrayAdapter(Loose()).dtype == np.dtype("u1")

    class Negative(Loose):
        shape = (-1, 3)

    with pytest.raises(ValueError, match="negative"):
        biggus.ArrayAdapter(Negative())


def test_adapting_an_array_returns_it():
    array = biggus.ones(3)[1:]
    np.testing.assert_array_equal(biggus.ArrayAdapter(array).ndarray(), [1, 1])
    with pytest.raises(TypeError):
        biggus.ArrayAdapter(array, chunks=(1,))


def test_matrices_and_memmaps_are_plain_arrays(tmp_path, check_same):
    memmap = np.memmap(tmp_path / "values", "i4", "w+", shape=(4, 3))
    memmap[:] = np.arange(12).reshape(4, 3)
    check_same(lambda: biggus.ArrayAdapter(memmap)[1:, ::2], lambda: np.asarray(memmap)[1:, ::2])
    matrix = np.arange(4).reshape(2, 2).view(np.matrix)
    check_same(lambda: biggus.ArrayAdapter(matrix)[0], lambda: np.asarray(matrix)[0])
    structured = np.ma.masked_array(np.zeros(2, "i2,f4"))
    with pytest.raises(TypeError, match="structured"):
        biggus.ArrayAdapter(structured)
