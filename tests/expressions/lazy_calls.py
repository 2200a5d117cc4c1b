"""Calls of functions with lazy arrays, compared with NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import biggus

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
    """Return the values, after a check that they have the shape and dtype of the array."""
    values = array.ndarray()
    assert (values.shape, values.dtype) == (array.shape, array.dtype)
    return values


def comparable(values):
    """Return values that compare equal if they are the same, even NaN in object arrays."""
    if not isinstance(values, (np.ndarray, np.generic)):
        values = np.array(values, "O")  # the element of an object array without axes
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
