"""Steps of elementwise functions: their reads, errors, keys and masks."""

from __future__ import annotations

import copy
import fractions
import pickle

import numpy as np
import pytest
from lazy_calls import ADAPT, UFUNCS

import biggus
from biggus.testing import UnreadableSource


def test_building_an_expression_reads_nothing():
    a = ADAPT(UnreadableSource((3, 4), np.dtype("f8")))
    b = ADAPT(UnreadableSource((4,), np.dtype("i2")))
    expression = abs(-((a - b) ** 2) / 3 + np.sqrt(a) * np.ones((2, 1, 4)))
    expression = np.hypot(expression, 1.5)[0, ..., None] > divmod(b, 7)[1][:, None]
    assert expression.shape == (3, 4, 1)
    assert expression.dtype == bool
    repr(expression), expression._repr_html_()
    again = pickle.loads(pickle.dumps(expression))
    assert again.shape == copy.deepcopy(expression).shape == (3, 4, 1)


def test_indexed_expression_reads_only_the_needed_chunks(recorded):
    values = np.arange(10_000.0).reshape(100, 100)
    one, other = recorded(values), recorded(np.arange(100.0))
    a, b = ADAPT(one, chunks=(10, 16)), ADAPT(other, chunks=(16,))
    expression = (a - b) ** 2
    np.testing.assert_array_equal(
        expression[5, ::50].ndarray(), ((values - other.values) ** 2)[5, ::50]
    )
    assert one.touched((10, 16)) == {(0, 0), (0, 3)}
    assert {box[0].start // 16 for box in other.boxes} == {0, 3}
    one.boxes.clear()
    np.testing.assert_array_equal(
        expression[[7, 93], [99, 0]].ndarray(), ((values - other.values) ** 2)[[7, 93], [99, 0]]
    )
    assert one.touched((10, 16)) == {(0, 6), (9, 0)}


def test_repeated_operand_is_read_once(recorded):
    source = recorded(np.arange(12.0).reshape(3, 4))
    a = ADAPT(source)
    np.testing.assert_array_equal((a * a).ndarray(), source.values**2)
    assert len(source.boxes) == 1
    scalar = recorded(np.array(3.0))
    np.testing.assert_array_equal((a + ADAPT(scalar)).ndarray(), source.values + 3)
    assert len(scalar.boxes) == 1


def test_numpy_warnings_appear_at_evaluation():
    a = ADAPT(np.array([1.0, 0.0]))
    quotient = 1 / a
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        quotient.ndarray()
    with np.errstate(divide="ignore"):
        quotient.ndarray()
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        quotient.ndarray()
    chunked = 1 / ADAPT(Slow(np.zeros((4, 4))), chunks=(1, 4))
    with np.errstate(divide="ignore"):
        assert np.isinf(chunked.ndarray()).all()
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        chunked.ndarray()


class Slow:
    """A plain object, which counts as I/O-bound and is therefore read by threads."""

    def __init__(self, values):
        self.values, self.shape, self.dtype = values, values.shape, values.dtype

    def __getitem__(self, box):
        return self.values[box]


def test_errors_that_depend_on_values_appear_at_evaluation():
    power = ADAPT(np.array([2, 3])) ** -1
    with pytest.raises(ValueError, match="negative integer powers"):
        power.ndarray()


def step_of(array):
    return array.node.step


@pytest.mark.parametrize("name", sorted(UFUNCS))
def test_every_ufunc_step_pickles_and_has_a_key(name):
    ufunc = UFUNCS[name]
    for dtype in ("f8", "i8", "?", "U2", "M8[D]"):
        lazy = biggus.zeros(3, dtype)
        try:
            found = ufunc(*[lazy] * ufunc.nin)
        except (TypeError, ValueError):
            continue
        for one in found if isinstance(found, tuple) else (found,):
            step = step_of(one)
            again = pickle.loads(pickle.dumps(step))
            assert again.key == step.key
            assert ufunc.__name__ in step.key


def test_step_keys_are_equal_exactly_for_equal_steps():
    a = biggus.zeros(3, "f4")
    b = biggus.ones(3, "f4")
    groups = [
        [a + 1, np.add(a, 1), b + 1],
        [1 + a],
        [a + 1.0],
        [a + True],
        [a + np.float32(1), a + np.array(1, "f4")],
        [a + np.float64(1)],
        [a + np.array(1, ">i4"), a + np.int32(1)],
        [a + a, b + b],
        [a + b, b + a],
        [a + float("nan")],
        [a * 0.0],
        [a * -0.0],
        [a**2],
        [np.power(a, 2)],
        [np.add(a, 1, dtype="f8"), np.add(a, 1, dtype=float)],
        [divmod(a, 2)[0], np.divmod(a, 2)[0]],
        [divmod(a, 2)[1]],
        [a.astype("f8"), b.astype(float)],
        [a.astype(">f8")],
        [biggus.zeros(2, "U1") == "a"],
        [biggus.zeros(2, "S1") == b"a"],
        [biggus.zeros(2, "i2,f4")["f0"]],
        [biggus.zeros(2, "i2,f4")[["f0"]]],
    ]
    keys = [{step_of(array).key for array in group} for group in groups]
    assert all(len(group) == 1 for group in keys)
    every = [key for group in keys for key in group]
    assert len(set(every)) == len(groups)
    assert all(isinstance(key, str) for key in every)


def test_step_of_an_unknown_function_has_no_key():
    vectorized = np.frompyfunc(lambda x: x, 1, 1)
    lazy = biggus.ones(2, "O")
    assert step_of(vectorized(lazy)).key is None
    assert step_of(lazy + fractions.Fraction(1, 2)).key is None
    np.testing.assert_array_equal(vectorized(lazy + fractions.Fraction(1, 2)).ndarray(), [1.5, 1.5])


def test_step_reuses_the_memory_of_its_block():
    for make in (np.sqrt, lambda a: a + 1, lambda a: a**2, lambda a: 2 / a, lambda a: a * a):
        for values in (np.arange(1.0, 4), np.ma.masked_array([1.0, 2, 3], [False, True, False])):
            step = step_of(make(ADAPT(values)))
            block = values.copy()
            right = step(values)
            found = step.over(block)
            assert type(found) is type(right)
            assert found.dtype == right.dtype
            np.testing.assert_array_equal(np.ma.filled(found, 9), np.ma.filled(right, 9))
            if type(values) is np.ndarray:
                assert step.owns_data
                assert np.shares_memory(found, block)
                assert not np.shares_memory(right, values)
    for make in (lambda a: a > 1, np.isnan, lambda a: a.astype("f4") + 1, lambda a: np.modf(a)[0]):
        array = make(ADAPT(np.arange(3.0)))
        block = np.arange(3.0)
        assert not np.shares_memory(step_of(array).over(block), block)
        np.testing.assert_array_equal(block, np.arange(3.0))


def test_mask_does_not_depend_on_the_tile():
    """In a masked array, values outside of a function's domain are masked in all tiles."""
    plain = np.array([0.0, -1, 4])
    masked = np.ma.masked_array([0.0, -1, 4], [False, False, True])
    joined, whole = biggus.LinearMosaic([plain, masked]), np.ma.concatenate([plain, masked])
    for act in (lambda a: 1 / a, lambda a: a % 0.0, lambda a: a**-0.5, lambda a: 3 // a):
        with np.errstate(all="ignore"):
            right = act(whole)
            assert act(joined).masked_array().tolist() == right.tolist()
            assert act(joined)[:3].masked_array().tolist() == right[:3].tolist()
            assert not act(ADAPT(plain)).masked
    assert np.sqrt(joined).masked_array().tolist() == np.ma.sqrt(whole).tolist()
    keys = {step_of(1 / joined).key, step_of(1 / ADAPT(plain)).key}
    assert len(keys) == 2


@pytest.mark.parametrize("shape", [(), (1,), (1, 1), (1, 3), (3,)])
@pytest.mark.parametrize("missing", [True, False])
def test_masks_broadcast_with_their_values(shape, missing):
    small = np.ma.MaskedArray(np.ones(shape), mask=np.full(shape, missing))
    large = np.arange(6.0).reshape(2, 3)
    a, b = biggus.ArrayAdapter(small), biggus.ArrayAdapter(large)
    zero = biggus.ArrayAdapter(np.zeros(shape))
    for lazy, right in (
        (biggus.broadcast_to(a + zero, (2, 3)), np.ma.MaskedArray(np.ones((2, 3)), missing)),
        ((a + zero) + b, np.ma.MaskedArray(1 + large, missing)),
        ((a + zero)[None] * b, np.ma.MaskedArray((small + 0)[None] * large)),
        ((a + b.min()) + b, np.ma.MaskedArray(1 + large, missing)),
        (((a + zero) + b).min(axis=0), np.ma.MaskedArray(1 + large[0], missing)),
    ):
        found = lazy.masked_array()
        np.testing.assert_array_equal(np.ma.getmaskarray(found), np.ma.getmaskarray(right))
        np.testing.assert_array_equal(found.compressed(), right.compressed())


@pytest.mark.parametrize("shape", [(), (1,), (3, 4)])
@pytest.mark.parametrize("dtype", ["?", "u1", "i2", "f4", "f8"])
@pytest.mark.parametrize("masked", [False, True])
def test_where_with_python_scalars(shape, dtype, masked):
    values = np.ones(shape, dtype)
    a = biggus.ArrayAdapter(np.ma.MaskedArray(values, np.zeros(shape, bool)) if masked else values)
    for number in (0, 3, 0.5, True):
        chosen = biggus.where(a > 0, a, number)
        expected = np.where(values > 0, values, number)
        assert chosen.dtype == expected.dtype
        got = chosen.masked_array()
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(got, expected)
        further = (chosen + 2 * chosen).masked_array()  # so does the dtype of further results
        assert further.dtype == (expected + 2 * expected).dtype
        np.testing.assert_array_equal(further, expected + 2 * expected)
