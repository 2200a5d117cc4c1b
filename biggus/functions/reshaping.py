"""NumPy's functions that give the same values other axes."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.array import Array, implements
from biggus.construct import zeros
from biggus.functions.elementwise import as_array
from biggus.graph import Reshape

if TYPE_CHECKING:
    from collections.abc import Callable


@implements(np.reshape)
def reshape(
    a: Any,
    /,
    shape: Any = None,
    order: str = "C",
    *,
    newshape: Any = None,
    copy: bool | None = None,
) -> Array:
    """Give an array other axes, as :func:`numpy.reshape`.

    Axes that stay are selected from as before; of the others whole runs in C order are read.

    Parameters
    ----------
    a : Array
        Or anything that becomes one.
    shape : int or tuple of int
        As many values; one length may be -1, for what is left.
    order : {"C", "F", "A"}, optional
        In which order values are counted: "F" has the first axis run fastest.
    newshape : int or tuple of int, optional
        What older versions of NumPy call `shape`.
    copy : bool, optional
        For its place in NumPy's signature: what is read is always fresh.

    Returns
    -------
    Array
        Lazy.

    Raises
    ------
    ValueError
        If there are more or fewer values.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> a = biggus.ArrayAdapter(np.arange(6))
    >>> biggus.reshape(a, (2, -1)).ndarray()
    array([[0, 1, 2],
           [3, 4, 5]])
    """
    array = as_array(a)
    if copy is False:
        raise ValueError("Unable to avoid creating a copy while reshaping: what is read is fresh")
    wanted = _lengths(array, shape if newshape is None else newshape)
    match order:
        case "C" | "A" | "K":
            return _reshaped(array, wanted)
        case "F":
            return _reshaped(array.T, wanted[::-1]).T
        case _:
            raise ValueError(f"order must be one of 'C', 'F', 'A', or 'K' (got {order!r})")


def _lengths(array: Array, shape: Any) -> tuple[int, ...]:
    if shape is None:
        raise TypeError("reshape() missing 1 required positional argument: 'shape'")
    given = tuple(map(operator.index, shape)) if np.iterable(shape) else (operator.index(shape),)
    fits = True
    found = given
    if given.count(-1) == 1:
        others = math.prod(n for n in given if n != -1)
        fits = others != 0 and array.size % others == 0
        found = tuple([array.size // max(1, others) if n == -1 else n for n in given])
    elif -1 in given:
        raise ValueError("can only specify one unknown dimension")
    if any(n < -1 for n in given) or not fits or math.prod(found) != array.size:
        raise ValueError(f"cannot reshape array of size {array.size} into shape {given}")
    return found


def _reshaped(array: Array, shape: tuple[int, ...]) -> Array:
    if shape == array.shape:
        return array[...]
    if array.size == 0:
        return zeros(shape, array.dtype)
    return Array.from_node(Reshape(array.node, shape))


@implements(np.ravel)
def ravel(a: Any, order: str = "C") -> Array:
    """Put all values along one axis, as :func:`numpy.ravel`.

    Parameters
    ----------
    a : Array
        Or anything that becomes one.
    order : {"C", "F", "A", "K"}, optional
        In which order they follow one another.

    Returns
    -------
    Array
        Lazy, of one axis.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> biggus.ravel(biggus.ArrayAdapter(np.eye(2))).ndarray()
    array([1., 0., 0., 1.])
    """
    return reshape(a, -1, order)


_ADDED = {
    1: ((0,),),
    2: ((0, 1), (0,)),
    3: ((0, 1, 2), (0, 2), (2,)),
}
"""Of at least so many axes: which are added to an array of none, one and two."""


def _at_least(ndim: int) -> Callable[..., Any]:
    def extend(*arys: Any) -> Any:
        found = []
        for one in arys:
            array = as_array(one)
            if array.ndim < ndim:
                added = _ADDED[ndim][array.ndim]
                array = array[tuple([None if n in added else slice(None) for n in range(ndim)])]
            found.append(array)
        return found[0] if len(found) == 1 else tuple(found)

    return extend


at_least_1d, at_least_2d, at_least_3d = map(_at_least, _ADDED)
implements(np.atleast_1d)(at_least_1d)
implements(np.atleast_2d)(at_least_2d)
implements(np.atleast_3d)(at_least_3d)
