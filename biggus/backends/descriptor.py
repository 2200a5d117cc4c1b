"""File descriptors for reading bytes at an offset, without the library that has the file open.

Several threads may read from a descriptor at once.  It is closed when it is garbage collected.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import Any

from biggus.backends.signature import FileSignature
from biggus.support.forks import new_lock
from biggus.support.once import once

_TELLS_AT_HAND = hasattr(os, "RWF_NOWAIT")

_MOST_BYTES = 2**30
"""The most bytes to request at once; no system returns more than 2 GiB."""


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
        self._fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self._lock = new_lock()

    @classmethod
    def beside(cls, file: Any, path: str) -> Descriptor | None:
        """Return a descriptor of the file that an h5py File has open.

        None if that is not a plain file, or if another file is at `path` by now.

        Raises
        ------
        OSError
            If `path` cannot be opened: it is gone, or the process has no descriptors left.
        """
        if file.driver not in ("sec2", "windows"):
            return None
        descriptor = cls(path)
        try:
            theirs = os.fstat(file.id.get_vfd_handle())
        except (OSError, NotImplementedError):
            return None
        return descriptor if descriptor.is_of(FileSignature.of(theirs)) else None

    @once
    def _identity(self) -> tuple[int, int]:
        return self.signature()[:2]

    def is_of(self, signature: FileSignature) -> bool:
        """Return whether this is the file with a signature, in whatever state it is now.

        While the file is open, no other file gets its inode.
        """
        return signature[:2] == self._identity

    def signature(self) -> FileSignature:
        """Return the signature of the file as it is now."""
        return FileSignature.of(os.fstat(self._fd))

    def read_into(self, out: memoryview, offset: int) -> None:
        """Fill `out`, a buffer of bytes, with the bytes at `offset`.

        Raises
        ------
        OSError
            If they cannot be read, or the file is too short.
        """
        done = 0
        while done < len(out):
            count = self._read(out[done : done + _MOST_BYTES], offset + done)
            if count == 0:
                raise OSError(
                    f"the file is cut short: it has {done} of the {len(out)} bytes at {offset}"
                )
            done += count

    def read_at_hand(self, out: memoryview, offsets: Sequence[int], sizes: Sequence[int]) -> bool:
        """Fill `out` with runs of bytes, one behind the other, if all are in the page cache.

        Returns
        -------
        bool
            Whether `out` is filled.  Always False on systems and for files that do not support it.
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
        except OSError:  # raised if the read would wait
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
