"""Atomic output: files and stores appear when they are complete."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import uuid
from typing import TYPE_CHECKING

from biggus.errors import BiggusError, OutputError, OutputExistsError
from biggus.options import format_bytes
from biggus.support.reasons import reason_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_STORE_MARKS = ("zarr.json", ".zgroup", ".zarray")


_LITTLE_ROOM = 2**20
"""The bytes of free disk space below which errors of writing mention it."""

_unfinished: set[Path] = set()
"""The temporary paths of output that is being written."""


@contextlib.contextmanager
def replacing(path: Path, force: bool = False) -> Iterator[Path]:
    """Yield a temporary path, and rename it to `path` at the end.

    The temporary file or folder is beside `path`.  Its name begins with a dot and ends in
    ``.partial``, so that it is not mistaken for a result if the process is killed.  If the block
    fails, it is removed, and `path` does not change.

    Parameters
    ----------
    path : Path
        The path of a file, or of the folder of a Zarr store.
    force : bool
        Whether to replace an existing file or store.

    Raises
    ------
    OutputError
        If `path` exists and must not be replaced, or writing fails.
    """
    check_place(path, force)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.partial")
    _unfinished.add(temporary)
    try:
        yield temporary
        check_place(path, force)
        if path.is_dir():
            # A folder cannot be replaced in one step.
            old = temporary.with_suffix(".old")
            path.replace(old)
            temporary.replace(path)
            _remove(old)
        else:
            temporary.replace(path)
    except OSError as error:
        if type(error) is OutputError:
            raise OutputError(f"{error}{_room(path, error)}") from error
        if isinstance(error, BiggusError):
            raise
        raise OutputError(f"cannot write {path}: {reason_of(error)}") from error
    finally:
        _remove(temporary)
        _unfinished.discard(temporary)


def remove_unfinished() -> None:
    """Remove all unfinished output; it is called when the process ends."""
    for temporary in list(_unfinished):
        with contextlib.suppress(OSError):
            _remove(temporary)


def check_place(path: Path, force: bool) -> None:
    """Raise an OutputError if `path` cannot be created, or exists and must not be replaced."""
    if not path.parent.is_dir():
        raise OutputError(f"cannot write {path}: there is no folder {path.parent}")
    if not os.path.lexists(path):
        return
    if not force:
        raise OutputExistsError(str(path))
    if path.is_dir() and not any((path / mark).exists() for mark in _STORE_MARKS):
        raise OutputError(f"cannot write {path}: it is a folder without a Zarr store")


def _room(path: Path, error: OutputError) -> str:
    """Return how much room there is on the disk, if an error is about it; else an empty string.

    The errors of the netCDF library do not say that a disk is full.
    """
    is_full = getattr(error.__cause__, "errno", None) == errno.ENOSPC
    with contextlib.suppress(OSError):
        free = shutil.disk_usage(path.parent).free
        if is_full or free < _LITTLE_ROOM:
            return f"; only {format_bytes(free)} are free on the disk of {path.parent}"
    return ""


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
