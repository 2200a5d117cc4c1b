"""HTTP for backends: pooled connections, a limit for each host, and retries.

Any number of threads may call :class:`HttpClient`.  Connections are pooled and kept open.  At
most ``connections`` requests to a host run at once, whichever sources and threads make them.
Failures that may pass are retried: statuses such as 429 and 503, refused and broken connections,
time-outs, and bodies that are shorter than announced.  The wait before each retry doubles, with
jitter, or is as long as ``Retry-After`` says.  After the last attempt its response is returned,
or an :class:`HttpError` is raised.

Credentials (headers, secret query parameters, user info) are in no log record and no error of
this module, nor in urllib3's records of these requests.

While the option ``offline`` is set, no request is sent: each raises an :class:`OfflineHttpError`.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from biggus import options
from biggus.backends.http import shared
from biggus.backends.http.attempt import AttemptError, LargeAttemptError, Response, once
from biggus.backends.http.deadline import DEFAULT_TIMEOUT, Deadline, Timeout
from biggus.backends.http.headers import retry_after, split_credentials, user_agent
from biggus.backends.http.pools import HostGate, process_connections
from biggus.backends.location import public_url
from biggus.errors import BiggusError
from biggus.support import deadlines


@dataclass(frozen=True)
class HttpSettings:
    """The settings of requests.

    Attributes
    ----------
    connections : int
        How many requests to one host may run at once.
    timeout : Timeout
        The time-outs.
    retries : int
        How often failures that may pass are retried.
    user_agent : str or None
        The ``User-Agent``; None for biggus and its version.
    headers : tuple of (str, str)
        Further headers, such as credentials; never shown.
    shared : bool
        Whether requests of all processes are counted together.
    per_second : float or None
        If so, how many of them may begin in a second.
    local_redirects : bool
        Whether a server on the internet may redirect to addresses that are not public, of this
        machine or a private network.
    """

    connections: int = 16
    timeout: Timeout = DEFAULT_TIMEOUT
    retries: int = 4
    user_agent: str | None = None
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    shared: bool = False
    per_second: float | None = None
    local_redirects: bool = False


log = logging.getLogger("biggus.backends.http")

RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504, 509, *range(520, 525), 527, 529, 530})
RETRIED |= {598, 599}
"""The statuses of failures that may pass; those from 509 on are from proxies and networks."""

BACKOFF_SECONDS = 0.5
"""The first wait between attempts; it doubles each time."""

LONGEST_WAIT_SECONDS = 60.0
"""The longest wait, whatever ``Retry-After`` says."""

LARGEST_BODY = 64 * 2**20
"""The default for the largest body in bytes."""

# Not the global generator, which the user may have seeded.
_random = random.SystemRandom()
DOWN_SECONDS = 30.0
"""How long a host that could not be reached counts as down."""


class HttpError(BiggusError, OSError):
    """There was no response, or none that could be read.

    Parameters
    ----------
    url : str
        The requested URL, without credentials.
    problem : str
        The reason.
    attempts : int
        The number of attempts made.
    """

    _made_of = ("url", "problem", "attempts")

    def __init__(self, url: str, problem: str, attempts: int) -> None:
        tries = "" if attempts < 2 else f" (after {attempts} attempts)"
        super().__init__(f"{url}: {problem}{tries}")
        self.url = url
        self.problem = problem
        self.attempts = attempts


class LargeBodyError(HttpError):
    """The body of the response is larger than allowed."""


OFFLINE = "biggus is set to be offline"


class OfflineHttpError(HttpError):
    """No request was sent, as biggus is set to be offline."""


class HttpClient:
    """Makes GET requests; any number of threads may use it, and it can be pickled.

    Parameters
    ----------
    settings : HttpSettings, optional
        The settings of requests.
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
        """Make a GET request.

        Parameters
        ----------
        url : str
            An ``http`` or ``https`` URL; user info in it becomes basic authentication.
        headers : mapping, optional
            Headers of this request, which override those of the settings.
        host : str, optional
            The name under which requests are counted, if several hosts are one server; by
            default the host and port of `url`.
        retries : int, optional
            The number of retries, which overrides that of the settings.
        largest : int
            The largest body in bytes.

        Returns
        -------
        Response
            The response of any status; after the last attempt even one of a failure.

        Raises
        ------
        HttpError
            If there is no readable response; `OfflineHttpError` if biggus is offline.
        DeadlineError
            If the deadline of the evaluation passes.
        MissingDependencyError
            If urllib3 is not installed.
        """
        shown = public_url(url)
        _refuse_if_offline(shown, 0)  # finding the proxy may already resolve a host name
        url, credentials = split_credentials(url)
        deadline = Deadline(self.settings.timeout)
        request = functools.partial(
            once,
            process_connections().pool(url, self.settings.connections),
            url,
            shown,
            headers=self._sent(credentials, headers or {}),
            largest=largest,
            deadline=deadline,
            local_redirects=self.settings.local_redirects,
        )
        most = self.settings.retries if retries is None else retries
        return self._tried(request, host or urlsplit(url).netloc, deadline, shown, most)

    def _sent(self, credentials: Mapping[str, str], headers: Mapping[str, str]) -> dict[str, str]:
        """Return the headers of a request, which override those of the settings."""
        settings = self.settings
        ours = {"User-Agent": settings.user_agent or user_agent(), **credentials}
        return {**ours, **dict(settings.headers), **headers}

    def _tried(
        self,
        request: Callable[..., Response],
        host: str,
        deadline: Deadline,
        shown: str,
        retries: int,
    ) -> Response:
        """Make attempts until one succeeds or no other may; return or raise the last result."""
        gate = process_connections().gate(host)
        for attempt in itertools.count(1):
            response, failure = None, None
            wait = min(LONGEST_WAIT_SECONDS, BACKOFF_SECONDS * 2 ** (attempt - 1))
            wait *= _random.uniform(0.5, 1.0)
            try:
                response = self._let_in(request, gate, host, deadline, shown, attempt)
            except AttemptError as error:
                failure = error
                passing, reason = error.passing, error.problem
            else:
                passing, reason = response.status in RETRIED, f"status {response.status}"
                retry_seconds = retry_after(
                    response.headers.get("Retry-After"), LONGEST_WAIT_SECONDS
                )
                if passing and retry_seconds is not None:
                    gate.hold(retry_seconds)
                    wait = retry_seconds
            wait = max(wait, gate.held)
            if attempt > retries or not passing or wait >= deadline.left:
                break
            log.info("%s: %s, attempt %d; again in %.1f s", shown, reason, attempt, wait)
            self._wait(wait, shown, attempt)
        if response is None:
            deadlines.check()
            kind = LargeBodyError if isinstance(failure, LargeAttemptError) else HttpError
            raise kind(shown, reason, attempt) from failure and failure.__cause__
        return response

    def _let_in(
        self,
        request: Callable[..., Response],
        gate: HostGate,
        host: str,
        deadline: Deadline,
        shown: str,
        attempt: int,
    ) -> Response:
        """Make an attempt once the host's gate lets it in; the wait does not count as delay."""
        settings = self.settings
        try:
            with contextlib.ExitStack() as inside:
                with deadline.put_off():
                    if attempt == 1:
                        self._wait(gate.held * _random.uniform(1.0, 1.1), shown, attempt)
                    inside.enter_context(gate.passing(settings.connections))
                    inside.enter_context(_shared(host, settings))
                # The option may have been set during the wait.
                _refuse_if_offline(shown, attempt - 1)
                response = request(attempt=attempt)
        except AttemptError as error:
            if error.unreachable:
                gate.mark_down(DOWN_SECONDS)
            raise
        gate.mark_up()
        return response

    @staticmethod
    def _wait(seconds: float, shown: str, attempt: int) -> None:
        seconds_left = deadlines.left()
        most = seconds if seconds_left is None else min(seconds, seconds_left)
        if most > 0 and process_connections().leaving.wait(most):
            raise HttpError(shown, "cancelled, as the program is ending", attempt)
        deadlines.check()

    def down(self, url: str, host: str | None = None) -> bool:
        """Return whether the host of `url` could not be reached a moment ago."""
        return process_connections().gate(host or urlsplit(url).netloc.rpartition("@")[2]).down


def _shared(host: str, settings: HttpSettings) -> contextlib.AbstractContextManager[None]:
    if not settings.shared:
        return contextlib.nullcontext()
    return shared.passing(host, settings.connections, settings.per_second)


def _refuse_if_offline(shown: str, attempts: int) -> None:
    if options.current().offline:
        raise OfflineHttpError(shown, OFFLINE, attempts)
