"""Replaying: substitutes for locations and sources that take their values from a bundle."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from biggus import errors
from biggus.errors import BiggusError, StudyError
from biggus.indexing.grid import Grid, default_chunks
from biggus.sources import studying
from biggus.sources.base import Box, Chunks, Source, Values
from biggus.sources.description import decode_value
from biggus.sources.wrappers import Annotated
from biggus.study.bundle import Bundle, BundledSource
from biggus.study.canonical import plain_json
from biggus.study.chunkwise import Chunkwise, Substitutes, own_grid
from biggus.study.places import arguments_json, names_of
from biggus.study.receipts import place_of
from biggus.support.forks import new_lock
from biggus.support.once import once

_Answer = TypeVar("_Answer")

_NAMES = ("as_written", "relative_path", "location")
"""The names by which a location is looked up, in this order."""


class Replayed(Chunkwise):
    """A source whose chunks come from a bundle.

    Parameters
    ----------
    source : Source
        The source of its metadata, which is not read.
    bundle : Bundle
        The bundle.
    """

    io_bound = False
    remote = False

    def __init__(self, source: Source, bundle: Bundle) -> None:
        super().__init__(source)
        self.bundle = bundle

    def __reduce__(self) -> tuple[Any, ...]:
        return _replayed, (self.source, str(self.bundle.path))

    @once
    def _entry(self) -> BundledSource:
        """The source in the bundle.

        Raises
        ------
        StudyError
            If there is none, or it has another shape or dtype.
        """
        entry = None if self.token is None else self.bundle.sources.get(self.token)
        if entry is None:
            raise StudyError(f"{self.name} is not in {self.bundle.path}")
        recorded = entry.source()
        if (recorded.shape, recorded.dtype) != (self.shape, self.dtype):
            raise StudyError(
                f"{self.name} had shape {recorded.shape} and dtype {recorded.dtype} when it was "
                f"recorded, and now has shape {self.shape} and dtype {self.dtype}"
            )
        return entry

    @once
    def grid(self) -> Grid:
        """The grid of the recorded source."""
        return own_grid(self._entry.source())

    def chunk(self, chunk: Box) -> Values:
        return self.bundle.values(self._entry, place_of(chunk), self.dtype)

    def sibling(self, name: str) -> Source | None:
        """Return another variable of the same store, as recorded."""
        entry = self._entry
        if name not in entry.siblings:
            raise StudyError(f"the recorded program did not look for {name!r} beside {self.name}")
        token = entry.siblings[name]
        return None if token is None else opened(self.bundle, token)


def opened(bundle: Bundle, token: str) -> Replayed:
    """Return the substitute of a source that was opened.

    Raises
    ------
    StudyError
        If it is not in the bundle.
    """
    if token not in bundle.sources:
        raise StudyError(f"{token} is not in {bundle.path}")
    return Replayed(bundle.sources[token].source(), bundle)


_bundles: dict[str, Bundle] = {}
_opening = new_lock()


def _replayed(source: Source, path: str) -> Replayed:
    """Return the substitute of a source in another process."""
    with _opening:
        if path not in _bundles:
            _bundles[path] = Bundle(path)
        return Replayed(source, _bundles[path])


class Replaying(Substitutes):
    """A study that replays a bundle.

    Parameters
    ----------
    bundle : Bundle
        The bundle.
    """

    def __init__(self, bundle: Bundle) -> None:
        super().__init__()
        self.bundle = bundle
        self.cache = NoCache()
        self._calls: dict[tuple[str, str, str, str], dict[str, Any]] = {}
        try:
            for call in bundle.manifest["calls"]:
                question = call["function"], plain_json(call["arguments"])
                for name in _NAMES:
                    if name in call:
                        self._calls.setdefault((*question, name, call[name]), call)
        except (KeyError, TypeError, ValueError) as error:
            raise StudyError(f"cannot read {bundle.path}: its manifest is invalid") from error

    def substitute(self, source: Source) -> Replayed:
        return Replayed(source, self.bundle)

    def call(
        self,
        kind: str,
        where: Any,
        arguments: Sequence[Any],
        make: Callable[[], _Answer],
    ) -> _Answer:
        question = kind, plain_json(arguments_json(arguments))
        names = names_of(where)
        calls = (self._calls.get((*question, name, names.get(name, ""))) for name in _NAMES)
        recorded = next(filter(None, calls), None)
        if recorded is None:
            raise StudyError(
                f"{self._missing(kind, where, arguments)} is not in {self.bundle.path}"
            )
        answer: Any = self._answer(recorded)
        return answer  # type: ignore[no-any-return] # of the kind that `make` gives

    def _answer(self, call: dict[str, Any]) -> Any:
        """Return the recorded result, or raise the recorded error."""
        try:
            if "source" in call:
                return opened(self.bundle, call["source"])
            if "result" in call:
                return decode_value(call["result"])
            kind, arguments = call["error"]
            error = getattr(errors, kind)(*decode_value(arguments))
        except StudyError:
            raise
        except Exception as problem:
            raise StudyError(
                f"cannot read {self.bundle.path}: its record of {call['location']} is invalid"
            ) from problem
        if not isinstance(error, BiggusError):
            raise StudyError(
                f"cannot read {self.bundle.path}: its record of {call['location']} is invalid"
            )
        raise error

    def _missing(self, kind: str, where: Any, arguments: Sequence[Any]) -> str:
        """Describe a call that was not recorded."""
        if kind != studying.OPEN:
            return f"the call {kind!r} for {where.public}"
        variable, _, options = arguments
        wanted = " ".join(filter(None, [where.public, variable]))
        if len(options) > 1:
            wanted += f" with these options ({', '.join(sorted(options))})"
        return wanted


class NoCache:
    """A cache that stores nothing, and gives sources the chunks that a real cache would."""

    cleared = 0

    def wrap(self, source: Source, chunks: Chunks | None = None) -> Source:
        """Return a source with the chunks that a cache would use."""
        cut = source.chunks if chunks is None else chunks
        if cut is None:
            cut = default_chunks(source.shape, source.dtype.itemsize)
        return _Cut(source, cut)

    def recall(self, name: str) -> None:
        """Return None."""

    def remember(self, name: str, description: dict[str, Any]) -> None:
        """Do nothing."""

    def descriptions(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield nothing."""
        return iter(())

    def load_bytes(self, key: str) -> None:
        """Return None."""

    def store_bytes(self, key: str, data: bytes, validator: bytes, clears: int) -> int:
        """Return 0: nothing is stored."""
        return 0


class _Cut(Annotated):
    """A source with other chunks."""

    cache = None

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.source, self.chunks)
