"""Writing a bundle: a zip file whose bytes depend on its contents alone.

It is made from a spool, and appears as a whole or not at all.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from biggus.errors import OutputError, StudyError
from biggus.sinks.placing import check_place
from biggus.study.canonical import plain_json
from biggus.study.manifest import Gathered


class Bundling:
    """A spool in a temporary folder beside the future bundle.

    Parameters
    ----------
    path : str or os.PathLike
        The path of the bundle.
    overwrite : bool
        Whether to replace an existing file.
    hint : str
        The argument that allows replacing it, for errors.

    Raises
    ------
    OutputError
        If nothing can be written there.
    """

    def __init__(
        self, path: str | os.PathLike[str], overwrite: bool, hint: str = "overwrite=True"
    ) -> None:
        self.path = Path(path).expanduser().absolute()
        self._force, self._hint = overwrite, hint
        check_place(self.path, overwrite, hint)
        if self.path.is_dir():
            raise OutputError(f"cannot write {self.path}: it is a folder")
        try:
            made = tempfile.mkdtemp(".partial", f".{self.path.name}.", self.path.parent)
        except OSError as error:
            raise OutputError(f"cannot write {self.path}: {error.strerror}") from error
        self.folder = Path(made)

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
            check_place(self.path, self._force, self._hint)
            temporary.replace(self.path)
        except OSError as error:
            if isinstance(error, OutputError):
                raise
            raise OutputError(f"cannot write {self.path}: {error.strerror or error}") from error
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


_CRATE = "https://w3id.org/ro/crate/1.1"
_NO_DATE = "1980-01-01"


_DESCRIPTOR = {
    "@id": "ro-crate-metadata.json",
    "@type": "CreativeWork",
    "conformsTo": {"@id": _CRATE},
    "about": {"@id": "./"},
}
_PARTS = (
    {
        "@id": "manifest.json",
        "@type": "File",
        "name": "What is in it, where from, and with which digests",
        "encodingFormat": "application/json",
    },
    {
        "@id": "chunks/",
        "@type": "Dataset",
        "name": "The chunks, each under the SHA-256 digest of its bytes",
    },
)
_TERMS = {
    "@id": "#license",
    "@type": "CreativeWork",
    "name": "The licenses of what it was made from",
    "description": "For the chunks in it hold the licenses of where they come from.",
}


def crate_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return the RO-Crate metadata document of a bundle with this manifest.

    See https://w3id.org/ro/crate/1.1.
    """
    read = [source for source in manifest["sources"] if source["chunks"]]
    software = [
        {
            "@id": f"#{name}",
            "@type": "SoftwareApplication",
            "name": name,
            "softwareVersion": version,
        }
        for name, version in sorted(manifest["made_with"].items())
    ]
    origins = [
        {"@id": f"#origin-{number}", "@type": "CreativeWork", "name": name}
        for number, name in enumerate(sorted({source["origin"] for source in read}), start=1)
    ]
    action = {
        "@id": "#recording",
        "@type": "CreateAction",
        "name": "Recording what a program read",
        "instrument": _links(software),
        "object": _links(origins),
        "result": {"@id": "./"},
    }
    root = _root(manifest["receipt"], len(read), _links(origins))
    graph = [_DESCRIPTOR, root, *_PARTS, _TERMS, action, *software, *origins]
    return {"@context": f"{_CRATE}/context", "@graph": graph}


def _root(receipt: str, arrays: int, origins: list[dict[str, str]]) -> dict[str, Any]:
    """Return the entity of the bundle as a whole."""
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": "What a result was made from, recorded by biggus",
        "description": (
            f"The chunks of {arrays} arrays that a program read, as they were stored, and "
            "what it takes to run it again on them alone: biggus replay. Dates are fixed, so "
            "that equal studies are equal files."
        ),
        "datePublished": _date(),
        "license": {"@id": _TERMS["@id"]},
        "identifier": receipt,
        "isBasedOn": origins,
        "hasPart": _links(_PARTS),
        "mentions": [{"@id": "#recording"}],
    }


def _links(entities: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    return [{"@id": each["@id"]} for each in entities]


def _date() -> str:
    """Return the date of the variable ``SOURCE_DATE_EPOCH``, else a fixed one."""
    try:
        return time.strftime("%Y-%m-%d", time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"])))
    except (KeyError, ValueError, OverflowError, OSError):
        return _NO_DATE
