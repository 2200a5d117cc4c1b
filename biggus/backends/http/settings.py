"""The settings of requests."""

from __future__ import annotations

from dataclasses import dataclass, field

from biggus.backends.http.deadline import DEFAULT_TIMEOUT, Timeout


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
