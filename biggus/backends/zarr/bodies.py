"""Answers to requests for a part of an object: the part that was asked for, and nothing else.

A server that knows no ranges sends all of the object.  That is kept for a
moment, for those who want other parts of it.
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
from biggus.backends.zarr.kept import RecentValues
from biggus.backends.zarr.store import Fetched

if TYPE_CHECKING:
    from biggus.backends.http.attempt import Response
    from biggus.backends.zarr.store import Span

TRUSTED_SECONDS = 1.0
"""For so long a whole object is taken to be as it was; then the server is asked."""

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class Body(NamedTuple):
    """All of an object, which came in place of a part."""

    data: bytes
    """Its bytes."""

    tag: str
    """What names its state."""

    good_for: float | None
    """For how long a copy is good, as the server says; None: none is to be kept."""

    checked: float
    """When it was that, by the clock that only goes forward."""

    @property
    def young(self) -> bool:
        """Whether it may be used unasked."""
        return time.monotonic() - self.checked < TRUSTED_SECONDS

    def part(self, span: Span) -> Fetched:
        """Return a part of it."""
        return Fetched(self.data[slice(*span)], self.tag, self.good_for)


bodies: RecentValues[Body] = RecentValues(128 * 2**20)


def whole_body(response: Response) -> Body:
    """Return what came in place of a part; its digest names it where the server does not."""
    tag = tag_of(response)
    if tag is None:
        tag = f"digest {hashlib.blake2b(response.body, digest_size=20).hexdigest()}"
    return Body(response.body, tag, lifetime(response.headers, math.inf), time.monotonic())


def range_header(span: Span) -> str:
    """Return the value of ``Range`` that asks for a part of an object."""
    start, stop = span
    if start is not None and start < 0:
        return f"bytes={start}"
    return f"bytes={start or 0}-{'' if stop is None else stop - 1}"


def part_of(response: Response, span: Span) -> bytes:
    """Return the part of an object that was asked for, as far as the object goes.

    Raises
    ------
    OSError
        If the answer is none to that.
    """
    if response.status == 200:
        # The whole, asked for or not: some servers know no ranges.
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
        # Nothing but the length tells of the end of what is of an unknown length.
        length = end - first
        right = length == -start if total is None else length == min(-start, total)
        if not right or (total is not None and end != total):
            raise OSError(f"{response.url}: the server sent another part than was asked for")
        return response.body
    start = start or 0
    if first > start or (stop is None and end != total):
        raise OSError(f"{response.url}: the server sent another part than was asked for")
    return response.body[start - first : None if stop is None else stop - first]


def tag_of(response: Response) -> str | None:
    """Return what the server says that names the state of an object; None if nothing does."""
    headers = response.headers
    etag = headers.get("ETag")
    if etag:
        return f"etag {etag}"
    modified = headers.get("Last-Modified")
    when, now = http_date(modified), http_date(headers.get("Date"))
    # Whole seconds: an object that has just changed may change again unseen.
    if when is None or now is None or now - when < SETTLED_SECONDS:
        return None
    size = headers.get("Content-Range", "").rpartition("/")[2] or headers.get("Content-Length", "")
    return f"modified {modified}; {size}"


def conditions(tag: str | None) -> dict[str, str]:
    """Return the headers that ask for an object only if its state is another than `tag`."""
    kind, _, value = (tag or "").partition(" ")
    if kind == "etag":
        return {"If-None-Match": value}
    if kind == "modified":
        return {"If-Modified-Since": value.partition("; ")[0]}
    return {}
