"""Responses to range requests, which must be the requested part of an object.

A server without support for ranges sends the whole object.  It is kept for a moment, for
requests of other parts.
"""

from __future__ import annotations

import hashlib
import math
import re
import time
from typing import TYPE_CHECKING, NamedTuple

from biggus.backends.files import SETTLED_SECONDS
from biggus.backends.http.freshness import lifetime
from biggus.backends.http.headers import http_date
from biggus.backends.zarr.store import Fetched, Span
from biggus.support.forks import in_children
from biggus.support.recent import RecentValues

if TYPE_CHECKING:
    from biggus.backends.http.attempt import Response

TRUSTED_SECONDS = 1.0
"""How long a kept object is used without asking the server."""

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class Body(NamedTuple):
    """A whole object that was sent in place of a part."""

    data: bytes
    """The bytes of the object."""

    tag: str
    """The state of the object."""

    good_for: float | None
    """The seconds for which a copy is valid; None if none may be kept."""

    checked: float
    """When it was last known to be in that state, on the monotonic clock."""

    @property
    def young(self) -> bool:
        """Whether it may be used without asking the server."""
        return time.monotonic() - self.checked < TRUSTED_SECONDS

    def part(self, span: Span) -> Fetched:
        """Return a part of the object."""
        return Fetched(self.data[slice(*span)], self.tag, self.good_for)


bodies: RecentValues[Body] = RecentValues(128 * 2**20)
in_children(bodies.reset)


def whole_body(response: Response) -> Body:
    """Return the object in a response; its tag is a digest if the server gives none."""
    tag = tag_of(response)
    if tag is None:
        tag = f"digest {hashlib.blake2b(response.body, digest_size=20).hexdigest()}"
    return Body(response.body, tag, lifetime(response.headers, math.inf), time.monotonic())


def range_header(span: Span) -> str:
    """Return the value of the header ``Range`` for a part of an object."""
    start, stop = span
    if start is not None and start < 0:
        return f"bytes={start}"
    return f"bytes={start or 0}-{'' if stop is None else stop - 1}"


def part_of(response: Response, span: Span) -> bytes:
    """Return the requested part from a response, shorter if the object ends before.

    Raises
    ------
    OSError
        If the response is for another part.
    """
    if response.status == 200:
        # The whole object, requested or not: some servers do not support ranges.
        return response.body[slice(*span)]
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    if match is None:
        raise OSError(f"{response.url}: the server sent a part without saying which")
    first, end = int(match[1]), int(match[2]) + 1
    if end - first != len(response.body):
        raise OSError(f"{response.url}: the server sent less than it says")
    total = None if match[3] == "*" else int(match[3])
    start, stop = span
    if start is not None and start < 0:
        # If the total length is unknown, only that of the part can be checked.
        length = end - first
        right = length == -start if total is None else length == min(-start, total)
        if not right or (total is not None and end != total):
            raise OSError(f"{response.url}: the server sent another part than requested")
        return response.body
    start = start or 0
    if first > start or (stop is None and end != total):
        raise OSError(f"{response.url}: the server sent another part than requested")
    return response.body[start - first : None if stop is None else stop - first]


def tag_of(response: Response) -> str | None:
    """Return the state of an object from the headers of a response; None if it is unknown."""
    headers = response.headers
    etag = headers.get("ETag")
    if etag:
        return f"etag {etag}"
    modified = headers.get("Last-Modified")
    when, now = http_date(modified), http_date(headers.get("Date"))
    # Whole seconds: an object that has just changed may change again in the same second.
    if when is None or now is None or now - when < SETTLED_SECONDS:
        return None
    size = headers.get("Content-Range", "").rpartition("/")[2] or headers.get("Content-Length", "")
    return f"modified {modified}; {size}"


def conditions(tag: str | None) -> dict[str, str]:
    """Return the headers of a request on the condition that the state is no longer `tag`."""
    kind, _, value = (tag or "").partition(" ")
    if kind == "etag":
        return {"If-None-Match": value}
    if kind == "modified":
        return {"If-Modified-Since": value.partition("; ")[0]}
    return {}
