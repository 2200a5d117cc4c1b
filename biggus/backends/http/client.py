"""HTTP for backends: pooled connections, a limit a host, and retries.

:class:`HttpClient` makes one GET at a time from as many threads as like to
call it.  Connections are pooled and kept open; at most ``connections`` requests
are under way at once for one host, whichever sources and threads make them.
What may pass by itself is tried again: 429, 500, 502, 503, 504 and their like, refused and
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
import functools
import itertools
import logging
import random
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from biggus import options
from biggus.backends.http import shared
from biggus.backends.http.attempt import AttemptError, LargeAttemptError, Response, once
from biggus.backends.http.deadline import Deadline
from biggus.backends.http.headers import retry_after, split_credentials, user_agent
from biggus.backends.http.pools import process_connections
from biggus.backends.http.settings import HttpSettings
from biggus.backends.location import public_url
from biggus.errors import BiggusError
from biggus.support import deadlines

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from biggus.backends.http.gate import HostGate

log = logging.getLogger("biggus.backends.http")

RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504, 509, *range(520, 525), 527, 529, 530})
RETRIED |= {598, 599}
"""The statuses that may pass by themselves; those from 509 on are of proxies and networks."""

BACKOFF_SECONDS = 0.5
"""The first wait between attempts; it doubles each time."""

LONGEST_WAIT_SECONDS = 60.0
"""No single wait is longer, whatever ``Retry-After`` says."""

LARGEST_BODY = 64 * 2**20
"""Bytes; a longer body is refused unless the caller says otherwise."""

# Of its own: the sequence of the global one belongs to the user, who may have seeded it.
_random = random.SystemRandom()
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

    _made_of = ("url", "problem", "attempts")

    def __init__(self, url: str, problem: str, attempts: int) -> None:
        tries = "" if attempts < 2 else f" (after {attempts} attempts)"
        super().__init__(f"{url}: {problem}{tries}")
        self.url = url
        self.problem = problem
        self.attempts = attempts


class LargeBodyError(HttpError):
    """The body of the answer is larger than it may be."""


OFFLINE = "biggus is set to be offline"


class OfflineHttpError(HttpError):
    """Nothing was asked, as biggus is set to be offline."""


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
        DeadlineError
            If the evaluation has no time left.
        MissingDependencyError
            If urllib3 is not installed.
        """
        shown = public_url(url)
        _refuse_if_offline(shown, 0)  # even to find a proxy may ask for the name of the host
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
        """Return all headers of a request: its own over those of the settings."""
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
        """Make attempts until one succeeds, or none would: return or raise what the last gave."""
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
                asked = retry_after(response.headers.get("Retry-After"), LONGEST_WAIT_SECONDS)
                if passing and asked is not None:
                    gate.hold(asked)
                    wait = asked
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
        """Make an attempt as soon as the gate of the host lets it in, which is no delay of its."""
        settings = self.settings
        try:
            with contextlib.ExitStack() as inside:
                with deadline.put_off():
                    if attempt == 1:
                        self._wait(gate.held * _random.uniform(1.0, 1.1), shown, attempt)
                    inside.enter_context(gate.passing(settings.connections))
                    inside.enter_context(_shared(host, settings))
                # It may have waited here, and the option be set meanwhile.
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
        left = deadlines.left()
        most = seconds if left is None else min(seconds, left)
        if most > 0 and process_connections().leaving.wait(most):
            raise HttpError(shown, "given up, as the program is ending", attempt)
        deadlines.check()

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
