"""The source of a Zarr array on a server, and the freshness of copies.

Asking the server at each hit would make a cache pointless, so a copy is valid for a time,
`fresh_for`.  Its validator holds when it was checked, and the state of each of its objects as
the server named it.  After that time it is revalidated by one conditional request for each
object, and now and then one for the metadata.  If the server cannot be reached, or biggus is
offline, the copy stays valid.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import logging
import math
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from biggus import options
from biggus.backends.http.absence import GONE, absent_statuses
from biggus.backends.http.client import HttpSettings
from biggus.backends.http.deadline import DEFAULT_TIMEOUT, timeout_option
from biggus.backends.http.options import OptionChecker
from biggus.backends.identity import without_secrets
from biggus.backends.zarr import metadata as zarr_metadata
from biggus.backends.zarr.http import ABSENT, FsspecStore, HttpStore, RemoteStore
from biggus.backends.zarr.source import ZarrSource
from biggus.errors import BackendOptionError, format_box
from biggus.indexing.grid import Grid
from biggus.sources.parts import only_chunk
from biggus.support.forks import new_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from biggus.backends.location import Location
    from biggus.backends.zarr.record import Record
    from biggus.sources.base import Box, Values

log = logging.getLogger("biggus.backends.zarr")

FRESH_SECONDS = 3600.0
"""The default time for which a copy is valid."""

# fmt: off
_ACCESS = frozenset({
    "anon", "asynchronous", "batch_size", "cache_regions", "check_connection", "default_block_size",
    "default_cache_type", "default_fill_cache", "listings_expiry_time", "loop", "max_concurrency",
    "max_paths", "profile", "requester_pays", "skip_instance_cache", "timeout",
    "use_listings_cache", "username",
})
# fmt: on
"""The options of fsspec's file systems that concern access, and do not change values."""


def remote_store(
    location: Location,
    *,
    timeout: float | Sequence[float] = DEFAULT_TIMEOUT,
    retries: int = 4,
    connections: int = 16,
    headers: Mapping[str, str] | None = None,
    storage_options: Mapping[str, Any] | None = None,
    absent: int | Sequence[int] = (),
    text_chunks: bool = False,
    local_redirects: bool = False,
) -> RemoteStore:
    """Return the store at a URL.

    Parameters
    ----------
    location : Location
        The URL.
    timeout : float or sequence of float
        The seconds to wait for a connection, for each piece of a response, and for a request
        with all its retries (see `biggus.backends.http.deadline.Timeout`).
    retries : int
        How often failures that may pass are retried.
    connections : int
        How many requests to one host may run at once.
    headers : mapping, optional
        Further headers for each request, such as credentials.
    storage_options : mapping, optional
        The options of fsspec's file system, for other schemes than http and https.
    absent : int or sequence of int, optional
        Further statuses than 404 and 410 that mean that an object does not exist, such as 403
        of a bucket that may not be listed; 200 stands for a response without a body.
    text_chunks : bool, optional
        Whether chunks may be served as text/plain.  By default chunks of that type are refused
        if they have neither compression nor a checksum, for they may be messages.
    local_redirects : bool, optional
        Whether a server on the internet may redirect to addresses of this machine or of a
        private network.
    """
    statuses = absent_statuses(location.public, absent)
    if location.scheme not in ("http", "https"):
        return FsspecStore(location.text, storage_options or {}, statuses)
    if storage_options is not None:
        raise TypeError("`storage_options=` is for fsspec; use `headers=` for http and https")
    check = OptionChecker(location.public)
    return HttpStore(
        location.text,
        HttpSettings(
            connections=check.integer("connections", connections, 1, 1024),
            timeout=timeout_option(location.public, timeout),
            retries=check.integer("retries", retries, 0, 100),
            headers=check.headers(headers),
            local_redirects=local_redirects,
        ),
        statuses,
        text_chunks,
    )


STORE_OPTIONS = tuple(inspect.signature(remote_store).parameters)[1:]
"""The names of the options of `remote_store`."""


def refuse_unknown(options: Mapping[str, Any]) -> None:
    """Raise an error for an option that `remote_store` does not have."""
    for name in options.keys() - set(STORE_OPTIONS):
        raise BackendOptionError(f"the zarr backend has no option {name!r}", name)


def variant_of(location: Location, options: Mapping[str, Any]) -> str:
    """Return those options of `remote_store` that change values, as a part of tokens.

    Raises
    ------
    BackendOptionError
        If an option is unknown.
    """
    further = sorted(absent_statuses(location.public, options.get("absent", ())) - GONE)
    variant = f"|absent={further}" if further else ""
    storage = without_secrets(options.get("storage_options") or {})
    decisive = {name: value for name, value in storage.items() if name not in _ACCESS}
    if decisive:
        text = json.dumps(decisive, sort_keys=True)
        variant += f"|storage={hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}"
    return variant


class _Held(NamedTuple):
    """The contents of the validator of a copy."""

    checked: float
    """When it was checked, in seconds since 1970."""

    tags: list[str | None]
    """The states of its objects."""

    good_for: float | None
    """The seconds for which it is valid from then on, as the server said; None if it did not."""


