"""Arrays joined to one, as NumPy's functions join them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from biggus.array import Array, implements
from biggus.construct import LinearMosaic
from biggus.functions.elementwise import node_or_scalar
from biggus.sources.normal import normal_axis
from biggus.statistics.signatures import refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy.typing as npt

    Casting: TypeAlias = Literal["no", "equiv", "safe", "same_kind", "unsafe"]


@implements(np.concatenate)
def concatenate(
    arrays: Iterable[Any],
    /,
    axis: int = 0,
    out: None = None,
    *,
    dtype: npt.DTypeLike | None = None,
    casting: Casting = "same_kind",
) -> Array:
    """Join arrays along an axis, as :func:`numpy.concatenate`; see :class:`LinearMosaic`.

    Parameters
    ----------
    arrays : iterable of Array
        At least one; they have the same shape but for `axis`.
    axis : int, optional
        The axis along which they follow one another.
    out : None
        For its place in NumPy's signature.
    dtype : dtype, optional
        Of the result.
    casting : str, optional
        What may be cast to it, as :func:`numpy.can_cast` understands it.

    Returns
    -------
    Array
        Lazy.

    Raises
    ------
    ValueError
        If there are none, or their shapes do not fit.
    TypeError
        If a dtype cannot be cast to that of the result.

    Examples
    --------
    >>> import biggus
    >>> biggus.concatenate([biggus.zeros(2), biggus.ones(1)]).ndarray()
    array([0., 0., 1.])
    """
    refuse("concatenate", out=out)
    if axis is None:
        raise TypeError(
            "concatenate with axis=None flattens, which a lazy array does not do: "
            "call .ndarray() first"
        )
    made = [node_or_scalar(one) for one in arrays]
    if dtype is None:
        return LinearMosaic(made, axis)
    return LinearMosaic([one.astype(dtype, casting=casting) for one in made], axis)


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
    arrays : iterable of Array
        At least one, all of one shape.
    axis : int, optional
        Where the new axis comes.
    out : None
        For its place in NumPy's signature.
    dtype : dtype, optional
        Of the result.
    casting : str, optional
        What may be cast to it, as :func:`numpy.can_cast` understands it.

    Returns
    -------
    Array
        Lazy.

    Raises
    ------
    ValueError
        If there are none, or their shapes do not fit.
    TypeError
        If a dtype cannot be cast to that of the result.

    Examples
    --------
    >>> import biggus
    >>> biggus.stack([biggus.zeros(2), biggus.ones(2)], axis=1).ndarray()
    array([[0., 1.],
           [0., 1.]])
    """
    made = [node_or_scalar(one) for one in arrays]
    if len({one.shape for one in made}) > 1:
        raise ValueError("all arrays of a stack must have the same shape")
    place = normal_axis(axis, made[0].ndim + 1) if made else 0
    key = (slice(None),) * place + (None,)
    return concatenate([one[key] for one in made], place, out, dtype=dtype, casting=casting)


def _joined_after(
    prepare: Callable[[Any], Any], axis_of: Callable[[int], int]
) -> Callable[..., Array]:
    def join(tup: Iterable[Any], **keywords: Any) -> Array:
        made = [prepare(node_or_scalar(one)) for one in tup]
        axis = axis_of(made[0].ndim) if made else 0
        return concatenate(made, axis, **keywords)

    return join


def _at_least_1d(array: Array) -> Array:
    return array if array.ndim else array[None]


def _at_least_2d(array: Array) -> Array:
    return array if array.ndim > 1 else _at_least_1d(array)[None]


implements(np.vstack)(_joined_after(_at_least_2d, lambda _: 0))
implements(np.hstack)(_joined_after(_at_least_1d, lambda ndim: min(1, ndim - 1)))
