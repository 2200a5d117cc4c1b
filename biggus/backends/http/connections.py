"""Connections of urllib3 that keep to deadlines and, if required, to public addresses.

The time-out of a socket applies to each wait, and each byte that arrives ends one.  So these
connections set it before every wait from the deadline.  No response lasts for ever, even if its
status, headers, chunk sizes or body arrive byte by byte; nor does resolving a name, or trying
one address after another.
"""

from __future__ import annotations

import contextvars
import http.client
import io
import ipaddress
import queue
import socket
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any

from biggus.backends.http.addresses import LocalRedirectError, is_public
from biggus.backends.http.deadline import held
from biggus.backends.http.names import SlowNameError, looked_up
from biggus.support.forks import between_forks
from biggus.support.within import within

_outside: contextvars.ContextVar[bool] = contextvars.ContextVar("biggus_outside", default=False)


def outside() -> AbstractContextManager[None]:
    """Refuse connections to addresses that are not public, within a with block."""
    # The name was resolved before, but may now resolve to another address.
    return within(_outside, True)


def _check_peer(connection: Any) -> None:
    if _outside.get():
        peer = str(connection.sock.getpeername()[0])
        if not is_public(peer):
            connection.close()
            raise LocalRedirectError(peer)


def _connected(connection: Any, connect: Callable[[], socket.socket]) -> socket.socket:
    """Return a socket connected to the first address of the host that accepts a connection."""
    with between_forks():
        from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

    name = connection._dns_host  # noqa: SLF001 - the host that urllib3 connects to
    deadline = held()

    def most() -> float | None:
        timeout = connection.timeout if isinstance(connection.timeout, (int, float)) else None
        return timeout if deadline is None else deadline.timeout[0]

    if _is_address(name):
        return connect()
    try:
        addresses = looked_up(name.strip("[]"), most())
    except SlowNameError as error:
        raise ConnectTimeoutError(connection, str(error)) from error
    except UnicodeError:
        return connect()  # raises an error of its own
    except socket.gaierror as error:
        raise NameResolutionError(connection.host, connection, error) from error
    try:
        for number, address in enumerate(addresses, 1):
            connection._dns_host = address  # noqa: SLF001 - as above
            connection.timeout = most()
            try:
                return connect()
            except (NewConnectionError, ConnectTimeoutError):
                if number == len(addresses):
                    raise
    finally:
        connection._dns_host = name  # noqa: SLF001 - as above
    raise NewConnectionError(connection, "the host has no address")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True


class _Timed(io.RawIOBase):
    """The bytes of a socket; each wait for them ends at the deadline."""

    def __init__(self, file: Any, sock: socket.socket) -> None:
        self._file = file
        self._sock = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        deadline = held()
        if deadline is not None:
            self._sock.settimeout(deadline.timeout[1])
        count: int | None = self._file.raw.readinto(buffer)
        return count

    def close(self) -> None:
        super().close()
        self._file.close()


class _Answer(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Timed(self.fp, sock))


class _IdleConnections:
    """The idle connections of a pool, the last returned first.

    It takes the place of `queue.LifoQueue`, whose lock an interrupt may leave taken.  Nobody waits
    for a connection: the gate of the host limits their number.
    """

    def __init__(self, maxsize: int) -> None:
        self._most = maxsize
        self._connections: deque[Any] = deque()

    def qsize(self) -> int:
        return len(self._connections)

    def put(self, connection: Any, block: bool = False) -> None:
        del block
        if len(self._connections) >= self._most:
            raise queue.Full
        self._connections.append(connection)

    def get(self, block: bool = False, timeout: float | None = None) -> Any:
        del block, timeout
        try:
            return self._connections.pop()
        except IndexError:
            raise queue.Empty from None


class _HeldToDeadlines:
    """A mixin for connections of both schemes that keep to deadlines."""

    response_class: Any = _Answer

    def _new_conn(self) -> socket.socket:
        parent: Any = super()
        return _connected(self, parent._new_conn)  # noqa: SLF001 - its own class

    def connect(self) -> None:
        parent: Any = super()
        parent.connect()
        _check_peer(self)


@lru_cache(maxsize=1)
def pool_classes() -> dict[str, Any]:
    """Return the pool classes by scheme, whose connections keep to deadlines."""
    with between_forks():
        import urllib3
        from urllib3.connection import HTTPConnection, HTTPSConnection

    class Connection(_HeldToDeadlines, HTTPConnection):
        pass

    class SecureConnection(_HeldToDeadlines, HTTPSConnection):
        pass

    class Pool(urllib3.HTTPConnectionPool):
        ConnectionCls = Connection
        QueueCls: Any = _IdleConnections

    class SecurePool(urllib3.HTTPSConnectionPool):
        ConnectionCls = SecureConnection
        QueueCls: Any = _IdleConnections

    return {"http": Pool, "https": SecurePool}
