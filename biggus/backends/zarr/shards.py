"""Shards, opened: their index, and what reads the bytes of their chunks.

Of a shard that lies at hand every chunk is read by itself.  One on a server
costs a request for its index, which is kept for as long as the shard stays as it is,
and one for each run of chunks that lie near one another.  All of what is read of a shard
at a time is of one state: where the server says that it has changed meanwhile, it is
read anew.  That chunks were never written is not taken from an index that was kept
unless the server says, too, that this is still the shard's.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
from typing import TYPE_CHECKING, NamedTuple

from biggus.backends.zarr.kept import RecentValues
from biggus.backends.zarr.python_store import refuse_short
from biggus.backends.zarr.ranges import MOST_AHEAD, Ahead
from biggus.backends.zarr.store import Fetched
from biggus.backends.zarr.waiting import threads
from biggus.support.flight import SingleFlight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import numpy as np
    import numpy.typing as npt

    from biggus.backends.zarr.ranges import Range
    from biggus.backends.zarr.sharding import Sharding
    from biggus.backends.zarr.store import Get, Span, ZarrStore


class ShardIndex(NamedTuple):
    """The index of a shard in some state."""

    data: bytes
    """As it is stored."""

    chunks: npt.NDArray[np.uint64]
    """Offset and length of every chunk."""

    tag: str | None
    """What names the state."""

    good_for: float | None = math.inf
    """For how long a copy is good, as the store says; None: none is to be kept."""


class ShardChangedError(OSError):
    """A shard was another one when a part of it was read than when its index was."""

    def __init__(self, key: str) -> None:
        super().__init__(f"{key} was changed while it was read")


_indices: RecentValues[ShardIndex] = RecentValues(32 * 2**20)
_flights: SingleFlight[ShardIndex | None] = SingleFlight()
_numbers = itertools.count()


class Shards:
    """The shards of an array that are at hand.

    Parameters
    ----------
    store : ZarrStore
        The store.
    """

    def __init__(self, store: ZarrStore) -> None:
        self.store = store

    @contextlib.contextmanager
    def opened(self, key: str, sharding: Sharding) -> Iterator[Shard | None]:
        """Give a shard, or None if there is none of that key."""
        with self.store.opened(key) as get:
            index = _index(key, get(sharding.span), sharding)
            yield None if index is None else Shard(index, get)


class Shard:
    """A shard that is at hand.

    Parameters
    ----------
    index : ShardIndex
        Its index.
    get : callable
        Reads a span of it.
    """

    def __init__(self, index: ShardIndex, get: Get) -> None:
        self.index = index
        self._get = get

    def reading(self, spans: Iterable[Span], most: int = MOST_AHEAD) -> Get:
        """Return what reads those spans of it.

        Parameters
        ----------
        spans : iterable
            What will be read, most cheaply in the order in which it lies.
        most : int, optional
            How many bytes may be fetched at once.
        """
        return self._get


class FetchedShards(Shards):
    """The shards of an array on a server.

    Parameters
    ----------
    store : ZarrStore
        The store.
    """

    def __init__(self, store: ZarrStore) -> None:
        super().__init__(store)
        self._number = next(_numbers)

    @contextlib.contextmanager
    def opened(self, key: str, sharding: Sharding) -> Iterator[Shard | None]:
        """Give a shard, or None if there is none of that key.

        Its reads raise `ShardChangedError` if it is not as its index says any more.
        """
        place = self._number, key
        index, fetch = _indices.find(place), functools.partial(self._fetched, key, sharding)
        again = None if index is None else fetch
        if index is None:
            index = fetch()
        try:
            yield None if index is None else FetchedShard(index, again, key, self.store)
        except ShardChangedError:
            _indices.forget(place)
            raise

    def _fetched(self, key: str, sharding: Sharding) -> ShardIndex | None:
        """Return the index that a shard has now; of several who want it, one asks."""
        place = self._number, key
        return _flights.do(place, functools.partial(self._fetch, key, sharding))[0]

    def _fetch(self, key: str, sharding: Sharding) -> ShardIndex | None:
        index = _index(key, self.store.get(key, sharding.span), sharding)
        if index is not None and index.tag is not None:
            _indices.keep((self._number, key), index, len(index.data))
        return index


class FetchedShard(Shard):
    """A shard on a server.

    Parameters
    ----------
    index : ShardIndex
        Its index.
    again : callable or None
        What gives the index that the shard has now, or None if there is no shard any more,
        where `index` is from before this read; None where it is not.
    key : str
        Its key.
    store : ZarrStore
        The store.
    """

    def __init__(
        self,
        index: ShardIndex,
        again: Callable[[], ShardIndex | None] | None,
        key: str,
        store: ZarrStore,
    ) -> None:
        self.index = index
        self._again = again
        self._key = key
        self._store = store

    def reading(self, spans: Iterable[Span], most: int = MOST_AHEAD) -> Get:
        """Return what reads those spans of it, and fetches several with one request.

        It gives None for any other.
        """
        ranges = [(a, b) for a, b in spans if a is not None and b is not None]
        if not any(a < b for a, b in ranges):
            self._verify()
        ahead = Ahead(ranges, self._fetched, most)

        def get(span: Span) -> Fetched | None:
            start, stop = span
            assert start is not None
            assert stop is not None
            data = ahead.get(start, stop)
            return None if data is None else Fetched(data, self.index.tag)

        return get

    def _verify(self) -> None:
        """Make sure of an index from before this read, where no other request does."""
        if self._again is not None:
            found = self._again()
            if found is None or found.tag != self.index.tag:
                raise ShardChangedError(self._key)

    def _fetched(self, ranges: list[Range]) -> list[bytes]:
        return threads.each(self._one, ranges)

    def _one(self, span: Range) -> bytes:
        try:
            found = self._store.get(self._key, span)
        except ConnectionError:
            raise
        except OSError as error:
            if self._again is None:
                raise
            # There may be no such bytes any more.
            raise ShardChangedError(self._key) from error
        if found is None or found.tag != self.index.tag:
            raise ShardChangedError(self._key)
        refuse_short(self._key, found.data, span)
        return found.data


def _index(key: str, found: Fetched | None, sharding: Sharding) -> ShardIndex | None:
    if found is None:
        return None
    refuse_short(key, found.data, sharding.span)
    return ShardIndex(found.data, sharding.parsed(found.data), found.tag, found.good_for)
