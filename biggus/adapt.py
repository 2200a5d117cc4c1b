"""Adapting: from an object that a user has to the node of a lazy array."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.caching import caching
from biggus.graph import Elementwise, Leaf, Node
from biggus.sources.base import Source
from biggus.sources.foreign import foreign_source
from biggus.sources.memory import MemorySource
from biggus.sources.normal import normal_dtype, normal_shape
from biggus.sources.wrappers import Annotated, ObjectSource
from biggus.support.forks import between_forks

if TYPE_CHECKING:
    import contextlib

    from biggus.cache import Cache
    from biggus.sources.base import Chunks

# Types whose objects no backend adopts: to ask again for each of 2^18 tiles is slow.
plain_types: set[type] = set()
_dtypes_of_types: dict[type, np.dtype[Any]] = {}


class Lazy:
    """What has a node: an array, as far as it concerns those that need no more of it."""

    __slots__ = ("__weakref__", "node")

    node: Node
    """Which values: the lazy expression behind the array."""


def plain_leaf(obj: Any) -> Leaf:
    """Return the leaf of an object of one of the `plain_types`."""
    shape = obj.shape
    if type(shape) is tuple:
        for n in shape:
            if type(n) is not int or n < 0:
                shape = normal_shape(shape)
                break
    else:
        shape = normal_shape(shape)
    dtype = obj.dtype
    if isinstance(dtype, type):
        try:
            dtype = _dtypes_of_types[dtype]
        except KeyError:
            dtype = _dtypes_of_types.setdefault(dtype, normal_dtype(dtype))
    elif not isinstance(dtype, np.dtype):
        dtype = normal_dtype(dtype)
    return Leaf(obj, shape, dtype)


def adapted(
    obj: Any,
    chunks: Chunks | None = None,
    token: str | None = None,
    cache: Cache | bool | None = None,
    lock: contextlib.AbstractContextManager[Any] | None = None,
    masked: bool = False,
) -> Node:
    """Return the node of what :class:`biggus.ArrayAdapter` is given; its parameters are these."""
    if token is not None and not isinstance(token, str):
        raise TypeError(f"a token is a string, not {token!r}")
    if isinstance(obj, Lazy):
        if chunks is None and token is None and cache is None and lock is None:
            return obj.node
        raise TypeError("this is a biggus Array already: give chunks, token, ... to its sources")
    source = _known_source(obj)
    if source is None:
        for needed in ("shape", "dtype", "__getitem__"):
            if not hasattr(obj, needed):
                raise TypeError(f"a {type(obj).__name__} object has no {needed}")
        if chunks is None and token is None and cache is None and lock is None and not masked:
            plain_types.add(type(obj))
            return plain_leaf(obj)
        source = ObjectSource(obj, chunks, token, lock, masked)
    elif chunks is not None or token is not None or lock is not None:
        source = Annotated(source, chunks, token, lock)
    return leaf_of(caching(source, cache))


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
    """Return the node of all of a source, decoded if its attributes say how and `decode`."""
    leaf = Leaf(source, source.shape, source.dtype)
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
    """Tell whether an object is a list of arrays or any other iterable of them, and none itself."""
    plain = isinstance(obj, (str, bytes, bytearray, Mapping))
    return hasattr(obj, "__iter__") and not hasattr(obj, "shape") and not plain


def several(arrays: Any) -> list[Any]:
    """Return what is in a list of arrays, or in any other iterable, which is gone through once.

    Raises
    ------
    TypeError
        If it is one array, whose rows would do, but are hardly meant; or has no order.
    """
    if isinstance(arrays, (Lazy, set, frozenset)) or not hasattr(arrays, "__iter__"):
        what = f"a {type(arrays).__name__}"
        raise TypeError(f"give a list of arrays, such as [a, b], and not {what}")
    return list(arrays)


def node_of(obj: Any) -> Node:
    """Return the node of an Array, or of anything that can be adapted to one."""
    if isinstance(obj, Lazy):
        return obj.node
    if isinstance(obj, (list, tuple, int, float, complex, np.generic)):
        obj = np.asarray(obj)
    elif type(obj) in plain_types:
        return plain_leaf(obj)
    return adapted(obj)
