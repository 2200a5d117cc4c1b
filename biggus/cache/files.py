"""The files of entries, one for each key.

The name of a file follows from its key, so that a hit is one open and one read, without asking
the index.  A file is written under a temporary name and renamed, so that it appears and is
replaced as a whole, and a writer that is killed leaves nothing that looks like an entry.
The rename stays within one folder, for a file system serialises moves between folders.
"""
# Paths are strings here, for making a Path costs as much as opening the file.
# ruff: noqa: PTH102, PTH103, PTH104, PTH105, PTH108, PTH112, PTH113, PTH116, PTH120, PTH123, PTH208

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from biggus.cache.removing import remove_all
from biggus.errors import CacheError
from biggus.support.forks import between_forks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from biggus.cache.entry import Buffer

_NAME = re.compile(r"[0-9a-f]{2}/[0-9a-f]{38}")
_UNFINISHED = re.compile(r"[0-9a-f]{38}\.(?P<writer>[^.]*)\.[0-9a-f-]+")
# Non-blocking, lest opening a pipe in the place of an entry waits for ever.
_READ_ONLY = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
_READ_ONLY_ERRORS = errno.EACCES, errno.EPERM, errno.EROFS
_BLOCK_BYTES = 4096
_SECTOR_BYTES = 512
_counter = itertools.count()


