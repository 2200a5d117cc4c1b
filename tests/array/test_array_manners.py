"""Corner cases of NumPy's behaviour: same dtypes, values and errors, or a more helpful error."""

from __future__ import annotations

import inspect
import itertools
import operator

import numpy as np
import pytest

import biggus
from biggus.errors import MaskedValueError
from biggus.testing import UnreadableSource

ADAPT = biggus.ArrayAdapter
DTYPES = ["?", "i1", ">i4", "f2", ">f8", "c8", "M8[D]", ">M8[s]", "m8[ms]", "S3", ">U4", "V3", "O"]
STRUCTURED = [("a", [("x", "f4"), ("y", ">i2")]), ("b", "U2")]


@pytest.mark.parametrize("dtype", [*DTYPES, STRUCTURED])
def test_constants_of_every_dtype(dtype, check_same):
    for name, shape in itertools.product(["zeros", "ones"], [(), (2, 3), (0, 2)]):
        check_same(
            lambda name=name, shape=shape: getattr(biggus, name)(shape, dtype),
            lambda name=name, shape=shape: getattr(np, name)(shape, dtype),
        )


@pytest.mark.parametrize("dtype", [None, *DTYPES])
@pytest.mark.parametrize(
    "value",
    [
        *(0, -1, 300, 1.5, "ab", b"xyz", None, True, 2**70, np.timedelta64(3, "s"), np.float32(2)),
        *([1, 2, 3], [1, 2], np.arange(2)[:, None]),
    ],
)
def test_full_casts_and_broadcasts_like_numpy(value, dtype, check_same):
    if isinstance(value, bytes) and dtype is not None and np.dtype(dtype).kind == "M":
        return  # NumPy 2.0 ends in a SystemError
    check_same(lambda: biggus.full((2, 3), value, dtype), lambda: np.full((2, 3), value, dtype))


@pytest.mark.parametrize(
    "shape", [3, (), [2, 3], np.array([2, 3]), np.int64(3), range(2, 4), -1, 2.0, "ab", True]
)
def test_shape_arguments_match_numpy(shape, check_same):
    check_same(lambda: biggus.zeros(shape), lambda: np.zeros(shape))
    one = np.ones(1)
    check_same(lambda: biggus.broadcast_to(one, shape), lambda: np.broadcast_to(one, shape))


@pytest.mark.parametrize(
    "axes", [((),), ([],), (np.array([1, 0]),), (range(2),), (0,), (True, False), (1.0, 0), (3, 0)]
)
def test_odd_axes_of_transpose(axes, check_same):
    values = np.arange(6).reshape(2, 3)
    check_same(lambda: ADAPT(values).transpose(*axes), lambda: values.transpose(*axes))


@pytest.mark.parametrize("new", ["V", "M8", "m8", "S", "U", "V3", ">U3", None, "O", "i2,f4"])
@pytest.mark.parametrize("old", ["i8", ">f4", "?", "S2", "U1", "M8[D]", "m8[s]", "i2,f4", "V3"])
@pytest.mark.filterwarnings("ignore:The 'generic' unit:DeprecationWarning")
def test_astype_dtype_matches_the_result(old, new):
    if old in ("S2", "U1") and new == "M8":
        return  # the dtype would depend on the values: see the next test
    values = np.ones(2, old)
    try:
        expected = values.astype(new)
    except (TypeError, ValueError, RuntimeError) as error:  # some only when the values are read
        with pytest.raises(type(error)):
            ADAPT(values).astype(new).ndarray()
        return
    array = ADAPT(values).astype(new)
    assert array.dtype == expected.dtype
    assert array.ndarray().dtype == expected.dtype
    np.testing.assert_array_equal(array.ndarray(), expected)


@pytest.mark.parametrize(("old", "new"), [("O", str), ("O", "S"), ("U10", "M8"), ("O", "m8")])
def test_cast_to_a_value_dependent_dtype_raises(old, new):
    with pytest.raises(TypeError, match="depend on the values: say which"):
        ADAPT(np.array(["2001-01-01"], old)).astype(new)


