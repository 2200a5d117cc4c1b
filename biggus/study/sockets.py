"""Forbidding network access in this process while a study is replayed.

Python calls its audit hooks before it opens an internet socket, and before it resolves a host
name.  Local sockets without an address, such as those of event loops, are allowed.
"""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Iterator
from typing import Any

from biggus.errors import StudyError
from biggus.support.forks import new_lock

_FAMILIES = (socket.AF_INET, socket.AF_INET6)
_OF_SOCKETS = {"socket.__new__", "socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind"}
_OF_NAMES = {
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "socket.gethostbyaddr",
    "socket.getnameinfo",
}


class _SocketGuard:
    """The audit hook of this process; once added, it cannot be removed."""

    def __init__(self) -> None:
        self._lock = new_lock()
        self._there = False
        self._count = 0

    def add(self, number: int) -> None:
        with self._lock:
            if not self._there:
                sys.addaudithook(self._asked)
                self._there = True
            self._count += number

    def _asked(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._count or not event.startswith("socket."):
            return
        if event in _OF_SOCKETS:
            family = arguments[1] if event == "socket.__new__" else arguments[0].family
            if family not in _FAMILIES or _pairs(event):
                return
        elif event not in _OF_NAMES:
            return
        raise StudyError(
            "a study is being replayed on recorded data alone: no socket may be opened"
        )


def _pairs(event: str) -> bool:
    """Return whether this may be the pair of sockets that Windows makes for an event loop."""
    return sys.platform == "win32" and event in ("socket.__new__", "socket.bind")


_guard = _SocketGuard()


def forbid() -> None:
    """Forbid sockets until the process ends."""
    _guard.add(1)


@contextlib.contextmanager
def forbidden() -> Iterator[None]:
    """Forbid sockets to all threads for the length of a with block."""
    _guard.add(1)
    try:
        yield
    finally:
        _guard.add(-1)
