"""Writers: the processes that store entries, as others see them.

A writer has a file that its process keeps locked as long as it lives.  So others can tell the
temporary files of a process that was killed from those of one that is still writing.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from biggus.support.file_locks import lock

FLAGS = os.O_RDWR | getattr(os, "O_NONBLOCK", 0)
"""The flags with which a file is opened to be locked."""


class FolderWriter:
    """The current process as a writer of one folder.

    Parameters
    ----------
    folder : Path
        The folder of the files of writers.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.name = f"{os.getpid()}-{os.urandom(6).hex()}"
        self._descriptor: int | None = None

    @property
    def begun(self) -> bool:
        """Whether the file exists and is locked."""
        return self._descriptor is not None

    def begin(self) -> None:
        """Create and lock the file unless that was done; again if the folder was removed.

        Raises
        ------
        OSError
            If it cannot be created.
        """
        path = self._folder / self.name
        if self._descriptor is not None and path.exists():
            return
        self.forget()
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._descriptor = os.open(path, FLAGS | os.O_CREAT, 0o600)
        with contextlib.suppress(OSError):
            lock(self._descriptor, exclusively=True)

    def end(self) -> None:
        """Remove the file."""
        with contextlib.suppress(OSError):
            self.forget()
            (self._folder / self.name).unlink(missing_ok=True)

    def forget(self) -> None:
        """Close the file, which belongs to the parent after a fork."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(descriptor)


def lives(folder: Path, name: str) -> bool:
    """Return whether the process of a writer is alive, even if stopped."""
    path = folder / name
    try:
        descriptor = os.open(path, FLAGS)
    except OSError:
        return False
    try:
        lock(descriptor, exclusively=False)
    except BlockingIOError:
        return True
    except OSError:
        # Without file locks: look for a process of that number on this machine.
        return _runs(name)
    finally:
        os.close(descriptor)
    return False


def _runs(name: str) -> bool:
    number, _, _ = name.partition("-")
    if os.name != "posix" or not number.isdecimal():
        return os.name != "posix"
    try:
        os.kill(int(number), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
