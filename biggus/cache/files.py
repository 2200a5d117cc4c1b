"""Files: where entries lie, one file each under a name that follows from its key.

A file is found without asking any index, comes into being whole (it is
written under another name and renamed), and is replaced whole.  So a hit is one open and
one read, and a writer that is killed leaves nothing that could be taken for an
entry.  It is renamed within its folder: moves between folders wait for those of
everybody who uses the disk.
"""
# Strings, for making a Path costs as much as opening the file.
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
# A pipe that lies where an entry should must not be waited for.
_READ_ONLY = os.O_RDONLY
for _flag in ("O_BINARY", "O_CLOEXEC", "O_NONBLOCK"):
    _READ_ONLY |= getattr(os, _flag, 0)
_READ_ONLY_ERRORS = errno.EACCES, errno.EPERM, errno.EROFS
_BLOCK_BYTES = 4096
_SECTOR_BYTES = 512
_counter = itertools.count()


class Files:
    """The files of one kind in a cache folder.

    Parameters
    ----------
    folder : Path
        Where they lie; made when the first is written.
    fsync : bool
        Whether a file that was written is there also after a crash of the machine.
    """

    def __init__(self, folder: Path, *, fsync: bool = False) -> None:
        self.folder = folder
        self._fsync = fsync
        self.writer = ""
        """Who writes: what it has not finished can be told from that of others."""
        self.waiting: Callable[[str], bytes | None] = _nothing
        """Gives what is to be written to the file of a key still."""
        self._prefix = f"{folder}{os.sep}"

    def path(self, key: str) -> str:
        """Return the path of the file of a key of 40 hexadecimal digits."""
        return f"{self._prefix}{key[:2]}/{key[2:]}"

    def exists(self, key: str) -> bool:
        """Tell whether `key` has a file."""
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
            Given the first `head` bytes, returns how many there are in all, or raises: so
            nothing is read of a file that has become another.

        Raises
        ------
        OSError
            If it cannot be read, is no file, or of another size than announced.
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
                raise OSError("it is no file")
            size = state.st_size
            start = b""
            if announced is not None:
                start = os.read(descriptor, head)
                named = announced(start)
                if named != size:
                    raise OSError(f"damaged: {size} bytes, and not {named}")
            buffer = np.empty(size, np.uint8)
            with open(descriptor, "rb", buffering=0, closefd=False) as file:
                view, done = buffer.data, len(start)
                view[:done] = start
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
        """Make or replace the file of `key`; return the bytes that it takes on the disk.

        What has been written is taken back, and 0 returned, if it `may` not be there: asked is
        that at last, so that who changes it and then removes all files misses none.

        Raises
        ------
        OSError
            If it cannot be written; then nothing is left behind, and what
            was there is as it was.
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
        """Give a file its name; tell whether it was there still, and not removed meanwhile."""
        try:
            os.replace(temporary, target)
        except OSError:
            if not os.path.lexists(temporary):
                return False
            self._clear_way(target)
            os.replace(temporary, target)
        return True

    def _beside(self, path: str) -> str:
        """Return a name beside a path that is nobody else's, and tells whose it is."""
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
        """Make the folder of a file; what lies in its place and is none goes out of the way."""
        folder = os.path.dirname(target)
        with contextlib.suppress(OSError):
            os.mkdir(folder)  # most often that is all
            return
        if os.path.isdir(target):
            self._set_aside(target)
        elif os.path.lexists(folder) and not os.path.isdir(folder):
            os.unlink(folder)
        make_private(self.folder.parent)
        os.makedirs(folder, exist_ok=True)

    def _set_aside(self, path: str) -> None:
        """Have no folder at a path; what was there is unfinished, and so removed."""
        aside = self._beside(path)
        os.rename(path, aside)
        shutil.rmtree(aside, ignore_errors=True)

    def on_disk(self, size: int) -> int:
        """Return the bytes that a file of `size` bytes takes on the disk."""
        return -(-size // _BLOCK_BYTES) * _BLOCK_BYTES

    def blocks(self, state: os.stat_result) -> int:
        """Return the bytes on disk of a file: what it takes now, or will when it is written out."""
        return max(self.on_disk(state.st_size), getattr(state, "st_blocks", 0) * _SECTOR_BYTES)

    def size(self, key: str) -> int | None:
        """Return the bytes on disk of the file of `key`, or None if there is none."""
        try:
            return self.blocks(os.stat(self.path(key)))
        except OSError:
            return None

    def remove(self, key: str) -> None:
        """Remove the file of `key`, or what lies in its place, if there is anything."""
        path = self.path(key)
        with contextlib.suppress(OSError):
            try:
                os.unlink(path)
            except FileNotFoundError:
                pass
            except OSError:
                self._set_aside(path)

    def keys(self) -> Iterator[tuple[str, os.stat_result]]:
        """Yield the key of each file and what the file system says of it, in no order."""
        for first in range(256):
            yield from self.shard(f"{first:02x}")

    def shard(self, name: str) -> Iterator[tuple[str, os.stat_result]]:
        """Yield what `keys` yields, for the keys that begin with two given digits."""
        with contextlib.suppress(OSError), os.scandir(self._prefix + name) as found:
            for item in found:
                if _NAME.fullmatch(f"{name}/{item.name}"):
                    with contextlib.suppress(OSError):
                        yield name + item.name, item.stat()

    def remove_all(self) -> None:
        """Remove all files, and what anybody is writing: not what is begun meanwhile."""
        # What is renamed while its folder is looked through may be seen under neither name.
        self._remove_entries()
        for first in range(256):
            self.tidy(f"{first:02x}", lambda _: True)
        self._remove_entries()

    def _remove_entries(self) -> None:
        remove_all(self.remove, (key for key, _ in self.keys()))

    def tidy(self, name: str, left: Callable[[str], bool]) -> None:
        """Remove from a shard what writers have not finished of whom `left` says so."""
        with contextlib.suppress(OSError), os.scandir(self._prefix + name) as found:
            for item in found:
                unfinished = _UNFINISHED.fullmatch(item.name)
                if unfinished is None or not left(unfinished["writer"]):
                    continue
                with contextlib.suppress(OSError):
                    if item.is_dir(follow_symlinks=False):
                        shutil.rmtree(item.path, ignore_errors=True)
                    else:
                        os.unlink(item.path)


def cache_folder(path: str | os.PathLike[str] | None) -> Path:
    """Return the folder of a cache, of which None is that of the environment or the user.

    Raises
    ------
    CacheError
        If it is no path.
    """
    if path is None:
        path = os.environ.get("BIGGUS_CACHE_DIR") or None
    if path is None:
        with between_forks():
            import platformdirs

        path = platformdirs.user_cache_dir("biggus", appauthor=False)
    text = os.fspath(path)
    if not text or "\0" in text:
        raise CacheError(f"{text!r} is no path of a cache folder")
    return Path(text).expanduser().absolute()


def _sync_folder(path: str) -> None:
    """Have the names in a folder outlive a crash, where a folder can be opened."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _nothing(key: str) -> None:  # noqa: ARG001 - as others are asked
    return None


def make_private(folder: Path) -> None:
    """Make a folder that its owner alone can read, if it is not there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)


def make_folder(folder: Path) -> bool:
    """Make a cache folder that its owner alone can read; tell whether it can be written.

    Raises
    ------
    CacheError
        If it is not there and cannot be made, or cannot be read.
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
            f"cannot use {folder} as a cache folder: {reason}; give another with "
            "Cache(path) or BIGGUS_CACHE_DIR"
        ) from None
    return True
