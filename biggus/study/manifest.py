"""Making the manifest of a bundle from the notes in a spool."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from pathlib import Path
from typing import Any

from biggus import options
from biggus.errors import StudyError
from biggus.sources.description import decode_value
from biggus.study.canonical import plain_json
from biggus.study.receipts import Place, receipt_of, source_digest
from biggus.study.spool import SpooledChunk, notes_in

FORMAT = "biggus study"
VERSION = 1


class Gathered:
    """The notes that all processes of a program wrote into a spool.

    Parameters
    ----------
    folder : Path
        The spool.

    Raises
    ------
    StudyError
        If a source changed while it was recorded.
    """

    def __init__(self, folder: Path) -> None:
        self.sources: dict[str, dict[str, Any]] = {}
        self.chunks: dict[str, dict[Place, SpooledChunk]] = {}
        self.siblings: dict[str, dict[str, str | None]] = {}
        self.calls: dict[str, dict[str, Any]] = {}
        self.modules: set[str] = set()
        for kind, told, path in notes_in(folder):
            getattr(self, f"_take_{kind}")(told, path)

    def _take_source(self, told: Any, _path: Path) -> None:
        token, description, modules = told
        self.modules.update(modules)
        known = self.sources.setdefault(token, description)
        for name in ("shape", "dtype", "chunks"):
            if known[name] != description[name]:
                raise StudyError(
                    f"{known['name']} changed while it was recorded: its {name} was "
                    f"{known[name]}, then {description[name]}"
                )
        # Independent of which note came first.
        self.sources[token] = min(known, description, key=plain_json)

    def _take_chunk(self, told: Any, path: Path) -> None:
        token, edges, digest, start, nbytes = told
        place = tuple([(first, last) for first, last in edges])
        kept = SpooledChunk(digest, path, start, nbytes)
        known = self.chunks.setdefault(token, {}).setdefault(place, kept)
        if known.digest != digest:
            name = self.sources.get(token, {}).get("name", token)
            raise StudyError(f"{name} changed while it was recorded, at {plain_json(place)}")

    def _take_sibling(self, told: Any, _path: Path) -> None:
        token, name, found = told
        self.siblings.setdefault(token, {})[name] = found

    def _take_call(self, told: Any, _path: Path) -> None:
        key = plain_json([told[name] for name in ("what", "said", "place", "text")])
        known = self.calls.setdefault(key, told)
        if "error" in known:
            self.calls[key] = told  # the location was created in the meantime
        elif "error" not in told and known != told:
            raise StudyError(f"{told['place']} changed while it was recorded")

    def manifest(self) -> dict[str, Any]:
        """Return the manifest, in an order that does not depend on the order of reading."""
        sources = [self._source(token) for token in sorted(self.sources)]
        return {
            "format": FORMAT,
            "version": VERSION,
            "receipt": receipt_of([each["digest"] for each in sources if each["chunks"]]),
            "made_with": versions_of(self.modules),
            "options": _options_said(),
            "sources": sources,
            "calls": [self.calls[key] for key in sorted(self.calls)],
        }

    def _source(self, token: str) -> dict[str, Any]:
        description = self.sources[token]
        chunks = self.chunks.get(token, {})
        attributes = {
            name: decode_value(value) for name, value in description["attributes"].items()
        }
        digests = {place: kept.digest for place, kept in chunks.items()}
        return {
            "token": token,
            "origin": description["name"],
            "digest": source_digest(description["conventions"], attributes, digests),
            "description": description,
            "siblings": dict(sorted(self.siblings.get(token, {}).items())),
            "chunks": [[place, kept.digest, kept.nbytes] for place, kept in sorted(chunks.items())],
        }

    def members(self) -> dict[str, SpooledChunk]:
        """Return the chunks in the spool by their digests, sorted."""
        found = {kept.digest: kept for each in self.chunks.values() for kept in each.values()}
        return dict(sorted(found.items()))


def versions_of(modules: set[str]) -> dict[str, str]:
    """Return the versions of Python, biggus, NumPy and the given packages."""
    found = {"python": platform.python_version()}
    for name in sorted(modules | {"biggus", "numpy"}):
        version = getattr(sys.modules.get(name), "__version__", None)
        if not isinstance(version, str):
            try:
                version = importlib.metadata.version(name)
            except (importlib.metadata.PackageNotFoundError, ValueError):
                continue
        found[name] = version
    return found


def _options_said() -> dict[str, Any]:
    current = options.current()
    cache, executor = current.cache, current.executor
    return {
        "cache": cache if cache is None or isinstance(cache, bool) else type(cache).__name__,
        "offline": current.offline,
        "memory": current.memory,
        "workers": current.workers,
        "executor": None if executor is None else type(executor).__name__,
        "keep_partials": current.keep_partials,
    }
