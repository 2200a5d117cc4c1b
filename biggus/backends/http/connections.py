"""Connections of urllib3's that are held to deadlines, and to public addresses if told so.

A time-out of a socket is for one wait, and each byte that comes ends one.  So a connection
of ours asks before every wait how long it may be: no answer goes on for ever, whether
its status, its headers, the sizes of its chunks or its body come a byte at a time.
"""

from __future__ import annotations

import contextlib
import contextvars
import http.client
import io
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from biggus.backends.http.addresses import LocalRedirectError, is_public
from biggus.backends.http.deadline import held
from biggus.forks import between_forks

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

_outside: contextvars.ContextVar[bool] = contextvars.ContextVar("biggus_outside", default=False)


@contextlib.contextmanager
def outside() -> Iterator[None]:
    """Refuse, in the block, connections that come to be to an address that is not public."""
    # The name was looked up before; this time the answer may be another.
    token = _outside.set(True)
    try:
        yield
    finally:
        _outside.reset(token)


def _check_peer(connection: Any) -> None:
    if _outside.get():
        peer = str(connection.sock.getpeername()[0])
        if not is_public(peer):
            connection.close()
            raise LocalRedirectError(peer)


class _Timed(io.RawIOBase):
    """What a socket gives, each wait of which ends at the deadline."""

    def __init__(self, file: Any, sock: socket.socket) -> None:
        self._file = file
        self._sock = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        deadline = held()
        if deadline is not None:
            self._sock.settimeout(deadline.timeout[1])
        found: int | None = self._file.raw.readinto(buffer)
        return found

    def close(self) -> None:
        super().close()
        self._file.close()


class _Answer(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Timed(self.fp, sock))


@lru_cache(maxsize=1)
def pool_classes() -> dict[str, Any]:
    """Return the pools of urllib3, by scheme, whose connections are held to deadlines."""
    with between_forks():
        import urllib3
        from urllib3.connection import HTTPConnection, HTTPSConnection

    class Connection(HTTPConnection):
        response_class = _Answer

        def connect(self) -> None:
            super().connect()
            _check_peer(self)

    class SecureConnection(HTTPSConnection):
        response_class = _Answer

        def connect(self) -> None:
            super().connect()
            _check_peer(self)

    class Pool(urllib3.HTTPConnectionPool):
        ConnectionCls = Connection

    class SecurePool(urllib3.HTTPSConnectionPool):
        ConnectionCls = SecureConnection

    return {"http": Pool, "https": SecurePool}
