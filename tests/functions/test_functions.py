"""Functions of lazy arrays, and NumPy's functions that dispatch to them."""

from __future__ import annotations

import doctest
import inspect

import numpy as np
import pytest

import biggus
from biggus.testing import UnreadableSource

ADAPT = biggus.ArrayAdapter


def values_of(dtype, shape=(2, 3)):
    return np.arange(int(np.prod(shape))).reshape(shape).astype(dtype)


def check_call(check_same, function, *arguments, **keywords):
    """Compare the results of a NumPy function for lazy arrays and for ndarrays."""

    def lazily(one):
        if type(one) is np.ndarray:
            return ADAPT(one)
        return [lazily(item) for item in one] if isinstance(one, list) else one

    with np.errstate(all="ignore"):
        check_same(
            lambda: function(*map(lazily, arguments), **keywords),
            lambda: function(*arguments, **keywords),
        )


@pytest.mark.parametrize("choice", ["f4", ">i2", "?", "U3", "M8[s]"])
def test_where(choice, check_same):
    condition = np.array([[True, False, True]])
    for other in (values_of(choice), values_of("f8", (2, 1)), 1, 2.5, "a", None, np.float32(1)):
        check_call(check_same, np.where, condition, values_of(choice), other)
        check_call(check_same, np.where, condition, other, values_of(choice))
    check_call(check_same, np.where, values_of("i4"), 1, 2)
    check_call(check_same, np.where, condition, values_of("u1"), 300)
    check_call(check_same, np.where, condition, values_of("u1"))


def test_where_with_condition_only_suggests_nonzero():
    with pytest.raises(TypeError, match=r"numpy\.nonzero"):
        biggus.where(biggus.zeros(3))


def test_where_of_masked_values():
    a = np.ma.masked_array([1, 2, 3, 4], [True, False, True, False])
    b = np.ma.masked_array([5, 6, 7, 8], [True, True, False, False])
    c = np.ma.masked_array([True, True, False, False], [False, True, False, False])
    for condition in (c, c.data):
        for x, y in [(a, b), (a, 0), (0, b), (a.data, b)]:
            got = biggus.where(*[ADAPT(i) if np.ndim(i) else i for i in (condition, x, y)])
            right = np.ma.where(condition, x, y)
            np.testing.assert_array_equal(np.ma.filled(got.masked_array(), -1), right.filled(-1))


@pytest.mark.parametrize("dtype", ["f4", "i8", "u1", "M8[s]", "?", "c8"])
def test_clip(dtype, check_same):
    values = values_of(dtype)
    for bounds in [
        (1, 4),
        (None, 3),
        (2, None),
        (values, 3),
        (1.5, 2),
        (300, -1),
        (values[0], None),
    ]:
        check_call(check_same, np.clip, values, *bounds)
        lazy = [ADAPT(one) if np.ndim(one) else one for one in bounds]
        check_same(lambda lazy=lazy: ADAPT(values).clip(*lazy), lambda b=bounds: values.clip(*b))
        check_same(
            lambda lazy=lazy: biggus.clip(values, *lazy), lambda b=bounds: np.clip(values, *b)
        )
    check_call(check_same, np.clip, values, a_min=1, a_max=2)


def test_clip_keeps_masks():
    values = np.ma.masked_array([1.0, 5, 9], [False, True, False])
    found = ADAPT(values).clip(2, 8).masked_array()
    assert found.tolist() == [2, None, 8]


@pytest.mark.parametrize("decimals", [0, 1, -1])
@pytest.mark.parametrize("dtype", ["f2", "f8", "i4", "c16", "U2"])
def test_round(decimals, dtype, check_same):
    values = values_of("f8") * 7.77
    values = values.astype(dtype)
    check_call(check_same, np.round, values, decimals)
    check_call(check_same, np.around, values, decimals=decimals)
    if dtype != "U2":
        check_same(lambda: ADAPT(values).round(decimals), lambda: values.round(decimals))


def test_isnan_isfinite_isinf(check_same):
    for dtype in ("f4", "c8", "M8[s]", "i4", "U1", "?"):
        for name in ("isnan", "isfinite", "isinf"):
            check_same(
                lambda name=name, dtype=dtype: getattr(biggus, name)(values_of(dtype)),
                lambda name=name, dtype=dtype: getattr(np, name)(values_of(dtype)),
            )


