"""Writers: processes that store, as others see them.

A writer is a file that its process holds locked for as long as it lives, so that
whatever it leaves behind when it is killed can be told from what it is at.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from biggus.support.forks import between_forks

if TYPE_CHECKING:
    from pathlib import Path

FLAGS = os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
"""With which a file is opened to be locked."""


class FolderWriter:
    """The writer that this process is, of one folder.

    Parameters
    ----------
    folder : Path
        Where the files of writers lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.name = f"{os.getpid()}-{os.urandom(6).hex()}"
        self._descriptor: int | None = None

    @property
    def begun(self) -> bool:
        """Tell whether others see it."""
        return self._descriptor is not None

    def begin(self) -> None:
        """Be seen by others, if that is not so; after the folder was removed, anew.

        Raises
        ------
        OSError
            If that cannot be.
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
        """Be seen no longer."""
        with contextlib.suppress(OSError):
            self.forget()
            (self._folder / self.name).unlink(missing_ok=True)

    def forget(self) -> None:
        """Let go of the file, which is the parent's after a fork."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(descriptor)


def lives(folder: Path, name: str) -> bool:
    """Tell whether a writer is there, and its process alive; it may be stopped."""
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
        # No locks here: a process of that number, on this machine, will have to do.
        return _runs(name)
    finally:
        os.close(descriptor)
    return False


def lock(descriptor: int, *, exclusively: bool) -> None:
    """Lock a file for as long as it is open.

    Raises
    ------
    BlockingIOError
        If somebody else has it locked.
    OSError
        If there are no locks.
    """
    try:
        with between_forks():
            import fcntl
    except ImportError as error:
        raise OSError("no locks of files") from error
    kind = fcntl.LOCK_EX if exclusively else fcntl.LOCK_SH
    fcntl.flock(descriptor, kind | fcntl.LOCK_NB)


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
