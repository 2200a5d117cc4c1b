"""Every function of numpy.ma with a masked lazy array: the result of numpy.ma, or a clear error."""

from __future__ import annotations

import itertools
import operator
import re

import numpy as np
import pytest

import biggus
from biggus.testing import UnreadableSource
from biggus.testing.checks import case

ADAPT = biggus.ArrayAdapter
FLOATS = np.ma.masked_array([[1.0, 2.5, 3.0], [4.0, -5.0, 6.0]], [[0, 1, 0], [0, 0, 0]])
OPERANDS = {
    "floats": FLOATS,
    "line": FLOATS[0],
    "none missing": np.ma.masked_array(FLOATS.data, False),
    "all missing": np.ma.masked_array(FLOATS.data, True),
    "integers": FLOATS.astype("i8"),
    "booleans": FLOATS > 2,
    "complex": FLOATS.astype("c16"),
    "days": FLOATS.astype("i8").astype("M8[D]"),
    "text": FLOATS.astype("U4"),
    "not masked": FLOATS.data,
}
CLEAR = re.compile(r"lazy array|\.masked_array\(\)|a lazy array has no")
"""Pattern of the error messages of biggus: they name the lazy array or the method to call."""

_ALONE = """
    abs absolute all alltrue amax amin angle anom anomalies any arccos arccosh arcsin arcsinh arctan
    arctanh argmax argmin argsort around array asanyarray asarray atleast_1d atleast_2d atleast_3d
    average ceil clump_masked clump_unmasked common_fill_value compress_cols compress_nd
    compress_rowcols compress_rows compressed conjugate copy corrcoef cos cosh count count_masked
    cov cumprod cumsum default_fill_value diag diagflat diagonal diff ediff1d empty_like exp fabs
    filled fix_invalid flatten_mask flatnotmasked_contiguous flatnotmasked_edges floor getdata
    getmask getmaskarray harden_mask is_mask is_masked log log10 log2 logical_not make_mask
    mask_cols mask_rowcols mask_rows masked_all_like masked_array masked_invalid max maximum
    maximum_fill_value mean median min minimum minimum_fill_value ndenumerate ndim negative nonzero
    notmasked_contiguous notmasked_edges ones_like prod product ptp ravel round round_ shape sin
    sinh size soften_mask sometrue sqrt squeeze std sum tan tanh trace transpose unique vander
    var zeros_like isin in1d
"""
_WITH_ANOTHER = """
    add allclose allequal append arctan2 bitwise_and bitwise_or bitwise_xor choose convolve
    correlate divide dot equal floor_divide fmod greater greater_equal hypot in1d inner innerproduct
    intersect1d isin left_shift less less_equal logical_and logical_or logical_xor mask_or
    maximum minimum mod multiply not_equal outer outerproduct power remainder right_shift setdiff1d
    setxor1d subtract true_divide union1d polyfit
"""
_JOINING = "column_stack concatenate dstack hstack row_stack stack vstack"
_MASKING = """
    masked_equal masked_greater masked_greater_equal masked_less masked_less_equal masked_not_equal
    masked_values masked_object
"""
CALLS = {
    **{name: [lambda f, x: f(x)] for name in _ALONE.split()},
    **{
        name: [lambda f, x: f(x, _like(x)), lambda f, x: f(_like(x), x), lambda f, x: f(x, x)]
        for name in _WITH_ANOTHER.split()
    },
    **{name: [lambda f, x: f([x, x]), lambda f, x: f([_like(x), x])] for name in _JOINING.split()},
    **{name: [lambda f, x: f(x, 3)] for name in _MASKING.split()},
    "apply_along_axis": [lambda f, x: f(np.ma.sum, 0, x)],
    "apply_over_axes": [lambda f, x: f(np.ma.sum, x, 0)],
    "clip": [lambda f, x: f(x, 2, 4), lambda f, x: f(_like(x), 2, x)],
    "compress": [lambda f, x: f([True, False], x, axis=0), lambda f, x: f(x, _like(x))],
    "expand_dims": [lambda f, x: f(x, 1)],
    "filled": [lambda f, x: f(x), lambda f, x: f(x, 0)],
    "hsplit": [lambda f, x: f(x, 3)],
    "masked_outside": [lambda f, x: f(x, 2, 4)],
    "put": [lambda f, x: f(x, [0], 9)],
    "putmask": [lambda f, x: f(x, [True], 9)],
    "repeat": [lambda f, x: f(x, 2, axis=0)],
    "reshape": [lambda f, x: f(x, (-1, 1))],
    "resize": [lambda f, x: f(x, (2, 2))],
    "swapaxes": [lambda f, x: f(x, 0, -1)],
    "take": [lambda f, x: f(x, [1, 0], axis=0)],
    "where": [
        lambda f, x: f(x),
        lambda f, x: f(x, x, x),
        lambda f, x: f([True], x, _like(x)),
        lambda f, x: f(_like(x), x, 0),
    ],
}

NO_ARRAYS = """
    core extras MAError MaskError MaskType MaskedArray bool_ masked masked_print_option
    masked_singleton mvoid nomask arange empty ones zeros identity indices fromfunction frombuffer
    fromflex flatten_structured_array make_mask_descr make_mask_none masked_all mr_
"""
"""Names that are not functions, or functions that take no arrays, or structured arrays only."""