class RemoteZarrSource(ZarrSource):
    """The source of an array of a Zarr store on a server.

    Parameters
    ----------
    fresh_for : float or None
        The seconds for which a copy is valid without a request; None: those that the server
        says, or an hour.
    stale_if_error : float or None
        The seconds for which an expired copy is used if the server fails; None: for ever.
    *args
        As for `ZarrSource`.
    """

    store: RemoteStore

    def __init__(self, fresh_for: float | None, stale_if_error: float | None, *args: Any) -> None:
        super().__init__(*args)
        self.fresh_for = FRESH_SECONDS if fresh_for is None else fresh_for
        self.stale_if_error = stale_if_error
        self._asked = fresh_for is not None
        self.encoding = self._reader.encoding
        self._lock = new_lock()
        self._verified = time.time()

    def validator(self, box: Box) -> bytes | None:
        """Return None: the state is unknown until values are fetched."""
        return None

    def fetch(self, box: Box) -> tuple[Values, bytes | None]:
        """Read `box`; the validator holds the states of its objects as the server named them."""
        return self.fetch_many([box])[0]

    def fetch_many(self, boxes: Sequence[Box]) -> list[tuple[Values, bytes | None]]:
        """Read boxes, with few requests for chunks of one shard."""
        return [fetched[:2] for fetched in self._fetched(boxes)]

    def fetch_encoded(
        self, boxes: Sequence[Box]
    ) -> list[tuple[Values, bytes | None, bytes | None]]:
        """Read boxes, and return for each that is a stored chunk also its stored bytes."""
        grid = Grid(self.shape, self.chunks or ())
        own = self.encoding is not None and all(only_chunk(grid, box) == box for box in boxes)
        return self._fetched(boxes, encoded=own)

    def _fetched(
        self, boxes: Sequence[Box], *, encoded: bool = False
    ) -> list[tuple[Values, bytes | None, bytes | None]]:
        now = time.time()
        results, record = self._read(*boxes, encoded=encoded)
        stored = record.encoded or {}
        return [
            (values, self._read_validator(box, record, now), stored.get(number))
            for number, (box, values) in enumerate(zip(boxes, results, strict=True))
        ]

    def _read_validator(self, box: Box, record: Record, now: float) -> bytes | None:
        tags = []
        for key in self.chunk_keys(box):
            if key not in record.tags and key not in record.absent:
                return None
            tags.append(record.tags.get(key, ABSENT))
        if record.good_for is None:
            return None  # the server forbids keeping a copy
        good_for = record.good_for if math.isfinite(record.good_for) else None
        return self._validator(_Held(now, tags, good_for))

    def revalidate(self, box: Box, validator: bytes) -> bytes | None:
        """Check whether a copy is valid: by its age, or else by asking the server."""
        return self.revalidate_many([box], [validator])[0]

    def revalidate_many(
        self, boxes: Sequence[Box], validators: Sequence[bytes]
    ) -> list[bytes | None]:
        """Check the copies of several boxes, with one request for each of their objects."""
        now = time.time()
        answers: dict[tuple[str, str | None], bool | Exception] = {}

        def same(key: str, tag: str | None) -> bool:
            if (key, tag) not in answers:
                try:
                    unchanged = self._same_metadata(now) and self.store.unchanged(key, tag)
                    answers[key, tag] = unchanged
                except (OSError, ValueError) as error:
                    answers[key, tag] = error
            answer = answers[key, tag]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return [
            self._revalidated(box, one, now, same)
            for box, one in zip(boxes, validators, strict=True)
        ]

    def _revalidated(
        self, box: Box, validator: bytes, now: float, same: Callable[[str, str | None], bool]
    ) -> bytes | None:
        parsed = self._parsed(validator)
        keys = self.chunk_keys(box)
        if parsed is None or len(parsed.tags) != len(keys):
            return None
        if options.current().offline or self._is_fresh(parsed, now):
            return validator
        try:
            good = all(map(same, keys, parsed.tags))
        except ConnectionError as error:
            oldest = math.inf if self.stale_if_error is None else self.stale_if_error
            if now - parsed.checked > self._good_for(parsed) + oldest:
                return None
            log.warning(
                "%s %s: kept, as it cannot be verified: %s", self.name, format_box(box), error
            )
            return validator
        except (OSError, ValueError) as error:
            log.info("%s %s: not verified: %s", self.name, format_box(box), error)
            return None
        log.debug("%s %s: %s", self.name, format_box(box), "verified" if good else "changed")
        return self._validator(parsed._replace(checked=now)) if good else None

    def revalidation_waits(self, box: Box, validator: bytes) -> bool:
        """Return whether a copy is so old that the server is asked."""
        parsed = self._parsed(validator)
        if parsed is None or options.current().offline:
            return False
        return not self._is_fresh(parsed, time.time())

    def _good_for(self, parsed: _Held) -> float:
        return self.fresh_for if parsed.good_for is None or self._asked else parsed.good_for

    def _is_fresh(self, parsed: _Held, now: float) -> bool:
        return 0 <= now - parsed.checked < self._good_for(parsed)

    def _parsed(self, validator: bytes) -> _Held | None:
        """Return the contents of a validator; None if it is of another array."""
        try:
            fields = json.loads(validator)
            if fields["structure"] == self._structure:
                good_for = fields.get("good_for")
                checked, tags = float(fields["checked"]), list(fields["tags"])
                return _Held(checked, tags, None if good_for is None else float(good_for))
        except (ValueError, KeyError, TypeError):
            pass
        return None

    def _validator(self, contents: _Held) -> bytes:
        # Rounded down, lest a coarse clock makes a copy seem to be from the future.
        checked = int(contents.checked * 1000) / 1000
        fields = {"checked": checked, "structure": self._structure, "tags": contents.tags}
        if contents.good_for is not None:
            fields["good_for"] = contents.good_for
        return json.dumps(fields, separators=(",", ":")).encode()

    def _same_metadata(self, now: float) -> bool:
        """Verify the metadata, once in `fresh_for` seconds for all copies."""
        with self._lock:
            if 0 <= now - self._verified < self.fresh_for:
                return True
            document = zarr_metadata.read_array(self.store, self._path, self.document.zarr_format)
            if document is None or not document.continues(self.document):
                return False
            self._verified = now
            return True
