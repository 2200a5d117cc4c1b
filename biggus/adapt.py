"""Adapting: making nodes of lazy arrays from objects of the user."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.caching import caching
from biggus.graph import Elementwise, Leaf, Node
from biggus.sources.base import Chunks, Source
from biggus.sources.foreign import foreign_source
from biggus.sources.memory import MemorySource
from biggus.sources.normal import native_marked, normal_dtype, normal_shape
from biggus.sources.wrappers import Annotated, ObjectSource
from biggus.support.forks import between_forks

if TYPE_CHECKING:
    import contextlib

    from biggus.cache import Cache

_plain_types: set[type] = set()
"""Types whose objects no backend adopts: asking again for each of 2^18 tiles would be slow."""

_dtypes_of_types: dict[type, np.dtype[Any]] = {}


class Lazy:
    """Base class of `Array`: an object with a node."""

    __slots__ = ("__weakref__", "node")

    node: Node
    """The lazy expression behind the array."""


def adapted(obj: Any) -> Node:
    """Return the node of an object with ``shape``, ``dtype`` and ``__getitem__``."""
    if type(obj) not in _plain_types:
        if isinstance(obj, Lazy):
            return obj.node
        source = _known_source(obj)
        if source is not None:
            return leaf_of(caching(source, None))
        _check_attributes(obj)
        _plain_types.add(type(obj))
    shape = obj.shape
    if type(shape) is not tuple:
        shape = normal_shape(shape)
    for n in shape:
        if type(n) is not int or n < 0:
            shape = normal_shape(shape)
            break
    dtype = obj.dtype
    if isinstance(dtype, type):
        try:
            dtype = _dtypes_of_types[dtype]
        except KeyError:
            dtype = _dtypes_of_types.setdefault(dtype, normal_dtype(dtype))
    else:
        dtype = native_marked(dtype) if isinstance(dtype, np.dtype) else normal_dtype(dtype)
    return Leaf(obj, shape, dtype)


def annotated(
    obj: Any,
    chunks: Chunks | None,
    token: str | None,
    cache: Cache | bool | None,
    lock: contextlib.AbstractContextManager[Any] | None,
    masked: bool,
) -> Node:
    """Return the node of an object; the parameters are those of :class:`biggus.ArrayAdapter`."""
    if token is not None and not isinstance(token, str):
        raise TypeError(f"a token is a string, not {token!r}")
    plain = chunks is None and token is None and lock is None
    if isinstance(obj, Lazy):
        if plain and cache is None:
            return obj.node
        raise TypeError("this is a biggus Array already: pass chunks, token, ... to its sources")
    source = _known_source(obj)
    if source is None:
        _check_attributes(obj)
        source = ObjectSource(obj, chunks, token, lock, masked)
    elif not plain:
        source = Annotated(source, chunks, token, lock)
    return leaf_of(caching(source, cache))


def _check_attributes(obj: Any) -> None:
    for needed in ("shape", "dtype", "__getitem__"):
        if not hasattr(obj, needed):
            hint = ""
            if isinstance(obj, (str, os.PathLike)):
                hint = "; `biggus.open` opens a location"
            elif isinstance(obj, Mapping):
                hint = f"; choose one of its variables: {', '.join(map(str, list(obj)[:8]))}"
            raise TypeError(f"an object of type {type(obj).__name__} has no {needed}{hint}")


def _known_source(obj: Any) -> Source | None:
    if isinstance(obj, Source):
        return obj
    if isinstance(obj, np.ndarray):
        return MemorySource(obj)
    source = foreign_source(obj)
    if source is None:
        with between_forks():
            from biggus.backends import adopt

        source = adopt(obj)
    return source


def leaf_of(source: Source, decode: bool = True) -> Node:
    """Return the node of a whole source; if `decode`, values are decoded as attributes say."""
    leaf = Leaf(source, source.shape, native_marked(source.dtype))
    conventions = source.conventions
    if decode and conventions is not None:
        with between_forks():
            from biggus import cf

        default_fills = conventions == "CF"
        decoder = cf.decoder(source.dtype, source.attributes, default_fills=default_fills)
        if decoder is not None:
            return Elementwise(decoder, leaf)
    return leaf


def holds_several(obj: Any) -> bool:
    """Tell whether an object is an iterable of arrays, and not an array itself."""
    plain = isinstance(obj, (str, bytes, bytearray, Mapping))
    return hasattr(obj, "__iter__") and not hasattr(obj, "shape") and not plain


def several(arrays: Any) -> list[Any]:
    """Return the list of the arrays in an iterable.

    Raises
    ------
    TypeError
        If `arrays` is a single array, or a set, which has no order.
    """
    if isinstance(arrays, (Lazy, set, frozenset)) or not hasattr(arrays, "__iter__"):
        kind = type(arrays).__name__
        raise TypeError(f"give a list of arrays, such as [a, b], not one object of type {kind}")
    return list(arrays)


def node_of(obj: Any) -> Node:
    """Return the node of an Array, or of an object that can be adapted to one."""
    if isinstance(obj, Lazy):
        return obj.node
    if isinstance(obj, (list, tuple, int, float, complex, np.generic)):
        obj = np.asarray(obj)
    return adapted(obj)


def nodes_of(arrays: Any) -> list[Node]:
    """Return the nodes of the arrays in an iterable; see :func:`several` and :func:`node_of`."""
    # A mosaic may have 2^18 arrays, so `node_of` is only called for other objects.
    return [array.node if isinstance(array, Lazy) else node_of(array) for array in several(arrays)]
