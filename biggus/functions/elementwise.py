"""Elementwise functions: `where`, `clip`, `round`, and tests for NaN and infinity."""

from __future__ import annotations

import operator
from functools import reduce
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from biggus import expressions
from biggus.adapt import node_of
from biggus.array import Array, implements
from biggus.expressions.validity import Valid, ValidWhere
from biggus.graph import Elementwise
from biggus.statistics.signatures import NOT_GIVEN, refuse

if TYPE_CHECKING:
    from collections.abc import Callable

    Test: TypeAlias = Callable[[Any], Array]


def where(condition: Any, x: Any = NOT_GIVEN, y: Any = NOT_GIVEN, /) -> Array:
    """Choose elements from `x` where a condition is true, else from `y`, as :func:`numpy.where`.

    Parameters
    ----------
    condition, x, y : Array, array_like or scalar
        The condition and the values to choose from, which are broadcast together.  The result
        is masked where the condition is.

    Returns
    -------
    Array
        A lazy array of NumPy's dtype.

    Raises
    ------
    TypeError
        If only the condition is given: the length of the result would depend on its values.
    ValueError
        If only one of `x` and `y` is given.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> a = biggus.ArrayAdapter(np.arange(5))
    >>> biggus.where(a > 2, a, -1).ndarray()
    array([-1, -1, -1,  3,  4])
    """
    if x is NOT_GIVEN:
        raise TypeError(
            "the length of where(condition) depends on the values of the condition: "
            "give x and y, or call numpy.nonzero, which counts them"
        )
    if y is NOT_GIVEN:
        raise ValueError("either both or neither of x and y should be given")
    operands = [expressions.operand(one) for one in (condition, x, y)]
    return Array.from_node(expressions.applied(np.where, operands))


def clip(a: Any, min: Any = None, max: Any = None, out: None = None) -> Array:
    """Clip values to an interval, as :func:`numpy.clip`.

    Parameters
    ----------
    a : Array or array_like
        The values.
    min, max : Array, array_like or scalar, optional
        The bounds of the interval, which are broadcast; None for no bound.
    out : None
        Not supported; it is here for NumPy's signature.

    Returns
    -------
    Array
        A lazy array of NumPy's dtype.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> biggus.clip(biggus.ArrayAdapter(np.arange(5)), 1, 3).ndarray()
    array([1, 1, 2, 3, 3])
    """
    return _clip(a, min, max, out)


@implements(np.clip)
def _clip(
    a: Any,
    a_min: Any = None,
    a_max: Any = None,
    out: Any = None,
    *,
    min: Any = None,
    max: Any = None,
    **keywords: Any,
) -> Array:
    refuse("clip", out=out, where=keywords.pop("where", True))
    bounds = [a_min if min is None else min, a_max if max is None else max]
    operands = [one if one is None else expressions.operand(one) for one in bounds]
    return Array.from_node(expressions.applied(np.clip, [node_of(a), *operands], keywords))


@implements(np.round, np.around)
def round(a: Any, decimals: int = 0, out: None = None) -> Array:
    """Round to a number of decimals, as :func:`numpy.round`.

    Halves are rounded to the nearest even value.

    Parameters
    ----------
    a : Array or array_like
        The values.
    decimals : int, optional
        The number of decimals; a negative number counts places left of the decimal point.
    out : None
        Not supported; it is here for NumPy's signature.

    Returns
    -------
    Array
        A lazy array of the dtype of `a`.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> biggus.round(biggus.ArrayAdapter(np.array([0.25, 1.55, 2.5])), 1).ndarray()
    array([0.2, 1.6, 2.5])
    """
    refuse("round", out=out)
    return Array.from_node(expressions.applied(np.round, [node_of(a)], {"decimals": decimals}))


def as_array(a: Any) -> Array:
    """Return a lazy array of an object; a lazy array is returned unchanged."""
    return a if isinstance(a, Array) else Array.from_node(node_of(a))


def refuse_missing(name: str, *arrays: Array) -> None:
    """Raise a TypeError if values of an array can be missing."""
    if any(one.masked for one in arrays):
        raise TypeError(
            f"{name} of a lazy array whose values can be missing: call .filled(...) first"
        )


def _test(ufunc: np.ufunc, quality: str, example: str) -> Test:
    def test(a: Any) -> Array:
        return Array.from_node(expressions.applied(ufunc, [node_of(a)]))

    name = ufunc.__name__
    test.__name__ = test.__qualname__ = name
    test.__doc__ = f"""Test each value for being {quality}, as :func:`numpy.{name}`.

    Parameters
    ----------
    a : Array or array_like
        The values.

    Returns
    -------
    Array
        A lazy array of bool, masked where `a` is.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> biggus.{name}(biggus.ArrayAdapter(np.array([1, np.nan, np.inf]))).ndarray()
    {example}
    """
    return test


isnan = _test(np.isnan, "NaN or NaT", "array([False,  True, False])")
isfinite = _test(np.isfinite, "finite", "array([ True, False, False])")
isinf = _test(np.isinf, "infinite", "array([False, False,  True])")


def valid_in_all(*arrays: Array) -> Array:
    """Return where no array has a missing value."""
    return reduce(
        operator.and_, [Array.from_node(Elementwise(Valid(), one.node)) for one in arrays]
    )


def masked_elsewhere(array: Array, there: Array) -> Array:
    """Return values that are missing where a condition is false."""
    return Array.from_node(Elementwise(ValidWhere(array.dtype), array.node, there.node))
