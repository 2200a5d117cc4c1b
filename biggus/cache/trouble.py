"""Troubles of a cache folder: said once, and once more when they are over.

A disk that is full is full for every chunk, and an evaluation reads thousands: all
that fails in one way is one trouble of the folder, whoever uses it in this process.
"""

from __future__ import annotations

import logging
import threading
import time
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger("biggus.cache")

QUIET_SECONDS = 60.0
"""A trouble that comes and goes is not said more often."""

WRITING = "entries are stored"
READING = "entries are used"
INDEXING = "the index is updated"


class Trouble:
    """One way in which a folder fails.

    Parameters
    ----------
    folder : Path
        The cache folder.
    works : str
        What it does when it does not fail: a sentence, for when it does so again.
    """

    def __init__(self, folder: Path, works: str) -> None:
        self._folder = folder
        self._works = works
        self._lock = threading.Lock()
        self._said = False
        self._quiet_until = 0.0

    def arose(self, message: str, *parts: object) -> None:
        """Say what failed, unless that was said of this trouble before it was over."""
        with self._lock:
            first = not self._said and time.monotonic() >= self._quiet_until
            if first:
                self._said = True
                self._quiet_until = time.monotonic() + QUIET_SECONDS
        if first:
            line = f"{message} (this is said once, until it is over)"
            logger.warning(line, *parts)
        else:
            logger.debug(message, *parts)

    def over(self) -> None:
        """Note that it works; say so, if it was said that it did not."""
        if not self._said:
            return
        with self._lock:
            first, self._said = self._said, False
        if first:
            logger.info("%s: %s again", self._folder, self._works)


@lru_cache(maxsize=1024)
def trouble(folder: Path, works: str) -> Trouble:
    """Return the one trouble of a kind that a folder has in this process."""
    return Trouble(folder, works)
