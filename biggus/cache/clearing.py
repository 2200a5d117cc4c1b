"""Clearing: what is on its way to a cache while that is cleared does not arrive.

What is stored was asked for at some time: the number of times that the folder had been cleared
then.  If it has been cleared since, it is not stored.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Clearing:
    """What tells when a folder is cleared by this process.

    Parameters
    ----------
    folder : Path
        The folder, which may also be removed by others.

    Attributes
    ----------
    times : int
        How often it has been.

    Examples
    --------
    >>> from pathlib import Path
    >>> clearing = Clearing(Path("folder"))
    >>> asked = clearing.times
    >>> with clearing.under_way():
    ...     with clearing.arriving(clearing.times) as may:
    ...         print(may)
    False
    >>> with clearing.arriving(asked) as may:
    ...     print(may)
    False
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.times = 0
        self.forked()

    def forked(self) -> None:
        """Begin anew in a child, in which nobody is at anything."""
        self._changed = threading.Condition()
        self._arriving = self._clearing = 0

    def place(self) -> tuple[int, int] | None:
        """Return what tells the folder from another that has its name; None if there is none."""
        try:
            state = self._folder.stat()
        except OSError:
            return None
        return state.st_dev, state.st_ino

    @property
    def is_under_way(self) -> bool:
        """Tell whether it is being cleared, and nothing can be stored."""
        return self._clearing > 0

    @contextlib.contextmanager
    def arriving(self, asked: int) -> Iterator[bool]:
        """Tell whether what was asked for then may be stored; it is, in the with block."""
        with self._changed:
            may = asked == self.times and not self._clearing
            self._arriving += may
        try:
            yield may
        finally:
            if may:
                with self._changed:
                    self._arriving -= 1
                    self._changed.notify_all()

    @contextlib.contextmanager
    def under_way(self) -> Iterator[None]:
        """Have nothing arrive for the length of a with block, nor what was asked for before."""
        with self._changed:
            self.times += 1
            self._clearing += 1
        try:
            with self._changed:
                self._changed.wait_for(lambda: not self._arriving)
            yield
        finally:
            with self._changed:
                self._clearing -= 1


_clearings: dict[Path, Clearing] = {}


def clearing_of(folder: Path) -> Clearing:
    """Return the one that a folder has in this process."""
    return _clearings.setdefault(folder, Clearing(folder))
