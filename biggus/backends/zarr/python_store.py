"""The store through which zarr-python reads, which checks and records what is read.

zarr-python treats a missing object as a chunk that was never written, and in a shard also a
response that is too short.  This store records missing objects, for the reader to verify, and
raises an error for short ones.
"""

from __future__ import annotations

import contextvars
import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any, TypeAlias

from biggus.backends.zarr.store import WHOLE, Fetched, Get, Span, ZarrStore
from biggus.support.forks import between_forks

Check: TypeAlias = Callable[[bytes, Span], None]
"""Raises an OSError for bytes that cannot be those of a chunk, or of that span of one."""


@dataclasses.dataclass
class Record:
    """The record of one read."""

    absent: set[str] = dataclasses.field(default_factory=set)
    """The keys without an object."""

    tags: dict[str, str | None] = dataclasses.field(default_factory=dict)
    """The state of each object that was read."""

    good_for: float | None = math.inf
    """The seconds for which a copy of all that was read is valid; None if none may be kept."""

    ahead: dict[str, Get] = dataclasses.field(default_factory=dict)
    """The functions that return parts of objects that were fetched ahead."""

    encoded: dict[int, bytes] | None = None
    """The stored bytes of each box that is a chunk, by its number, if they are wanted."""

    def met(self, key: str, found: Fetched | None) -> Fetched | None:
        """Record the object of a key, and return it.

        Raises
        ------
        OSError
            If it appeared, disappeared or changed during the read.
        """
        if found is None:
            self.absent.add(key)
        elif self.tags.setdefault(key, found.tag) != found.tag:
            raise OSError(f"{key} was changed while it was read")
        if found is not None and self.good_for is not None:
            theirs = found.good_for
            self.good_for = None if theirs is None else min(self.good_for, theirs)
        if key in self.absent and key in self.tags:
            raise OSError(f"{key} appeared or disappeared while it was read")
        return found


recording: contextvars.ContextVar[Record | None] = contextvars.ContextVar(
    "biggus_zarr_record", default=None
)
"""The record of the current read, also within zarr's event loop."""


def make_store(store: ZarrStore, only: str | None = None) -> Any:
    """Return a read-only zarr store over `store`.

    Its attribute ``check`` is None, or a `Check` of all bytes.

    Parameters
    ----------
    store : ZarrStore
        The store to read.
    only : str, optional
        The key of the object that is read in place of any other.
    """
    return _store_class()(store, only)


async def checked_get(store: ZarrStore, key: str, span: Span) -> Fetched | None:
    """Read a span of an object and record it.

    Raises
    ------
    OSError
        If it is short or empty, or if the object appeared, disappeared or changed.
    """
    record = recording.get()
    ahead = record.ahead.get(key) if record is not None else None
    found = ahead(span) if ahead is not None else None
    if found is None:
        found = await store.aget(key, span)
    if record is not None:
        record.met(key, found)
    if found is None:
        return None
    refuse_short(key, found.data, span)
    return found


def refuse_short(key: str, data: bytes, span: Span) -> None:
    """Check that the bytes of a span of an object are complete.

    Raises
    ------
    OSError
        If they are too few or none.
    """
    start, stop = span
    wanted = 1
    if start is not None:
        # Either from `start` up to `stop`, or the last `-start` bytes.
        wanted = -start if start < 0 else 1 if stop is None else stop - start
    if len(data) < wanted:
        raise OSError(f"{key} is cut short: {len(data)} bytes instead of {wanted}")


_SPANS: dict[str, Callable[[Any], Span]] = {
    "NoneType": lambda _: WHOLE,
    "RangeByteRequest": lambda request: (request.start, request.end),
    "OffsetByteRequest": lambda request: (request.offset, None),
    "SuffixByteRequest": lambda request: (-request.suffix, None),
}
"""The span of each kind of byte request of zarr-python."""


def _span_of(request: Any) -> Span:
    span = _SPANS.get(type(request).__name__)
    if span is None:
        raise TypeError(f"unknown byte request {request!r}")
    return span(request)


class _ReadOnly:
    """The methods of a zarr store that refuse writing and listing."""

    supports_writes = False
    supports_deletes = False
    supports_listing = False
    supports_partial_writes = False  # used by zarr before 3.1.3

    async def _refuse(self, *_: Any) -> Any:
        raise PermissionError("biggus only reads")

    set = set_partial_values = delete = _refuse

    def _refuse_listing(self, *_: Any) -> Any:
        raise NotImplementedError("the store cannot be listed")

    list = list_prefix = list_dir = _refuse_listing


@functools.lru_cache(maxsize=1)
def _store_class() -> Any:
    # Defined on first use, as importing zarr takes longer than all of biggus.
    with between_forks():
        from zarr.abc.store import Store

    # Codec pipelines recognise stores of zarr-python by the names of their classes.
    class WatchedStore(_ReadOnly, Store):  # type: ignore[misc] # refusing methods are not async
        """A read-only store over `ZarrStore`."""

        check: Check | None = None

        def __init__(self, store: ZarrStore, only: str | None) -> None:
            super().__init__(read_only=True)
            self.store = store
            self.only = only
            self._is_open = True

        def __eq__(self, other: object) -> bool:
            if not isinstance(other, WatchedStore):
                return False
            return other.store is self.store and other.only == self.only

        def __hash__(self) -> int:
            return hash(id(self.store))

        async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
            span = _span_of(byte_range)
            found = await checked_get(self.store, self.only or key, span)
            if found is None:
                return None
            if self.check is not None:
                self.check(found.data, span)
            return prototype.buffer.from_bytes(found.data)

        async def get_partial_values(self, prototype: Any, key_ranges: Any) -> list[Any]:
            return [await self.get(key, prototype, request) for key, request in key_ranges]

        async def exists(self, key: str) -> bool:
            return await self.store.aget(key) is not None

    return WatchedStore