@pytest.mark.parametrize("casting", ["no", "equiv", "safe", "same_kind", "unsafe"])
def test_astype_respects_casting(casting, check_same):
    for old, new in [("i4", ">i4"), ("i4", "i8"), ("f8", "f4"), ("f8", "i4")]:
        values = np.ones(2, old)
        check_same(
            lambda values=values, new=new: ADAPT(values).astype(new, casting=casting, copy=False),
            lambda values=values, new=new: values.astype(new, casting=casting, copy=False),
        )


def test_concatenate_promotes_three_dtypes_like_numpy(check_same):
    for dtypes in itertools.product(["f2", "O", "U3", "M8[D]", "?"], repeat=3):
        arrays = [np.zeros(1, dtype) for dtype in dtypes]
        check_same(
            lambda arrays=arrays: biggus.LinearMosaic(arrays),
            lambda arrays=arrays: np.concatenate(arrays),
        )


@pytest.mark.parametrize(
    "key",
    [
        *(range(1, 3), range(9), memoryview(b"\x01\x00"), {0}, [None], (None,) * 64, [slice(0, 1)]),
        *(np.zeros(0, bool), np.zeros((0, 4), bool), np.zeros((0, 5), bool), [[True, False, True]]),
    ],
)
def test_odd_keys(key, check_same):
    values = np.arange(12).reshape(3, 4)
    check_same(lambda: ADAPT(values)[key], lambda: values[key])


def test_nested_lazy_arrays_in_keys():
    one = ADAPT(np.array(1))
    values = np.arange(12).reshape(3, 4)
    array = ADAPT(values)
    for key, same in [
        ([one], [1]),
        ((0, [one]), (0, [1])),
        (([1], [one]), ([1], [1])),
        (slice(one, None), slice(1, None)),
        ((slice(None, one), 0), (slice(None, 1), 0)),
    ]:
        np.testing.assert_array_equal(array[key].ndarray(), values[same])
        np.testing.assert_array_equal(array.oindex[key].ndarray(), array.oindex[same].ndarray())


BINARY = [operator.add, operator.sub, operator.mul, operator.truediv]
BINARY += [operator.pow, operator.and_, operator.lt, operator.eq, operator.ne, divmod]


@pytest.mark.parametrize("act", BINARY)
def test_operators_read_nothing(act):
    array = ADAPT(UnreadableSource((3,), np.dtype("i8")))
    masked = ADAPT(np.ma.masked_array([1, 2, 3], [True, False, False]))
    for other in (1, array, np.arange(3), np.int64(2), masked):
        for pair in ((array, other), (other, array)):
            found = act(*pair)
            for one in found if act is divmod else (found,):
                assert type(one) is biggus.Array
                assert one.shape == (3,)


def test_unsupported_attributes_suggest_ndarray():
    array = ADAPT(UnreadableSource((3,), np.dtype("i8")))
    for other in (array, np.arange(3), [1, 2, 3]):
        for pair in ((array, other), (other, array)):
            assert operator.matmul(*pair).shape == ()
    with pytest.raises(TypeError, match=r"\.round\(\)"):
        round(array)
    assert sum(array).shape == ()
    for name in ("tolist", "sort", "resize", "byteswap"):
        with pytest.raises(AttributeError, match=rf"no '{name}'.*\.ndarray\(\)"):
            getattr(array, name)
    for name in ("no_such_name", "__array_interface__"):
        with pytest.raises(AttributeError, match="object has no attribute"):
            getattr(array, name)


def test_html_repr_escapes_field_names():
    text = ADAPT(np.zeros(2, [("<b>&", "i2")]))._repr_html_()
    assert "<b>" not in text
    assert "&lt;b&gt;&amp;" in text


def test_format_of_a_single_value():
    assert f"{ADAPT(np.array(2.5)):.2f}" == "2.50"
    assert f"{ADAPT(np.array(2.5))}" == str(ADAPT(np.array(2.5)))
    with pytest.raises(TypeError):
        f"{ADAPT(np.ones(3)):.2f}"


