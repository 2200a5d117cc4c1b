"""Keeping secrets out of the log records of urllib3, and out of errors.

urllib3 logs the path and query of each request, and some of its errors quote them.  A filter on
its loggers hides the values of secret parameters in the records of requests that biggus makes;
those of others are not changed.
"""

from __future__ import annotations

import contextvars
import logging
import re
from contextlib import AbstractContextManager
from urllib.parse import unquote

from biggus.backends.location import is_secret
from biggus.support.within import within

HIDDEN = "***"
"""The replacement of a secret."""

_USER = re.compile(r"(?<=://)[^/?#\s\"]*@")
# A value ends at the next parameter: quotes and brackets may belong to it.
_PARAMETER = re.compile(r"(?<=[?&;])([^=&;?\s\"]+)=([^&\s\"]*)")

_ours: contextvars.ContextVar[bool] = contextvars.ContextVar("biggus_request", default=False)


def redacted(text: str) -> str:
    """Hide the user info and the secret parameters of all URLs in a text.

    Examples
    --------
    >>> redacted('"GET /1/0/1.png?style=a&api_key=s3cret HTTP/1.1" 200')
    '"GET /1/0/1.png?style=a&api_key=*** HTTP/1.1" 200'
    >>> redacted("http://me:pw@host/a?b=1")
    'http://***@host/a?b=1'
    """
    if "@" in text:
        text = _USER.sub(f"{HIDDEN}@", text)
    return _PARAMETER.sub(_hide, text) if "=" in text else text


def tells_secrets(error: BaseException | None) -> bool:
    """Return whether the text of an error, or of one that led to it, has secrets."""
    while error is not None:
        text = str(error)
        if redacted(text) != text:
            return True
        error = error.__cause__ or error.__context__
    return False


def _hide(match: re.Match[str]) -> str:
    name, value = match.groups()
    if is_secret(unquote(name)):
        return f"{name}={HIDDEN}"
    return f"{name}={_PARAMETER.sub(_hide, value)}"  # parameters may be separated by semicolons


class _Filter(logging.Filter):
    """Hides secrets in the records of our own requests."""

    def filter(self, record: logging.LogRecord) -> bool:
        if _ours.get():
            message = record.getMessage()
            hidden = redacted(message)
            if hidden != message:
                record.msg, record.args = hidden, None
        return True


_filter = _Filter()


def watch_urllib3() -> None:
    """Add the filter to all loggers of urllib3, which must be imported; may be repeated."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] == "urllib3":
            logging.getLogger(name).addFilter(_filter)


def our_request() -> AbstractContextManager[None]:
    """Mark the requests of this thread within a with block as those of biggus."""
    return within(_ours, True)
