"""Recording which chunks of sources are read, and their values."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from biggus.backends.identity import ADDRESS
from biggus.errors import BiggusError, PolicyError, SourceChangedError, StudyError, format_box
from biggus.sources import studying
from biggus.sources.base import Box, Source, Values, read
from biggus.sources.description import describe, encode_value
from biggus.sources.wrappers import ObjectSource
from biggus.study.canonical import decoded, encoded
from biggus.study.chunkwise import Chunkwise, Substitutes, innermost
from biggus.study.places import arguments_json, names_of
from biggus.study.receipts import Place, chunk_digest, place_of
from biggus.study.spool import Spool, SpooledChunk
from biggus.support import watching
from biggus.support.forks import new_lock
from biggus.support.single_flight import SingleFlight

_Answer = TypeVar("_Answer")


class Recording(Substitutes):
    """A study that is being recorded.

    Parameters
    ----------
    folder : Path
        The spool, into which other processes write as well.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.spool = Spool(folder)
        self.owner: int | None = None
        """The process that will make the bundle, if it is this one or its parent."""
        self._flights: SingleFlight[SpooledChunk] = SingleFlight()
        self._watch = watching.Watch()
        self._watching = new_lock()
        self._states: dict[str, bytes] = {}
        self._known: dict[tuple[str, Place], bytes] = {}  # the source's state for each chunk read
        self._closed = False

    @property
    def over(self) -> bool:
        """Whether recording has ended; another process notices by the removal of the spool."""
        return self._closed or (self.owner != os.getpid() and not self.spool.folder.is_dir())

    def source(self, source: Source) -> Source:
        return source if self._closed else super().source(source)

    def substitute(self, source: Source) -> Recorded:
        return Recorded(source, self)

    def call(
        self, kind: str, where: Any, arguments: Sequence[Any], make: Callable[[], _Answer]
    ) -> _Answer:
        note = _call_note(kind, where, arguments)
        try:
            answer = make()
        except BiggusError as error:
            reduced: Any = error.__reduce__()
            self.note("call", {**note, "error": [reduced[0].__name__, encode_value(reduced[1])]})
            raise
        if isinstance(answer, Source):
            self.note_source(answer)
            self.note("call", {**note, "source": answer.token})
        else:
            self.note("call", {**note, "result": encode_value(answer)})
        return answer

    def note_opening(self, source: Source) -> None:
        """Write down how a source was opened, if that was before."""
        opening = studying.opening_of(source)
        if opening is not None:
            note = _call_note(studying.OPEN, *opening)
            self.note("call", {**note, "source": source.token})

    def note(self, kind: str, content: Any) -> None:
        """Write a note into the spool, unless recording has ended."""
        if not self.over:
            self.spool.leave_parents()
            self.spool.note(kind, content)

    def note_source(self, source: Source) -> None:
        """Record the description of a source."""
        if source.token is None:
            return
        base = innermost(source)
        description = describe(base) | {"token": source.token, "state": None}
        description["name"] = ADDRESS.sub("0x...", description["name"])
        self.note("source", [source.token, description, _modules_of(base)])

    def chunk(self, token: str, source: Source, chunk: Box) -> SpooledChunk:
        """Read a chunk of a source into the spool, once, and return where it is.

        Raises
        ------
        StudyError
            If the source has changed since it was read before.
        """
        self.spool.leave_parents()
        place = place_of(chunk)

        def keep() -> SpooledChunk:
            spooled = self.spool.found(token, place)
            state = self._state(token, source)
            if spooled is None:
                spooled = self.spool.keep(token, place, encoded(self._read(source, chunk)))
            elif not (
                source.remote
                or (state is not None and self._known.get((token, place)) == state)
                # Without a known state only another read shows that it has not changed.
                or chunk_digest(self._read(source, chunk)) == spooled.digest
            ):
                raise _changed(source, chunk)
            if state is not None and state == self._state(token, source):
                self._known[token, place] = state
            return spooled

        return self._flights.do((token, place), keep)[0]

    def _read(self, source: Source, chunk: Box) -> Values:
        """Read a chunk, and check that its file is in the state that is recorded."""
        try:
            values, watch = watching.watched(partial(read, source, chunk))
            with self._watching:
                self._watch.join(watch.seen)
        except SourceChangedError as error:
            raise _changed(source, chunk) from error
        return values

    def _state(self, token: str, source: Source) -> bytes | None:
        """Return the state of a source, if it has one; it must be the same at each call."""
        state = innermost(source).state()
        if state is not None and self._states.setdefault(token, state) != state:
            raise _changed(source, None)
        return state

    def look_again(self) -> None:
        """Check that files have not changed.

        Raises
        ------
        StudyError
            If one has.
        """
        try:
            self._watch.end()
        except SourceChangedError as error:
            raise StudyError(
                f"{error.source} changed while it was recorded: record again"
            ) from error

    def close(self) -> None:
        """End the recording in this process."""
        self._closed = True
        self.spool.close()
        _recordings.pop(str(self.spool.folder), None)


