"""`ArrayAdapter`: a lazy array of any object with `shape`, `dtype` and `__getitem__`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from biggus.adapt import adapted, annotated
from biggus.array import Array

if TYPE_CHECKING:
    import contextlib

    from biggus.cache import Cache
    from biggus.sources.base import Chunks


def ArrayAdapter(
    obj: Any,
    chunks: Chunks | None = None,
    *,
    token: str | None = None,
    cache: Cache | bool | None = None,
    lock: contextlib.AbstractContextManager[Any] | None = None,
    masked: bool = False,
) -> Array:
    """Return a lazy array of an object with ``shape``, ``dtype`` and ``__getitem__``.

    For ndarrays, and objects of h5py, zarr and netCDF4, chunks and locks are chosen
    automatically.  Any other object is indexed with tuples of slices, one for each axis,
    within bounds and of positive step.  It must return an array of that shape and of its
    dtype.  Several threads may index it at the same time, unless a `lock` is given.

    Parameters
    ----------
    obj : object
        The object that holds the values.
    chunks : tuple, optional
        The chunks along each axis: one length, or the lengths of all chunks.  Each read lies
        within one chunk.  Without chunks a slice is read as it is selected.  Index arrays that
        would need more than 64 reads are read in larger boxes, which may contain values in
        between.
    token : str, optional
        The identity of the values, for caching: equal tokens promise equal values.
    cache : Cache or bool, optional
        The cache for the chunks that are read; True is the default cache.
    lock : context manager, optional
        A lock that is held during each read.
    masked : bool, optional
        Whether the object may return MaskedArrays with missing values.

    Returns
    -------
    Array
        A lazy array; nothing is read.

    Raises
    ------
    TypeError
        If `obj` has no ``shape``, ``dtype`` or ``__getitem__``.
    CacheError
        If a cache is given, and the object has no known token.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> biggus.ArrayAdapter(np.zeros((2, 3)))[0].ndarray()
    array([0., 0., 0.])
    """
    if chunks is None and token is None and cache is None and lock is None and not masked:
        return Array.from_node(adapted(obj))
    return Array.from_node(annotated(obj, chunks, token, cache, lock, masked))
