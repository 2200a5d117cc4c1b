"""Operators and ufuncs of lazy arrays: values, dtypes, shapes and errors are those of NumPy."""

from __future__ import annotations

import fractions
import itertools
import operator

import numpy as np
import pytest
from lazy_calls import ADAPT, DTYPES, UFUNCS, check_call, values_of

import biggus
from biggus.testing import UnreadableSource


def test_ufuncs_of_numpy_are_found():
    assert len(UFUNCS) > 90


@pytest.mark.parametrize("name", sorted(UFUNCS))
@pytest.mark.filterwarnings("ignore:The 'generic' unit:DeprecationWarning")
def test_every_ufunc_of_every_dtype(name, check_same):
    ufunc = UFUNCS[name]
    if ufunc in (np.equal, np.not_equal):  # below
        return
    if ufunc.nin > 2:
        many = [values_of(dtype, (3,)) for dtype in ("U2", "i8", "f4")]
        for operands in itertools.product(many, repeat=ufunc.nin):
            check_call(check_same, ufunc, *operands)
        return
    for dtypes in itertools.product(DTYPES, repeat=ufunc.nin):
        operands = [values_of(dtype, (2, 3), start) for start, dtype in enumerate(dtypes)]
        check_call(check_same, ufunc, *operands)


@pytest.mark.parametrize(("act", "ufunc"), [(operator.eq, np.equal), (operator.ne, np.not_equal)])
def test_incomparable_values_are_unequal(act, ufunc, check_same):
    """NumPy's scalars and arrays call the ufunc; if it failed they would read the lazy array."""
    for dtypes in itertools.product(DTYPES, repeat=2):
        one, other = (values_of(dtype, (2, 3), start) for start, dtype in enumerate(dtypes))
        try:
            ufunc(one, other)
            check_call(check_same, ufunc, one, other)
        except TypeError:
            lazy = ADAPT(UnreadableSource(other.shape, other.dtype))
            if "V2" not in dtypes:  # NumPy itself refuses to compare these
                assert type(act(one, lazy)) is type(act(one[0, 0], lazy)) is biggus.Array
            check_same(
                lambda one=one, other=other: ufunc(one, ADAPT(other)),
                lambda one=one, other=other: act(one, other),
            )


HUGE = (2**40, 2**63, 2**64)
SCALARS = [
    *(True, 0, 1, -1, 2, 300, *HUGE, -(2**63), 2.5, 1e300, float("nan"), 1j),
    *("1", b"1", None, np.uint8(200), np.float32(3), np.float64(3), np.complex64(2)),
    *(np.datetime64("2001-01-01"), np.timedelta64(3, "s"), np.array(7, "i2"), np.array(2.5)),
    fractions.Fraction(1, 3),
]
BINARY = [
    *(operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv),
    *(operator.mod, operator.pow, operator.lshift, operator.rshift, operator.and_),
    *(operator.or_, operator.xor, operator.lt, operator.le, operator.gt, operator.ge),
    *(operator.eq, operator.ne, divmod),
]


@pytest.mark.parametrize("act", BINARY)
@pytest.mark.filterwarnings("ignore:The 'generic' unit:DeprecationWarning")
def test_operators_with_scalars_promote_as_numpy(act, check_same):
    """Python numbers are weak; numbers out of range raise."""
    for dtype, scalar in itertools.product(DTYPES, SCALARS):
        if (
            dtype == "O"
            and act in (operator.pow, operator.lshift)
            and any(scalar is one for one in HUGE)
        ):
            continue  # Python would compute all digits
        values = values_of(dtype, (3,))
        check_call(check_same, act, values, scalar)
        if act is not operator.mod or not isinstance(scalar, (str, bytes)):  # it would be formatted
            check_call(check_same, act, scalar, values)


@pytest.mark.parametrize("act", [*BINARY, operator.matmul])
def test_operators_with_arrays(act, check_same):
    shapes = [(), (1,), (3,), (2, 3), (2, 1), (4, 1, 3), (0,), (2, 0), (4,)]
    for one, other in itertools.product(shapes, repeat=2):
        a, b = values_of("i4", one), values_of("f4", other)
        check_call(check_same, act, a, b)
        check_call(check_same, act, a.view(Plain), b)
        check_call(check_same, act, a, b.view(Plain))


class Plain(np.ndarray):
    """A subclass of ndarray without behaviour of its own."""


@pytest.mark.parametrize("act", [operator.neg, operator.pos, abs, operator.invert])
def test_unary_operators(act, check_same):
    for dtype, shape in itertools.product(DTYPES, [(), (3,), (0, 2)]):
        check_call(check_same, act, values_of(dtype, shape))


def test_ndarray_on_the_left_defers_to_the_lazy_array():
    lazy = ADAPT(UnreadableSource((2, 3), np.dtype("f4")))
    for left in (np.ones((2, 3)), np.float64(2), np.ones(()), np.arange(3)):
        for act in BINARY[:7] + BINARY[12:18]:
            found = act(left, lazy)
            assert type(found) is biggus.Array
            assert found.shape == (2, 3)


@pytest.mark.parametrize("dtype", ["f4", "f8", np.complex128, "i4", "U3"])
@pytest.mark.parametrize("casting", ["no", "equiv", "safe", "same_kind", "unsafe"])
def test_dtype_and_casting_are_honoured(dtype, casting, check_same):
    for ufunc in (np.add, np.sqrt, np.less, np.divmod):
        operands = [values_of("i4", (3,)), values_of("f4", (3,))][: ufunc.nin]
        check_call(check_same, ufunc, *operands, dtype=dtype, casting=casting)
        check_call(check_same, ufunc, *operands, dtype=dtype, subok=False, order="F")


def test_signature_is_honoured(check_same):
    values = values_of("i4", (3,))
    check_call(check_same, np.add, values, values, signature="dd->d")
    check_call(check_same, np.add, values, values, signature=(None, None, "f4"), casting="unsafe")
    check_call(check_same, np.add, values, values, no_such_keyword=1)


def test_unsupported_ufunc_calls_raise_with_advice():
    lazy = ADAPT(UnreadableSource((3,), np.dtype("f8")))
    for act, message in [
        (lambda: np.add(np.ones(3), 1, out=lazy), "out="),
        (lambda: np.less(lazy, 1, where=[True, False, True]), "biggus.where"),
        (lambda: np.arctan2.reduce(lazy), r"\.ndarray\(\)"),
        (lambda: np.add.reduceat(lazy, [0, 1]), r"\.ndarray\(\)"),
        (lambda: np.add.at(lazy, [0], 1), "not change"),
        (lambda: np.ma.masked_array([1, 2, 3]) + lazy, r"put the lazy operand first"),
        (lambda: np.ma.masked_array([1, 2, 3]) == lazy, r"put the lazy operand first"),
        (lambda: np.ma.sqrt(lazy), r"\.masked_array\(\)"),
        (lambda: round(lazy), r"\.round\(\)"),
        (lambda: 1 in lazy, r"\.ndarray\(\)"),
    ]:
        with pytest.raises(TypeError, match=message):
            act()
    assert np.add(lazy, 1, where=True, out=None).shape == (3,)


def test_in_place_operators_make_a_new_array():
    lazy = first = ADAPT(np.arange(3))
    lazy += 1
    lazy **= 2
    lazy >>= 1
    np.testing.assert_array_equal(lazy.ndarray(), [0, 2, 4])
    np.testing.assert_array_equal(first.ndarray(), [0, 1, 2])
