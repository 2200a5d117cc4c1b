"""Freshness: how long a cached HTTP response may be used, as its headers say.

The validator of a copy holds the ``ETag`` or ``Last-Modified`` of the response, when it was
checked, and when it expires.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

from biggus.backends.http.headers import http_date

_MAX_AGE = re.compile(r"(?:^|,)\s*max-age\s*=\s*\"?(\d{1,10})", re.IGNORECASE)
_CLOCK_SLACK = 300.0
_MISSING = ["missing"]


@dataclass(frozen=True)
class Freshness:
    """The freshness of one copy.

    Attributes
    ----------
    etag, modified : str or None
        The headers ``ETag`` and ``Last-Modified``.
    checked, expires : float
        When the copy was checked and when it expires, in seconds since 1970.
    missing : bool
        Whether the server does not have it; then there are no headers.
    """

    etag: str | None
    modified: str | None
    checked: float
    expires: float
    missing: bool = False

    @classmethod
    def of(cls, headers: Mapping[str, str], default: float) -> Freshness | None:
        """Return the freshness of a response.

        Parameters
        ----------
        headers : mapping
            The headers, by case-insensitive names.
        default : float
            The seconds for which it is fresh if the headers do not say.

        Returns
        -------
        Freshness or None
            None if the server forbids keeping a copy.
        """
        now = time.time()
        good_for = lifetime(headers, default)
        if good_for is None:
            return None
        return cls(headers.get("ETag"), headers.get("Last-Modified"), now, now + good_for)

    @property
    def fresh(self) -> bool:
        """Whether it may be used without a request; not if the clock was set back since."""
        return self.checked - _CLOCK_SLACK <= time.time() < self.expires

    def stands_in(self, longest: float | None) -> bool:
        """Return whether it may be used for a failing server though it has expired.

        It may for `longest` seconds after it expired; None: for ever.
        """
        return longest is None or time.time() <= self.expires + longest

    def conditions(self) -> dict[str, str]:
        """Return the headers of a conditional request."""
        headers = {}
        if self.etag:
            headers["If-None-Match"] = self.etag
        if self.modified:
            headers["If-Modified-Since"] = self.modified
        return headers

    def of_missing(self) -> Freshness:
        """Return this for a missing thing, without the headers of its error page."""
        return Freshness(None, None, self.checked, self.expires, missing=True)

    def same(self, other: Freshness) -> bool:
        """Return whether both have the same ``ETag``, or else the same ``Last-Modified``."""
        if self.etag and other.etag:
            return self.etag == other.etag
        return bool(self.modified) and self.modified == other.modified

    def revalidated(self, other: Freshness) -> Freshness:
        """Return this with the times and headers of a later response."""
        return Freshness(
            other.etag or self.etag, other.modified or self.modified, other.checked, other.expires
        )


def lifetime(headers: Mapping[str, str], default: float) -> float | None:
    """Return the seconds for which a copy of a response is fresh.

    Parameters
    ----------
    headers : mapping
        The headers, by case-insensitive names.
    default : float
        The seconds if the headers do not say.

    Returns
    -------
    float or None
        None if the server forbids keeping a copy.

    Examples
    --------
    >>> lifetime({"Cache-Control": "max-age=60", "Age": "20"}, 5.0), lifetime({}, 5.0)
    (40.0, 5.0)
    """
    control = headers.get("Cache-Control", "").lower()
    directives = {part.split("=")[0].strip() for part in control.split(",")}
    if "no-store" in directives:
        return None
    stated = _stated_seconds(headers, control, directives)
    seconds = default if stated is None else stated
    age = headers.get("Age", "").strip()
    return max(0.0, seconds - float(age[:10])) if age.isdecimal() and age.isascii() else seconds


def _stated_seconds(headers: Mapping[str, str], control: str, directives: set[str]) -> float | None:
    if "no-cache" in directives:
        return 0.0
    max_age = _MAX_AGE.search(control)
    if max_age:
        return float(max_age.group(1))
    if "Expires" in headers:
        expires = http_date(headers["Expires"])
        if expires is None:  # "0" and other invalid dates mean the past
            return 0.0
        return max(0.0, expires - (http_date(headers.get("Date")) or time.time()))
    return None


def pack(entries: list[Freshness]) -> bytes:
    """Return the validator of a box from those of its tiles, in C order."""
    rows = []
    for e in entries:
        marks = _MISSING if e.missing else []
        rows.append([e.etag, e.modified, round(e.checked, 3), round(e.expires, 3), *marks])
    return json.dumps(rows, separators=(",", ":")).encode()


def unpack(validator: bytes) -> list[Freshness] | None:
    """Return the entries of a validator, or None if it is not valid.

    Examples
    --------
    >>> unpack(pack([Freshness('"a"', None, 1.0, 2.0)]))[0].etag
    '"a"'
    >>> unpack(b"something else") is None
    True
    """
    try:
        rows = json.loads(validator)
        return [
            Freshness(_text(etag), _text(modified), float(checked), float(expires), _missing(marks))
            for etag, modified, checked, expires, *marks in rows
        ]
    except (ValueError, TypeError):
        return None


def _missing(marks: list[object]) -> bool:
    if marks not in ([], _MISSING):
        raise ValueError(f"unknown marks {marks!r}")
    return bool(marks)


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise TypeError(f"a validator is a string, not {value!r}")
