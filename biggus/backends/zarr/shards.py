"""Open shards: their index, and reading the bytes of their chunks.

In a local shard every chunk is read on its own.  A shard on a server takes one request for its
index, which is kept as long as the shard does not change, and one for each run of chunks near
each other.  All reads of a shard at a time see one state: if the server says that it has
changed, it is read again.  A kept index is trusted about chunks that were never written only if
the server confirms that it is still valid.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from biggus.backends.zarr.ranges import MOST_AHEAD, Ahead, Range
from biggus.backends.zarr.record import refuse_short
from biggus.backends.zarr.store import Fetched, Get, Span, ZarrStore
from biggus.backends.zarr.thread_pool import threads
from biggus.support.forks import in_children
from biggus.support.recent import RecentValues
from biggus.support.single_flight import SingleFlight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import numpy as np
    import numpy.typing as npt

    from biggus.backends.zarr.sharding import Sharding


class ShardIndex(NamedTuple):
    """The index of a shard in one state."""

    chunks: npt.NDArray[np.uint64]
    """The offset and length of every chunk."""

    tag: str | None
    """The state of the shard."""

    good_for: float | None = math.inf
    """The seconds for which a copy is valid; None if none may be kept."""


class ShardChangedError(OSError):
    """A shard changed between reading its index and a part of it."""

    def __init__(self, key: str) -> None:
        super().__init__(f"{key} was changed while it was read")


Reading: TypeAlias = "Callable[[Iterable[Span]], Get]"
"""Returns a function that reads spans of a shard, those given, best in ascending order."""

_indices: RecentValues[ShardIndex] = RecentValues(32 * 2**20)
in_children(_indices.reset)
_flights: SingleFlight[ShardIndex | None] = SingleFlight()
_numbers = itertools.count()


class Shards:
    """The local shards of an array.

    Parameters
    ----------
    store : ZarrStore
        The store.
    """

    def __init__(self, store: ZarrStore) -> None:
        self.store = store

    @contextlib.contextmanager
    def opened(self, key: str, sharding: Sharding) -> Iterator[tuple[ShardIndex, Reading] | None]:
        """Open a shard for a with block: give its index and how to read it; None without one."""
        with self.store.opened(key) as get:
            index = _index(key, get(sharding.span), sharding)
            yield None if index is None else (index, lambda _: get)


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
    def opened(self, key: str, sharding: Sharding) -> Iterator[tuple[ShardIndex, Reading] | None]:
        """Open a shard as `Shards.opened` does.

        Its reads raise a `ShardChangedError` if it has changed since its index was read.
        """
        place = self._number, key
        index, fetch = _indices.find(place), functools.partial(self._fetched, key, sharding)
        again = None if index is None else fetch
        if index is None:
            index = fetch()
        try:
            if index is None:
                yield None
            else:
                yield index, FetchedShard(index, again, key, self.store).reading
        except ShardChangedError:
            _indices.forget(place)
            raise

    def _fetched(self, key: str, sharding: Sharding) -> ShardIndex | None:
        """Return the present index of a shard; one of several threads requests it."""
        place = self._number, key
        return _flights.do(place, functools.partial(self._fetch, key, sharding))[0]

    def _fetch(self, key: str, sharding: Sharding) -> ShardIndex | None:
        index = _index(key, self.store.get(key, sharding.span), sharding)
        if index is not None and index.tag is not None:
            _indices.keep((self._number, key), index, index.chunks.nbytes)
        return index


class FetchedShard:
    """A shard on a server.

    Parameters
    ----------
    index : ShardIndex
        The index of the shard.
    again : callable or None
        If `index` is from before this read, returns the present index, or None if there is no
        shard any more.
    key : str
        The key of the shard.
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

    def reading(self, spans: Iterable[Span]) -> Get:
        """Return a function that reads these spans, fetching several with one request.

        It returns None for other spans.
        """
        ranges = [(a, b) for a, b in spans if a is not None and b is not None]
        if not any(a < b for a, b in ranges):
            self._verify()
        ahead = Ahead(ranges, self._fetched, MOST_AHEAD)

        def get(span: Span) -> Fetched | None:
            start, stop = span
            assert start is not None
            assert stop is not None
            data = ahead.get(start, stop)
            return None if data is None else Fetched(data, self.index.tag)

        return get

    def _verify(self) -> None:
        """Check an index from before this read, if no other request does."""
        if self._again is not None:
            index = self._again()
            if index is None or index.tag != self.index.tag:
                raise ShardChangedError(self._key)

    def _fetched(self, ranges: list[Range]) -> list[bytes]:
        return threads.each(self._one, ranges)

    def _one(self, span: Range) -> bytes:
        try:
            fetched = self._store.get(self._key, span)
        except ConnectionError:
            raise
        except OSError as error:
            if self._again is None:
                raise
            # The bytes may no longer exist.
            raise ShardChangedError(self._key) from error
        if fetched is None or fetched.tag != self.index.tag:
            raise ShardChangedError(self._key)
        refuse_short(self._key, fetched.data, span)
        return fetched.data


def _index(key: str, fetched: Fetched | None, sharding: Sharding) -> ShardIndex | None:
    if fetched is None:
        return None
    refuse_short(key, fetched.data, sharding.span)
    return ShardIndex(sharding.parsed(fetched.data), fetched.tag, fetched.good_for)
