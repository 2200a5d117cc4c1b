"""How requests are made: what a source tells its client."""

from __future__ import annotations

from dataclasses import dataclass, field

from biggus.backends.http.deadline import DEFAULT_TIMEOUT, Timeout


@dataclass(frozen=True)
class HttpSettings:
    """How requests are made.

    Attributes
    ----------
    connections : int
        How many requests may be under way at once, for one host.
    timeout : Timeout
        Seconds to wait for a connection, for each piece of an answer, and in all.
    retries : int
        How often to try again what may pass by itself.
    user_agent : str or None
        What to be called; None: biggus and its version.
    headers : tuple of (str, str)
        More headers, such as credentials; never shown.
    shared : bool
        Whether requests of all processes are counted together.
    per_second : float or None
        If so, how many of them may begin in a second.
    local_redirects : bool
        Whether a server on the internet may send requests on to an address that is not
        public: of this machine, or of a private network.
    """

    connections: int = 16
    timeout: Timeout = DEFAULT_TIMEOUT
    retries: int = 4
    user_agent: str | None = None
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    shared: bool = False
    per_second: float | None = None
    local_redirects: bool = False