def test_item_accepts_integers_of_any_size_only():
    array = ADAPT(np.arange(6).reshape(2, 3))
    for index in (1.0, "a", None):
        with pytest.raises(TypeError):
            array.item(index)
        with pytest.raises(TypeError):
            array.item(0, index)
    huge = biggus.full((2**40, 2**40), 7)
    assert huge.item(-1) == huge.item(2**79) == 7
    values = np.arange(24).reshape(2, 3, 4)
    assert [ADAPT(values).item(i) for i in range(-24, 24)] == [*range(24)] * 2


@pytest.mark.parametrize("dtype", ["f8", "i8", "?", "U3"])
def test_bool_of_a_missing_value_raises(dtype):
    with pytest.raises(MaskedValueError):
        bool(ADAPT(np.ma.masked_array(np.ones(1, dtype), True)))
    assert bool(ADAPT(np.ma.masked_array(np.ones(1, dtype), False)))


@pytest.mark.parametrize("old", ["f8", "i4", "?", "U2", "S2", "M8[D]", ">f4"])
@pytest.mark.parametrize("new", ["f4", "i8", "U5", "O", "?"])
@pytest.mark.parametrize("fill", [None, 1])
def test_casts_of_masked_values(old, new, fill):
    values = np.ma.masked_array(np.ones(3).astype(old), [True, False, False], fill_value=fill)
    try:
        expected = values.astype(new)
    except (TypeError, ValueError, RuntimeError) as error:
        with pytest.raises(type(error)):
            ADAPT(values).astype(new).masked_array()
        return
    got = ADAPT(values).astype(new).masked_array()
    np.testing.assert_array_equal(got.mask, expected.mask)
    np.testing.assert_array_equal(got.compressed(), expected.compressed())
    joined = biggus.LinearMosaic([ADAPT(values).astype(new), ADAPT(expected)])[::-1].masked_array()
    np.testing.assert_array_equal(joined.mask, [False, False, True] * 2)


def test_bool_axis_raises():
    with pytest.raises(TypeError):
        biggus.LinearMosaic([np.ones((2, 2))], axis=True)


EVERY = [*DTYPES, STRUCTURED, "i2,>f4", "S0", "U1", "g", "G", "?", "u8", ">c16", "m8", "V1"]
KEYS = [
    (),
    ...,
    0,
    slice(None, None, -2),
    [1, 0, 1],
    np.s_[1:1],
    None,
    np.s_[..., 1],
    [[True] * 3] * 2,
]


class Plain:
    """A plain user object over an ndarray; NumPy gives scalars for its 0-d boxes."""

    def __init__(self, values):
        self.values, self.shape, self.dtype = values, values.shape, values.dtype

    def __getitem__(self, box):
        return self.values[box]


@pytest.mark.parametrize("dtype", EVERY, ids=str)
@pytest.mark.parametrize(
    "wrap", [ADAPT, lambda v: ADAPT(Plain(v)), lambda v: ADAPT(Plain(v), (1,) * v.ndim)]
)
def test_every_dtype_in_every_node(dtype, wrap, check_same):
    raw = np.random.default_rng(0).integers(65, 90, 6 * 32, dtype="u1")
    values = np.arange(6).astype("U1").astype("O") if dtype == "O" else None
    if values is None:
        new = np.dtype(dtype)
        values = np.arange(6).astype(new) if new.names is None else np.zeros(6, new)
        if new.kind in "SUV" and new.names is None and new.itemsize:
            values = np.array(
                [bytes(raw[i : i + 3]).decode() for i in range(6)], new if new.kind != "V" else "S3"
            ).astype(new)
    values = values.reshape(2, 3)
    array = wrap(values)
    pairs = [
        (array, values),
        (array.T, values.T),
        (biggus.LinearMosaic([array, array], axis=1), np.concatenate([values, values], axis=1)),
        (biggus.LinearMosaic([array]), np.concatenate([values])),
        (biggus.ArrayStack([array, array]), np.stack([values, values])),
        (biggus.broadcast_to(array, (4, 2, 3)), np.broadcast_to(values, (4, 2, 3))),
        (biggus.LinearMosaic([array[:0], array]), np.concatenate([values[:0], values])),
        (array[0, 1], values[0, 1, ...]),
    ]
    for got, expected in pairs:
        check_same(lambda got=got: got, lambda expected=expected: expected)
        if expected.shape[:2] == (2, 3):
            for key in KEYS:
                check_same(
                    lambda got=got, key=key: got[key],
                    lambda expected=expected, key=key: expected[(*key, ...) if key == () else key],
                )


