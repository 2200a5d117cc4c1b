"""`topk`: the largest or the smallest values along an axis, in order."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.functions.along import lined
from biggus.functions.elementwise import as_array
from biggus.labels import numbered
from biggus.labels.cores import CoreEffect, with_effect
from biggus.sources.normal import normal_axis

if TYPE_CHECKING:
    from biggus.array import Array


def topk(a: Any, k: int, axis: int | str = -1) -> Array:
    """Return the largest values along an axis, largest first, as ``dask.array.topk``.

    Parameters
    ----------
    a : Array or array_like
        The values.
    k : int
        The number of values.  If it is negative, the ``-k`` smallest values are returned,
        smallest first.  Shorter lines are returned whole.
    axis : int or str, optional
        The axis, by its number or name.

    Returns
    -------
    Array
        A lazy array with the dtype of `a`.  NaN counts as larger than all numbers, as in
        :func:`numpy.sort`.  Missing values come last, whether large or small values are wanted.

    Raises
    ------
    ValueError
        If `k` is 0.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> a = biggus.ArrayAdapter(np.array([[5, 1, 3, 6], [2, 9, 4, 4]]))
    >>> biggus.topk(a, 2).ndarray()
    array([[6, 5],
           [9, 4]])
    >>> biggus.topk(a, -1).ndarray()
    array([[1],
           [2]])
    """
    array = as_array(a)
    count = operator.index(k)
    if not count:
        raise ValueError("topk of 0 values: k is the number of the largest, or minus the smallest")
    place = normal_axis(numbered(array.node, axis), array.ndim)
    return lined(
        array,
        place,
        _topk,
        {"k": count},
        dtype=array.dtype,
        length=min(abs(count), array.shape[place]),
        of_masked=_topk_of_masked,
    )


@with_effect(CoreEffect.ORDERS)
def _topk(values: Any, k: int, axis: int) -> Any:
    if abs(k) < values.shape[axis]:
        # The wanted values come first or last, in any order.
        values = np.partition(values, -k if k > 0 else -k - 1, axis)
    return _from_end(np.sort(_last(values, k), axis), k)


@with_effect(CoreEffect.ORDERS)
def _topk_of_masked(values: Any, k: int, axis: int) -> Any:
    mask = np.ma.getmaskarray(values)
    order = np.lexsort((values.data, mask if k < 0 else ~mask), axis=axis)
    return _from_end(_last(np.take_along_axis(values, order, axis), k), k)


def _last(values: Any, k: int) -> Any:
    return values[..., -k:] if k > 0 else values[..., :-k]


def _from_end(values: Any, k: int) -> Any:
    return values[..., ::-1] if k > 0 else values
