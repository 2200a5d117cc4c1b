"""The cache: a folder of chunks of sources, bounded in size, shared by processes."""

from __future__ import annotations

import json
import logging
import math
import os
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from biggus.cache.cached import Cached
from biggus.cache.compression import check as check_compression
from biggus.cache.entry import (
    HEAD,
    Entry,
    EntryDecoder,
    EntryError,
    announced,
    decode,
    decode_bytes,
    encode,
    peek,
    peek_size,
)
from biggus.cache.failure_log import READING, WRITING, failure_log
from biggus.cache.files import Files, cache_folder, make_folder
from biggus.cache.room import CHUNKS, DESCRIPTIONS
from biggus.cache.sharing import hold, shared_claims, shared_index
from biggus.cache.stats import CacheStats
from biggus.errors import CacheError, OptionError
from biggus.options import parse_size
from biggus.sources.base import Box, Chunks, Source, Values, box_shape, whole
from biggus.sources.wrappers import as_source
from biggus.support.forks import new_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from biggus.cache.entry import Buffer, Encoded
    from biggus.sources.encoding import Encoding

logger = logging.getLogger("biggus.cache")

DEFAULT_SIZE = "20 GB"
_POLICIES = "scans", "lru"
_STORED = "decoded", "encoded"
_NO_VALUES = np.empty(0, np.uint8)
_HEADER_BYTES = 512
"""An upper estimate of the bytes of an entry besides its values."""


