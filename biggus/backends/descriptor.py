"""Descriptors of our own: reading bytes of a file at an offset, beside the library.

A descriptor is opened for the very file that a library has open.  It may be
read from by several threads at once, and is closed when the last of those who
read has let it go.
"""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING, Any

from biggus.backends.signature import FileSignature

if TYPE_CHECKING:
    from collections.abc import Sequence

_TELLS_AT_HAND = hasattr(os, "RWF_NOWAIT")

_MOST_BYTES = 2**30
"""As many are asked for at once; no system gives more than 2 GiB."""


class Descriptor:
    """A file that is open for reading at any offset.

    Parameters
    ----------
    path : str
        The file.

    Raises
    ------
    OSError
        If it cannot be opened.
    """

    def __init__(self, path: str) -> None:
        self._fd = -1
        flags = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        self._fd = os.open(path, flags)
        self._lock = threading.Lock()

    @classmethod
    def beside(cls, file: Any, path: str) -> Descriptor | None:
        """Return a descriptor of the file that an h5py File has open, or None if there is none.

        There is none if that is no plain file, or another one is at `path` by now.

        Raises
        ------
        OSError
            If what is at `path` cannot be opened: it is gone, or the process has no
            descriptors left.
        """
        if file.driver not in ("sec2", "windows"):
            return None
        descriptor = cls(path)
        try:
            theirs = os.fstat(file.id.get_vfd_handle())
        except (OSError, NotImplementedError):
            return None
        same = os.path.samestat(theirs, os.fstat(descriptor._fd))
        return descriptor if same else None

    def signature(self) -> FileSignature:
        """Return the signature of the file as it is now."""
        return FileSignature.of(os.fstat(self._fd))

    def read_into(self, out: memoryview, offset: int) -> None:
        """Fill `out`, flat bytes, with those at `offset`.

        Raises
        ------
        OSError
            If they cannot be read, or the file ends before them.
        """
        done = 0
        while done < len(out):
            count = self._read(out[done : done + _MOST_BYTES], offset + done)
            if count == 0:
                raise OSError(
                    f"the file is cut short: {len(out)} bytes were to be at {offset}, "
                    f"and {done} are there"
                )
            done += count

    def read_at_hand(self, out: memoryview, offsets: Sequence[int], sizes: Sequence[int]) -> bool:
        """Fill `out` with runs, one behind the other, if the system has them all in memory.

        Returns
        -------
        bool
            Whether they are there.  False as well where that cannot be told: not all systems can,
            nor for all files.
        """
        if not _TELLS_AT_HAND:
            return False
        read, fd, start = os.preadv, self._fd, 0
        try:
            for offset, size in zip(offsets, sizes, strict=True):
                stop = start + size
                if read(fd, [out[start:stop]], offset, os.RWF_NOWAIT) != size:
                    return False
                start = stop
        except OSError:  # which a read that may wait gives as well, if it is one
            return False
        return True

    if hasattr(os, "preadv"):

        def _read(self, out: memoryview, offset: int) -> int:
            return os.preadv(self._fd, [out], offset)

    else:

        def _read(self, out: memoryview, offset: int) -> int:
            with self._lock:
                os.lseek(self._fd, offset, os.SEEK_SET)
                data = os.read(self._fd, len(out))
            out[: len(data)] = data
            return len(data)

    def __del__(self) -> None:
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.close(self._fd)
