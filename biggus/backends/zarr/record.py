"""The record of a read: which objects were read, and in which states."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from biggus.backends.zarr.store import Fetched, Span


@dataclasses.dataclass
class Record:
    """The record of one read."""

    absent: set[str] = dataclasses.field(default_factory=set)
    """The keys without an object."""

    tags: dict[str, str | None] = dataclasses.field(default_factory=dict)
    """The state of each object that was read."""

    good_for: float | None = math.inf
    """The seconds for which a copy of all that was read is valid; None if none may be kept."""

    encoded: dict[int, bytes] | None = None
    """The stored bytes of each box that is a chunk, by its number, if they are wanted."""

    def met(self, key: str, fetched: Fetched | None) -> Fetched | None:
        """Record the object of a key, and return it.

        Raises
        ------
        OSError
            If it appeared, disappeared or changed during the read.
        """
        if fetched is None:
            self.absent.add(key)
        elif self.tags.setdefault(key, fetched.tag) != fetched.tag:
            raise OSError(f"{key} was changed while it was read")
        if fetched is not None and self.good_for is not None:
            theirs = fetched.good_for
            self.good_for = None if theirs is None else min(self.good_for, theirs)
        if key in self.absent and key in self.tags:
            raise OSError(f"{key} appeared or disappeared while it was read")
        return fetched


def refuse_short(key: str, data: bytes, span: Span) -> None:
    """Check that the bytes of a span of an object are complete.

    Raises
    ------
    OSError
        If they are too few or none.
    """
    start, stop = span
    least = 1
    if start is not None:
        # Either from `start` up to `stop`, or the last `-start` bytes.
        least = -start if start < 0 else 1 if stop is None else stop - start
    if len(data) < least:
        raise OSError(f"{key} is cut short: {len(data)} bytes instead of {least}")
