"""Views of arrays: repeated, or with their axes permuted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from biggus.adapt import (
    node_of,
)
from biggus.array import Array
from biggus.graph import select
from biggus.indexing.keys import MOST_AXES
from biggus.indexing.selection import Selection
from biggus.sources.normal import given_shape

if TYPE_CHECKING:
    from collections.abc import Sequence


def broadcast_to(array: Any, shape: int | Sequence[int]) -> Array:
    """Repeat an array to a shape, as :func:`numpy.broadcast_to`, lazily.

    Parameters
    ----------
    array : Array
        Or anything that becomes one.
    shape : int or tuple of int
        The shape.

    Returns
    -------
    Array
        A view: what is repeated is read once.

    Raises
    ------
    ValueError
        If it does not broadcast to that shape.

    Examples
    --------
    >>> import biggus
    >>> biggus.broadcast_to([1, 2], (2, 2)).ndarray()
    array([[1, 2],
           [1, 2]])
    """
    target = given_shape(shape)
    if len(target) > MOST_AXES:
        raise ValueError(f"an array has at most {MOST_AXES} axes, not {len(target)}")
    node = node_of(array)
    return Array.from_node(select(node, Selection.broadcast(node.shape, target)))


def transpose(array: Any, axes: Sequence[int] | None = None) -> Array:
    """Permute the axes of an array, as :func:`numpy.transpose`, lazily.

    Parameters
    ----------
    array : Array
        Or anything that becomes one.
    axes : sequence of int, optional
        The axes in their new order; reversed if not given.

    Returns
    -------
    Array
        A view.

    Raises
    ------
    ValueError
        If `axes` are not all axes, each once.

    Examples
    --------
    >>> import biggus
    >>> biggus.transpose(biggus.zeros((2, 3, 4)), (2, 0, 1)).shape
    (4, 2, 3)
    """
    return Array.from_node(node_of(array)).transpose(axes)
