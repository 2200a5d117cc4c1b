"""The pools of HTTP connections and the gates of hosts, one set for each process.

A forked child starts without connections, as it cannot share those of its parent.  Proxies are
those of the environment (``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY``, ``NO_PROXY``), on Windows
and macOS else those of the system settings; requests to this machine use none.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from biggus.backends.http.connections import pool_classes
from biggus.backends.http.headers import split_credentials
from biggus.backends.http.redaction import watch_urllib3
from biggus.backends.location import public_url
from biggus.errors import OptionError
from biggus.support.extras import needing
from biggus.support.forks import between_forks, in_children

if TYPE_CHECKING:
    from collections.abc import Iterator

    import urllib3


class HostGate:
    """Admits a limited number of threads at a time, first come first served.

    The limit is given on entering, as sources that share a host may have different ones; all are
    counted together.

    One gate serves all threads of a process, and all sources that read from the host.

    Examples
    --------
    >>> gate = HostGate()
    >>> with gate.passing(limit=2):
    ...     gate.inside
    1
    """

    def __init__(self) -> None:
        self._inside: set[threading.Lock] = set()
        self._lock = threading.Lock()
        self._queue: deque[tuple[int, threading.Lock]] = deque()
        """The limit of each waiting thread, and a lock that is released to admit it.  Those that
        are admitted are inside."""
        self._held_until = 0.0
        self._down_until = 0.0

    @property
    def inside(self) -> int:
        """How many threads are inside."""
        return len(self._inside)

    @contextmanager
    def passing(self, limit: int) -> Iterator[None]:
        """Wait until fewer than `limit` threads are inside, and enter for a with block."""
        turn = threading.Lock()
        turn.acquire()
        waiting = limit, turn
        try:
            with self._lock:
                self._queue.append(waiting)
                self._admit()
            turn.acquire()
            yield
        finally:
            with self._lock:
                self._inside.discard(turn)
                if waiting in self._queue:  # interrupted
                    self._queue.remove(waiting)
                self._admit()

    def _admit(self) -> None:
        """Admit those whose turn it is; waking the others would take longer than a request."""
        while self._queue and self.inside < self._queue[0][0]:
            # In this order an interrupt neither loses a thread nor counts it twice.
            _, turn = self._queue[0]
            self._inside.add(turn)
            if turn.locked():
                turn.release()
            self._queue.popleft()

    def hold(self, seconds: float) -> None:
        """Delay further requests of all threads by that long."""
        self._held_until = max(self._held_until, time.monotonic() + seconds)

    @property
    def held(self) -> float:
        """The seconds of delay that are left."""
        return max(0.0, self._held_until - time.monotonic())

    def mark_down(self, seconds: float) -> None:
        """Note that the host could not be reached; it counts as down for that long."""
        self._down_until = time.monotonic() + seconds

    def mark_up(self) -> None:
        """Note that the host has responded."""
        self._down_until = 0.0

    @property
    def down(self) -> bool:
        """Whether the host could not be reached a moment ago."""
        return time.monotonic() < self._down_until


def _proxy_for(url: str) -> str | None:
    """Return the proxy for `url` from the environment or system; None for this machine."""
    with between_forks():
        from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in {"localhost", "::1"} or host.startswith("127.") or proxy_bypass(host):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")


_proxies: dict[str, str | None] = {}
"""The proxy of each origin.  Forked children keep it, for macOS must not be asked again there."""


class Connections:
    """The pools and gates of this process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.leaving = threading.Event()
        self.gates: dict[str, HostGate] = {}
        self.pools: dict[tuple[str | None, int], urllib3.PoolManager] = {}
        # This hook runs before worker threads are joined, and ends their waits, so that an
        # interrupted program ends soon.
        register: Any = getattr(threading, "_register_atexit", None)
        if register is not None:
            try:
                register(self.leaving.set)
            except RuntimeError:  # leaving already
                self.leaving.set()

    def gate(self, host: str) -> HostGate:
        """Return the gate of a host."""
        with self.lock:
            return self.gates.setdefault(host, HostGate())

    def pool(self, url: str, connections: int) -> urllib3.PoolManager:
        """Return the pool for `url` that keeps `connections` open to each host."""
        origin = "://".join(urlsplit(url)[:2])
        with self.lock:
            if origin not in _proxies:
                _proxies[origin] = _proxy_for(url)
            key = _proxies[origin], connections
            pool = self.pools.get(key)
            if pool is None:
                pool = self.pools[key] = _new_pool(*key)
            return pool


def _new_pool(proxy: str | None, connections: int) -> urllib3.PoolManager:
    with needing("urllib3", "tiles", "reading over HTTP"):
        import urllib3
    watch_urllib3()
    # The gate limits the connections; the pool only has to keep them all.
    sizes: dict[str, Any] = {"num_pools": 64, "maxsize": connections}
    if proxy is None:
        manager = urllib3.PoolManager(**sizes)
    else:
        proxy, credentials = split_credentials(proxy if "://" in proxy else f"http://{proxy}")
        if urlsplit(proxy).scheme not in {"http", "https"}:
            raise OptionError(
                f"the proxy {public_url(proxy)} of the environment cannot be used: "
                "only http and https proxies can"
            )
        headers = {f"Proxy-{name}": value for name, value in credentials.items()}
        manager = urllib3.ProxyManager(proxy, proxy_headers=headers, **sizes)
    manager.pool_classes_by_scheme = pool_classes()
    return manager


_state: Connections | None = None
_state_lock = threading.Lock()


def process_connections() -> Connections:
    """Return the pools and gates of this process."""
    global _state  # noqa: PLW0603 - one for each process
    if _state is None:
        with _state_lock:
            if _state is None:
                _state = Connections()
    return _state


def _forget() -> None:
    # In a forked child, whose parent keeps the connections, and perhaps the locks.
    global _state, _state_lock  # noqa: PLW0603
    _state = None
    _state_lock = threading.Lock()


in_children(_forget)
