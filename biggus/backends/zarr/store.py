"""The objects of a Zarr store, metadata documents and chunks, by key.

All kinds of stores (folder, zip file, web server, ...) have one strict interface: an absent object
is None, an unreadable one is an exception, and nothing else is ever returned as an object.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import math
import os
import struct
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

from biggus.backends import files
from biggus.backends.settling import look_again, settled, settled_signature, signature_or_none
from biggus.backends.signature import FileSignature
from biggus.backends.zarr.expected import ANYTHING, Expected
from biggus.support.watching import agrees, see

_OF_ARRAYS = ("zarr.json", ".zarray")
METADATA_NAMES = ("zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata")
"""The names of the documents that make a folder a Zarr store."""

Span: TypeAlias = tuple[int | None, int | None]
"""The start and stop in an object, as in a slice; ``(-n, None)`` is its end."""

WHOLE: Span = (None, None)

_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0)
_LONGEST = 2**30
"""The most bytes of one read; no system reads more than 2 GiB at once."""


class Fetched(NamedTuple):
    """An object, or a span of it."""

    data: bytes
    """The bytes."""

    tag: str | None = None
    """The state of the object, if the store returns it with the bytes."""

    good_for: float | None = math.inf
    """The seconds for which a copy is valid; None if none may be kept."""


Get: TypeAlias = Callable[[Span], "Fetched | None"]
"""Reads a span of one object; None if there is no such object."""


class ForbiddenError(OSError):
    """A server forbids reading an object; some do so for objects that do not exist."""


class ZarrStore(ABC):
    """Read access to the objects of one store, for many threads."""

    remote: bool = False
    """Whether objects are read over a network."""

    variant: str = ""
    """The options of opening that change values, as a part of tokens."""

    direct: bool = False
    """Whether objects are local, so that reads do not wait."""

    expected: Expected = ANYTHING
    """The expected properties of chunks, from the metadata."""

    @abstractmethod
    def get(self, key: str, span: Span = WHOLE) -> Fetched | None:
        """Return an object or a span of it; None if it does not exist.

        Raises
        ------
        OSError
            If it is unknown whether it exists, or it cannot be read.
        """

    @contextlib.contextmanager
    def opened(self, key: str) -> Iterator[Get]:
        """Give a function that reads spans of one object, all of the same state if possible."""
        yield functools.partial(self.get, key)

    def metadata_keys(self) -> Iterable[str] | None:
        """Return the keys of all metadata documents, or None if they cannot be listed."""
        return None

    def folders(self, key: str) -> Iterable[str] | None:
        """Return the keys of what lies below a key, one level deep; None if that is not listed.

        Asked of stores that do not list their documents, and have no consolidated metadata.
        """
        return None

    def signature(self, key: str) -> object:
        """Return a cheap value that changes when the metadata document `key` does.

        Returns
        -------
        object
            None if nothing is cheap enough for each read.

        Raises
        ------
        FileNotFoundError
            If the document is gone.
        """
        raise NotImplementedError

    def validator(self, metadata: Sequence[str], chunks: Iterable[str]) -> bytes | None:
        """Return bytes that identify the state of these objects, or None if it is unknown.

        The first of `metadata` must exist; all others may be absent.
        """
        raise NotImplementedError


class FolderStore(ZarrStore):
    """The objects in a local folder.

    Parameters
    ----------
    root : pathlib.Path
        The folder.
    """

    direct = True

    def __init__(self, root: Path) -> None:
        self.root = root
        self._prefix = os.path.join(root, "")  # noqa: PTH118 - joined for each chunk

    def get(self, key: str, span: Span = WHOLE) -> Fetched | None:
        file = self._open(key)
        if file is None:
            return None
        try:
            return _read(*file, span)
        finally:
            os.close(file[0])

    @contextlib.contextmanager
    def opened(self, key: str) -> Iterator[Get]:
        file = self._open(key)
        if file is None:
            yield lambda span: None  # noqa: ARG005 - a Get
            return
        try:
            yield functools.partial(_read, *file)
        finally:
            os.close(file[0])

    def _open(self, key: str) -> tuple[int, int] | None:
        """Return the descriptor and size of an object, or None if it does not exist."""
        path = self._prefix + key
        try:
            file = os.open(path, _READ)
        except (FileNotFoundError, NotADirectoryError):
            if os.path.lexists(path):
                raise OSError(f"{path} is a link to nowhere") from None
            self._see(key, None)
            return None
        try:
            whole = functools.partial(self._description, key)
            signature = settled(lambda: FileSignature.of(os.fstat(file)), path, whole)
            self._see(key, signature)
        except BaseException:
            os.close(file)
            raise
        return file, signature.size

    def _description(self, key: str) -> FileSignature | None:
        """Return the signature of the metadata document of an object's array."""
        while key:
            key = key.rpartition("/")[0]
            for name in _OF_ARRAYS:
                signature = signature_or_none(self._prefix + (f"{key}/{name}" if key else name))
                if signature is not None:
                    return signature
        return None

    def _see(self, key: str, signature: FileSignature | None) -> None:
        # Metadata documents are compared by their contents instead.
        if not key.endswith(METADATA_NAMES):
            see(self._prefix + key, signature, signature_or_none)

    def metadata_keys(self) -> Iterable[str]:
        pending = [""]
        linked = {os.path.realpath(self.root)}
        while pending:
            prefix = pending.pop()
            folders = []
            is_array = False
            with os.scandir(self._prefix + prefix) as entries:
                for entry in entries:
                    if entry.name in METADATA_NAMES:
                        is_array |= entry.name == ".zarray"
                        yield prefix + entry.name
                    elif entry.is_dir():
                        if entry.is_symlink():
                            # A link may lead round in circles: each place once.
                            target = os.path.realpath(entry.path)
                            if target in linked:
                                continue
                            linked.add(target)
                        folders.append(f"{prefix}{entry.name}/")
            # Chunks lie in the folder of their array, in any number: they
            # are not walked through in search of metadata.
            if not is_array and not self._is_v3_array(prefix):
                pending += sorted(folders, reverse=True)

    def _is_v3_array(self, prefix: str) -> bool:
        document = self.get(prefix + "zarr.json")
        return (
            document is not None
            and b'"chunk_grid"' in document.data
            and not _is_group(document.data)
        )

    def signature(self, key: str) -> object:
        return FileSignature.of(os.stat(self._prefix + key))  # noqa: PTH116 - at each read

    def validator(self, metadata: Sequence[str], chunks: Iterable[str]) -> bytes | None:
        first = metadata[0]
        digest = hashlib.blake2b(digest_size=20)
        for number, key in enumerate([*metadata, *chunks]):
            path = self._prefix + key
            look = signature_or_none if number >= len(metadata) else None
            state = files.validator_of_file(path, look)
            if state is None:
                # Absent is a valid state, but not of the first metadata document.
                if key == first or os.path.lexists(path) or not agrees(path, None, look):
                    return None
                state = b"absent"
            digest.update(state)
        return digest.digest()


