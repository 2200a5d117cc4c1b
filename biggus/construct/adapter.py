"""Anything with `shape`, `dtype` and `__getitem__`, as an array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from biggus.adapt import (
    adapted,
    plain_leaf,
    plain_types,
)
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

    Returns
    -------
    Array
        Nothing has been read.

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
    if (
        type(obj) in plain_types
        and chunks is None
        and token is None
        and cache is None
        and lock is None
        and not masked
    ):
        return Array.from_node(plain_leaf(obj))
    return Array.from_node(adapted(obj, chunks, token, cache, lock, masked))
