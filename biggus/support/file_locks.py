"""Locks of files, which end with their process at the latest."""

from __future__ import annotations

from typing import Any

fcntl: Any
try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None


def lock(descriptor: int, *, exclusively: bool, wait: bool = False) -> None:
    """Lock an open file until it is closed.

    Raises
    ------
    BlockingIOError
        If it is locked already, unless it is to `wait`.
    OSError
        If there are no file locks.
    """
    if fcntl is None:
        raise OSError("no locks of files")
    kind = fcntl.LOCK_EX if exclusively else fcntl.LOCK_SH
    fcntl.flock(descriptor, kind if wait else kind | fcntl.LOCK_NB)
