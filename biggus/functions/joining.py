"""`concatenate`, `stack`, and other functions of NumPy's that join arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from biggus.array import Array, implements
from biggus.construct import LinearMosaic
from biggus.functions.elementwise import as_array
from biggus.functions.reshaping import at_least_1d, ravel
from biggus.sources.normal import normal_axis
from biggus.statistics.signatures import refuse

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    Casting: TypeAlias = Literal["no", "equiv", "safe", "same_kind", "unsafe"]


@implements(np.concatenate)
def concatenate(
    arrays: Iterable[Any],
    /,
    axis: int | str | None = 0,
    out: None = None,
    *,
    dtype: npt.DTypeLike | None = None,
    casting: Casting = "same_kind",
) -> Array:
    """Join arrays along an existing axis, as :func:`numpy.concatenate`.

    Parameters
    ----------
    arrays : iterable of Array or array_like
        The arrays, at least one.  They must have the same shape, except along `axis`.
    axis : int, str or None, optional
        The axis along which to join, by number or name.  If None, the arrays are flattened first.
    out : None
        Not supported; it is here for NumPy's signature.
    dtype : dtype, optional
        The dtype of the result.
    casting : str, optional
        Which casts to `dtype` are allowed, as in :func:`numpy.can_cast`.

    Returns
    -------
    Array
        A lazy array.

    Raises
    ------
    ValueError
        If there are no arrays, or their shapes do not fit.
    TypeError
        If an array cannot be cast to `dtype`.

    See Also
    --------
    LinearMosaic : The same, without casting.

    Examples
    --------
    >>> import biggus
    >>> biggus.concatenate([biggus.zeros(2), biggus.ones(1)]).ndarray()
    array([0., 0., 1.])
    """
    refuse("concatenate", out=out)
    parts = [as_array(one) for one in arrays]
    if axis is None:
        parts, axis = [ravel(one) for one in parts], 0
    if dtype is None:
        return LinearMosaic(parts, axis)
    joined = LinearMosaic([one.astype(dtype, casting=casting) for one in parts], axis)
    # A mosaic has the native byte order.
    return joined if np.dtype(dtype).isnative else joined.astype(dtype)


@implements(np.stack)
def stack(
    arrays: Iterable[Any],
    axis: int = 0,
    out: None = None,
    *,
    dtype: npt.DTypeLike | None = None,
    casting: Casting = "same_kind",
) -> Array:
    """Join arrays along a new axis, as :func:`numpy.stack`.

    Parameters
    ----------
    arrays : iterable of Array or array_like
        The arrays, at least one, all of the same shape.
    axis : int, optional
        The position of the new axis in the result.
    out : None
        Not supported; it is here for NumPy's signature.
    dtype : dtype, optional
        The dtype of the result.
    casting : str, optional
        Which casts to `dtype` are allowed, as in :func:`numpy.can_cast`.

    Returns
    -------
    Array
        A lazy array.

    Raises
    ------
    ValueError
        If there are no arrays, or their shapes differ.
    TypeError
        If an array cannot be cast to `dtype`.

    Examples
    --------
    >>> import biggus
    >>> biggus.stack([biggus.zeros(2), biggus.ones(2)], axis=1).ndarray()
    array([[0., 1.],
           [0., 1.]])
    """
    parts = [as_array(one) for one in arrays]
    if len({one.shape for one in parts}) > 1:
        raise ValueError("all arrays of a stack must have the same shape")
    place = normal_axis(axis, parts[0].ndim + 1) if parts else 0
    key = (slice(None),) * place + (None,)
    return concatenate([one[key] for one in parts], place, out, dtype=dtype, casting=casting)


@implements(np.column_stack)
def _column_stack(tup: Iterable[Any]) -> Array:
    columns = [as_array(one) for one in tup]
    return concatenate([one if one.ndim > 1 else at_least_1d(one)[:, None] for one in columns], 1)


@implements(np.append)
def _append(arr: Any, values: Any, axis: int | None = None) -> Array:
    return concatenate([arr, values], axis)


@implements(np.block)
def _block(arrays: Any) -> Array:
    depth = _depth(arrays)
    ndim = max(depth, *[one.ndim for one in _leaves(arrays)])
    return _blocked(arrays, ndim - depth, ndim)


def _depth(arrays: Any) -> int:
    """Return the depth of nested lists, which must be the same everywhere."""
    if not isinstance(arrays, list):
        return 0
    depths = {_depth(one) for one in arrays}
    if len(depths) != 1:
        raise ValueError("List depths are mismatched, or a list is empty")
    return 1 + depths.pop()


def _leaves(arrays: Any) -> list[Any]:
    if isinstance(arrays, list):
        return [leaf for one in arrays for leaf in _leaves(one)]
    return [as_array(arrays)]


def _blocked(arrays: Any, axis: int, ndim: int) -> Array:
    if isinstance(arrays, list):
        return concatenate([_blocked(one, axis + 1, ndim) for one in arrays], axis)
    array = as_array(arrays)
    return array[(None,) * (ndim - array.ndim) + (...,)]