@pytest.mark.parametrize(
    ("dtype", "good", "bad"),
    [
        ("u1", [0, 255, 7.0, np.int64(3), True], [-1, 256, 1.5, np.nan, "x", [1, 2]]),
        ("U2", ["ab", "", "é", 12], ["abc", 123, ["a"]]),
        ("S2", ["ab", b"b"], [b"abc", "missing"]),
        ("f4", [1, 0.1, np.inf], ["x", [1.0]]),
        ("?", [True, 0], [[True]]),
    ],
)
def test_fill_must_fit_the_dtype(dtype, good, bad):
    array = ADAPT(np.ma.masked_array(np.ones(2).astype(dtype), [True, False]))
    for fill in good:
        expected = np.full(1, fill).astype(dtype)
        assert array.ndarray(fill=fill)[0] == expected[0]
    for fill in bad:
        with pytest.raises((ValueError, TypeError)):
            array.ndarray(fill=fill)


def test_fields_match_numpy(check_same):
    values = np.zeros(2, STRUCTURED)
    for key in ("zz", ["zz"], ["a", "zz"], [], ["b"], "a"):
        check_same(lambda key=key: ADAPT(values)[key], lambda key=key: values[key])
    check_same(lambda: ADAPT(values)["a"]["y"][::-1], lambda: values["a"]["y"][::-1])


def test_joining_a_single_array_raises():
    rows = biggus.zeros((2**50, 2))
    for make in (biggus.LinearMosaic, biggus.ArrayStack):
        with pytest.raises(TypeError, match=r"\[a, b\]"):
            make(rows)


def test_masked_cast_to_a_structured_dtype_raises():
    with pytest.raises(TypeError, match="structured"):
        ADAPT(np.ma.masked_array([1, 2], [True, False])).astype("i2,f4")


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("compute", r"\.ndarray\(\)"),
        ("values", "ndarrays"),
        ("sel", "open_dataset"),
        ("plot", "quick"),
        ("rolling", "biggus.xarray.open"),
        ("percentile", "biggus.percentile"),
        ("dim_0", "axis.* coordinate"),
    ],
)
def test_attributes_of_xarray_and_dask_suggest_the_equivalent(name, suggestion):
    array = biggus.zeros(3)
    assert not hasattr(array, name)
    with pytest.raises(AttributeError, match=f"has no attribute '{name}': .*{suggestion}"):
        getattr(array, name)


@pytest.mark.parametrize("mean", [biggus.mean, biggus.Array.mean, biggus.nanmean])
def test_dim_of_xarray_is_the_axis(mean):
    with pytest.raises(TypeError, match="`axis` takes the names"):
        mean(biggus.zeros(3), dim="dim_0")


@pytest.mark.parametrize(
    ("shown", "hint"), [("a.nc", "`biggus.open`"), ({"a": 1, "b": 2}, "its variables: a, b")]
)
def test_locations_and_mappings_are_no_arrays(shown, hint):
    with pytest.raises(TypeError, match=hint):
        biggus.mean(shown)


def test_name_of_an_axis_is_no_key():
    with pytest.raises(IndexError, match="open_dataset has coordinates"):
        biggus.zeros(3)["dim_0"]


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
@pytest.mark.parametrize("masked", [False, True])
def test_dir_and_getmembers_raise_nothing(shape, masked):
    values = np.ma.MaskedArray(np.ones(shape), mask=np.ones(shape)) if masked else np.ones(shape)
    array = ADAPT(values)
    found = dict(inspect.getmembers(array))
    assert {"shape", "mean", "T", "ndarray"} <= set(found)
    assert {"reshape", "mT"} & set(dir(array)) == {
        *([] if masked else ["reshape"]),
        *(["mT"] if len(shape) > 1 else []),
    }