OBJECT_CHECKS = "isMA isMaskedArray isarray ids set_fill_value"
"""Functions that inspect or change the MaskedArray object itself."""

AS_ASARRAY = {
    "sort": lambda f, x: f(x),
    "masked_where": lambda f, x: f(np.isfinite(_like(x).data) & (_like(x).data > 3), x),
    "masked_inside": lambda f, x: f(x, 2, 4),
}
"""Functions that convert other objects with `numpy.asarray`, so that missing values become NaN."""

SUPPORTED = """
    all amax amin anom any apply_along_axis argmax argmin argsort array asanyarray asarray average
    compressed copy count cumprod cumsum diagonal diff filled fix_invalid getmask getmaskarray
    is_masked masked_array masked_invalid max mean min nonzero prod product ptp ravel
    repeat reshape std sum trace transpose var
"""
"""Functions that must give the result of numpy.ma for a lazy array that is not masked."""


def _like(x):
    """Return the MaskedArray that is equal to an array."""
    return x.masked_array() if isinstance(x, biggus.Array) else np.ma.array(x)


def plain(result):
    """Return a value to compare results by, which includes masks and dtypes."""
    if isinstance(result, biggus.Array):
        result = result.masked_array() if result.masked else result.ndarray()
    if isinstance(result, np.ndarray) and result.dtype != object:
        mask = np.ma.getmaskarray(result)
        shown = [
            None if missing else item for missing, item in zip(mask.flat, result.flat, strict=True)
        ]
        return result.dtype, result.shape, repr([None if one is None else one for one in shown])
    if isinstance(result, np.generic):
        return plain(np.asarray(result))
    if isinstance(result, (tuple, list, np.ndarray)) or hasattr(result, "__next__"):
        return [plain(one) for one in result]
    return repr(result)


@pytest.fixture(autouse=True)
def _quiet():
    with np.errstate(all="ignore"):
        yield


def test_every_numpy_ma_function_is_listed():
    others = {*NO_ARRAYS.split(), *OBJECT_CHECKS.split()}
    assert not set(np.ma.__all__) - set(CALLS) - set(AS_ASARRAY) - others


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning")
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("name", CALLS)
def test_numpy_ma_function_matches_or_raises(name):
    function = getattr(np.ma, name, None)
    if function is None:
        pytest.skip(f"this NumPy has no numpy.ma.{name}")
    for kind, call in itertools.product(OPERANDS, CALLS[name]):
        try:
            expected = plain(call(function, OPERANDS[kind].copy()))
        except Exception:
            expected = None
        if expected is None or (name, kind) == ("amax", "days"):  # NaT, in older NumPy
            continue
        message = ""
        try:
            got = plain(call(function, ADAPT(OPERANDS[kind])))
        except Exception as error:
            message = str(error)
        with case(kind=kind):
            if message:
                assert CLEAR.search(message)
                assert kind != "not masked" or name not in SUPPORTED.split()
            else:
                assert got == expected


def test_lazy_array_is_no_masked_array_object():
    array = ADAPT(FLOATS)
    for name in ("isMA", "isMaskedArray", "isarray"):
        assert getattr(np.ma, name)(array) is False


@pytest.mark.parametrize("name", AS_ASARRAY)
def test_functions_that_ignore_masks_get_nan(name):
    function, call = getattr(np.ma, name), AS_ASARRAY[name]
    for kind in ("floats", "none missing", "complex", "not masked"):
        values = OPERANDS[kind]
        assert plain(call(function, ADAPT(values))) == plain(
            call(function, np.ma.filled(values, np.nan))
        )
    for kind in ("integers", "booleans"):
        with pytest.raises((TypeError, biggus.errors.MaskedValueError)):
            call(function, ADAPT(OPERANDS[kind]))


def test_mask_of_an_unmasked_array_reads_nothing():
    array = ADAPT(UnreadableSource((2, 3), np.dtype("f8")))
    assert np.ma.getmask(array) is np.ma.nomask
    assert not np.ma.getmaskarray(array).any()
    assert not np.ma.is_masked(array)


def test_implicit_reads_respect_the_memory_option():
    huge = biggus.broadcast_to(ADAPT(FLOATS), (10**9, 2, 3))
    with pytest.raises(biggus.errors.MemoryBudgetError, match=r"\.filled"):
        np.asarray(huge)
    for take in (np.ma.getmaskarray, np.ma.is_masked, np.ma.array, np.ma.sum):
        with pytest.raises((TypeError, biggus.errors.MemoryBudgetError)):
            take(huge)


@pytest.mark.parametrize(
    "act", [operator.add, operator.sub, operator.mul, operator.truediv, operator.eq, operator.lt]
)
def test_operators_with_an_in_memory_masked_array(act):
    lazy = ADAPT(FLOATS)
    expected = act(FLOATS, FLOATS)
    got = act(lazy, FLOATS).masked_array()
    np.testing.assert_array_equal(got.mask, expected.mask)
    np.testing.assert_array_equal(got.compressed(), expected.compressed())
    with pytest.raises(TypeError, match="put the lazy operand first"):
        act(FLOATS, lazy)
