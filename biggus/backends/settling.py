"""Settling: no value is taken of a file that was changed a moment ago.

A change shows in the times of a file, but not at once.  The system's clock for them ticks
every few milliseconds, so that two changes may have one time; and a write shows when it
begins, not when it ends.  So whoever finds a file that young waits until it no longer is,
and looks again.  From then on every change shows.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from biggus.backends.signature import FileSignature, signature_of
from biggus.errors import OpenError
from biggus.support.watching import changed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_LEAST_SECONDS = 0.01
_RESTLESS_SECONDS = 0.25
"""For a file that changed since this process has seen it: somebody is at work on it, and
may be held up half-way by whatever else the machine does."""

_MOST_SECONDS = 2.0
_TICKS = 2
_WRITTEN_BYTES = 2**30
"""So many are written in a second, at least, once they are in memory."""

_PATIENCE_SECONDS = 1.0
"""What has not come to rest in that time, or in what its size asks for, is being written to."""

_MOST_KNOWN = 2**12
_known: dict[str, FileSignature] = {}
"""How files were when values were taken of them last."""

_seen: dict[FileSignature, float] = {}
"""When young files were first seen to be as they are, by the monotonic clock."""


def _tick() -> float:
    """Return how coarse the clock is by which the system gives files their times, in seconds."""
    if os.name == "nt":
        return 0.016
    try:
        return time.clock_getres(5)  # Linux: CLOCK_REALTIME_COARSE
    except (AttributeError, OSError):
        return _LEAST_SECONDS


_SHORTEST = max(_LEAST_SECONDS, _TICKS * _tick())


def age_of(signature: FileSignature) -> float:
    """Return how long ago a file changed that has this signature, in seconds, by this clock."""
    # Every write moves ctime on, and nobody can set it; mtime can be set, into the future
    # too.  Windows has the time of creation in its place.
    return time.time() - (signature.modified if os.name == "nt" else signature.changed) / 1e9


def seen_for(signature: FileSignature) -> float:
    """Return for how long it has been known here that a file has that signature, in seconds."""
    now = time.monotonic()
    if len(_seen) >= _MOST_KNOWN:
        _seen.clear()
    return now - _seen.setdefault(signature, now)


def seconds_to_settle(signature: FileSignature, restless: bool = False) -> float:
    """Return for how long a file of that signature is still too young to be read.

    Nothing where its last change was seen to be over: at least two ticks of the clock, and
    what it takes to write the whole file, have gone by since it began.

    Parameters
    ----------
    signature : FileSignature
        As it is now.
    restless : bool
        Whether it was another one when it was last seen.
    """
    age = age_of(signature)
    if age >= _MOST_SECONDS:
        return 0.0
    least = max(_SHORTEST, _RESTLESS_SECONDS) if restless else _SHORTEST
    needed = min(_MOST_SECONDS, max(least, signature.size / _WRITTEN_BYTES))
    if not (signature.changed % 10**9 or signature.modified % 10**9):
        needed = _MOST_SECONDS  # a file system that keeps whole seconds, or every other
    # Of another clock, that of a server, nothing is known but what passes here.
    return min(needed, max(0.0, needed - age))


def settled(
    look: Callable[[], FileSignature],
    path: str,
    whole: Callable[[], FileSignature | None] | None = None,
) -> FileSignature:
    """Return the signature of a file that is old enough to be read; wait for that if need be.

    Parameters
    ----------
    look : callable
        Gives its signature as it is now.
    path : str
        Its name.
    whole : callable, optional
        Gives that of a file that was written before the others of a store of many: what is
        young in an old store is being worked on, though it may never have been seen.

    Raises
    ------
    SourceChangedError
        If it changes all the time.
    """
    signature = look()
    known = _known.get(path)
    if known == signature:
        return signature
    restless = known is not None
    if not restless and whole is not None and seconds_to_settle(signature, restless=True):
        first = whole()
        restless = first is not None and not seconds_to_settle(first, restless=True)
    waited = 0.0
    while left := seconds_to_settle(signature, restless):
        if waited > _PATIENCE_SECONDS:
            raise changed(path)
        time.sleep(left)
        waited += left
        before, signature = signature, look()
        if signature == before:
            break
        restless = True
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    _known[path] = signature
    seen_for(signature)
    return signature


def settled_signature(path: str) -> FileSignature:
    """Return the signature of the regular file at `path`, once it is old enough to be read.

    Raises
    ------
    GoneError, OpenError
        As `signature_of`.
    SourceChangedError
        If it changes all the time.
    """
    return settled(lambda: signature_of(path), path)


def signature_or_none(path: str) -> FileSignature | None:
    """Return the signature of the regular file at `path`; None if there is none."""
    try:
        return signature_of(path)
    except OpenError:
        return None


def look_again(seen: Iterable[tuple[str, FileSignature]]) -> None:
    """Make sure that files are as they were.

    Raises
    ------
    SourceChangedError
        If one is not, or is gone.
    """
    for path, signature in seen:
        if signature_or_none(path) != signature:
            raise changed(path)
