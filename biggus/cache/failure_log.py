"""Logging the failures of a cache folder once, and once more when they are over.

A full disk fails for every chunk, and an evaluation reads thousands.  All failures of one kind
are one failure of the folder, for all its users in this process.
"""

from __future__ import annotations

import logging
import time
from functools import lru_cache
from pathlib import Path

from biggus.support.forks import new_lock

logger = logging.getLogger("biggus.cache")

QUIET_SECONDS = 60.0
"""How long a failure that comes back is not logged again."""

WRITING = "entries are stored"
READING = "entries are used"
INDEXING = "the index is updated"


class FailureLog:
    """One kind of failure of a cache folder.

    Parameters
    ----------
    folder : Path
        The cache folder.
    works : str
        A sentence that says what works without the failure, logged when it is over.
    """

    def __init__(self, folder: Path, works: str) -> None:
        self._folder = folder
        self._works = works
        self._lock = new_lock()
        self._is_logged = False
        self._quiet_until = 0.0

    def log(self, message: str, *parts: object) -> None:
        """Log a failure as a warning, unless it was logged and is not over."""
        with self._lock:
            first = not self._is_logged and time.monotonic() >= self._quiet_until
            if first:
                self._is_logged = True
                self._quiet_until = time.monotonic() + QUIET_SECONDS
        if first:
            logger.warning(f"{message} (logged once until it is over)", *parts)  # noqa: G004
        else:
            logger.debug(message, *parts)

    def over(self) -> None:
        """Note that the folder works; log that if the failure was logged."""
        if not self._is_logged:
            return
        with self._lock:
            first, self._is_logged = self._is_logged, False
        if first:
            logger.info("%s: %s again", self._folder, self._works)


@lru_cache(maxsize=1024)
def failure_log(folder: Path, works: str) -> FailureLog:
    """Return the log of one kind of failure of a folder in this process."""
    return FailureLog(folder, works)
