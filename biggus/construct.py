"""The named constructors of arrays, of objects, other arrays or one value; they read nothing."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from numpy.lib.array_utils import normalize_axis_index

from biggus.adapt import (
    adapted,
    holds_several,
    leaf_of,
    node_of,
    plain_leaf,
    plain_types,
    several,
)
from biggus.array import Array
from biggus.keys import MOST_AXES
from biggus.memory import MemorySource
from biggus.nodes import GridMosaicNode, Mosaic, Node, View, select
from biggus.normal import normal_dtype, normal_shape, refuse_names
from biggus.region import Selection

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable, Iterable, Sequence

    from biggus.cache import Cache
    from biggus.source import Chunks


class ArrayAdapter(Array):
    """Anything with ``shape``, ``dtype`` and ``__getitem__`` as a lazy array.

    Objects of h5py, zarr and netCDF4, and ndarrays, are known: their chunks,
    locks and quirks are taken care of.  Any other object is asked only with
    full-rank tuples of in-bounds slices of positive step, possibly from several
    threads at once (give a `lock` if it must not be), and must answer with an
    array of exactly that shape and of its dtype.

    Parameters
    ----------
    obj : object
        Where the values live.
    chunks : tuple, optional
        For each axis the length of a chunk, or the lengths of all chunks:
        reads are cut there.  Without them what is read is what was selected,
        but for index arrays that would take more than 64 reads, or are tied
        together: of these, what is near is read together, with what lies
        between, where that costs less than a read of its own.
    token : str, optional
        Identity of the values, for caching: equal tokens promise equal values.
    cache : Cache or bool, optional
        Where chunks that were read are kept; True is the default cache.
    lock : context manager, optional
        Held during each read.
    masked : bool, optional
        Whether the object may answer with MaskedArrays that have values missing.

    Raises
    ------
    TypeError
        If `obj` lacks one of the three.
    CacheError
        If a cache is given and no token is known.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> biggus.ArrayAdapter(np.zeros((2, 3)))[0].ndarray()
    array([0., 0., 0.])
    """

    __slots__ = ()

    def __init__(
        self,
        obj: Any,
        chunks: Chunks | None = None,
        *,
        token: str | None = None,
        cache: Cache | bool | None = None,
        lock: contextlib.AbstractContextManager[Any] | None = None,
        masked: bool = False,
    ) -> None:
        if (
            type(obj) in plain_types
            and chunks is None
            and token is None
            and cache is None
            and lock is None
            and not masked
        ):
            self.node: Node = plain_leaf(obj)
        else:
            self.node = adapted(obj, chunks, token, cache, lock, masked)


class LinearMosaic(Array):
    """Arrays joined along one axis: :func:`numpy.concatenate`, lazily.

    Parameters
    ----------
    arrays : iterable of Array
        At least one; other mosaics among them, or anything that
        :class:`ArrayAdapter` takes.  They have the same shape but for `axis`;
        their dtypes promote as :func:`numpy.concatenate` promotes.
    axis : int
        The axis along which they follow one another.

    Raises
    ------
    ValueError
        If there are none, or their shapes do not fit.
    numpy.exceptions.AxisError
        If they have no such axis.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> columns = [biggus.ArrayAdapter(np.full((2, 1), i)) for i in range(3)]
    >>> biggus.LinearMosaic(columns, axis=1).ndarray()
    array([[0, 1, 2],
           [0, 1, 2]])
    """

    __slots__ = ()

    def __init__(self, arrays: Iterable[Any], axis: int = 0) -> None:
        nodes = [node_of(array) for array in several(arrays)]
        if not nodes:
            raise ValueError("need at least one array to join")
        rank = len(nodes[0].shape)
        if not rank:
            raise ValueError("zero-dimensional arrays cannot be joined; stack them")
        refuse_names(axis)
        if isinstance(axis, bool) or not hasattr(axis, "__index__"):
            raise TypeError(f"an axis is an integer, the number of an axis, not {axis!r}")
        self.node = Mosaic(nodes, normalize_axis_index(axis, rank))


class ArrayStack(Array):
    """Arrays stacked along new leading axes: :func:`numpy.stack`, lazily.

    Parameters
    ----------
    arrays : iterable of Array, or nested ones of them
        All of one shape.  Each level of nesting is a new axis, the outermost
        the first.

    Raises
    ------
    ValueError
        If there are none, or shapes or the lengths of nested iterables differ.

    Examples
    --------
    >>> import biggus
    >>> rows = [[biggus.zeros(4), biggus.ones(4)], [biggus.ones(4), biggus.zeros(4)]]
    >>> biggus.ArrayStack(rows).shape
    (2, 2, 4)
    """

    __slots__ = ()

    def __init__(self, arrays: Iterable[Any]) -> None:
        self.node = _stacked(arrays)


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
    return Mosaic([select(node, _with_new_axis(node.shape)) for node in nodes], 0)


def _with_new_axis(shape: tuple[int, ...]) -> Selection:
    return Selection.broadcast(shape, (1, *shape))


class GridMosaic(Array):
    """A regular grid of equal tiles, each made when it is read.

    It costs no memory in the number of tiles: 2^44 of them are no more than four.

    Parameters
    ----------
    make_tile : callable
        Called with the number of a tile along each axis, as a tuple of ints,
        from several threads at once; returns what :class:`ArrayAdapter` takes.
    grid_shape : tuple of int
        How many tiles there are along each axis.
    tile_shape : tuple of int
        The shape of every tile.
    dtype : dtype
        The dtype of every tile.
    masked : bool, optional
        Whether tiles can have values missing.

    Raises
    ------
    ValueError
        If the two shapes have different numbers of axes.

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

    __slots__ = ()

    def __init__(
        self,
        make_tile: Callable[[tuple[int, ...]], Any],
        grid_shape: Sequence[int],
        tile_shape: Sequence[int],
        dtype: npt.DTypeLike,
        *,
        masked: bool = False,
    ) -> None:
        if not callable(make_tile):
            raise TypeError(f"make_tile is called with the number of a tile: not {make_tile!r}")
        counts, lengths = _lengths(grid_shape), _lengths(tile_shape)
        if len(counts) != len(lengths):
            raise ValueError(
                f"grid_shape {counts} and tile_shape {lengths} have different numbers of axes"
            )
        self.node = GridMosaicNode(
            _TileMaker(make_tile), counts, lengths, normal_dtype(dtype), masked
        )


