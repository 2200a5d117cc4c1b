"""Limits on requests to a host that all processes of a user share.

They limit the requests at a time and the requests per second.  The state is in small files in
the temporary folder, under file locks, which end with their process.  If such files cannot be
used, each process keeps to the limits by itself.
"""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import importlib
import logging
import os
import struct
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from biggus.support.file_locks import fcntl, lock
from biggus.support.forks import between_forks

log = logging.getLogger("biggus.backends.http")

_PAUSE_SECONDS = 0.01
"""How often a waiting request looks for a free place."""

_FARTHEST_SECONDS = 600.0
"""A turn farther in the future was written before the clock was set back."""


@contextlib.contextmanager
def passing(host: str, most: int, per_second: float | None = None) -> Iterator[None]:
    """Wait until a request to a host is within the limits, and hold its place for a with block.

    Parameters
    ----------
    host : str
        The name under which requests are counted.
    most : int
        How many requests of all processes of this user may run at once.
    per_second : float, optional
        How many may begin in a second.
    """
    folder = _folder(os.getpid())
    name = hashlib.blake2b(host.encode(), digest_size=12).hexdigest()
    ours = _places_of(os.getpid(), name)
    place = None if folder is None else _place(folder, name, most, ours)
    try:
        if per_second is not None:
            wait = None if folder is None else _turn(folder / f"{name}.turn", 1 / per_second)
            time.sleep(_own_turn(name, 1 / per_second) if wait is None else wait)
        yield
    finally:
        if place is not None:
            number, file = place
            _close(file)
            ours.discard(number)


def _place(folder: Path, name: str, most: int, ours: set[int]) -> tuple[int, int] | None:
    """Wait for one of the places at a host; return its number and its locked file.

    `ours` has the places of this process, which are not tried; the new one is added.
    """
    start = os.getpid() % most
    while True:
        for number in (*range(start, most), *range(start)):
            if number in ours:
                continue
            file = _opened(folder / f"{name}.{number}")
            if file is None:
                return None
            if _lock(file, wait=False):
                ours.add(number)
                return number, file
            os.close(file)  # not `_close`: another process has the lock
        time.sleep(_PAUSE_SECONDS)


@cache
def _places_of(process: int, name: str) -> set[int]:  # noqa: ARG001 - a child has none
    """Return the places at a host that a process has."""
    return set()


def _turn(path: Path, seconds: float) -> float | None:
    """Take the next turn, and return the seconds until it comes; None if the file fails."""
    file = _opened(path)
    if file is None:
        return None
    try:
        _lock(file, wait=True)
        now = time.time()
        written = os.read(file, 8)
        turn = struct.unpack("<d", written)[0] if len(written) == 8 else 0.0
        if not now <= turn <= now + _FARTHEST_SECONDS:
            turn = now
        os.lseek(file, 0, os.SEEK_SET)
        os.write(file, struct.pack("<d", turn + seconds))
        return turn - now
    except OSError as error:
        log.debug("turns are not shared: %s", error)
        return None
    finally:
        _close(file)


def _own_turn(name: str, seconds: float) -> float:
    """Take the next turn of this process alone, and return the seconds until it comes."""
    lock, turns = _own(os.getpid())
    with lock:
        now = time.monotonic()
        turn = max(now, turns.get(name, now))
        turns[name] = turn + seconds
    return turn - now


@cache
def _own(process: int) -> tuple[threading.Lock, dict[str, float]]:  # noqa: ARG001 - as below
    """Return the next turns of this process, and a lock for them."""
    return threading.Lock(), {}


def _opened(path: Path) -> int | None:
    try:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        return os.open(path, flags, 0o600)
    except OSError as error:
        log.debug("requests are not counted over processes: %s", error)
        return None


def _close(file: int) -> None:
    """Unlock and close a file."""
    # Closing alone would not unlock it if a forked child has it open too.
    if fcntl is not None:
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_UN)
    os.close(file)


def _lock(file: int, *, wait: bool) -> bool:
    """Lock a file; return whether it is locked now."""
    if fcntl is None:
        return _lock_by_msvcrt(file, wait=wait)
    try:
        lock(file, exclusively=True, wait=wait)
    except BlockingIOError:
        return False
    except OSError:
        pass  # a file system without locks
    return True


def _lock_by_msvcrt(file: int, *, wait: bool) -> bool:
    with between_forks():
        msvcrt = importlib.import_module("msvcrt")
    try:
        msvcrt.locking(file, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
    except OSError:
        return False
    return True


@cache
def _folder(process: int) -> Path | None:  # noqa: ARG001 - checked again after a fork
    """Return the folder of this user; None if it does not belong to the user alone."""
    try:
        folder = Path(tempfile.gettempdir()) / f"biggus-{getpass.getuser()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except (OSError, KeyError, ImportError) as error:
        log.debug("requests are not counted over processes: %s", error)
        return None
    ours = not hasattr(os, "getuid") or status.st_uid == os.getuid()
    if not ours or folder.is_symlink() or not folder.is_dir():
        log.debug("requests are not counted over processes: %s is not ours", folder)
        return None
    return folder
