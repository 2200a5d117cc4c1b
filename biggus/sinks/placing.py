"""Output that is there complete, or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from typing import TYPE_CHECKING

from biggus.errors import BiggusError, OutputError, OutputExistsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_STORE_MARKS = ("zarr.json", ".zgroup", ".zarray")


_unfinished: set[Path] = set()
"""What is being written, under its temporary name."""


@contextlib.contextmanager
def replacing(path: Path, force: bool = False, hint: str = "overwrite=True") -> Iterator[Path]:
    """Yield a temporary path, and move what is written there to `path` at the end.

    The temporary file or folder lies beside `path`; its name begins with a dot
    and ends in ``.partial``, so that nobody takes what a killed process leaves
    for a result.  If the block fails it is removed, and what is at `path` stays
    as it is.

    Parameters
    ----------
    path : Path
        A file, or a folder that holds a Zarr store.
    force : bool
        Whether something that is there already is replaced.
    hint : str
        What the user is told to say for that.

    Raises
    ------
    OutputError
        If something is there and may not be replaced, or writing fails.
    """
    check_place(path, force, hint)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.partial")
    _unfinished.add(temporary)
    try:
        yield temporary
        check_place(path, force, hint)
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


def check_place(path: Path, force: bool, hint: str = "overwrite=True") -> None:
    """Raise an OutputError if nothing can be put at `path`, or something there may not go."""
    if not path.parent.is_dir():
        raise OutputError(f"cannot write {path}: there is no folder {path.parent}")
    if not os.path.lexists(path):
        return
    if not force:
        raise OutputExistsError(str(path), hint)
    if path.is_dir() and not any((path / mark).exists() for mark in _STORE_MARKS):
        raise OutputError(f"cannot write {path}: it is a folder that holds no Zarr store")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
