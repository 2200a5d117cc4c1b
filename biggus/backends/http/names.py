"""Resolving host names in threads of their own, so that nobody waits for them for ever.

The system's call has no time-out.  All who want a name share one lookup at a time, and leave it
behind when their time is up.
"""

from __future__ import annotations

import concurrent.futures
import socket
import threading
from typing import TypeAlias

from biggus.support.forks import in_children

Lookup: TypeAlias = concurrent.futures.Future[list[str]]


class SlowNameError(TimeoutError):
    """The name of a host could not be looked up in time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the host name could not be looked up within {seconds:g} s")


_lookups: dict[str, Lookup] = {}
_lock = threading.Lock()


def looked_up(host: str, seconds: float | None) -> list[str]:
    """Return the addresses of a host, in the order in which to try them.

    Raises
    ------
    SlowNameError
        If the lookup takes longer than `seconds`.
    OSError, UnicodeError
        If there are none, or the name is invalid.
    """
    with _lock:
        lookup = _lookups.get(host)
        begins = lookup is None
        if lookup is None:
            lookup = _lookups[host] = concurrent.futures.Future()
    if begins:
        try:
            threading.Thread(
                target=_look_up, args=(host, lookup), name="biggus-name", daemon=True
            ).start()
        except RuntimeError:  # the interpreter is ending, or there are too many
            _look_up(host, lookup)
    try:
        return lookup.result(seconds)
    except concurrent.futures.TimeoutError:
        if lookup.done():
            raise
        raise SlowNameError(seconds or 0.0) from None


def _look_up(host: str, lookup: Lookup) -> None:
    try:
        lookup.set_result(_addresses(host))
    except Exception as error:  # noqa: BLE001 - raised where the result is waited for
        lookup.set_exception(error)
    finally:
        with _lock:
            if _lookups.get(host) is lookup:
                del _lookups[host]


def _addresses(host: str) -> list[str]:
    entries = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(map(_address, (place for *_, place in entries))))


def _address(place: tuple[object, ...]) -> str:
    """Return an address with its zone, which link-local addresses have."""
    zone = place[3] if len(place) > 3 else 0
    return f"{place[0]}%{zone}" if zone and "%" not in str(place[0]) else str(place[0])


def _forget() -> None:
    # In a forked child, whose parent keeps the threads.
    global _lock  # noqa: PLW0603 - the old one may be held for ever
    _lock = threading.Lock()
    _lookups.clear()


in_children(_forget)
