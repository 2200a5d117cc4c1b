"""Secrets kept out of what others say: the log records of urllib3, and the texts of errors.

urllib3 logs the whole path of each request, query and all, and so do some of
its errors quote it.  A filter on its loggers takes the values of secret
parameters out of the records of requests that biggus makes; what others do
with urllib3 is logged as ever.
"""

from __future__ import annotations

import contextvars
import logging
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from biggus.backends.location import is_secret
from biggus.support.within import within

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

HIDDEN = "***"
"""What stands in the place of a secret."""

_USER = re.compile(r"(?<=://)[^/?#\s\"]*@")
# A value goes on to the next parameter: quotes and brackets may belong to it.
_PARAMETER = re.compile(r"(?<=[?&;])([^=&;?\s\"]+)=([^&\s\"]*)")

_ours: contextvars.ContextVar[bool] = contextvars.ContextVar("biggus_request", default=False)


def redacted(text: str) -> str:
    """Return `text` with the user info and the secret parameters of all URLs in it hidden.

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
    """Tell whether an error, or one that led to it, says what is not to be shown."""
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
    return f"{name}={_PARAMETER.sub(_hide, value)}"  # some separate with semicolons


class _Filter(logging.Filter):
    """Lets all records pass, those of our own requests without secrets."""

    def filter(self, record: logging.LogRecord) -> bool:
        if _ours.get():
            message = record.getMessage()
            hidden = redacted(message)
            if hidden != message:
                record.msg, record.args = hidden, None
        return True


_filter = _Filter()


def watch_urllib3() -> None:
    """Put the filter on all loggers of urllib3, which must be imported; again does no harm."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] == "urllib3":
            logging.getLogger(name).addFilter(_filter)


def our_request() -> AbstractContextManager[None]:
    """Mark what this thread does in the block as a request of biggus's."""
    return within(_ours, True)