class Recorded(Chunkwise):
    """A source whose chunks are recorded when they are read.

    Each chunk is read once, and its values are taken from the spool, so that the program sees
    exactly what is recorded.

    Parameters
    ----------
    source : Source
        The source, perhaps with a cache around it.
    study : Recording
        The recording.
    """

    def __init__(self, source: Source, study: Recording) -> None:
        super().__init__(source)
        self.study = study
        self._noted = False

    def __reduce__(self) -> tuple[Any, ...]:
        return _recorded, (self.source, str(self.study.spool.folder))

    def __getitem__(self, box: Box) -> Values:
        if self.study.over:
            return read(self.source, box)
        self._note()
        return super().__getitem__(box)

    def chunk(self, chunk: Box) -> Values:
        assert self.token is not None
        spooled = self.study.chunk(self.token, self.source, chunk)
        shape = tuple([s.stop - s.start for s in chunk])
        return decoded(b"".join(spooled.pieces()), self.dtype, shape)

    def _note(self) -> None:
        if self.no_bulk is not None:
            raise PolicyError(f"{self.name}: {self.no_bulk}")
        if self.token is None:
            remedy = "open it with biggus.open, or give it a `token=` with biggus.ArrayAdapter"
            raise StudyError(
                f"{self.name} cannot be recorded, for nothing identifies its values: "
                f"{remedy}, a string that stands for these values and no others"
            )
        if not self._noted:
            self.study.note_source(self.source)
            self.study.note_opening(innermost(self.source))
            self._noted = True

    def sibling(self, name: str) -> Source | None:
        """Return another variable of the same store, and record that it was looked for."""
        source = self.source.sibling(name)
        if self.token is not None and not self.study.over:
            self._note()
            if source is not None:
                self.study.note_source(source)
            token = None if source is None else source.token
            self.study.note("sibling", [self.token, name, token])
        return source


def _changed(source: Source, chunk: Box | None) -> StudyError:
    region = "" if chunk is None else f" {format_box(chunk)}"
    return StudyError(f"{source.name}{region} changed while it was recorded: record again")


def _call_note(call: str, where: Any, arguments: Sequence[Any]) -> dict[str, Any]:
    return {"function": call, "arguments": arguments_json(arguments), **names_of(where)}


_recordings: dict[str, Recording] = {}
_finding = new_lock()


def recording_in(folder: str) -> Recording:
    """Return the recording of this process into a spool.

    Raises
    ------
    StudyError
        If the spool does not exist: on another machine, or after recording has ended.
    """
    with _finding:
        if folder not in _recordings:
            if not Path(folder).is_dir():
                raise StudyError(
                    f"there is no folder {folder} to record into: a study is recorded on one "
                    "machine, and by no process that outlives it"
                )
            _recordings[folder] = Recording(Path(folder))
        return _recordings[folder]


def _recorded(source: Source, folder: str) -> Recorded:
    return Recorded(source, recording_in(folder))


_USED = {
    "hdf5": ("h5py",),
    "netcdf": ("netCDF4",),
    "tiles": ("PIL", "urllib3"),
    "zarr": ("zarr", "numcodecs"),
}


def _modules_of(base: Source) -> list[str]:
    """Return the packages that read a source."""
    if isinstance(base, ObjectSource):
        return [type(base.obj).__module__.partition(".")[0]]
    module = type(base).__module__
    if module.startswith("biggus.backends."):
        return list(_USED.get(module.split(".")[2], ()))
    root = module.partition(".")[0]
    return [] if root == "biggus" else [root]
