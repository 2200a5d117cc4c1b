"""Counting how often a cache was cleared, so that chunks requested before are not stored after.

The size of a file in the folder is the count; one byte is added before anything is removed.
A chunk is stored with the count from before it was requested.  It is written to a temporary
file, which gets its final name only if the count is still the same.  If the cache is cleared
after that check, the file is there already, and is removed with the others.
"""

from __future__ import annotations

import os
from pathlib import Path

NAME = "cleared"

_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT


class Clearing:
    """The count of how often a cache folder was cleared, by any process.

    Parameters
    ----------
    folder : Path
        The folder; it need not exist.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> clearing = Clearing(Path(tempfile.mkdtemp()))
    >>> before = clearing.times
    >>> clearing.begin()
    >>> clearing.times == before
    False
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = f"{folder}{os.sep}{NAME}"

    @property
    def times(self) -> int:
        """How often the folder was cleared."""
        try:
            return os.stat(self._path).st_size  # noqa: PTH116 - fast, for each stored chunk
        except OSError:
            return 0

    def begin(self) -> None:
        """Increase the count, before anything is removed.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        descriptor = os.open(self._path, _APPEND, 0o600)
        try:
            os.write(descriptor, b"\n")
        finally:
            os.close(descriptor)

    def place(self) -> tuple[int, int] | None:
        """Return the device and inode of the folder; None if it does not exist."""
        try:
            state = self._folder.stat()
        except OSError:
            return None
        return state.st_dev, state.st_ino
