"""Views of arrays: `broadcast_to` and `transpose`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from biggus.adapt import node_of
from biggus.array import Array
from biggus.graph import select
from biggus.indexing.keys import MOST_AXES
from biggus.indexing.selection import Selection
from biggus.sources.normal import given_shape


def broadcast_to(array: Any, shape: int | Sequence[int]) -> Array:
    """Broadcast an array to a shape; a lazy :func:`numpy.broadcast_to`.

    Parameters
    ----------
    array : Array or array_like
        The array to broadcast.
    shape : int or tuple of int
        The shape of the result.

    Returns
    -------
    Array
        A lazy view: repeated values are read once.

    Raises
    ------
    ValueError
        If `array` cannot be broadcast to `shape`.

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


def transpose(array: Any, axes: Sequence[int | str] | None = None) -> Array:
    """Permute the axes of an array; a lazy :func:`numpy.transpose`.

    Parameters
    ----------
    array : Array or array_like
        The array to transpose.
    axes : sequence of int or str, optional
        The axes in their new order, by number or name; by default they are reversed.

    Returns
    -------
    Array
        A lazy view.

    Raises
    ------
    ValueError
        If `axes` is not a permutation of the axes.

    Examples
    --------
    >>> import biggus
    >>> biggus.transpose(biggus.zeros((2, 3, 4)), (2, 0, 1)).shape
    (4, 2, 3)
    """
    return Array.from_node(node_of(array)).transpose(axes)
