"""Waiting for files that changed a moment ago to settle, before they are read.

The times of a file do not show every change at once.  The clock behind them ticks every few
milliseconds, so that two changes may have one time, and the time of a write is that of its
beginning.  So a reader waits until a young file is old enough, and looks again.  From then on
every change shows in its signature.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable

from biggus.backends.signature import FileSignature, signature_of
from biggus.errors import OpenError
from biggus.support.watching import changed

_LEAST_SECONDS = 0.01
_RESTLESS_SECONDS = 0.25
"""The age for a file that changed since this process saw it: a program is writing to it, and
may be delayed half-way by a busy machine."""

_MOST_SECONDS = 2.0
_TICKS = 2
_WRITTEN_BYTES = 2**30
"""The least bytes of a write, once in memory, that are copied in a second."""

_PATIENCE_SECONDS = 1.0
"""A file that has not settled after this long, or longer if it is large, is being written to."""

_MOST_KNOWN = 2**12
_known: dict[str, FileSignature] = {}
"""The signatures of files when they were last read."""

_seen: dict[FileSignature, float] = {}
"""When the signatures of young files were first seen, on the monotonic clock."""


def _tick() -> float:
    """Return the resolution of the clock of file times, in seconds."""
    if os.name == "nt":
        return 0.016
    try:
        return time.clock_getres(5)  # Linux: CLOCK_REALTIME_COARSE
    except (AttributeError, OSError):
        return _LEAST_SECONDS


_SHORTEST = max(_LEAST_SECONDS, _TICKS * _tick())


def age_of(signature: FileSignature) -> float:
    """Return how many seconds ago a file with this signature changed, by this machine's clock."""
    # Every write advances ctime, which cannot be set; mtime can be set, even into the future.
    # On Windows ctime is the time of creation.
    return time.time() - (signature.modified if os.name == "nt" else signature.changed) / 1e9


def seen_for(signature: FileSignature) -> float:
    """Return for how many seconds this process has known a signature; it is noted if new."""
    now = time.monotonic()
    if len(_seen) >= _MOST_KNOWN:
        _seen.clear()
    return now - _seen.setdefault(signature, now)


def seconds_to_settle(signature: FileSignature, restless: bool = False) -> float:
    """Return for how many more seconds a file is too young to be read.

    It is old enough once two ticks of the clock, and the time to write the whole file, have
    passed since its last change began.

    Parameters
    ----------
    signature : FileSignature
        The present signature.
    restless : bool
        Whether the file had another signature when it was last seen.
    """
    age = age_of(signature)
    if age >= _MOST_SECONDS:
        return 0.0
    least = max(_SHORTEST, _RESTLESS_SECONDS) if restless else _SHORTEST
    needed = min(_MOST_SECONDS, max(least, signature.size / _WRITTEN_BYTES))
    if not (signature.changed % 10**9 or signature.modified % 10**9):
        needed = _MOST_SECONDS  # the file system stores whole seconds, or every other
    # The age may be negative by the clock of a server; never wait longer than `needed`.
    return min(needed, max(0.0, needed - age))


def settled(
    look: Callable[[], FileSignature],
    path: str,
    whole: Callable[[], FileSignature | None] | None = None,
) -> FileSignature:
    """Wait until a file is old enough to be read, and return its signature.

    Parameters
    ----------
    look : callable
        Returns the present signature.
    path : str
        The path of the file.
    whole : callable, optional
        Returns the signature of a file that is written first in a store of many files.  A young
        file in an old store is being changed, even if it was never seen before.

    Raises
    ------
    SourceChangedError
        If the file keeps changing.
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
    while seconds_left := seconds_to_settle(signature, restless):
        if waited > _PATIENCE_SECONDS:
            raise changed(path)
        time.sleep(seconds_left)
        waited += seconds_left
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
    """Wait until the regular file at `path` is old enough to be read, and return its signature.

    Raises
    ------
    GoneError, OpenError
        As `signature_of`.
    SourceChangedError
        If the file keeps changing.
    """
    return settled(lambda: signature_of(path), path)


def signature_or_none(path: str) -> FileSignature | None:
    """Return the signature of the regular file at `path`; None if there is none."""
    try:
        return signature_of(path)
    except OpenError:
        return None


def look_again(seen: Iterable[tuple[str, FileSignature]]) -> None:
    """Check that files still have their signatures.

    Raises
    ------
    SourceChangedError
        If one has changed or is gone.
    """
    for path, signature in seen:
        if signature_or_none(path) != signature:
            raise changed(path)