class Cache:
    """A cache of chunks in a folder on disk.

    Any number of threads and processes may use one folder at once.  When it is full, the least
    recently used chunks are evicted.  Entries have checksums; a damaged one is fetched again.

    Parameters
    ----------
    path : path, optional
        The folder; created, readable by its owner alone, unless it exists.  If it is read-only,
        its entries are used and nothing is stored.  By default ``BIGGUS_CACHE_DIR``, else the
        user's cache folder.
    size_limit : int or str, optional
        The most bytes on disk, as a number or as ``"20 GB"``.
    policy : str, optional
        ``"scans"``: while a scan over more than the cache holds is repeated, a chunk is stored
        only if that saves more reads than it costs.  ``"lru"``: every fetched chunk is stored.
    compression : str, optional
        ``"lz4"`` or ``"zstd"``: chunks are compressed where that saves a fifth or more.
        Needs numcodecs, which comes with ``biggus[zarr]``, both to write and to read them.
    stored : str, optional
        ``"encoded"``: tiles and chunks of remote Zarr stores are kept as they were fetched (a JPEG
        file, a compressed chunk), where that saves a fifth or more, and decoded at each hit.
        ``"decoded"``: all chunks are kept as values.  Either setting reads both kinds of entries.
    fsync : bool, optional
        Whether each stored chunk is flushed to the disk at once.  Without it a crash of the
        machine may damage entries, which are then fetched again.

    Raises
    ------
    CacheError
        If the folder cannot be created or read.
    OptionError
        If `size_limit` is not a size, or `policy`, `compression` or `stored` is unknown.
    MissingDependencyError
        If numcodecs is needed and not installed.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from biggus.sources.wrappers import ObjectSource
    >>> cache = Cache(tempfile.mkdtemp(), "100 MB")
    >>> source = ObjectSource(np.arange(10), chunks=(5,), token="ten numbers")
    >>> cached = cache.wrap(source)
    >>> cached[slice(3, 7, 1),]
    array([3, 4, 5, 6])
    >>> (source, (slice(0, 10, 1),)) in cache
    True
    """

    policy: str = _POLICIES[0]
    compression: str | None = None
    fsync: bool = False
    stored: str = _STORED[0]

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        size_limit: int | str = DEFAULT_SIZE,
        policy: str = "scans",
        compression: str | None = None,
        fsync: bool = False,
        stored: str = "decoded",
    ) -> None:
        for name, value, known in ("policy", policy, _POLICIES), ("stored", stored, _STORED):
            if value not in known:
                raise OptionError(f"{name} must be one of {', '.join(known)}, not {value!r}")
        check_compression(compression)
        self.path = cache_folder(path)
        self.size_limit = parse_size(size_limit)
        self.policy = policy
        self.compression = compression
        self.fsync = bool(fsync)
        self.stored = stored
        self._begin(make_folder)

    def _begin(self, make: Callable[[Path], bool]) -> None:
        path = self.path
        self._index = shared_index(path, self.size_limit, self.policy == _POLICIES[0], self.fsync)
        self.claims = shared_claims(path)
        self._read_failures = failure_log(path, READING)
        self._write_failures = failure_log(path, WRITING)
        self._index.writable = make(path)
        if not self._index.writable:
            self._write_failures.log("nothing is stored in %s, which cannot be written", path)
            if not os.access(path, os.R_OK | os.X_OK):
                self._read_failures = self._write_failures  # the same failure, already logged
        self.files, self._descriptions = self._index.kinds
        self._count = new_lock()
        self._hits = self._misses = 0
        self._held = hold(self, self._index)

    def __getstate__(self) -> dict[str, Any]:
        names = "path", "size_limit", "policy", "compression", "fsync", "stored"
        return {name: getattr(self, name) for name in names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # The folder may not exist on the machine that unpickles: that must not stop the work.
        vars(self).update(state)
        self._begin(_made_if_possible)

    def __repr__(self) -> str:
        return f"Cache({str(self.path)!r}, size_limit={self.size_limit})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Record when entries were last used, and drop chunks that still wait to be stored.

        The cache can still be used afterwards.
        """
        self._index.close()

    def wrap(self, source: Any, chunks: Chunks | None = None) -> Cached:
        """Return a source whose chunks are kept in this cache.

        Parameters
        ----------
        source : Source, or object with shape, dtype and __getitem__
            The source to wrap.
        chunks : tuple, optional
            The grid of chunks to read and keep; by default the source's own.

        Raises
        ------
        CacheError
            If the source has no token.
        """
        return Cached(as_source(source), self, chunks)

    def __contains__(self, item: object) -> bool:
        """Return whether all chunks of a source, or of a box of it, are in the cache.

        Written as ``source in cache`` or ``(source, box) in cache``.
        """
        source, box = item if isinstance(item, tuple) else (item, None)
        if not isinstance(source, Source) or source.token is None:
            return False
        cached = source
        if not isinstance(cached, Cached) or cached.cache.path != self.path:
            cached = self.wrap(source)
        return cached.cached(whole(source.shape) if box is None else box)

    def stats(self) -> CacheStats:
        """Return the size of the cache, and its hits and misses in this process.

        Raises
        ------
        CacheError
            If the index cannot be read.
        """
        entries, size, pinned = self._index.totals()
        served = self._hits, self._misses
        return CacheStats(self.path, entries, size, self.size_limit, *served, pinned)

    def pin(self, sizes: Mapping[str, int]) -> None:
        """Pin chunks, given by key with the bytes of their values; see `biggus.pin`."""
        self._index.pin({key: size + _HEADER_BYTES for key, size in sizes.items()})

    def unpin(self, keys: Iterable[str]) -> None:
        """Unpin chunks by key."""
        self._index.unpin(keys)

    def clear(self) -> None:
        """Remove everything in the cache, descriptions and pins included.

        Chunks that any process requested before are not stored afterwards; chunks that are
        requested during the call may stay.  On a file system that shows changes late to other
        machines, chunks that these request in the meantime may stay as well.

        Raises
        ------
        CacheError
            If something cannot be removed.
        """
        self._index.clear()

    @property
    def cleared(self) -> int:
        """How often the cache was cleared by any process; see the argument `clears` of `store`."""
        return self._index.clearing.times

    def load(
        self, key: str, dtype: np.dtype[Any], chunk: Box, encoding: Encoding | None = None
    ) -> Entry | str:
        """Return the checked entry of a chunk by key, or the reason why it cannot be used."""
        shape, decoder = box_shape(chunk), None
        if encoding is not None:
            decoder = EntryDecoder(encoding.name, partial(encoding.decode, chunk))
        try:
            buffer = _read(self.files, key, math.prod(shape) * dtype.itemsize)
            if buffer is None:
                return "absent"
            entry = decode(buffer, bytes.fromhex(key), dtype, shape, decoder)
        except EntryError as error:
            self._read_failures.log("entry %s of %s is not used: %s", key, self.path, error)
            return str(error)
        except OSError as error:
            self._read_failures.log("entry %s of %s cannot be read: %s", key, self.path, error)
            return "unreadable"
        self._read_failures.over()
        return entry

    def validator(self, key: str) -> bytes | None:
        """Return the validator in the header of an entry, without reading or checking the rest."""
        head = self.files.head(key)
        if head is not None and peek_size(head) > len(head):
            head = self.files.head(key, peek_size(head))  # a joined validator may be long
        return None if head is None else peek(head, bytes.fromhex(key))

    def store(
        self,
        key: str,
        values: Values,
        validator: bytes,
        clears: int,
        encoded: Encoded | None = None,
    ) -> int:
        """Store a chunk, perhaps `encoded`; return its bytes on disk, 0 if it is not stored.

        `clears` is the count `cleared` from before the values were fetched: if the cache has been
        cleared since, they are not stored.
        """
        pieces = encode(values, validator, bytes.fromhex(key), self.compression, encoded)
        return self._index.store(CHUNKS, key, pieces, clears, passing=True)

    def load_bytes(self, key: str) -> tuple[bytes, bytes] | None:
        """Return the bytes stored under `key` and their validator; None if absent or damaged.

        The entry counts as used, but not as a hit.
        """
        try:
            buffer = _read(self.files, key, None)
            if buffer is None:
                return None
            values, validator = decode_bytes(buffer, bytes.fromhex(key))
        except (EntryError, OSError) as error:
            self._read_failures.log("entry %s of %s is not used: %s", key, self.path, error)
            return None
        self._read_failures.over()
        self._index.used(key)
        return values, validator

    def store_bytes(self, key: str, data: bytes, validator: bytes, clears: int) -> int:
        """Store bytes under `key`; return their bytes on disk, 0 if they are not stored."""
        pieces = encode(np.frombuffer(data, np.uint8), validator, bytes.fromhex(key))
        return self._index.store(CHUNKS, key, pieces, clears)

    def hit(self, key: str) -> None:
        """Count a hit, and note that the entry was used."""
        with self._count:
            self._hits += 1
        self._index.used(key)

    def miss(self) -> None:
        """Count a miss."""
        with self._count:
            self._misses += 1

    def remember(self, name: str, description: dict[str, Any]) -> None:
        """Store the description of a source, a dict that JSON can hold, to `recall` it by name.

        Descriptions have a size limit of their own, and outlive the chunks that they describe.
        Failures to write are logged.
        """
        key = _description_key(name)
        text = json.dumps({"name": name, "description": description}).encode()
        # An entry without values, whose validator is the text.
        pieces = encode(_NO_VALUES, text, bytes.fromhex(key))
        try:
            present = _read(self._descriptions, key, 0)
        except (EntryError, OSError):
            present = None
        if present is None or present.tobytes() != b"".join(pieces):
            self._index.store(DESCRIPTIONS, key, pieces, self.cleared)
        else:
            self._index.used(key, DESCRIPTIONS)

    def recall(self, name: str) -> dict[str, Any] | None:
        """Return the description stored under `name`, if there is one."""
        key = _description_key(name)
        record = self._recall(key)
        if record is None:
            return None
        self._index.used(key, DESCRIPTIONS)
        return record[1]

    def descriptions(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the names and descriptions of all remembered sources, in no order."""
        for key, _ in self._descriptions.keys():  # noqa: SIM118 - not a mapping
            record = self._recall(key)
            if record is not None:
                yield record

    def _recall(self, key: str) -> tuple[str, dict[str, Any]] | None:
        try:
            buffer = _read(self._descriptions, key, 0)
            if buffer is None:
                return None
            entry = decode(buffer, bytes.fromhex(key), _NO_VALUES.dtype, _NO_VALUES.shape)
            record = json.loads(entry.validator)
            return record["name"], record["description"]
        except (EntryError, OSError) as error:
            self._read_failures.log("description %s of %s is not used: %s", key, self.path, error)
            return None


def _read(files: Files, key: str, nbytes: int | None) -> Buffer | None:
    """Return the bytes of the entry of a key and size; None if there is no file."""
    return files.read(key, partial(announced, bytes.fromhex(key), nbytes), HEAD)


def _made_if_possible(folder: Path) -> bool:
    try:
        return make_folder(folder)
    except CacheError as error:
        failure_log(folder, WRITING).log("nothing is cached: %s", error)
        return False


def _description_key(name: str) -> str:
    return blake2b(name.encode(), digest_size=20).hexdigest()
