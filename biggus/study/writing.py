"""Writing a bundle: a zip file whose bytes depend on its contents alone."""

from __future__ import annotations

import itertools
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

from biggus.errors import StudyError
from biggus.study.canonical import plain_json
from biggus.study.crate import crate_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from biggus.study.manifest import Gathered

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
        for digest, kept in gathered.members().items():
            _add(file, CHUNKS + digest, kept.nbytes, kept.pieces())
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
