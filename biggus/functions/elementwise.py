"""Functions of each value: choosing, clipping, rounding, and what is a number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from biggus import expressions
from biggus.adapt import Lazy, node_of
from biggus.array import Array, implements
from biggus.statistics.signatures import NOT_GIVEN, refuse

if TYPE_CHECKING:
    from collections.abc import Callable

    Test: TypeAlias = Callable[[Any], Array]


def where(condition: Any, x: Any = NOT_GIVEN, y: Any = NOT_GIVEN, /) -> Array:
    """Choose from `x` where a condition holds, else from `y`, as :func:`numpy.where`.

    Parameters
    ----------
    condition, x, y : Array, array_like or scalar
        They broadcast.  Where the condition is masked, so is the result.

    Returns
    -------
    Array
        Lazy, of the dtype that NumPy gives.

    Raises
    ------
    TypeError
        If only the condition is given: how many places there are, only the values say.
    ValueError
        If one of the others is not given.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> a = biggus.ArrayAdapter(np.arange(5))
    >>> biggus.where(a > 2, a, -1).ndarray()
    array([-1, -1, -1,  3,  4])
    """
    if x is NOT_GIVEN:
        raise TypeError(
            "where of a condition alone has as many results as there are true values: "
            "numpy.nonzero counts them; or give x and y"
        )
    if y is NOT_GIVEN:
        raise ValueError("either both or neither of x and y should be given")
    return Array.from_node(expressions.where(condition, x, y))


def clip(a: Any, min: Any = None, max: Any = None, out: None = None) -> Array:
    """Keep values between bounds, as :func:`numpy.clip`.

    Parameters
    ----------
    a : Array
        Or anything that becomes one.
    min, max : Array, array_like or scalar, optional
        The bounds, which broadcast; None for no bound.
    out : None
        For its place in NumPy's signature.

    Returns
    -------
    Array
        Lazy, of the dtype that NumPy gives.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> biggus.clip(biggus.ArrayAdapter(np.arange(5)), 1, 3).ndarray()
    array([1, 1, 2, 3, 3])
    """
    refuse("clip", out=out)
    return Array.from_node(expressions.clip(node_or_scalar(a), min, max))


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
    least = a_min if min is None else min
    greatest = a_max if max is None else max
    return Array.from_node(expressions.clip(node_or_scalar(a), least, greatest, **keywords))


@implements(np.round, np.around)
def round(a: Any, decimals: int = 0, out: None = None) -> Array:
    """Round to a number of decimals, as :func:`numpy.round`; of halves, to the even side.

    Parameters
    ----------
    a : Array
        Or anything that becomes one.
    decimals : int, optional
        How many; negative ones stand before the point.
    out : None
        For its place in NumPy's signature.

    Returns
    -------
    Array
        Lazy, of the dtype of `a`.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> biggus.round(biggus.ArrayAdapter(np.array([0.25, 1.55, 2.5])), 1).ndarray()
    array([0.2, 1.6, 2.5])
    """
    refuse("round", out=out)
    return Array.from_node(expressions.rounded(node_or_scalar(a), decimals))


def node_or_scalar(a: Any) -> Any:
    """Return an array as it is, and of anything else the array that it becomes."""
    return a if isinstance(a, Lazy) else Array.from_node(node_of(a))


def refuse_missing(name: str, *arrays: Array) -> None:
    """Raise a TypeError if values of arrays can be missing, of which a function takes none."""
    if any(one.masked for one in arrays):
        raise TypeError(
            f"{name} of a lazy array whose values can be missing: call .filled(...) first"
        )


def _test(ufunc: np.ufunc, what: str, example: str) -> Test:
    def test(a: Any) -> Array:
        return Array.from_node(expressions.applied(ufunc, [node_of(a)]))

    name = ufunc.__name__
    test.__name__ = test.__qualname__ = name
    test.__doc__ = f"""Tell which values are {what}, as :func:`numpy.{name}`.

    Parameters
    ----------
    a : Array
        Or anything that becomes one.

    Returns
    -------
    Array
        Lazy, of bool; masked where `a` is.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> biggus.{name}(biggus.ArrayAdapter(np.array([1, np.nan, np.inf]))).ndarray()
    {example}
    """
    return test


isnan = _test(np.isnan, "NaN or NaT", "array([False,  True, False])")
isfinite = _test(np.isfinite, "finite numbers", "array([ True, False, False])")
isinf = _test(np.isinf, "infinite", "array([False, False,  True])")
