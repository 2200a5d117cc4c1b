"""Mosaics: arrays joined along an axis, stacked along a new one, or laid out in a grid."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy.typing as npt

from biggus.adapt import holds_several, node_of, nodes_of, several
from biggus.array import Array
from biggus.graph import GridMosaicNode, Mosaic, Node, select
from biggus.indexing.selection import Selection
from biggus.labels import numbered_one
from biggus.sources.normal import given_shape, normal_dtype


def LinearMosaic(arrays: Iterable[Any], axis: int | str = 0) -> Array:
    """Join arrays along an existing axis; a lazy :func:`numpy.concatenate`.

    Parameters
    ----------
    arrays : iterable of Array or array_like
        The arrays, at least one.  Anything that :class:`ArrayAdapter` takes is adapted.  The
        arrays must have the same shape, except along `axis`.  Dtypes are promoted as in
        :func:`numpy.concatenate`.
    axis : int or str, optional
        The axis along which to join, by number or by its name in the first array.

    Returns
    -------
    Array
        A lazy array; nothing is read.

    Raises
    ------
    ValueError
        If there are no arrays, or their shapes do not fit.
    numpy.exceptions.AxisError
        If the arrays have no such axis.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> columns = [biggus.ArrayAdapter(np.full((2, 1), i)) for i in range(3)]
    >>> biggus.LinearMosaic(columns, axis=1).ndarray()
    array([[0, 1, 2],
           [0, 1, 2]])
    """
    nodes = nodes_of(arrays)
    if not nodes:
        raise ValueError("need at least one array to join")
    if not nodes[0].shape:
        raise ValueError("zero-dimensional arrays cannot be joined; stack them")
    return Array.from_node(Mosaic(nodes, numbered_one(nodes[0], axis)))


def ArrayStack(arrays: Iterable[Any]) -> Array:
    """Stack arrays along new leading axes; a lazy :func:`numpy.stack` of nested lists.

    Parameters
    ----------
    arrays : iterable of Array, or nested iterables
        Arrays of the same shape.  Each level of nesting adds an axis; the outermost level is
        the first axis.

    Returns
    -------
    Array
        A lazy array; nothing is read.

    Raises
    ------
    ValueError
        If there are no arrays, or the shapes or the lengths of nested iterables differ.

    Examples
    --------
    >>> import biggus
    >>> rows = [[biggus.zeros(4), biggus.ones(4)], [biggus.ones(4), biggus.zeros(4)]]
    >>> biggus.ArrayStack(rows).shape
    (2, 2, 4)
    """
    return Array.from_node(_stacked(arrays))


def _stacked(items: Iterable[Any]) -> Node:
    nodes = [_stacked(item) if holds_several(item) else node_of(item) for item in several(items)]
    if not nodes:
        raise ValueError("need at least one array to stack")
    for number, node in enumerate(nodes):
        if node.shape != nodes[0].shape:
            raise ValueError(
                f"all arrays of a stack must have the same shape: array 0 has {nodes[0].shape} "
                f"and array {number} has {node.shape}"
            )
    with_new_axis = Selection.broadcast(nodes[0].shape, (1, *nodes[0].shape))
    return Mosaic([select(node, with_new_axis) for node in nodes], 0)


def GridMosaic(
    make_tile: Callable[[tuple[int, ...]], Any],
    grid_shape: Sequence[int],
    tile_shape: Sequence[int],
    dtype: npt.DTypeLike,
    *,
    masked: bool = False,
) -> Array:
    """Return a lazy array of a regular grid of tiles, each made when it is read.

    The memory it takes does not depend on the number of tiles.

    Parameters
    ----------
    make_tile : callable
        A function that makes a tile.  It is called with the index of the tile in the grid, a
        tuple of int, possibly from several threads at once.  It returns an object that
        :class:`ArrayAdapter` takes.
    grid_shape : tuple of int
        The number of tiles along each axis.
    tile_shape : tuple of int
        The shape of each tile.
    dtype : dtype
        The dtype of each tile.
    masked : bool, optional
        Whether tiles can have missing values.

    Returns
    -------
    Array
        A lazy array; no tile is made.

    Raises
    ------
    ValueError
        If `grid_shape` and `tile_shape` differ in length.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> def make_tile(index):
    ...     return np.full((2, 2), index[0] * 10 + index[1])
    >>> grid = biggus.GridMosaic(make_tile, (2**20, 2**20), (2, 2), dtype=int)
    >>> grid.shape
    (2097152, 2097152)
    >>> grid[1:3, 4].ndarray()
    array([ 2, 12])
    """
    if not callable(make_tile):
        raise TypeError(f"make_tile is called with the number of a tile: not {make_tile!r}")
    counts, lengths = given_shape(grid_shape), given_shape(tile_shape)
    if len(counts) != len(lengths):
        raise ValueError(
            f"grid_shape {counts} and tile_shape {lengths} have different numbers of axes"
        )
    return Array.from_node(
        GridMosaicNode(partial(_tile, make_tile), counts, lengths, normal_dtype(dtype), masked)
    )


def _tile(make_tile: Callable[[tuple[int, ...]], Any], index: tuple[int, ...]) -> Node:
    """Return the node of a tile that a function of the user makes."""
    return node_of(make_tile(index))