@pytest.mark.parametrize(
    "name",
    [
        *("real", "imag", "angle", "fix", "isneginf", "isposinf", "iscomplex", "isreal"),
        *("nan_to_num", "sinc", "i0"),
    ],
)
@pytest.mark.parametrize("dtype", ["f4", "f8", "c16", "i4"])
# NumPy 2.5 deprecates this function but still has it.
@pytest.mark.filterwarnings("ignore:numpy.fix is deprecated:DeprecationWarning")
def test_elementwise_functions(name, dtype, check_same):
    if dtype == "c16" and name in ("fix", "i0", "isneginf", "isposinf"):
        with pytest.raises(TypeError):
            getattr(np, name)(ADAPT(values_of(dtype)))
        return
    check_call(check_same, getattr(np, name), values_of(dtype))
    check_call(check_same, getattr(np, name), values_of(dtype, ()))


def test_elementwise_functions_with_arguments(check_same):
    values = np.array([1, np.nan, np.inf])
    check_call(check_same, np.nan_to_num, values, nan=3.0, posinf=7)
    check_call(check_same, np.nan_to_num, values, copy=True)
    check_call(check_same, np.angle, values, deg=True)
    check_call(check_same, np.isclose, values, 1.0)
    check_call(check_same, np.isclose, 1.0, values, atol=0.1)
    check_call(check_same, np.isclose, values, values[:1], equal_nan=True)
    check_call(check_same, np.isclose, values, values)


def test_real_imag_and_conjugate():
    values = values_of("c8") * 1j + 2
    array = ADAPT(values)
    for name in ("real", "imag"):
        np.testing.assert_array_equal(getattr(array, name).ndarray(), getattr(values, name))
        assert getattr(array, name).dtype == "f4"
    np.testing.assert_array_equal(array.conj().ndarray(), values.conj())
    np.testing.assert_array_equal(array.conjugate().ndarray(), values.conj())
    plain = ADAPT(UnreadableSource((3,), np.dtype("f4")))
    assert plain.real.dtype == plain.imag.dtype == plain.conj().dtype == "f4"
    for dtype in ("?", ">i2", ">f8"):
        values = values_of(dtype)
        assert ADAPT(values).conj().dtype == values.conj().dtype


# -- Joining, axes, shapes -------------------------------------------------------------------


def test_concatenate(check_same):
    a, b = values_of("i4"), values_of("f4")
    for axis in (0, 1, -1, 2, "a"):
        check_call(check_same, np.concatenate, [a, b], axis=axis)
        check_call(check_same, np.stack, [a, b], axis=axis)
    check_call(check_same, np.stack, [a, b], -3)
    check_call(check_same, np.stack, [a, b], -4)
    for function in (np.concatenate, np.stack, np.vstack, np.hstack):
        check_call(check_same, function, [a, b[:1]])
        check_call(check_same, function, [a, b[:, :1]])
        check_call(check_same, function, [a[0], b[0]])
        check_call(check_same, function, [a[0], b])
        check_call(check_same, function, [values_of("i4", ()), values_of("f8", ())])
        check_call(check_same, function, [a, b], dtype="f8")
        check_call(check_same, function, [a, b], dtype="i2")
        check_call(check_same, function, [a, b], dtype="i2", casting="unsafe")
    made = np.concatenate([ADAPT(a), a, a.tolist()])
    assert type(made) is biggus.Array or issubclass(type(made), biggus.Array)
    with pytest.raises(ValueError, match="at least one"):
        biggus.concatenate([])
    with pytest.raises(ValueError, match="at least one"):
        biggus.stack([])
    check_call(check_same, np.concatenate, [a, b], axis=None)


def test_axis_functions(check_same):
    a = values_of("i4", (2, 1, 3))
    for axes in (None, (1, 0, 2), (-1, 0, 1), (0, 0, 1), (0, 1), (0, 1, 3)):
        check_call(check_same, np.transpose, a, axes)
    for one, other in [(0, 1), (-1, 0), (1, 1), (0, 3), (-4, 0)]:
        check_call(check_same, np.swapaxes, a, one, other)
        check_call(check_same, np.moveaxis, a, one, other)
    for source, destination in [
        ((0, 1), (1, 2)),
        ([0, 2], [-1, 0]),
        ((0, 0), (1, 2)),
        ((0,), (1, 2)),
    ]:
        check_call(check_same, np.moveaxis, a, source, destination)
    for axis in (0, 1, -1, (0, 2), (1, -1), 3, -5, (0, 0), (1,)):
        check_call(check_same, np.expand_dims, a, axis)
        check_call(check_same, np.squeeze, a, axis)
        check_call(check_same, np.flip, a, axis)
    for function in (np.squeeze, np.flip):
        check_call(check_same, function, a)
        check_call(check_same, function, values_of("i4", ()))
    for shape in [(2, 4, 3), (5, 2, 1, 3), (2, 3), 3]:
        check_call(check_same, np.broadcast_to, a, shape)
    got = np.broadcast_arrays(ADAPT(a), np.arange(4)[:, None], 1)
    assert [one.shape for one in got] == [(2, 4, 3)] * 3


