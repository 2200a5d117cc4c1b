"""The signature of a file, which changes when the file does."""

from __future__ import annotations

import os
import stat
import struct
from operator import attrgetter
from typing import NamedTuple

from biggus.errors import GoneError, OpenError

_fields_of = attrgetter("st_dev", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns")


class FileSignature(NamedTuple):
    """Those properties of a file that change when the file does; times in ns."""

    device: int
    inode: int
    size: int
    modified: int
    changed: int

    def grew_to(self, later: FileSignature) -> bool:
        """Return whether `later` may be of the same file after more was written to it."""
        same = (self.device, self.inode) == (later.device, later.inode)
        return same and later.size >= self.size

    def packed(self) -> bytes:
        """Return the signature as bytes, without the device number, which depends on the mount."""
        # Some Windows file systems have inodes of 128 bits.
        return struct.pack("<QqqQ", self.size, self.modified, self.changed, self.inode % 2**64)

    @classmethod
    def of(cls, state: os.stat_result) -> FileSignature:
        """Return the signature from the result of `os.stat`."""
        # Each read of a file makes one; the constructor of the class takes twice as long.
        return tuple.__new__(cls, _fields_of(state))


def signature_of(path: str) -> FileSignature:
    """Return the signature of the regular file at `path`.

    Raises
    ------
    GoneError
        If there is no such file.
    OpenError
        If it is not a regular file, but a folder, a pipe or a device.
    """
    try:
        state = os.stat(path)  # noqa: PTH116 - half the time of Path.stat
    except (FileNotFoundError, NotADirectoryError):
        raise GoneError(path, "there is no such file") from None
    except OSError as error:
        raise OpenError(path, error.strerror or str(error)) from error
    if not stat.S_ISREG(state.st_mode):
        kind = "a folder" if stat.S_ISDIR(state.st_mode) else "no regular file"
        raise OpenError(path, f"it is {kind}; name a file")
    return FileSignature.of(state)
