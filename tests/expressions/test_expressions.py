"""Operators and ufuncs of lazy arrays: values, dtypes, shapes and errors are NumPy's."""

from __future__ import annotations

import copy
import fractions
import itertools
import operator
import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest

import biggus
from biggus.testing import UnreadableSource

if TYPE_CHECKING:
    import types

ADAPT = biggus.ArrayAdapter


def ufuncs_of(module: types.ModuleType) -> dict[str, np.ufunc]:
    """Return the ufuncs of a module that work value by value."""
    found = {}
    for name in dir(module):
        value = getattr(module, name)
        if isinstance(value, np.ufunc) and value.signature is None:
            found[value.__name__] = value
    return found


UFUNCS = {**ufuncs_of(np.strings), **ufuncs_of(np)}
DTYPES = ["?", "i1", "u1", ">i2", "u4", "i8", "u8", "f2", ">f4", "f8", "c8", "O"]
DTYPES += ["M8[D]", "M8[s]", "m8[h]", "m8", "S3", "U2", "V2"]


def values_of(dtype, shape, start=1):
    dtype = np.dtype(dtype)
    numbers = np.arange(start, start + int(np.prod(shape))).reshape(shape)
    if dtype.kind == "V":
        return numbers.astype("S2").astype(dtype)
    if dtype.kind in "if":
        numbers = np.asarray(numbers - 3)
    with np.errstate(all="ignore"):
        return numbers.astype(dtype)


def values_read(array):
    """Return the values, which are of the shape and the dtype that were promised."""
    values = array.ndarray()
    assert (values.shape, values.dtype) == (array.shape, array.dtype)
    return values


def comparable(values):
    """Return values that are equal if they are the same: objects, too, which may be NaN."""
    if not isinstance(values, (np.ndarray, np.generic)):
        values = np.array(values, "O")  # what is in an array of objects and of no axes
    if values.dtype != "O":
        return values
    found = [str(one) if one != one else one for one in values.flat]  # noqa: PLR0124
    result = np.empty(values.shape, "O")
    result.flat = found
    return result


def check_call(check_same, function, *operands, **keywords):
    """Check each result of a call, with the arrays among its operands made lazy."""
    lazy = [ADAPT(one) if type(one) is np.ndarray else one for one in operands]
    several = getattr(function, "nout", 1) > 1 or function is divmod

    for output in (0, 1) if several else (...,):

        def one(operands, output=output):
            found = function(*operands, **keywords)
            return found if output is ... else found[output]

        with np.errstate(all="ignore"):
            check_same(
                lambda one=one: comparable(values_read(one(lazy))),
                lambda one=one: comparable(one(operands)),
            )


def test_there_are_ufuncs():
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
def test_what_cannot_be_compared_is_unequal(act, ufunc, check_same):
    """NumPy's scalars and arrays call the ufunc, and if it refuses would read the lazy array."""
    for dtypes in itertools.product(DTYPES, repeat=2):
        one, other = (values_of(dtype, (2, 3), start) for start, dtype in enumerate(dtypes))
        try:
            ufunc(one, other)
            check_call(check_same, ufunc, one, other)
        except TypeError:
            lazy = ADAPT(UnreadableSource(other.shape, other.dtype))
            if "V2" not in dtypes:  # of these, NumPy says itself that they cannot be compared
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
    """Python's own numbers are weak; those that do not fit are an error."""
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
    """An ndarray that is left as it is."""


@pytest.mark.parametrize("act", [operator.neg, operator.pos, abs, operator.invert])
def test_operators_of_one(act, check_same):
    for dtype, shape in itertools.product(DTYPES, [(), (3,), (0, 2)]):
        check_call(check_same, act, values_of(dtype, shape))


def test_an_ndarray_to_the_left_hands_over():
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


def test_a_signature_is_honoured(check_same):
    values = values_of("i4", (3,))
    check_call(check_same, np.add, values, values, signature="dd->d")
    check_call(check_same, np.add, values, values, signature=(None, None, "f4"), casting="unsafe")
    check_call(check_same, np.add, values, values, no_such_keyword=1)


