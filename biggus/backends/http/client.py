"""HTTP for backends: pooled connections, a limit a host, and retries.

:class:`HttpClient` makes one GET at a time from as many threads as like to
call it.  Connections are pooled and kept open; at most ``connections`` requests
are under way at once for one host, whichever sources and threads make them.
What may pass by itself is tried again: 429, 500, 502, 503 and 504, refused and
broken connections, time-outs and bodies that are shorter than announced; after
a wait that doubles each time, with jitter, or as long as ``Retry-After`` says.
Then the last answer is returned, or :class:`HttpError` raised.

Credentials (headers, secret query parameters, user info) are in no log record
and no error of this module, nor in urllib3's records of these requests.

While the option ``offline`` is set no request leaves: each is refused with
:class:`OfflineHttpError`.
"""

from __future__ import annotations

import contextlib
import logging
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from biggus import options
from biggus.backends.http import shared
from biggus.backends.http.headers import retry_after, split_credentials, user_agent
from biggus.backends.http.pools import process_connections
from biggus.backends.http.redaction import our_request, tells_secrets
from biggus.backends.http.settings import HttpSettings
from biggus.backends.location import public_url
from biggus.errors import BiggusError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import urllib3

log = logging.getLogger("biggus.backends.http")

RETRIED = frozenset({429, 500, 502, 503, 504})
"""The statuses that may pass by themselves."""

BACKOFF_SECONDS = 0.5
"""The first wait between attempts; it doubles each time."""

LONGEST_WAIT_SECONDS = 60.0
"""No single wait is longer, whatever ``Retry-After`` says."""

PATIENCE_SECONDS = 300.0
"""Seconds after which no further attempt is started, nor a slow body read on."""

LARGEST_BODY = 64 * 2**20
"""Bytes; a longer body is refused unless the caller says otherwise."""

REDIRECTS = 5
_PIECE = 2**18
# Of its own: the sequence of the global one belongs to the user, who may have seeded it.
_random = random.SystemRandom()
_FOR_ALL = frozenset({"User-Agent", "If-None-Match", "If-Modified-Since", "Accept", "Range"})

DOWN_SECONDS = 30.0
"""For how long a host that was out of reach is taken to be so, by those who ask."""


class HttpError(BiggusError, OSError):
    """No answer came, or none that could be read.

    Parameters
    ----------
    url : str
        What was asked for, without credentials.
    problem : str
        What is wrong.
    attempts : int
        How often it was tried.
    """

    def __init__(self, url: str, problem: str, attempts: int) -> None:
        tries = "" if attempts < 2 else f" (after {attempts} attempts)"
        super().__init__(f"{url}: {problem}{tries}")
        self.url = url
        self.problem = problem
        self.attempts = attempts

    def __reduce__(self) -> tuple[type[HttpError], tuple[str, str, int]]:
        return type(self), (self.url, self.problem, self.attempts)

    def __str__(self) -> str:
        return str(self.args[0])


OFFLINE = "biggus is set to be offline"


class OfflineHttpError(HttpError):
    """Nothing was asked, as biggus is set to be offline."""


