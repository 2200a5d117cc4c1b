"""The spool: a folder into which every process of a recorded program writes what it reads.

Each process appends the canonical bytes of chunks to one file, and a line of JSON for each
chunk, source and call to another.  So memory does not grow with the data, processes need
not know of one another, and an unfinished line of a process that was killed is ignored.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from biggus.errors import StudyError
from biggus.study.canonical import plain_json
from biggus.support.forks import new_lock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from biggus.study.receipts import Place

_NOTES = ".notes"
_CHUNKS = ".chunks"


class SpooledChunk(NamedTuple):
    """A chunk in a spool: its digest, and where its bytes are."""

    digest: str
    path: Path
    start: int
    nbytes: int

    def pieces(self, longest: int = 2**20) -> Iterator[bytes]:
        """Yield the bytes in pieces."""
        with self.path.open("rb") as file:
            file.seek(self.start)
            remaining = self.nbytes
            while remaining:
                piece = file.read(min(remaining, longest))
                if not piece:
                    raise StudyError(f"{self.path} is shorter than it was")
                remaining -= len(piece)
                yield piece


class Spool:
    """Writes to the files of this process in a spool.

    Parameters
    ----------
    folder : Path
        The spool, which must exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = new_lock()
        self._files: tuple[BinaryIO, BinaryIO] | None = None
        self._start = 0
        self._kept: dict[tuple[str, Place], SpooledChunk] = {}
        self._notes_written: set[bytes] = set()
        self._pid = os.getpid()

    def _open(self) -> tuple[BinaryIO, BinaryIO]:
        """Return the files of this process, opened if need be; called with the lock held."""
        if self._files is None:
            name = f"{os.getpid()}-{uuid.uuid4().hex}"
            try:
                chunks, notes = (
                    (self.folder / f"{name}{end}").open("xb", 0) for end in (_CHUNKS, _NOTES)
                )
            except OSError as error:
                raise StudyError(f"cannot record into {self.folder}: {error.strerror}") from error
            self._files, self._start = (chunks, notes), 0
        return self._files

    def leave_parents(self) -> None:
        """Reset in a forked child, as the files belong to the parent."""
        if self._pid != os.getpid():
            self.__init__(self.folder)  # type: ignore[misc]

    def found(self, token: str, place: Place) -> SpooledChunk | None:
        """Return a chunk that this process has written, if it has."""
        return self._kept.get((token, place))

    def keep(self, token: str, place: Place, pieces: Sequence[bytes | memoryview]) -> SpooledChunk:
        """Write a chunk that this process has not written yet."""
        digest = hashlib.sha256()
        for piece in pieces:
            digest.update(piece)
        with self._lock:
            chunks, _ = self._open()
            start = self._start
            for piece in pieces:
                self._start += self._write(chunks, piece)
            chunk = SpooledChunk(digest.hexdigest(), Path(chunks.name), start, self._start - start)
            self._kept[token, place] = chunk
            content = [token, place, chunk.digest, chunk.start, chunk.nbytes]
            self._note("chunk", content)
        return chunk

    def note(self, kind: str, content: Any) -> None:
        """Write a note, unless this process has written the same before."""
        line = hashlib.sha256(plain_json([kind, content]).encode()).digest()
        with self._lock:
            if line not in self._notes_written:
                self._note(kind, content)
                self._notes_written.add(line)

    def _note(self, kind: str, content: Any) -> None:
        self._write(self._open()[1], plain_json([kind, content]).encode() + b"\n")

    def _write(self, file: BinaryIO, piece: bytes | memoryview) -> int:
        view = memoryview(piece).cast("B") if piece else memoryview(b"")
        done = 0
        try:
            while done < len(view):
                done += file.write(view[done:])
        except OSError as error:
            raise StudyError(f"cannot record into {self.folder}: {error.strerror}") from error
        return done

    def close(self) -> None:
        """Close the files of this process."""
        with self._lock:
            for file in self._files or ():
                with contextlib.suppress(OSError):
                    file.close()
            self._files = None


def notes_in(folder: Path) -> Iterator[tuple[str, Any, Path]]:
    """Yield all notes in a spool: kind, content and the file of chunks of their process."""
    for path in sorted(folder.glob(f"*{_NOTES}")):
        with path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):  # else its process was killed
                    kind, content = json.loads(line)
                    yield kind, content, path.with_suffix(_CHUNKS)
