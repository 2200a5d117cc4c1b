"""Sources whose chunks are kept in a disk cache."""

from __future__ import annotations

import hashlib
import logging
import math
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus import options
from biggus.cache.entry import Encoded, Entry, dtype_text
from biggus.cache.validators import join_validators, split_validators
from biggus.errors import CacheError, OfflineError, format_box
from biggus.indexing.grid import Grid, default_chunks
from biggus.sources.base import Box, Chunks, Source, Values, box_shape
from biggus.sources.normal import normal_chunks
from biggus.sources.parts import all_along, by_shard, longest_along, only_chunk, part_of, paste
from biggus.sources.wrappers import Wrapper
from biggus.support import watching
from biggus.support.once import once
from biggus.support.single_flight import SingleFlight

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from biggus.cache.cache import Cache

logger = logging.getLogger("biggus.cache")

_NOT_KEPT = "this chunk is not in the cache, and biggus is set to be offline"

_flights: SingleFlight[tuple[Values, bytes | None, watching.Watch]] = SingleFlight()
"""The chunks that are being fetched in this process, by cache folder, key, and whether offline:
an offline read fails, and must not fail others that wait for the same chunk."""


class Cached(Wrapper):
    """A source whose chunks are kept in a disk cache.

    It reads whole chunks of the source.  A chunk in the cache is used as long as the source says
    that it is still valid.  If several threads or processes want a chunk at the same time, one
    of them fetches it.  Every read returns a new array.

    Parameters
    ----------
    source : Source
        The source inside; it needs a `token`.
    cache : Cache
        The cache.
    chunks : tuple, optional
        The grid of chunks; by default the source's own, else chunks of about 4 MiB.

    Raises
    ------
    CacheError
        If the source has no token.
    """

    owns_data = True
    in_memory = False
    decodes_chunks = True
    reads_parts = False
    lock = None  # the source's own lock is taken while the source is read
    io_bound = True

    # Plain attributes, faster than the delegating properties of the base class.
    shape: tuple[int, ...] = ()
    dtype: np.dtype[Any] = np.dtype(np.float64)

    def __init__(self, source: Source, cache: Cache, chunks: Chunks | None = None) -> None:
        super().__init__(source)
        if source.token is None:
            raise CacheError(
                f"{source.name} cannot be cached without an identity: give it a `token=`, "
                "a string that stands for these values and no others"
            )
        self.cache = cache
        self.shape = source.shape
        self.dtype = source.dtype
        self._given = None if chunks is None else normal_chunks(chunks, source.shape)
        # Python objects cannot be stored as bytes.
        self._kept = not self.dtype.hasobject
        if not self._kept:
            logger.debug("%s is not kept: its values are Python objects", self.name)

    # A mosaic may have 2^18 tiles, few of which are ever read: what reading needs is
    # computed at the first read.

    @once
    def chunks(self) -> Chunks:
        """The grid of chunks to read and keep."""
        if self._given is not None:
            return self._given
        own = self.source.chunks
        return default_chunks(self.shape, self.dtype.itemsize) if own is None else own

    @property
    def shards(self) -> Chunks | None:  # type: ignore[override]
        """The shards of the source; None if the grid of chunks is another one."""
        return self.source.shards if self._given is None else None

    @once
    def grid(self) -> Grid:
        """The chunks, as a grid."""
        return Grid(self.shape, self.chunks)

    @once
    def _identity(self) -> bytes:
        return repr((self.source.token, dtype_text(self.dtype), self.shape)).encode()

    def __getstate__(self) -> dict[str, Any]:
        return {"source": self.source, "cache": self.cache, "chunks": self._given}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def __repr__(self) -> str:
        return f"Cached({self.source!r}, {self.cache!r})"

    def __getitem__(self, box: Box) -> Values:
        return self.fetch(box)[0]

    def fetch(self, box: Box) -> tuple[Values, bytes | None]:
        """Return the values in `box` and their validator: that of its chunk, or those joined."""
        chunk = only_chunk(self.grid, box)
        if chunk is not None:
            ((values, validator),) = self._read_chunks([chunk])
            return part_of(values, chunk, box), validator
        result: Values = np.ndarray(box_shape(box), self.dtype)  # np.empty makes S1 of S0
        parts = list(self.grid.parts(box))
        validators: list[bytes | None] = [None] * len(parts)
        for places in by_shard(self.shape, self.shards, parts):
            chunks = self._read_chunks([parts[place].chunk for place in places])
            for place, (values, validator) in zip(places, chunks, strict=True):
                validators[place] = validator
                result = paste(result, parts[place].outer, values, parts[place].inner)
        return result, join_validators(validators)

    # The source is asked for validators of whole chunks only.

    def validator(self, box: Box) -> bytes | None:
        """Return the validator of the values in `box`, or None if it is unknown.

        Offline, the validator of the chunks in the cache.
        """
        if self._offline():
            return self._in_cache(box)
        state = self.source.state()
        if state is not None:
            return state
        return join_validators([self.source.validator(chunk) for chunk in self._chunks(box)])

    def cached_validator(self, box: Box) -> bytes | None:
        """Return the validator of the values that a read of `box` gives without a request."""
        return self._in_cache(box) if self.source.remote else self.validator(box)

    def _in_cache(self, box: Box) -> bytes | None:
        return join_validators([self.cache.validator(self.key(c)) for c in self._chunks(box)])

    def revalidate(self, box: Box, validator: bytes) -> bytes | None:
        """Check whether a copy of `box` is still valid, that is, whether all its chunks are.

        Offline, every copy counts as valid.
        """
        if self._offline():
            return validator
        if self.source.state() is not None:
            return self.source.revalidate(box, validator)  # all chunks share one validator
        chunks = list(self._chunks(box))
        validators = split_validators(validator, len(chunks))
        if validators is None:
            return None
        revalidated = []
        for chunk, one in zip(chunks, validators, strict=True):
            good = self.source.revalidate(chunk, one)
            if good is None:
                return None
            revalidated.append(good)
        return validator if revalidated == validators else join_validators(revalidated)

    def revalidation_waits(self, box: Box, validator: bytes) -> bool:
        """Return whether revalidating a copy of `box` asks a server."""
        if self._offline():
            return False
        chunks = list(self._chunks(box))
        validators = split_validators(validator, len(chunks)) or ()
        return any(map(self.source.revalidation_waits, chunks, validators))

    def peak_bytes(self, box: Box) -> int:
        """Return the most memory that a read of `box` takes, including whole chunks."""
        chunk = only_chunk(self.grid, box)
        if chunk is not None:
            return self._chunk_peak(chunk)
        longest = tuple(longest_along(axis, s) for axis, s in zip(self.grid.axes, box, strict=True))
        own = super(Wrapper, self).peak_bytes
        if self.shards is not None:
            # All chunks of a shard are in memory beside the result.
            whole = tuple(map(all_along, self.grid.axes, box))
            return own(box) + self._chunk_peak(whole)
        # While a chunk is read, the one before it is still in memory.
        return own(box) + own(longest) + self._chunk_peak(longest)

    def _chunk_peak(self, chunk: Box) -> int:
        values = super(Wrapper, self).peak_bytes(chunk)
        copied = 0 if self.source.owns_data else values
        # An entry may be decompressed, and a chunk that another thread fetched is copied.
        return max(self.source.peak_bytes(chunk) + copied, 2 * values)

    def cached(self, box: Box) -> bool:
        """Return whether all chunks of `box` are in the cache, whether still valid or not."""
        return self._kept and all(self.cache.files.exists(self.key(c)) for c in self._chunks(box))

    def cached_bytes(self, box: Box) -> int:
        """Return how many bytes of the values in `box` lie in chunks that are in the cache."""
        if not self._kept:
            return 0
        sizes = [
            math.prod(box_shape(part.outer))
            for part in self.grid.parts(box)
            if self.cache.files.exists(self.key(part.chunk))
        ]
        return sum(sizes) * self.dtype.itemsize

    def cached_read(self, box: Box) -> Values | None:
        """Return the values in `box` if its chunk is in the cache and valid without a request.

        Reading from the cache computes rather than waits, so that more threads than cores
        would slow each other down.
        """
        chunk = only_chunk(self.grid, box) if self._kept else None
        if chunk is not None:
            (entry,) = self._valid_entries([self.key(chunk)], [chunk], asking=False)
            return part_of(entry[0], chunk, box) if isinstance(entry, tuple) else None
        if self.shards is None or not self.cached(box):
            return None
        parts = list(self.grid.parts(box))
        chunks = [part.chunk for part in parts]
        result: Values = np.ndarray(box_shape(box), self.dtype)  # np.empty makes S1 of S0
        keys = [self.key(chunk) for chunk in chunks]
        for part, entry in zip(parts, self._valid_entries(keys, chunks, asking=False), strict=True):
            if isinstance(entry, str):
                return None
            result = paste(result, part.outer, entry[0], part.inner)
        return result

    def sibling(self, name: str) -> Source | None:
        """Return another variable of the same store, kept in the same cache."""
        source = self.source.sibling(name)
        return source if source is None or source.token is None else self.cache.wrap(source)

    def key(self, chunk: Box) -> str:
        """Return the key of a chunk: 40 hexadecimal digits."""
        place = repr([(s.start, s.stop) for s in chunk]).encode()
        return hashlib.blake2b(self._identity + place, digest_size=20).hexdigest()

    def _chunks(self, box: Box) -> Iterable[Box]:
        chunk = only_chunk(self.grid, box)
        return (part.chunk for part in self.grid.parts(box)) if chunk is None else (chunk,)

    def _read_chunks(self, chunks: list[Box]) -> list[tuple[Values, bytes | None]]:
        """Return the values of whole chunks, as new arrays, and their validators."""
        if not self._kept:
            self._refuse_if_offline(chunks[0])
            return [self._own(*fetched) for fetched in self.source.fetch_many(chunks)]
        keys = [self.key(chunk) for chunk in chunks]
        results: dict[int, tuple[Values, bytes | None]] = {
            place: entry
            for place, entry in enumerate(self._valid_entries(keys, chunks))
            if isinstance(entry, tuple)
        }
        missing = [place for place in range(len(chunks)) if place not in results]
        if missing:

            def make(places: list[int]) -> list[tuple[Values, bytes | None, watching.Watch]]:
                wanted = [(keys[missing[i]], chunks[missing[i]]) for i in places]
                chunks_made, watch = watching.watched(partial(self._fetch_missing, wanted))
                return [(*each, watch) for each in chunks_made]

            flights = [(self.cache.path, keys[place], self._offline()) for place in missing]
            flown = _flights.do_many(flights, make)
            for watch in dict.fromkeys(watch for (*_, watch), _ in flown):
                watching.join(watch)
            for place, ((values, validator, _), shared) in zip(missing, flown, strict=True):
                results[place] = (values.copy() if shared else values), validator
        return [results[place] for place in range(len(chunks))]

    def _valid_entries(
        self, keys: Sequence[str], chunks: Sequence[Box], *, asking: bool = True
    ) -> list[tuple[Values, bytes] | str]:
        """Return for each chunk its valid entry in the cache, or the reason why there is none.

        Unless `asking`, entries that only a server could revalidate count as stale.
        """
        load, dtype, encoding = self.cache.load, self.dtype, self.source.encoding
        entries = [
            load(key, dtype, chunk, encoding) for key, chunk in zip(keys, chunks, strict=True)
        ]
        if not self._offline():
            self._revalidate_entries(keys, chunks, entries, asking)
        for key, chunk, entry in zip(keys, chunks, entries, strict=True):
            if isinstance(entry, str):
                continue
            values = entry.values
            self.cache.hit(key)
            if isinstance(values, np.ma.MaskedArray) and self.fill_value is not None:
                values.fill_value = self.fill_value
            if logger.isEnabledFor(logging.DEBUG):
                logger.debug("hit %s %s: %d bytes", self.name, format_box(chunk), values.nbytes)
        return [entry if isinstance(entry, str) else entry[:2] for entry in entries]

    def _revalidate_entries(
        self, keys: Sequence[str], chunks: Sequence[Box], entries: list[Entry | str], asking: bool
    ) -> None:
        """Revalidate entries: replace those that are no longer valid by ``"stale"``."""
        valid = {place: one for place, one in enumerate(entries) if isinstance(one, tuple)}
        if not asking:
            for place, one in list(valid.items()):
                if self.source.revalidation_waits(chunks[place], one.validator):
                    entries[place] = "stale"
                    del valid[place]
        boxes = [chunks[place] for place in valid]
        clears = self.cache.cleared
        revalidated = self.source.revalidate_many(boxes, [one.validator for one in valid.values()])
        for (place, one), good in zip(valid.items(), revalidated, strict=True):
            if good is None:
                entries[place] = "stale"
            elif good != one.validator:
                self.cache.store(keys[place], one.values, good, clears, one.encoded)
                entries[place] = one._replace(validator=good)

    def _fetch_missing(self, wanted: list[tuple[str, Box]]) -> list[tuple[Values, bytes | None]]:
        """Fetch and store chunks, but wait for those that other processes are fetching."""
        claims, chunks = self.cache.claims, dict(wanted)
        with claims.taken(list(chunks)) as others:
            # Our own first: the processes that we wait for may be waiting for these.
            results = self._fetched([one for one in wanted if one[0] not in others])
        for key in others:
            claims.wait(key)
            if not self.cache.files.exists(key):
                claims.disappointed()
        results |= self._fetched([(key, chunks[key]) for key in others])
        return [results[key] for key, _ in wanted]

    def _fetched(self, wanted: list[tuple[str, Box]]) -> dict[str, tuple[Values, bytes | None]]:
        """Return chunks by key; fetch and store those that are not in the cache."""
        results: dict[str, tuple[Values, bytes | None]] = {}
        reasons: dict[int, str] = {}
        if not wanted:
            return results
        for place, entry in enumerate(self._valid_entries(*zip(*wanted, strict=True))):
            if isinstance(entry, tuple):
                results[wanted[place][0]] = entry
                continue
            self.cache.miss()
            self._refuse_if_offline(wanted[place][1])
            reasons[place] = entry
        clears, start = self.cache.cleared, time.perf_counter()
        fetched = self._fetch_all([wanted[place][1] for place in reasons]) if reasons else []
        seconds = time.perf_counter() - start
        for (place, reason), (fetched_values, given_validator, encoded) in zip(
            reasons.items(), fetched, strict=True
        ):
            key, chunk = wanted[place]
            results[key] = values, validator = self._own(fetched_values, given_validator)
            outcome = "not kept, its validator being unknown"
            if validator is not None:
                size = self.cache.store(key, values, validator, clears, encoded)
                outcome = f"stored {size} bytes" if size else "not stored"
            if logger.isEnabledFor(logging.INFO):  # `self.name` may be slow
                row = (self.name, format_box(chunk), reason, values.nbytes, seconds, outcome)
                logger.info("miss %s %s (%s): fetched %d bytes in %.3f s, %s", *row)
        return results

    def _fetch_all(self, chunks: list[Box]) -> list[tuple[Values, bytes | None, Encoded | None]]:
        """Fetch chunks from the source, with their stored bytes if the cache keeps these."""
        encoding = self.source.encoding
        if encoding is None or self.cache.stored != "encoded":
            return [(*fetched, None) for fetched in self.source.fetch_many(chunks)]
        return [
            (values, validator, None if data is None else Encoded(data, encoding.name))
            for values, validator, data in self.source.fetch_encoded(chunks)
        ]

    def _own(self, values: Values, validator: bytes | None) -> tuple[Values, bytes | None]:
        return values if self.source.owns_data else values.copy(), validator

    def _offline(self) -> bool:
        return self.source.remote and options.current().offline

    def _refuse_if_offline(self, chunk: Box) -> None:
        if self._offline():
            raise OfflineError(self.name, chunk, _NOT_KEPT)
