"""Output that is there complete, or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from typing import TYPE_CHECKING

from biggus.errors import BiggusError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_STORE_MARKS = ("zarr.json", ".zgroup", ".zarray")


_unfinished: set[Path] = set()
"""What is being written, under its temporary name."""


class OutputError(BiggusError, OSError):
    """A result cannot be written where it should go."""

    def __str__(self) -> str:
        return str(self.args[0])


@contextlib.contextmanager
def replacing(path: Path, force: bool = False) -> Iterator[Path]:
    """Yield a temporary path, and move what is written there to `path` at the end.

    The temporary file or folder lies beside `path` and has its suffix.  If
    the block fails it is removed, and what is at `path` stays as it is.

    Parameters
    ----------
    path : Path
        A file, or a folder that holds a Zarr store.
    force : bool
        Whether something that is there already is replaced.

    Raises
    ------
    OutputError
        If something is there and may not be replaced, or writing fails.
    """
    _check(path, force)
    temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:12]}{path.suffix}")
    _unfinished.add(temporary)
    try:
        yield temporary
        _check(path, force)
        if path.is_dir():
            # A folder cannot be replaced in one step, only moved out of the way.
            old = temporary.with_suffix(".old")
            path.replace(old)
            temporary.replace(path)
            _remove(old)
        else:
            temporary.replace(path)
    except OSError as error:
        if isinstance(error, BiggusError):
            raise
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        _remove(temporary)
        _unfinished.discard(temporary)


def remove_unfinished() -> None:
    """Remove all that is being written: the process ends now."""
    for temporary in list(_unfinished):
        with contextlib.suppress(OSError):
            _remove(temporary)


def _check(path: Path, force: bool) -> None:
    if not path.parent.is_dir():
        raise OutputError(f"cannot write {path}: there is no folder {path.parent}")
    if not os.path.lexists(path):
        return
    if not force:
        raise OutputError(f"cannot write {path}: it is there already; --force replaces it")
    if path.is_dir() and not any((path / mark).exists() for mark in _STORE_MARKS):
        raise OutputError(f"cannot write {path}: it is a folder that holds no Zarr store")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