def test_shape_and_dtype_queries_read_nothing():
    a = ADAPT(UnreadableSource((2, 3, 4), np.dtype("f4")))
    assert np.shape(a) == (2, 3, 4)
    assert np.ndim(a) == 3
    assert [np.size(a), np.size(a, 1), np.size(a, -1)] == [24, 3, 4]
    assert np.isrealobj(a)
    assert not np.iscomplexobj(a)
    assert np.result_type(a, 1j) == "c8"
    assert np.result_type(a, "f8") == "f8"
    assert np.iscomplexobj(a * 1j)


def test_zeros_like_ones_like_and_full_like(check_same):
    a = values_of("i4")
    for dtype in ("U3", "S2", "M8[s]", [("a", "i4"), ("b", "U2")]):
        check_call(check_same, np.zeros_like, np.zeros((2, 3), dtype))
    for function in (np.zeros_like, np.ones_like):
        check_call(check_same, function, a)
        check_call(check_same, function, a, "f8")
        check_call(check_same, function, a, shape=(4,))
    check_call(check_same, np.full_like, a, 7)
    check_call(check_same, np.full_like, a, 1.5, dtype=float)
    assert np.empty_like(ADAPT(a)).shape == (2, 3)
    assert (
        np.zeros_like(ADAPT(UnreadableSource((3,), np.dtype("f4")))).ndarray().tolist() == [0] * 3
    )


def test_building_an_expression_reads_nothing():
    a = ADAPT(UnreadableSource((3, 4), np.dtype("f8")))
    made = biggus.where(a > 0, a, -a).clip(0, a).round(2)
    made = np.concatenate([made, np.isclose(a, 1), np.flip(a)], axis=1)
    made = np.stack([np.squeeze(made[:1]), np.moveaxis(made, 0, 1)[:, 0]])
    assert made.shape == (2, 12)


def test_unsupported_calls_raise_with_advice():
    a = ADAPT(UnreadableSource((3, 4), np.dtype("f8")))
    for act in (
        lambda: np.put(a, 1, 2),
        lambda: np.place(a, a > 1, 2),
        lambda: np.fill_diagonal(a, 1),
    ):
        with pytest.raises(TypeError, match=r"\.ndarray\(\)"):
            act()
    for act in (
        lambda: np.round(a, 1, np.ones((3, 4))),
        lambda: a.clip(0, 1, np.ones((3, 4))),
    ):
        with pytest.raises(TypeError, match="out="):
            act()


# -- Public functions -------------------------------------------------------------------------


PUBLIC = sorted(
    name
    for name in biggus.__all__
    if inspect.isfunction(getattr(biggus, name))
    and getattr(biggus, name).__module__.startswith("biggus.functions")
)


def test_public_functions_are_found():
    assert {"mean", "where", "nanpercentile", "histogram", "isnan", "concatenate"} <= set(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_function_documents_parameters_and_examples(name):
    function = getattr(biggus, name)
    assert function.__name__ == function.__qualname__ == name
    text = inspect.getdoc(function)
    assert "Examples\n--------" in text
    named = inspect.signature(function).parameters
    silent = {"out", "where", "initial", "overwrite_input", "mean", "weights"}
    for parameter in set(named) - (silent if name != "histogram" else set()):
        assert f"{parameter}" in text.partition("Parameters")[2]
    found = doctest.DocTestFinder().find(function, name, globs={})
    assert sum(len(test.examples) for test in found) >= 2
    for test in found:
        assert doctest.DocTestRunner(verbose=False).run(test).failed == 0


@pytest.mark.parametrize("name", ["sum", "std", "argmin", "median", "clip", "round", "quantile"])
def test_methods_have_the_signatures_of_functions(name):
    function = inspect.signature(getattr(biggus, name))
    method = inspect.signature(getattr(biggus.Array, name))
    assert list(function.parameters)[1:] == list(method.parameters)[1:]
    assert next(iter(method.parameters)) == "self"
    assert getattr(biggus.Array, name).__doc__


@pytest.mark.parametrize("axis", [0, 1, -1, None, 2])
@pytest.mark.parametrize(
    "indices",
    [
        0,
        -1,
        [2, 0],
        [[1, 1], [0, -3]],
        [],
        [True, False],
        9,
        [0.5],
        np.array([0.5]),
        ["a"],
    ],
)
def test_take(axis, indices, check_same):
    for shape in ((3, 4), (4,), (), (0,)):
        values = np.arange(np.prod(shape, dtype=int)).reshape(shape)
        for mode in ("raise", "wrap", "clip", "no"):
            keywords = {"axis": axis, "mode": mode}
            check_same(
                lambda values=values, keywords=keywords: np.take(
                    ADAPT(values), indices, **keywords
                ),
                lambda values=values, keywords=keywords: np.take(values, indices, **keywords),
            )
