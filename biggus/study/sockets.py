"""No sockets: while a study is replayed, nothing in this process reaches for a network.

Python asks its audit hooks before it opens a socket to another machine, or to this one by its
address, and before it looks up a name.  Sockets within this machine that have no address, such as
those of event loops, are left alone.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any

from biggus.errors import StudyError

if TYPE_CHECKING:
    from collections.abc import Iterator

_FAMILIES = (socket.AF_INET, socket.AF_INET6)
_OF_SOCKETS = {"socket.__new__", "socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind"}
_OF_NAMES = {
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "socket.gethostbyaddr",
    "socket.getnameinfo",
}


class _SocketGuard:
    """The audit hook of this process; once there, it cannot be taken away."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._there = False
        self._count = 0

    def add(self, number: int) -> None:
        with self._lock:
            if not self._there:
                sys.addaudithook(self._asked)
                self._there = True
            self._count += number

    def _asked(self, event: str, given: tuple[Any, ...]) -> None:
        if not self._count or not event.startswith("socket."):
            return
        if event in _OF_SOCKETS:
            family = given[1] if event == "socket.__new__" else given[0].family
            if family not in _FAMILIES or _pairs(event):
                return
        elif event not in _OF_NAMES:
            return
        raise StudyError(
            "a study is being replayed, which runs on what was recorded alone: no socket is opened"
        )


def _pairs(event: str) -> bool:
    """Tell whether it may be a pair that Windows makes of two sockets, for an event loop."""
    return sys.platform == "win32" and event in ("socket.__new__", "socket.bind")


_guard = _SocketGuard()


def forbid() -> None:
    """Forbid sockets, for as long as the process runs."""
    _guard.add(1)


@contextlib.contextmanager
def forbidden() -> Iterator[None]:
    """Forbid sockets in a with block, to all threads."""
    _guard.add(1)
    try:
        yield
    finally:
        _guard.add(-1)
