"""Reading bundles: files of recorded chunks, whose contents are checked when they are read."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biggus.errors import StudyError
from biggus.sources.description import DescribedSource
from biggus.sources.normal import normal_chunks
from biggus.study.canonical import decoded, dtype_json, most_bytes
from biggus.study.manifest import FORMAT, VERSION
from biggus.study.receipts import Place, receipt_of, source_digest
from biggus.study.writing import CHUNKS, CRATE, MANIFEST, MOST_MANIFEST
from biggus.support.forks import new_lock
from biggus.support.reasons import reason_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from biggus.sources.base import Values

_DIGEST = re.compile(r"[0-9a-f]{64}")
_MEMBER = re.compile(rf"{MANIFEST}|{CRATE}|{CHUNKS}{_DIGEST.pattern}")
_MOST_TEXT = 2**30


class BundledSource:
    """A source in a bundle.

    Attributes
    ----------
    token, origin, digest : str
        The token, name and digest of the source.
    description : dict
        The result of `describe`.
    chunks : dict
        The digest and the number of bytes of each chunk, by its place.
    siblings : dict
        The tokens of other variables of its store that were looked for, by name; None for a
        variable that does not exist.
    """

    def __init__(self, fields: dict[str, Any]) -> None:
        self.token = _text(fields["token"])
        self.origin = _text(fields["origin"])
        self.digest = _text(fields["digest"])
        self.description = dict(fields["description"])
        self.siblings = {_text(name): token for name, token in dict(fields["siblings"]).items()}
        self.chunks: dict[Place, tuple[str, int]] = {}
        source = self.source()
        if self.token != source.token:
            raise ValueError(f"the source {self.token!r} has another token")
        for edges, digest, nbytes in fields["chunks"]:
            place = tuple([(int(start), int(stop)) for start, stop in edges])
            inside = len(place) == len(source.shape) and all(
                0 <= start <= stop <= n
                for (start, stop), n in zip(place, source.shape, strict=True)
            )
            if not inside or not _DIGEST.fullmatch(digest) or place in self.chunks:
                raise ValueError(f"{place} is not a chunk of {source.name}")
            self.chunks[place] = (digest, int(nbytes))
        digests = {place: digest for place, (digest, _) in self.chunks.items()}
        if self.digest != source_digest(source.conventions, source.attributes, digests):
            raise ValueError(f"the chunks of {source.name} have another digest")

    def source(self) -> DescribedSource:
        """Return a source with the recorded metadata and no values."""
        source = DescribedSource(self.description)
        if not all(isinstance(n, int) and n >= 0 for n in source.shape):
            raise ValueError(f"{source.shape} is not a shape")
        if source.dtype.subdtype is not None:
            raise ValueError(f"{source.dtype} is not a dtype of an array")
        dtype_json(source.dtype)
        if source.chunks is not None:
            source.chunks = normal_chunks(source.chunks, source.shape)
        return source


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value


class Bundle:
    """A bundle; opening it reads its manifest only.

    Parameters
    ----------
    path : str or os.PathLike
        The file.

    Raises
    ------
    StudyError
        If it does not exist, is not a bundle, or is damaged.

    Attributes
    ----------
    receipt : str
        The receipt of all chunks in it.
    manifest : dict
        The manifest.
    sources : dict of str to BundledSource
        The sources by token.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).expanduser().absolute()
        self._lock = new_lock()
        self._file: zipfile.ZipFile | None = None
        self._pid = os.getpid()
        with self._reading("it is not a study of biggus, or is damaged"):
            members = self._opened().infolist()
            for member in members:
                if not _MEMBER.fullmatch(member.filename):
                    raise StudyError(f"{self.path} has no place for {member.filename!r:.80}")
            self._members = {member.filename: member for member in members}
            if len(self._members) < len(members):
                raise StudyError(f"{self.path} has several members of one name")
        manifest = self._manifest()
        with self._reading("its manifest is invalid"):
            self._check_format(manifest)
            self.manifest = manifest
            sources = [BundledSource(fields) for fields in manifest["sources"]]
            self.sources = {source.token: source for source in sources}
            self.receipt = receipt_of([source.digest for source in sources if source.chunks])
            if len(self.sources) < len(sources) or self.receipt != manifest["receipt"]:
                raise ValueError("its receipt does not match")
            self._check_members()

    def __repr__(self) -> str:
        return f"Bundle({str(self.path)!r})"

    def _check_format(self, manifest: Any) -> None:
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            raise StudyError(f"{self.path} is not a study of biggus")
        version = manifest.get("version")
        if version != VERSION:
            raise StudyError(
                f"{self.path} has version {version!r:.20} of the format, and this version of "
                f"biggus reads {VERSION}; a newer one may have made it"
            )

    def _check_members(self) -> None:
        """Check that the listed chunks are in the file, and no others."""
        listed = {
            f"{CHUNKS}{digest}": nbytes
            for source in self.sources.values()
            for digest, nbytes in source.chunks.values()
        }
        there = {name for name in self._members if name.startswith(CHUNKS)}
        for name in sorted(there.symmetric_difference(listed)):
            problem = "lacks" if name in listed else "has no place for"
            raise StudyError(f"{self.path} {problem} {name}")
        for name, nbytes in listed.items():
            if self._members[name].file_size != nbytes:
                raise StudyError(f"{self.path} is damaged: {name} is of another length")

    @contextlib.contextmanager
    def _reading(self, problem: str) -> Iterator[None]:
        """Raise any error as a StudyError, for the file may come from anybody."""
        try:
            yield
        except FileNotFoundError:
            raise StudyError(f"there is no study {self.path}") from None
        except (PermissionError, IsADirectoryError) as error:
            raise StudyError(f"cannot read {self.path}: {reason_of(error)}") from error
        except Exception as error:
            if isinstance(error, StudyError) and str(self.path) in str(error):
                raise
            raise StudyError(
                f"cannot read {self.path}: {problem}: {reason_of(error)[:200]}"
            ) from error

    def _opened(self) -> zipfile.ZipFile:
        """Return the open file; a forked child opens its own, to not share the file position."""
        if self._file is None or self._pid != os.getpid():
            self._file, self._pid = zipfile.ZipFile(self.path), os.getpid()
        return self._file

    def _content(self, name: str, most: int) -> bytes:
        member = self._members[name]
        if member.file_size > most:
            raise StudyError(f"{self.path} is damaged or malicious: {name} is too long")
        with self._lock, self._opened().open(name) as file:
            content = file.read(member.file_size)
            if len(content) < member.file_size or file.read(1):
                raise EOFError(f"{name} is of another length")
        return content

    def _manifest(self) -> Any:
        with self._reading("it has no readable manifest"):
            return json.loads(
                self._content(MANIFEST, MOST_MANIFEST).decode(), parse_constant=_refuse
            )

    def values(self, source: BundledSource, place: Place, dtype: np.dtype[Any]) -> Values:
        """Return the values of a chunk.

        Raises
        ------
        StudyError
            If it is not in the bundle, or is damaged.
        """
        region = f"{source.origin} {format_place(place)}"
        if place not in source.chunks:
            raise StudyError(
                f"{region} is not in {self.path}: the recorded program did not read it"
            )
        digest, _ = source.chunks[place]
        shape = tuple([stop - start for start, stop in place])
        with self._reading(f"{region} is damaged"):
            content = self._content(f"{CHUNKS}{digest}", most_bytes(dtype, shape) or _MOST_TEXT)
            if hashlib.sha256(content).hexdigest() != digest:
                raise ValueError("it has another digest")
            return decoded(content, dtype, shape)

    def check(self) -> None:
        """Read and check everything in the bundle.

        Raises
        ------
        StudyError
            If anything is damaged.
        """
        for source in self.sources.values():
            with self._reading(f"the description of {source.origin} is damaged"):
                dtype = source.source().dtype
            for place in source.chunks:
                self.values(source, place, dtype)
        with self._reading(f"its {CRATE} is damaged"):
            if CRATE in self._members:
                self._content(CRATE, MOST_MANIFEST)

    @property
    def chunks(self) -> int:
        """The number of chunks."""
        return sum(len(source.chunks) for source in self.sources.values())

    @property
    def nbytes(self) -> int:
        """The bytes of the values of all chunks."""
        return sum(
            source.source().dtype.itemsize * math.prod(stop - start for start, stop in place)
            for source in self.sources.values()
            for place in source.chunks
        )


def format_place(place: Place) -> str:
    """Format the place of a chunk like the key that selects it.

    Examples
    --------
    >>> format_place(((0, 10), (4, 20)))
    '[0:10, 4:20]'
    """
    return f"[{', '.join(f'{start}:{stop}' for start, stop in place)}]"


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
