"""Adapting: from an object that a user has to the node of a lazy array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.array import Array
from biggus.caching import caching
from biggus.memory import MemorySource
from biggus.nodes import Elementwise, Leaf, Node
from biggus.source import Source, normal_dtype, normal_shape
from biggus.wrappers import Annotated, ObjectSource

if TYPE_CHECKING:
    import contextlib

    from biggus.cache import Cache
    from biggus.source import Chunks

# Types whose objects no backend adopts: to ask again for each of 2^18 tiles is slow.
_plain_types: set[type] = set()
_dtypes_of_types: dict[type, np.dtype[Any]] = {}


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
        but for index arrays of more than 64 runs of neighbours: of these, runs
        with no more than 64 KiB between them are read together.
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
            type(obj) in _plain_types
            and chunks is None
            and token is None
            and cache is None
            and lock is None
            and not masked
        ):
            self.node: Node = _plain_leaf(obj)
        else:
            self.node = _adapted(obj, chunks, token, cache, lock, masked)


def _plain_leaf(obj: Any) -> Leaf:
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


def _adapted(
    obj: Any,
    chunks: Chunks | None,
    token: str | None,
    cache: Cache | bool | None,
    lock: contextlib.AbstractContextManager[Any] | None,
    masked: bool,
) -> Node:
    if token is not None and not isinstance(token, str):
        raise TypeError(f"a token is a string, not {token!r}")
    if isinstance(obj, Array):
        if chunks is None and token is None and cache is None and lock is None:
            return obj.node
        raise TypeError("this is a biggus Array already: give chunks, token, ... to its sources")
    source = _known_source(obj)
    if source is None:
        for needed in ("shape", "dtype", "__getitem__"):
            if not hasattr(obj, needed):
                raise TypeError(f"a {type(obj).__name__} object has no {needed}")
        if chunks is None and token is None and cache is None and lock is None and not masked:
            _plain_types.add(type(obj))
            return _plain_leaf(obj)
        source = ObjectSource(obj, chunks, token, lock, masked)
    elif chunks is not None or token is not None or lock is not None:
        source = Annotated(source, chunks, token, lock)
    return leaf_of(caching(source, cache))


def _known_source(obj: Any) -> Source | None:
    if isinstance(obj, Source):
        return obj
    if isinstance(obj, np.ndarray):
        return MemorySource(obj)
    from biggus.backends import adopt

    return adopt(obj)


def leaf_of(source: Source, decode: bool = True) -> Node:
    """Return the node of all of a source, decoded if its attributes say how and `decode`."""
    leaf = Leaf(source, source.shape, source.dtype)
    conventions = source.conventions
    if decode and conventions in ("CF", "CF-Zarr"):
        from biggus import cf

        default_fills = conventions == "CF"
        decoder = cf.decoder(source.dtype, source.attributes, default_fills=default_fills)
        if decoder is not None:
            return Elementwise(decoder, leaf)
    return leaf


def node_of(obj: Any) -> Node:
    """Return the node of an Array, or of anything that can be adapted to one."""
    if isinstance(obj, Array):
        return obj.node
    if isinstance(obj, (list, tuple, int, float, complex, np.generic)):
        return ArrayAdapter(np.asarray(obj)).node
    return ArrayAdapter(obj).node
