"""One attempt at a GET request, which returns a response with its whole body, or fails.

Whatever a server sends, an attempt ends, and takes no more memory than the caller allows.
"""

from __future__ import annotations

import contextlib
import logging
import time
from dataclasses import dataclass, field
from http.client import IncompleteRead
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from biggus.backends.http.addresses import (
    LocalRedirectError,
    addresses_of,
    by_name,
    is_outside,
    is_public,
)
from biggus.backends.http.connections import outside
from biggus.backends.http.deadline import SLOWEST, Deadline
from biggus.backends.http.headers import split_credentials
from biggus.backends.http.names import SlowNameError
from biggus.backends.http.redaction import our_request, tells_secrets
from biggus.backends.location import public_url
from biggus.support.forks import between_forks

if TYPE_CHECKING:
    from collections.abc import Mapping

    import urllib3


log = logging.getLogger("biggus.backends.http")

REDIRECTS = 5
_PIECE = 2**18
_FOR_ALL = frozenset({"User-Agent", "If-None-Match", "If-Modified-Since", "Accept", "Range"})


@dataclass(frozen=True)
class Response:
    """A response of any status.

    Attributes
    ----------
    url : str
        The requested URL, without credentials.
    status : int
        The HTTP status.
    headers : mapping of str to str
        The headers, by case-insensitive names.
    body : bytes
        The body, with its content encoding decoded.
    attempts : int
        The number of attempts made.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    attempts: int = 1


class AttemptError(Exception):
    """An attempt that got no readable response.

    Attributes
    ----------
    problem : str
        The reason.
    passing : bool
        Whether another attempt may succeed.
    unreachable : bool
        Whether the host could not be reached.
    """

    def __init__(self, problem: str, *, passing: bool, unreachable: bool) -> None:
        super().__init__(problem)
        self.problem = problem
        self.passing = passing
        self.unreachable = unreachable


class LargeAttemptError(AttemptError):
    """The body is larger than allowed."""


def once(
    pool: urllib3.PoolManager,
    url: str,
    shown: str,
    *,
    headers: dict[str, str],
    largest: int,
    deadline: Deadline,
    local_redirects: bool,
    attempt: int,
) -> Response:
    """Request `url`, called `shown` in logs and errors; the body may have `largest` bytes.

    Raises
    ------
    AttemptError
        If there is no readable response before the deadline.
    """
    with between_forks():
        import urllib3

    started = time.perf_counter()
    failure: Exception | None = None
    try:
        with our_request(), deadline.holding():
            answer = _followed(pool, url, headers, deadline, local_redirects)
            body = _body(answer, largest, deadline)
    # ValueError: a redirect to an invalid URL; TimeoutError: the deadline has passed.
    except (urllib3.exceptions.HTTPError, ValueError, TimeoutError) as error:
        failure = error
    if failure is not None:
        # Outside the handler, lest the error carries urllib3's as its context to other processes.
        problem = _problem(failure, deadline)
        log.debug("%s: %s, attempt %d", shown, problem.problem, attempt)
        reason = getattr(failure, "reason", None)
        cause = reason if isinstance(reason, Exception) else failure
        if isinstance(cause.__cause__, OSError):
            cause = cause.__cause__  # urllib3's error holds a connection, which does not pickle
        raise problem from None if tells_secrets(cause) else cause
    milliseconds = (time.perf_counter() - started) * 1e3
    log.debug(
        "%s: %d, %d bytes, %.1f ms, attempt %d",
        shown,
        answer.status,
        len(body),
        milliseconds,
        attempt,
    )
    return Response(shown, answer.status, answer.headers, body, attempt)


def _followed(
    pool: urllib3.PoolManager,
    url: str,
    headers: dict[str, str],
    deadline: Deadline,
    local_redirects: bool,
) -> urllib3.BaseHTTPResponse:
    """Return the response at the end of all redirects."""
    with between_forks():
        import urllib3

    def known(host: str) -> list[str]:
        return addresses_of(host, deadline.timeout[0]) if pool.proxy is None else by_name(host)

    guarded = False
    # Done here, as urllib3 leaves a connection open when it is redirected to an invalid URL.
    for _ in range(REDIRECTS + 1):
        connect, read = deadline.timeout
        with outside() if guarded and pool.proxy is None else contextlib.nullcontext():
            answer = pool.urlopen(
                "GET",
                url,
                headers=headers,
                timeout=urllib3.Timeout(connect=connect, read=read),
                retries=False,
                redirect=False,
                preload_content=False,
            )
        location = answer.get_redirect_location()
        if not location:
            return answer
        answer.close()  # its body may be endless
        before = urlsplit(url)
        host = _host(url)
        url, _ = split_credentials(urljoin(url, location))
        if urlsplit(url)[:2] != before[:2]:
            # Credentials for one host must not go to the next.
            headers = {name: value for name, value in headers.items() if name in _FOR_ALL}
        log.debug("%s: redirected to %s", public_url(before.geturl()), public_url(url))
        if not local_redirects and _host(url) != host:
            guarded = guarded or is_outside(known(host))
            if guarded and not all(map(is_public, known(_host(url)))):
                raise LocalRedirectError(_host(url))
    raise AttemptError(f"more than {REDIRECTS} redirects", passing=False, unreachable=False)


def _host(url: str) -> str:
    """Return the host of a URL as urllib3 connects to it."""
    with between_forks():
        from urllib3.util import parse_url

    return (parse_url(url).host or "").strip("[]").lower()


def _body(answer: urllib3.BaseHTTPResponse, largest: int, deadline: Deadline) -> bytes:
    # Piece by piece, so that neither a wrong length nor a small body that decompresses to a
    # huge one fills the memory.
    pieces: list[bytes] = []
    size = 0
    while size <= largest:
        piece = answer.read1(_PIECE)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
        size += len(piece)
        deadline.later(len(piece) / SLOWEST)
    answer.close()
    problem = f"the body is larger than {largest} bytes"
    raise LargeAttemptError(problem, passing=False, unreachable=False)


def _problem(error: Exception, deadline: Deadline) -> AttemptError:
    """Describe an error without the text of urllib3, which may quote the whole URL."""
    if not deadline.left:
        return AttemptError(deadline.problem, passing=False, unreachable=deadline.over)
    if isinstance(error, LocalRedirectError):
        return AttemptError(str(error), passing=False, unreachable=False)
    with between_forks():
        from urllib3 import exceptions as e

    if isinstance(error, e.MaxRetryError) and error.reason is not None:
        error = error.reason
    cause = error.__cause__ or (error.args[1] if len(error.args) > 1 else None)
    if isinstance(cause, IncompleteRead | SlowNameError):
        error = cause
    detail = getattr(cause, "strerror", None) or "refused"
    # The first match counts: kind, text, whether it may pass, whether the host is unreachable.
    table: tuple[tuple[type[Exception], str, bool, bool], ...] = (
        (SlowNameError, str(error), True, True),
        (e.SSLError, f"no secure connection: {error}", False, True),
        (e.NameResolutionError, "the host name is not known", True, True),
        (e.NewConnectionError, f"no connection: {detail}", True, True),
        (e.ConnectTimeoutError, f"no connection within {deadline.seconds.connect:g} s", True, True),
        (e.ReadTimeoutError, f"no answer within {deadline.seconds.read:g} s", True, True),
        (e.ProxyError, "the proxy cannot be used", True, True),
        (e.DecodeError, "the content encoding is broken", True, False),
        (IncompleteRead, "the body is shorter than announced", True, False),
        (e.ProtocolError, f"the connection broke: {type(cause or error).__name__}", True, True),
    )
    for kind, text, passing, unreachable in table:
        if isinstance(error, kind):
            return AttemptError(text, passing=passing, unreachable=unreachable)
    text = f"no request possible: {type(error).__name__}"
    return AttemptError(text, passing=False, unreachable=False)