class Files:
    """The files of entries of one kind in a cache folder.

    Parameters
    ----------
    folder : Path
        Their folder; created when the first file is written.
    fsync : bool
        Whether written files must survive a crash of the machine.
    """

    def __init__(self, folder: Path, *, fsync: bool = False) -> None:
        self.folder = folder
        self._fsync = fsync
        self.writer = ""
        """The name of the writer, a part of the names of its temporary files."""
        self.waiting: Callable[[str], bytes | None] = lambda key: None  # noqa: ARG005
        """Returns the entry of a key that still waits to be written."""
        self._prefix = f"{folder}{os.sep}"

    def path(self, key: str) -> str:
        """Return the path of the file of a key of 40 hexadecimal digits."""
        return f"{self._prefix}{key[:2]}/{key[2:]}"

    def exists(self, key: str) -> bool:
        """Return whether `key` has a file."""
        return os.path.isfile(self.path(key))

    def read(
        self, key: str, announced: Callable[[bytes], int] | None = None, head: int = 0
    ) -> Buffer | None:
        """Return all bytes of the file of `key`, writable, or None if there is none.

        Parameters
        ----------
        key : str
            The key.
        announced : callable, optional
            Given the first `head` bytes, returns the size of the whole entry, or raises if it is
            not the expected one, whose rest is then not read.

        Raises
        ------
        OSError
            If it cannot be read, is not a regular file, or is of another size than announced.
        """
        waiting = self.waiting(key)
        if waiting is not None:
            if announced is not None:
                announced(waiting[:head])
            return np.frombuffer(waiting, np.uint8).copy()
        try:
            descriptor = os.open(self.path(key), _READ_ONLY)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            state = os.fstat(descriptor)
            if not stat.S_ISREG(state.st_mode):
                raise OSError("it is not a regular file")
            size = state.st_size
            with open(descriptor, "rb", closefd=False) as file:
                if announced is not None:
                    named = announced(file.peek(head)[:head])
                    if named != size:
                        raise OSError(f"damaged: {size} bytes, and not {named}")
                buffer = np.empty(size, np.uint8)
                return buffer[: file.readinto(buffer.data)]
        finally:
            os.close(descriptor)

    def head(self, key: str, size: int = 4096) -> bytes | None:
        """Return the first `size` bytes of the file of `key`, or None if it cannot be read."""
        waiting = self.waiting(key)
        if waiting is not None:
            return waiting[:size]
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

    def write(
        self,
        key: str,
        pieces: Iterable[bytes | memoryview],
        may: Callable[[], bool] = lambda: True,
    ) -> int:
        """Create or replace the file of `key`; return its bytes on disk.

        The temporary file is removed, and 0 returned, if `may` returns False.  It is called last,
        just before the rename: a process that makes it return False and then removes all files
        misses none.

        Raises
        ------
        OSError
            If it cannot be written.  Then nothing is left behind, and an existing file is kept.
        """
        target = self.path(key)
        temporary = self._beside(target)
        stored = False
        try:
            try:
                size = self._written(temporary, pieces)
            except (FileNotFoundError, NotADirectoryError):
                self._clear_way(target)
                size = self._written(temporary, pieces)
            stored = may() and self._put(temporary, target)
        finally:
            if not stored:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)
        if stored and self._fsync:
            _sync_folder(os.path.dirname(target))
        return size if stored else 0

    def _put(self, temporary: str, target: str) -> bool:
        """Rename a temporary file to its final name; return False if it was removed meanwhile."""
        try:
            os.replace(temporary, target)
        except OSError:
            if not os.path.lexists(temporary):
                return False
            self._clear_way(target)
            os.replace(temporary, target)
        return True

    def _beside(self, path: str) -> str:
        """Return a unique temporary name beside a path, with the name of the writer in it."""
        return f"{path}.{self.writer}.{next(_counter)}-{os.urandom(4).hex()}"

    def _written(self, path: str, pieces: Iterable[bytes | memoryview]) -> int:
        with open(path, "xb", buffering=0) as file:
            for piece in pieces:
                view = memoryview(piece)
                while view:
                    view = view[file.write(view) :]
            if self._fsync:
                os.fsync(file.fileno())
            return self.blocks(os.fstat(file.fileno()))

    def _clear_way(self, target: str) -> None:
        """Create the folder of a file, and remove what is in the way of either."""
        folder = os.path.dirname(target)
        with contextlib.suppress(OSError):
            os.mkdir(folder)  # most often enough
            return
        if os.path.isdir(target):
            self._set_aside(target)
        elif os.path.lexists(folder) and not os.path.isdir(folder):
            os.unlink(folder)
        make_private(self.folder.parent)
        os.makedirs(folder, exist_ok=True)

    def _set_aside(self, path: str) -> None:
        """Remove a folder, renamed first so that it counts as a temporary file until then."""
        aside = self._beside(path)
        os.rename(path, aside)
        shutil.rmtree(aside, ignore_errors=True)

    def on_disk(self, size: int) -> int:
        """Return the bytes that a file of `size` bytes takes on the disk."""
        return -(-size // _BLOCK_BYTES) * _BLOCK_BYTES

    def blocks(self, state: os.stat_result) -> int:
        """Return the bytes on disk of a file, now or once the system has flushed it."""
        return max(self.on_disk(state.st_size), getattr(state, "st_blocks", 0) * _SECTOR_BYTES)

    def size(self, key: str) -> int | None:
        """Return the bytes on disk of the file of `key`, or None if there is none."""
        try:
            return self.blocks(os.stat(self.path(key)))
        except OSError:
            return None

    def remove(self, key: str) -> None:
        """Remove the file of `key`, or whatever is in its place."""
        path = self.path(key)
        with contextlib.suppress(OSError):
            try:
                os.unlink(path)
            except FileNotFoundError:
                pass
            except OSError:
                self._set_aside(path)

    def keys(self) -> Iterator[tuple[str, os.stat_result]]:
        """Yield the key and the `os.stat_result` of each file, in no order."""
        for first in range(256):
            yield from self.shard(f"{first:02x}")

    def shard(self, name: str) -> Iterator[tuple[str, os.stat_result]]:
        """Yield the same for keys that begin with the two digits `name`."""
        with contextlib.suppress(OSError), os.scandir(self._prefix + name) as entries:
            for item in entries:
                if _NAME.fullmatch(f"{name}/{item.name}"):
                    with contextlib.suppress(OSError):
                        yield name + item.name, item.stat()

    def remove_all(self) -> None:
        """Remove all files and temporary files, but not those that are begun meanwhile."""
        # A file that is renamed while its folder is listed may be listed under neither name.
        self._remove_entries()
        for first in range(256):
            self.tidy(f"{first:02x}", lambda _: True)
        self._remove_entries()

    def _remove_entries(self) -> None:
        remove_all(self.remove, (key for key, _ in self.keys()))

    def tidy(self, name: str, is_dead: Callable[[str], bool]) -> None:
        """Remove from a shard the temporary files of writers for whom `is_dead` returns True."""
        with contextlib.suppress(OSError), os.scandir(self._prefix + name) as entries:
            for item in entries:
                unfinished = _UNFINISHED.fullmatch(item.name)
                if unfinished is None or not is_dead(unfinished["writer"]):
                    continue
                with contextlib.suppress(OSError):
                    if item.is_dir(follow_symlinks=False):
                        shutil.rmtree(item.path, ignore_errors=True)
                    else:
                        os.unlink(item.path)


def cache_folder(path: str | os.PathLike[str] | None) -> Path:
    """Return the path of a cache folder; None stands for ``BIGGUS_CACHE_DIR`` or the user's.

    Raises
    ------
    CacheError
        If it is not a valid path.
    """
    if path is None:
        path = os.environ.get("BIGGUS_CACHE_DIR") or None
    if path is None:
        with between_forks():
            import platformdirs

        path = platformdirs.user_cache_dir("biggus", appauthor=False)
    text = os.fspath(path)
    if not text or "\0" in text:
        raise CacheError(f"{text!r} is not a valid path of a cache folder")
    return Path(text).expanduser().absolute()


def _sync_folder(path: str) -> None:
    """Flush the names in a folder to disk, on systems that can open a folder."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def make_private(folder: Path) -> None:
    """Create a folder that only its owner can read, unless it exists."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)


def make_folder(folder: Path) -> bool:
    """Create a cache folder that only its owner can read; return whether it is writable.

    Raises
    ------
    CacheError
        If it cannot be created or read.
    """
    probe = folder / f".probe-{os.getpid()}-{next(_counter)}"
    try:
        make_private(folder)
        os.listdir(folder)
        try:
            probe.touch()
        except OSError as error:
            if error.errno not in _READ_ONLY_ERRORS:
                raise
            return False
        probe.unlink()
    except OSError as error:
        reason = error.strerror or str(error)
        raise CacheError(
            f"cannot use {folder} as a cache folder: {reason}; use another "
            "folder, or set BIGGUS_CACHE_DIR"
        ) from None
    return True
