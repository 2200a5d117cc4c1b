"""Pinning: the chunks that arrays read are not evicted from the cache."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from biggus.cache import Cache, Cached
from biggus.errors import CacheError
from biggus.sources.base import Source, box_shape
from biggus.sources.wrappers import Wrapper
from biggus.study.needed import Listed, Needed, needed_for
from biggus.study.receipts import box_at
from biggus.support.once import once

if TYPE_CHECKING:
    from collections.abc import Iterable

    from biggus.indexing.grid import Grid


def pin(*arrays: Any) -> None:
    """Pin the chunks that arrays read, so that the cache does not evict them.

    Nothing is read: a chunk that is not in the cache yet stays there once it has been read, by
    `prefetch` for example. Pins hold for all programs that use the cache, until `unpin`, or
    until the cache is cleared or its index is lost. Pinned chunks count towards the size limit,
    and may take three quarters of it.

    Parameters
    ----------
    *arrays : Array
        The arrays, such as the part of a data set that a paper needs.

    Raises
    ------
    CacheError
        If a source is not cached, or there is no room for all chunks: then none is pinned.

    Examples
    --------
    >>> import biggus, numpy as np, tempfile
    >>> cache = biggus.Cache(tempfile.mkdtemp(), "1 MB")
    >>> a = biggus.ArrayAdapter(np.arange(6.0), token="six", chunks=(2,), cache=cache)
    >>> biggus.pin(a[:3])
    >>> cache.stats().pinned
    8192
    """
    for cache, sizes in _chunks_of(arrays):
        cache.pin(sizes)


def unpin(*arrays: Any) -> None:
    """Unpin the chunks that arrays read, so that the cache may evict them again.

    Parameters
    ----------
    *arrays : Array
        Arrays that were pinned, or parts of them.

    Raises
    ------
    CacheError
        If a source is not cached.

    Examples
    --------
    >>> import biggus, numpy as np, tempfile
    >>> cache = biggus.Cache(tempfile.mkdtemp(), "1 MB")
    >>> a = biggus.ArrayAdapter(np.arange(6.0), token="six", chunks=(2,), cache=cache)
    >>> biggus.pin(a)
    >>> biggus.unpin(a[2:])
    >>> cache.stats().pinned
    4096
    """
    for cache, sizes in _chunks_of(arrays):
        cache.unpin(sizes)


class _ListedChunks(Listed):
    """A source that lists which chunks of a cache an evaluation would read."""

    @once
    def grid(self) -> Grid:
        """The grid of chunks in the cache."""
        return _cached(self.source).grid


class _Pinned(Needed):
    """A study that lists which chunks of caches an evaluation would read."""

    def source(self, source: Source) -> Source:
        if isinstance(source, Listed) or source.in_memory:
            return source
        cached = _cached(source)
        key = (cached.cache.path, cached.token, cached.dtype, cached.chunks)
        return self.sources.setdefault(key, _ListedChunks(source))


def _chunks_of(arrays: Iterable[Any]) -> list[tuple[Cache, dict[str, int]]]:
    """Return for each cache the keys of the chunks that arrays read, with their bytes."""
    chunks: dict[Any, tuple[Cache, dict[str, int]]] = {}
    for listed in needed_for(arrays, _Pinned()):
        cached = _cached(listed.source)
        _, sizes = chunks.setdefault(cached.cache.path, (cached.cache, {}))
        itemsize = cached.dtype.itemsize + cached.masked
        for chunk in map(box_at, listed.places):
            sizes[cached.key(chunk)] = math.prod(box_shape(chunk)) * itemsize
    return list(chunks.values())


def _cached(source: Source) -> Cached:
    """Return the `Cached` among the wrappers of a source."""
    wrapped = source
    while not isinstance(wrapped, Cached):
        if not isinstance(wrapped, Wrapper):
            raise CacheError(
                f"{source.name} is not cached, so nothing of it can be pinned: open it with "
                "`cache=True`"
            )
        wrapped = wrapped.source
    return wrapped
