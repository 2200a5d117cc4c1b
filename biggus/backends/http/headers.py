"""Parsing and making HTTP headers."""

from __future__ import annotations

import time
from base64 import b64encode
from email.utils import parsedate_to_datetime
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import unquote, urlsplit, urlunsplit


def retry_after(value: str | None, longest: float) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks for, at most `longest`.

    Parameters
    ----------
    value : str or None
        Seconds, or an HTTP date.
    longest : float
        Seconds.

    Returns
    -------
    float or None
        None if there is no header, or it is invalid.

    Examples
    --------
    >>> retry_after("3", 60.0), retry_after("86400", 60.0), retry_after("soon", 60.0)
    (3.0, 60.0, None)
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        seconds = float(text[:9])
    else:
        date = http_date(text)
        if date is None:
            return None
        seconds = date - time.time()
    return min(max(0.0, seconds), longest)


def http_date(text: str | None) -> float | None:
    """Return an HTTP date as seconds since 1970, or None if it is invalid.

    Examples
    --------
    >>> http_date("Thu, 01 Jan 1970 00:01:40 GMT")
    100.0
    """
    if not text:
        return None
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def split_credentials(url: str) -> tuple[str, dict[str, str]]:
    """Split a URL into one without user name and password, and the header that replaces them.

    Examples
    --------
    >>> split_credentials("http://me:pw@host/a")
    ('http://host/a', {'Authorization': 'Basic bWU6cHc='})
    """
    if "@" not in url:
        return url, {}
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, {}
    pair = unquote(user) if ":" in user else unquote(user) + ":"
    header = "Basic " + b64encode(pair.encode()).decode("ascii")
    return urlunsplit(parts._replace(netloc=host)), {"Authorization": header}


@lru_cache(maxsize=1)
def user_agent() -> str:
    """Return the default ``User-Agent``: biggus and its version."""
    try:
        return f"biggus/{version('biggus')}"
    except PackageNotFoundError:  # not installed
        return "biggus"
