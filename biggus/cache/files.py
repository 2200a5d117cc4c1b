"""Files: where entries lie, one file each under a name that follows from its key.

A file is found without asking any index, comes into being whole (it is
written elsewhere and moved), and is replaced whole.  So a hit is one open and
one read, and a writer that is killed leaves nothing that could be taken for an
entry.
"""
# Strings, for making a Path costs as much as opening the file.
# ruff: noqa: PTH103, PTH105, PTH108, PTH110, PTH120, PTH123

from __future__ import annotations

import contextlib
import itertools
import os
import re
import time
from typing import TYPE_CHECKING

import numpy as np

from biggus.errors import CacheError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from biggus.cache.entry import Buffer

_NAME = re.compile(r"[0-9a-f]{2}/[0-9a-f]{38}")
_UNFINISHED_SECONDS = 60.0
_READ_ONLY = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_counter = itertools.count()


class Files:
    """The files of one kind in a cache folder.

    Parameters
    ----------
    folder : Path
        Where they lie; made when the first is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._prefix = f"{folder}{os.sep}"
        self._unfinished = folder / "unfinished"

    def path(self, key: str) -> str:
        """Return the path of the file of a key of 40 hexadecimal digits."""
        return f"{self._prefix}{key[:2]}/{key[2:]}"

    def exists(self, key: str) -> bool:
        """Tell whether `key` has a file."""
        return os.path.exists(self.path(key))

    def read(self, key: str) -> Buffer | None:
        """Return all bytes of the file of `key`, writable, or None if there is none."""
        try:
            descriptor = os.open(self.path(key), _READ_ONLY)
        except FileNotFoundError:
            return None
        try:
            size = os.fstat(descriptor).st_size
            buffer = np.empty(size, np.uint8)
            with open(descriptor, "rb", buffering=0, closefd=False) as file:
                view, done = buffer.data, 0
                while done < size:
                    count = file.readinto(view[done:])
                    if not count:
                        return buffer[:done]
                    done += count
        finally:
            os.close(descriptor)
        return buffer

    def head(self, key: str, size: int = 4096) -> bytes | None:
        """Return the first `size` bytes of the file of `key`, or None if it cannot be read."""
        try:
            descriptor = os.open(self.path(key), _READ_ONLY)
        except OSError:
            return None
        try:
            return os.read(descriptor, size)
        except OSError:
            return None
        finally:
            os.close(descriptor)

    def write(self, key: str, pieces: Iterable[bytes | memoryview]) -> int:
        """Make or replace the file of `key`; return its size in bytes.

        Raises
        ------
        OSError
            If it cannot be written; then nothing is left behind, and what
            was there is as it was.
        """
        unfinished = self._unfinished
        temporary = f"{unfinished}{os.sep}{os.getpid()}-{next(_counter)}-{os.urandom(4).hex()}"
        target = self.path(key)
        size = 0
        try:
            if not unfinished.exists():
                unfinished.mkdir(parents=True, exist_ok=True)
            with open(temporary, "xb", buffering=0) as file:
                for piece in pieces:
                    view = memoryview(piece)
                    size += len(view)
                    while view:
                        view = view[file.write(view) :]
            try:
                os.replace(temporary, target)
            except FileNotFoundError:
                os.makedirs(os.path.dirname(target), exist_ok=True)
                os.replace(temporary, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        return size

    def remove(self, key: str) -> None:
        """Remove the file of `key`, if there is one."""
        with contextlib.suppress(OSError):
            os.unlink(self.path(key))

    def keys(self) -> Iterator[tuple[str, os.stat_result]]:
        """Yield the key of each file and what the file system says of it, in no order."""
        for first in range(256):
            yield from self.shard(f"{first:02x}")

    def shard(self, name: str) -> Iterator[tuple[str, os.stat_result]]:
        """Yield what `keys` yields, for the keys that begin with two given digits."""
        with contextlib.suppress(FileNotFoundError), os.scandir(self._prefix + name) as found:
            for item in found:
                if _NAME.fullmatch(f"{name}/{item.name}"):
                    with contextlib.suppress(FileNotFoundError):
                        yield name + item.name, item.stat()

    def tidy(self, age: float = _UNFINISHED_SECONDS) -> None:
        """Remove what writers that were killed more than `age` seconds ago left unfinished."""
        with contextlib.suppress(OSError), os.scandir(self._unfinished) as found:
            for item in found:
                with contextlib.suppress(OSError):
                    if time.time() - item.stat().st_mtime > age:
                        os.unlink(item.path)


def make_folder(folder: Path) -> None:
    """Make a cache folder that its owner alone can read, and check that it can be written.

    Raises
    ------
    CacheError
        If it cannot be.
    """
    probe = folder / f".probe-{os.getpid()}-{next(_counter)}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        reason = error.strerror or str(error)
        raise CacheError(
            f"cannot use {folder} as a cache folder: {reason}; give another with "
            "Cache(path) or BIGGUS_CACHE_DIR"
        ) from None