@dataclass(frozen=True)
class Response:
    """An answer, whatever its status.

    Attributes
    ----------
    url : str
        What was asked for, without credentials.
    status : int
        The HTTP status.
    headers : mapping of str to str
        The headers; names in any case.
    body : bytes
        The body, its content encoding undone.
    attempts : int
        How many attempts it took.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    attempts: int = 1


class HttpClient:
    """Makes GET requests; safe from any number of threads, and pickles by its settings.

    Parameters
    ----------
    settings : HttpSettings, optional
        How requests are made.
    """

    def __init__(self, settings: HttpSettings | None = None) -> None:
        self.settings = settings or HttpSettings()

    def get(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        host: str | None = None,
        retries: int | None = None,
        largest: int = LARGEST_BODY,
    ) -> Response:
        """GET `url`.

        Parameters
        ----------
        url : str
            An ``http`` or ``https`` URL; user info in it becomes basic authentication.
        headers : mapping, optional
            Headers of this request, over those of the settings.
        host : str, optional
            The name under which requests are counted, where several hosts
            are one server; the host and port of `url` by default.
        retries : int, optional
            Overrides the settings' number.
        largest : int
            The most bytes that the body may have.

        Returns
        -------
        Response
            The answer, whatever its status: a status that calls for another
            attempt is returned when there are none left.

        Raises
        ------
        HttpError
            If no readable answer came; `OfflineHttpError` if none is to be asked for.
        MissingDependencyError
            If urllib3 is not installed.
        """
        settings = self.settings
        shown = public_url(url)
        _refuse_if_offline(shown, 0)  # even to find a proxy may ask for the name of the host
        url, credentials = split_credentials(url)
        sent = {"User-Agent": settings.user_agent or user_agent(), **credentials}
        sent.update(settings.headers)
        sent.update(headers or {})
        state = process_connections()
        counted = host or urlsplit(url).netloc
        gate = state.gate(counted)
        pool = state.pool(url, settings.connections)
        most = settings.retries if retries is None else retries
        deadline = time.monotonic() + PATIENCE_SECONDS
        attempt = 0
        while True:
            attempt += 1
            self._wait(gate.held * _random.uniform(1.0, 1.1), shown, attempt)
            last = attempt > most or time.monotonic() > deadline
            wait: float | None = None
            try:
                with gate.passing(settings.connections), _shared(counted, settings):
                    # It may have waited here, and the option be set meanwhile.
                    _refuse_if_offline(shown, attempt - 1)
                    response = _once(
                        pool,
                        url,
                        shown,
                        headers=sent,
                        timeout=settings.timeout,
                        largest=largest,
                        deadline=deadline,
                        attempt=attempt,
                    )
                gate.mark_up()
            except _AttemptError as error:
                if error.unreachable:
                    gate.mark_down(DOWN_SECONDS)
                if last or not error.passing:
                    raise HttpError(shown, error.problem, attempt) from error.__cause__
                reason = error.problem
            else:
                if last or response.status not in RETRIED:
                    return response
                reason = f"status {response.status}"
                wait = retry_after(response.headers.get("Retry-After"), LONGEST_WAIT_SECONDS)
                if wait is not None:
                    gate.hold(wait)
            if wait is None:
                wait = min(LONGEST_WAIT_SECONDS, BACKOFF_SECONDS * 2 ** (attempt - 1))
                wait *= _random.uniform(0.5, 1.0)
            log.info("%s: %s, attempt %d; again in %.1f s", shown, reason, attempt, wait)
            self._wait(wait, shown, attempt)

    @staticmethod
    def _wait(seconds: float, shown: str, attempt: int) -> None:
        if seconds > 0 and process_connections().leaving.wait(seconds):
            raise HttpError(shown, "given up, as the program is ending", attempt)

    def down(self, url: str, host: str | None = None) -> bool:
        """Tell whether the host of `url` was out of reach a moment ago."""
        return process_connections().gate(host or urlsplit(url).netloc.rpartition("@")[2]).down


def _shared(host: str, settings: HttpSettings) -> contextlib.AbstractContextManager[None]:
    if not settings.shared:
        return contextlib.nullcontext()
    return shared.passing(host, settings.connections, settings.per_second)


def _refuse_if_offline(shown: str, attempts: int) -> None:
    if options.current().offline:
        raise OfflineHttpError(shown, OFFLINE, attempts)


class _AttemptError(Exception):
    """One attempt got no readable answer."""

    def __init__(self, problem: str, *, passing: bool, unreachable: bool) -> None:
        super().__init__(problem)
        self.problem = problem
        self.passing = passing
        self.unreachable = unreachable


def _once(
    pool: urllib3.PoolManager,
    url: str,
    shown: str,
    *,
    headers: dict[str, str],
    timeout: tuple[float, float],
    largest: int,
    deadline: float,
    attempt: int,
) -> Response:
    import urllib3

    started = time.perf_counter()
    failure: Exception | None = None
    try:
        with our_request():
            answer = _followed(pool, url, headers, timeout)
            body = _body(answer, largest, deadline)
    except (urllib3.exceptions.HTTPError, ValueError) as error:  # a redirect to what is no URL
        failure = error
    if failure is not None:
        # Not in the handler: errors go to other processes with what they were raised in.
        problem = _problem(failure, timeout)
        log.debug("%s: %s, attempt %d", shown, problem.problem, attempt)
        reason = getattr(failure, "reason", None)
        cause = reason if isinstance(reason, Exception) else failure
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
    pool: urllib3.PoolManager, url: str, headers: dict[str, str], timeout: tuple[float, float]
) -> urllib3.BaseHTTPResponse:
    """Return the answer at the end of all redirects."""
    import urllib3

    # urllib3 leaves a connection open when it is sent on to what is no URL.
    for _ in range(REDIRECTS + 1):
        answer = pool.urlopen(
            "GET",
            url,
            headers=headers,
            timeout=urllib3.Timeout(connect=timeout[0], read=timeout[1]),
            retries=False,
            redirect=False,
            preload_content=False,
        )
        location = answer.get_redirect_location()
        if not location:
            return answer
        answer.close()  # its body may be endless
        before = urlsplit(url)
        url, _ = split_credentials(urljoin(url, location))
        if urlsplit(url)[:2] != before[:2]:
            # What was meant for this host is not for the next one.
            headers = {name: value for name, value in headers.items() if name in _FOR_ALL}
        log.debug("%s: sent on to %s", public_url(before.geturl()), public_url(url))
    raise _AttemptError(f"more than {REDIRECTS} redirects", passing=False, unreachable=False)


def _body(answer: urllib3.BaseHTTPResponse, largest: int, deadline: float) -> bytes:
    # Piece by piece, as they come: neither a false length nor a small body that
    # unpacks into a huge one may fill the memory, and no trickle goes on for ever.
    pieces: list[bytes] = []
    size = 0
    problem = None
    while not problem:
        piece = answer.read1(_PIECE)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
        size += len(piece)
        if size > largest:
            problem = f"the body is larger than {largest} bytes"
        elif time.monotonic() > deadline:
            problem = f"the body was not complete within {PATIENCE_SECONDS:g} s"
    answer.close()
    raise _AttemptError(problem, passing=False, unreachable=False)


def _problem(error: Exception, timeout: tuple[float, float]) -> _AttemptError:
    """Say what went wrong in words of our own: urllib3's may quote the whole URL."""
    from http.client import IncompleteRead

    from urllib3 import exceptions as e

    if isinstance(error, e.MaxRetryError) and error.reason is not None:
        error = error.reason
    cause = error.__cause__ or (error.args[1] if len(error.args) > 1 else None)
    if isinstance(cause, IncompleteRead):
        error = cause
    detail = getattr(cause, "strerror", None) or "refused"
    # The first that fits: what it is, may it pass by itself, is the host out of reach.
    table: tuple[tuple[type[Exception], str, bool, bool], ...] = (
        (e.SSLError, f"no secure connection: {error}", False, True),
        (e.NameResolutionError, "the host name is not known", True, True),
        (e.NewConnectionError, f"no connection: {detail}", True, True),
        (e.ConnectTimeoutError, f"no connection within {timeout[0]:g} s", True, True),
        (e.ReadTimeoutError, f"no answer within {timeout[1]:g} s", True, True),
        (e.ProxyError, "the proxy cannot be used", True, True),
        (e.DecodeError, "the content encoding is broken", True, False),
        (IncompleteRead, "the body is shorter than announced", True, False),
        (e.ProtocolError, f"the connection broke: {type(cause or error).__name__}", True, True),
    )
    for kind, text, passing, unreachable in table:
        if isinstance(error, kind):
            return _AttemptError(text, passing=passing, unreachable=unreachable)
    text = f"no request possible: {type(error).__name__}"
    return _AttemptError(text, passing=False, unreachable=False)
