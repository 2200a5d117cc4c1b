"""Fetching bytes of shards before zarr-python requests them chunk by chunk."""

from __future__ import annotations

import contextlib
import sys
import threading
from typing import TYPE_CHECKING

from biggus.backends.zarr.ranges import joined
from biggus.backends.zarr.sharding import NOT_WRITTEN, Sharding
from biggus.backends.zarr.shards import FetchedShards, Shard, ShardChangedError
from biggus.backends.zarr.store import Fetched
from biggus.backends.zarr.waiting import threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from biggus.backends.zarr.grids import StoredGrid
    from biggus.backends.zarr.python_store import Record
    from biggus.backends.zarr.store import Span, ZarrStore
    from biggus.indexing.grid import Index
    from biggus.sources.base import Box

MOST = 64 * 2**20
"""The most bytes that a read fetches ahead; zarr-python fetches further chunks one by one."""


class _Room:
    """The bytes that one read may still fetch ahead."""

    def __init__(self, left: int) -> None:
        self._left = left
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def taken(self, nbytes: int) -> Iterator[bool]:
        """Take bytes if there are enough, and yield whether there are; an error gives them back."""
        with self._lock:
            fits = nbytes <= self._left
            self._left -= nbytes * fits
        try:
            yield fits
        except BaseException:
            with self._lock:
                self._left += nbytes * fits
            raise


class Prefetch:
    """Fetches the bytes that zarr-python will request in the shards of an array.

    Parameters
    ----------
    store : ZarrStore
        The store.
    key : callable
        Returns the key of a shard, given its number.
    grid : StoredGrid
        The grid of shards.
    sharding : callable
        Returns the `Sharding` of shards of a shape; None if it is unknown.
    """

    def __init__(
        self,
        store: ZarrStore,
        key: Callable[[Index], str],
        grid: StoredGrid,
        sharding: Callable[[tuple[int, ...]], Sharding | None],
    ) -> None:
        self._shards = FetchedShards(store)
        self._key = key
        self._grid = grid
        self._sharding = sharding

    def fetch(self, boxes: Sequence[Box], record: Record) -> None:
        """Fetch the bytes that boxes need into `record`."""
        wanted: dict[Index, list[Box]] = {}
        for box in boxes:
            for part in self._grid.parts(box):
                wanted.setdefault(part.number, []).append(part.inner)
        room = _Room(MOST)
        threads.each(lambda item: self._fetch_shard(*item, record, room), list(wanted.items()))

    def _fetch_shard(self, number: Index, inner: list[Box], record: Record, room: _Room) -> None:
        sharding = self._sharding(self._grid.stored_shape(number))
        if sharding is None:
            return
        chunks: set[Index] = set()
        for box in inner:
            touched = {part.number for part in sharding.grid.parts(box)}
            if len(touched) < sharding.grid.count:  # else it requests the whole shard
                chunks |= touched
        key = self._key(number)
        if chunks:
            try:
                self._fetch(key, sharding, chunks, record, room)
            except ShardChangedError:
                self._fetch(key, sharding, chunks, record, room)

    def _fetch(
        self, key: str, sharding: Sharding, numbers: set[Index], record: Record, room: _Room
    ) -> None:
        with self._shards.opened(key, sharding) as shard:
            if shard is None:
                return  # zarr-python will notice
            places = [tuple(shard.index.chunks[number].tolist()) for number in numbers]
            spans = [(at, at + length) for at, length in places if at != NOT_WRITTEN and length]
            if not spans:
                return
            held = sum(stop - start for start, stop in joined(spans)) + len(shard.index.data)
            with room.taken(held) as fits:
                if fits:
                    record.ahead[key] = _held(shard, sharding.span, spans)


def _held(shard: Shard, index: Span, spans: list[Span]) -> Callable[[Span], Fetched | None]:
    """Fetch spans of a shard, and return a function that returns them and the index."""
    get = shard.reading(spans, sys.maxsize)
    get(min(spans))  # fetches all spans

    def held(span: Span) -> Fetched | None:
        if span == index:
            return Fetched(shard.index.data, shard.index.tag, shard.index.good_for)
        start, stop = span
        return None if start is None or start < 0 or stop is None else get(span)

    return held