def _read(file: int, size: int, span: Span) -> Fetched:
    """Read a span of an open file; the result is shorter if the file is."""
    start, stop, _ = slice(*span).indices(size)
    # Nobody else has this descriptor, and thus its position.
    os.lseek(file, start, os.SEEK_SET)
    wanted = max(0, stop - start)
    data = os.read(file, min(wanted, _LONGEST))
    while (missing := wanted - len(data)) and (more := os.read(file, min(missing, _LONGEST))):
        data += more
    return Fetched(data)


class ZipStore(ZarrStore):
    """The objects in a local zip file.

    The file is opened for each read, so that threads, or a process and its fork, do not share a
    position in it.

    Parameters
    ----------
    path : pathlib.Path
        The zip file.
    """

    direct = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self._name = str(path)

    def _members(self, signature: FileSignature | None = None) -> dict[str, zipfile.ZipInfo]:
        return _zip_members(
            self.path, settled_signature(self._name) if signature is None else signature
        )

    def get(self, key: str, span: Span = WHOLE) -> Fetched | None:
        signature = settled_signature(self._name)
        see(self._name, signature)
        info = self._members(signature).get(key)
        if info is None:
            return None
        try:
            # Go to the member directly, as opening the archive would read its directory again.
            with self.path.open("rb") as file:
                file.seek(info.header_offset)
                header = file.read(_LOCAL_HEADER.size)
                if len(header) < _LOCAL_HEADER.size or header[:4] != b"PK\x03\x04":
                    raise OSError(f"{self.path} is damaged: no header where {key} should be")
                name_length, extra_length = _LOCAL_HEADER.unpack(header)[-2:]
                file.seek(name_length + extra_length, os.SEEK_CUR)
                with zipfile.ZipExtFile(file, "r", info) as member:
                    start, stop, _ = slice(*span).indices(info.file_size)
                    if start:
                        member.seek(start)
                    data = member.read() if stop == info.file_size else member.read(stop - start)
        except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
            raise OSError(f"{self.path} is damaged at {key}: {error}") from error
        if len(data) != max(0, stop - start):
            raise OSError(f"{self.path} is cut short at {key}")
        look_again([(self._name, signature)])
        return Fetched(data)

    def metadata_keys(self) -> Iterable[str]:
        return [key for key in self._members() if key.rpartition("/")[2] in METADATA_NAMES]

    def signature(self, key: str) -> object:
        return FileSignature.of(self.path.stat())

    def validator(self, metadata: Sequence[str], chunks: Iterable[str]) -> bytes | None:
        return files.file_validator(self.path)


_LOCAL_HEADER = struct.Struct("<4s5H3I2H")


@functools.lru_cache(maxsize=32)
def _zip_members(path: Path, state: object) -> dict[str, zipfile.ZipInfo]:  # noqa: ARG001 - a key
    try:
        with zipfile.ZipFile(path) as archive:
            return {info.filename: info for info in archive.infolist() if not info.is_dir()}
    except zipfile.BadZipFile as error:
        raise OSError(f"the zip file is damaged or cut short: {error}") from error


def _is_group(document: bytes) -> bool:
    try:
        return bool(json.loads(document).get("node_type") == "group")
    except (ValueError, AttributeError, RecursionError):
        return False
