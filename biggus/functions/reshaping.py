"""`reshape`, `ravel` and `atleast_1d` and its like."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from biggus.array import Array, implements
from biggus.construct import zeros
from biggus.functions.elementwise import as_array
from biggus.graph import Reshape


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
    """Change the shape of an array, as :func:`numpy.reshape`.

    A selection along an axis that keeps its length reads that selection alone; along other axes
    it reads whole runs of values.

    Parameters
    ----------
    a : Array or array_like
        The array.
    shape : int or tuple of int
        The new shape, of the same number of elements.  One length may be -1; it is computed
        from the others.
    order : {"C", "F", "A"}, optional
        The order of the elements; with "F" the first axis varies fastest.
    newshape : int or tuple of int, optional
        The name of `shape` in older versions of NumPy.
    copy : bool, optional
        Ignored, unless it is False, which is refused: values are always read into a new array.

    Returns
    -------
    Array
        A lazy array.

    Raises
    ------
    ValueError
        If the number of elements differs.

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
        raise ValueError("Unable to avoid creating a copy while reshaping a lazy array")
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
    # NumPy reshapes an array of this shape that takes no memory.
    lengths: tuple[int, ...] = np.broadcast_to(False, array.shape).reshape(shape).shape
    return lengths


def _reshaped(array: Array, shape: tuple[int, ...]) -> Array:
    if shape == array.shape:
        return array[...]
    if array.size == 0:
        return zeros(shape, array.dtype)
    return Array.from_node(Reshape(array.node, shape))


@implements(np.ravel)
def ravel(a: Any, order: str = "C") -> Array:
    """Flatten an array to one axis, as :func:`numpy.ravel`.

    Parameters
    ----------
    a : Array or array_like
        The array.
    order : {"C", "F", "A", "K"}, optional
        The order of the elements; with "F" the first axis varies fastest.

    Returns
    -------
    Array
        A lazy array of one axis.

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
"""The axes that an array of 0, 1 or 2 axes gets, by the least number of axes."""


def _at_least(ndim: int) -> Callable[..., Any]:
    def extend(*arys: Any) -> Any:
        extended = []
        for one in arys:
            array = as_array(one)
            if array.ndim < ndim:
                added = _ADDED[ndim][array.ndim]
                array = array[tuple([None if n in added else slice(None) for n in range(ndim)])]
            extended.append(array)
        return extended[0] if len(extended) == 1 else tuple(extended)

    return extend


at_least_1d, at_least_2d, at_least_3d = map(_at_least, _ADDED)
implements(np.atleast_1d)(at_least_1d)
implements(np.atleast_2d)(at_least_2d)
implements(np.atleast_3d)(at_least_3d)