def test_what_a_ufunc_does_not_do_lazily_says_what_to_do():
    lazy = ADAPT(UnreadableSource((3,), np.dtype("f8")))
    for act, said in [
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
        with pytest.raises(TypeError, match=said):
            act()
    assert np.add(lazy, 1, where=True, out=None).shape == (3,)


def test_in_place_operators_make_a_new_array():
    lazy = first = ADAPT(np.arange(3))
    lazy += 1
    lazy **= 2
    lazy >>= 1
    np.testing.assert_array_equal(lazy.ndarray(), [0, 2, 4])
    np.testing.assert_array_equal(first.ndarray(), [0, 1, 2])


def test_others_that_compute_for_themselves_are_asked():
    class Other:
        def __init__(self, way):
            self.__array_ufunc__ = way

        def __radd__(self, other):
            return "added"

        def __rdivmod__(self, other):
            return "divided"

    class None_(Other):
        __array_ufunc__ = None

    class Own(Other):
        def __array_ufunc__(self, ufunc, method, *inputs, **keywords):
            return ufunc.__name__

    lazy = biggus.zeros(3)
    for kind in (None_, Own):
        assert lazy + kind(None) == "added"
        assert divmod(lazy, kind(None)) == "divided"
        with pytest.raises(TypeError):
            lazy - kind(None)
    assert np.subtract(lazy, Own(None)) == "subtract"
    with pytest.raises(TypeError):
        np.subtract(lazy, None_(None))


def test_comparing_with_anything(check_same):
    for values in (values_of("i4", (3,)), values_of("U2", (3,)), np.zeros(3, "i2,f4")):
        for other in (None, "2", object(), 2, [1, 2, 3], (2, 2, 2), values, np.zeros(3, "i2,f4")):
            for act in (operator.eq, operator.ne):
                check_call(check_same, act, values, other)
    with pytest.raises(TypeError, match="unhashable"):
        hash(biggus.zeros(3))


def test_lists_and_other_sequences(check_same):
    values = values_of("f4", (2, 3))
    for other in ([1, 2, 3], (1, 2, 3), [[1], [2]], range(3), [], "ab", [1, [2]], [None] * 3):
        check_call(check_same, np.add, values, other)
        check_call(check_same, operator.mul, values, other)


def test_plain_objects_stay_unread(recorded):
    source = recorded(np.arange(6.0).reshape(2, 3))
    total = ADAPT(np.ones(3)) + source
    assert source.boxes == []
    np.testing.assert_array_equal(total[1].ndarray(), [4, 5, 6])
    assert source.boxes == [(slice(1, 2, 1), slice(0, 3, 1))]


def test_objects_of_known_libraries_are_adopted(tmp_path):
    h5py = pytest.importorskip("h5py")
    zarr = pytest.importorskip("zarr")
    netcdf = pytest.importorskip("netCDF4")
    values = np.arange(6.0).reshape(2, 3)
    stored = zarr.create_array(tmp_path / "a.zarr", shape=(2, 3), dtype="f8", chunks=(1, 3))
    stored[:] = values
    with h5py.File(tmp_path / "a.h5", "w") as file, netcdf.Dataset(tmp_path / "a.nc", "w") as other:
        dataset = file.create_dataset("x", data=values)
        other.createDimension("y", 2), other.createDimension("x", 3)
        variable = other.createVariable("v", "f8", ("y", "x"), fill_value=0.0)
        variable[:] = values
        lazy = biggus.ones((2, 3))
        for found in (lazy + dataset, lazy + stored, np.add(lazy, dataset), lazy + variable):
            assert type(found) is biggus.Array
            np.testing.assert_array_equal(
                found.masked_array().compressed()[-5:], 1 + values.flat[1:]
            )
        assert (lazy + variable).masked


def test_nothing_is_read_before_it_is_asked_for():
    a = ADAPT(UnreadableSource((3, 4), np.dtype("f8")))
    b = ADAPT(UnreadableSource((4,), np.dtype("i2")))
    expression = abs(-((a - b) ** 2) / 3 + np.sqrt(a) * np.ones((2, 1, 4)))
    expression = np.hypot(expression, 1.5)[0, ..., None] > divmod(b, 7)[1][:, None]
    assert expression.shape == (3, 4, 1)
    assert expression.dtype == bool
    repr(expression), expression._repr_html_()
    again = pickle.loads(pickle.dumps(expression))
    assert again.shape == copy.deepcopy(expression).shape == (3, 4, 1)


def test_an_indexed_expression_reads_what_it_needs(recorded):
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


def test_an_operand_that_stands_twice_is_read_once(recorded):
    source = recorded(np.arange(12.0).reshape(3, 4))
    a = ADAPT(source)
    np.testing.assert_array_equal((a * a).ndarray(), source.values**2)
    assert len(source.boxes) == 1
    scalar = recorded(np.array(3.0))
    np.testing.assert_array_equal((a + ADAPT(scalar)).ndarray(), source.values + 3)
    assert len(scalar.boxes) == 1


def test_numpy_warns_when_values_are_computed():
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
    """A plain object: it is taken to wait, and so read by threads."""

    def __init__(self, values):
        self.values, self.shape, self.dtype = values, values.shape, values.dtype

    def __getitem__(self, box):
        return self.values[box]


def test_errors_that_depend_on_values_come_when_they_are_read():
    power = ADAPT(np.array([2, 3])) ** -1
    with pytest.raises(ValueError, match="negative integer powers"):
        power.ndarray()


# -- Steps ---------------------------------------------------------------------------


def step_of(array):
    return array.node.step


@pytest.mark.parametrize("name", sorted(UFUNCS))
def test_every_step_of_a_ufunc_pickles_and_has_a_key(name):
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


def test_equal_steps_have_equal_keys_and_unequal_ones_others():
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


def test_a_step_of_who_knows_what_has_no_key():
    vectorized = np.frompyfunc(lambda x: x, 1, 1)
    lazy = biggus.ones(2, "O")
    assert step_of(vectorized(lazy)).key is None
    assert step_of(lazy + fractions.Fraction(1, 2)).key is None
    np.testing.assert_array_equal(vectorized(lazy + fractions.Fraction(1, 2)).ndarray(), [1.5, 1.5])


def test_a_step_may_use_the_memory_of_its_block():
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


def test_what_is_missing_does_not_depend_on_the_tile():
    """Where any value can be missing, so are those outside of a domain; in all tiles."""
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
def test_what_is_missing_is_missing_wherever_it_is_spread_to(shape, missing):
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
def test_where_with_numbers_of_python(shape, dtype, masked):
    values = np.ones(shape, dtype)
    a = biggus.ArrayAdapter(np.ma.MaskedArray(values, np.zeros(shape, bool)) if masked else values)
    for number in (0, 3, 0.5, True):
        chosen = biggus.where(a > 0, a, number)
        expected = np.where(values > 0, values, number)
        assert chosen.dtype == expected.dtype
        got = chosen.masked_array()
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(got, expected)
        further = (chosen + 2 * chosen).masked_array()  # what is computed with it, too
        assert further.dtype == (expected + 2 * expected).dtype
        np.testing.assert_array_equal(further, expected + 2 * expected)
