"""Writing a bundle: a zip file whose bytes depend on its contents alone.

It is made from a spool, and appears as a whole or not at all.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biggus.errors import OutputError, StudyError
from biggus.sinks.placing import check_place
from biggus.study.canonical import plain_json
from biggus.study.crate import crate_of
from biggus.study.manifest import Gathered
from biggus.support.reasons import reason_of

if TYPE_CHECKING:
    import os


class Bundling:
    """A spool in a temporary folder beside the future bundle.

    Parameters
    ----------
    path : str or os.PathLike
        The path of the bundle.
    overwrite : bool
        Whether to replace an existing file.

    Raises
    ------
    OutputError
        If nothing can be written there.
    """

    def __init__(self, path: str | os.PathLike[str], overwrite: bool) -> None:
        self.path = Path(path).expanduser().absolute()
        self._force = overwrite
        check_place(self.path, overwrite)
        if self.path.is_dir():
            raise OutputError(f"cannot write {self.path}: it is a folder")
        try:
            folder = tempfile.mkdtemp(".partial", f".{self.path.name}.", self.path.parent)
        except OSError as error:
            raise OutputError(f"cannot write {self.path}: {error.strerror}") from error
        self.folder = Path(folder)

    def finish(self) -> dict[str, Any]:
        """Make the bundle from the spool, and return its manifest.

        Raises
        ------
        OutputError
            If it cannot be written.
        StudyError
            If a source changed while it was recorded.
        """
        temporary = self.folder / "bundle"
        try:
            manifest = write(temporary, Gathered(self.folder))
            check_place(self.path, self._force)
            temporary.replace(self.path)
        except OSError as error:
            if isinstance(error, OutputError):
                raise
            raise OutputError(f"cannot write {self.path}: {reason_of(error)}") from error
        return manifest

    def remove(self) -> None:
        """Remove the spool."""
        shutil.rmtree(self.folder, ignore_errors=True)


MANIFEST = "manifest.json"
CRATE = "ro-crate-metadata.json"
CHUNKS = "chunks/"

MOST_MANIFEST = 2**27
"""The largest manifest in bytes, enough for about a million chunks."""

_FIRST_DATE = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_READABLE = 0o644 << 16
_SAMPLE = 2**16
_GAIN = 0.9


def write(path: Path, gathered: Gathered) -> dict[str, Any]:
    """Write the bundle of a spool, and return its manifest.

    Raises
    ------
    StudyError
        If there are too many chunks.
    """
    manifest = gathered.manifest()
    text = plain_json(manifest).encode()
    if len(text) > MOST_MANIFEST:
        raise StudyError("a study cannot hold so many chunks: record less at a time")
    crate = plain_json(crate_of(manifest)).encode()
    with zipfile.ZipFile(path, "x") as file:
        for digest, chunk in gathered.members().items():
            _add(file, CHUNKS + digest, chunk.nbytes, chunk.pieces())
        _add(file, MANIFEST, len(text), [text])
        _add(file, CRATE, len(crate), [crate])
    return manifest


def _add(file: zipfile.ZipFile, name: str, nbytes: int, pieces: Iterable[bytes]) -> None:
    pieces = iter(pieces)
    first = next(pieces, b"")
    info = zipfile.ZipInfo(name, _FIRST_DATE)
    info.create_system = _UNIX  # on every system
    info.external_attr = _READABLE
    info.compress_type = zipfile.ZIP_DEFLATED if _gains(first) else zipfile.ZIP_STORED
    with file.open(info, "w", force_zip64=nbytes >= 2**31) as member:
        for piece in itertools.chain([first], pieces):
            member.write(piece)


def _gains(first: bytes) -> bool:
    """Return whether compressing pays, judged by the first piece: noise hardly compresses."""
    sample = first[:_SAMPLE]
    return len(zlib.compress(sample, 1)) < _GAIN * len(sample)
