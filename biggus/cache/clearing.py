"""Clearing: what is on its way to a cache while that is cleared does not arrive, whoever clears it.

A file in the folder is as many bytes long as the folder has been cleared times: one is added
before anything is removed.  What is stored was asked for at one of these times.  Once it
is written, under a name of its own, it is renamed if that is the time still.  If it was
cleared only after that look, what was written is there already, and is removed with the rest.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

NAME = "cleared"

_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)


class Clearing:
    """What tells when a folder is cleared, by any process.

    Parameters
    ----------
    folder : Path
        The folder, which may also be removed.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> clearing = Clearing(Path(tempfile.mkdtemp()))
    >>> asked = clearing.times
    >>> clearing.begin()
    >>> clearing.times == asked
    False
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = f"{folder}{os.sep}{NAME}"

    @property
    def times(self) -> int:
        """How often it has been, since it was made."""
        try:
            return os.stat(self._path).st_size  # noqa: PTH116 - of each chunk that is stored
        except OSError:
            return 0

    def begin(self) -> None:
        """Have nothing arrive that was asked for until now, but what is removed with the rest.

        Raises
        ------
        OSError
            If that cannot be written.
        """
        descriptor = os.open(self._path, _APPEND, 0o600)
        try:
            os.write(descriptor, b"\n")
        finally:
            os.close(descriptor)

    def place(self) -> tuple[int, int] | None:
        """Return what tells the folder from another that has its name; None if there is none."""
        try:
            state = self._folder.stat()
        except OSError:
            return None
        return state.st_dev, state.st_ino