class _TileMaker:
    """A user's `make_tile` whose tiles are adapted; picklable if that is."""

    def __init__(self, make_tile: Callable[[tuple[int, ...]], Any]) -> None:
        self.make_tile = make_tile

    def __call__(self, index: tuple[int, ...]) -> Node:
        return node_of(self.make_tile(index))


class ConstantArray(Array):
    """One value, in any shape, that takes no memory.

    Parameters
    ----------
    shape : int or tuple of int
        The shape.
    value : scalar, optional
        The value; 0 if not given.
    dtype : dtype, optional
        The dtype; that of `value` if not given.

    Raises
    ------
    ValueError
        If `value` is no scalar.

    Examples
    --------
    >>> import biggus
    >>> biggus.ConstantArray((2**40, 2**20), 273.15).nbytes
    9223372036854775808
    """

    __slots__ = ()

    def __init__(
        self,
        shape: int | Sequence[int],
        value: Any = 0.0,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        lengths = _lengths(shape)
        scalar = _filled(value, dtype)
        if scalar.ndim:
            raise ValueError(
                f"the value of a ConstantArray is a scalar, not of shape {scalar.shape}"
            )
        leaf = leaf_of(MemorySource(scalar))
        self.node = View(leaf, Selection.broadcast((), lengths))


def zeros(shape: int | Sequence[int], dtype: npt.DTypeLike = float) -> Array:
    """Return a lazy array of zeros, as :func:`numpy.zeros`.

    Parameters
    ----------
    shape : int or tuple of int
        The shape.
    dtype : dtype, optional
        The dtype.

    Returns
    -------
    ConstantArray
        It takes no memory.

    Examples
    --------
    >>> import biggus
    >>> biggus.zeros((2, 2)).ndarray()
    array([[0., 0.],
           [0., 0.]])
    """
    return ConstantArray(shape, np.zeros((), dtype)[()], dtype)


def ones(shape: int | Sequence[int], dtype: npt.DTypeLike = float) -> Array:
    """Return a lazy array of ones, as :func:`numpy.ones`.

    Parameters
    ----------
    shape : int or tuple of int
        The shape.
    dtype : dtype, optional
        The dtype.

    Returns
    -------
    ConstantArray
        It takes no memory.

    Examples
    --------
    >>> import biggus
    >>> biggus.ones((2, 2)).ndarray()
    array([[1., 1.],
           [1., 1.]])
    """
    return ConstantArray(shape, np.ones((), dtype)[()], dtype)


def full(shape: int | Sequence[int], fill_value: Any, dtype: npt.DTypeLike | None = None) -> Array:
    """Return a lazy array of `fill_value`, as :func:`numpy.full`.

    Parameters
    ----------
    shape : int or tuple of int
        The shape.
    fill_value : scalar or array_like
        The value; an array is repeated as NumPy broadcasts it.
    dtype : dtype, optional
        The dtype; that of `fill_value` if not given.

    Returns
    -------
    Array
        It takes no memory but that of `fill_value`.

    Raises
    ------
    ValueError
        If `fill_value` does not broadcast to that shape.

    Examples
    --------
    >>> import biggus
    >>> biggus.full((2, 3), [1, 2, 3]).ndarray()
    array([[1, 2, 3],
           [1, 2, 3]])
    """
    values = _filled(fill_value, dtype)
    return broadcast_to(values, shape) if values.ndim else ConstantArray(shape, values)


def _filled(value: Any, dtype: npt.DTypeLike | None) -> npt.NDArray[Any]:
    """Return a fresh array of `value`, cast as :func:`numpy.full` casts."""
    if dtype is None:
        return np.array(value)
    new = np.dtype(dtype)
    if new.itemsize == 0 or (new.names is not None and isinstance(value, tuple)):
        return np.array(value, new)  # of the length that the value needs; one record
    return np.full(np.shape(value), value, new)


def _lengths(shape: Any) -> tuple[int, ...]:
    """Return a shape that is given as NumPy takes it: a number, or several."""
    if isinstance(shape, (bool, np.bool_)):
        raise TypeError(f"a shape is an integer or several, not {shape}")
    try:
        return normal_shape((operator.index(shape),))
    except TypeError:
        return normal_shape(shape)


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
    target = _lengths(shape)
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
