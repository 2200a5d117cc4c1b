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
        for kind, content, path in notes_in(folder):
            getattr(self, f"_take_{kind}")(content, path)

    def _take_source(self, content: Any, _path: Path) -> None:
        token, description, modules = content
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

    def _take_chunk(self, content: Any, path: Path) -> None:
        token, edges, digest, start, nbytes = content
        place = tuple([(first, last) for first, last in edges])
        chunk = SpooledChunk(digest, path, start, nbytes)
        known = self.chunks.setdefault(token, {}).setdefault(place, chunk)
        if known.digest != digest:
            name = self.sources.get(token, {}).get("name", token)
            raise StudyError(f"{name} changed while it was recorded, at {plain_json(place)}")

    def _take_sibling(self, content: Any, _path: Path) -> None:
        token, name, token_found = content
        self.siblings.setdefault(token, {})[name] = token_found

    def _take_call(self, content: Any, _path: Path) -> None:
        key = plain_json(
            [content[name] for name in ("function", "arguments", "location", "as_written")]
        )
        known = self.calls.setdefault(key, content)
        if "error" in known:
            self.calls[key] = content  # the location was created in the meantime
        elif "error" not in content and known != content:
            raise StudyError(f"{content['location']} changed while it was recorded")

    def manifest(self) -> dict[str, Any]:
        """Return the manifest, in an order that does not depend on the order of reading."""
        sources = [self._source(token) for token in sorted(self.sources)]
        return {
            "format": FORMAT,
            "version": VERSION,
            "receipt": receipt_of([each["digest"] for each in sources if each["chunks"]]),
            "made_with": versions_of(self.modules),
            "options": _options_json(),
            "sources": sources,
            "calls": [self.calls[key] for key in sorted(self.calls)],
        }

    def _source(self, token: str) -> dict[str, Any]:
        description = self.sources[token]
        chunks = self.chunks.get(token, {})
        attributes = {
            name: decode_value(value) for name, value in description["attributes"].items()
        }
        digests = {place: chunk.digest for place, chunk in chunks.items()}
        return {
            "token": token,
            "origin": description["name"],
            "digest": source_digest(description["conventions"], attributes, digests),
            "description": description,
            "siblings": dict(sorted(self.siblings.get(token, {}).items())),
            "chunks": [
                [place, chunk.digest, chunk.nbytes] for place, chunk in sorted(chunks.items())
            ],
        }

    def members(self) -> dict[str, SpooledChunk]:
        """Return the chunks in the spool by their digests, sorted."""
        chunks = {chunk.digest: chunk for each in self.chunks.values() for chunk in each.values()}
        return dict(sorted(chunks.items()))


def versions_of(modules: set[str]) -> dict[str, str]:
    """Return the versions of Python, biggus, NumPy and the given packages."""
    versions = {"python": platform.python_version()}
    for name in sorted(modules | {"biggus", "numpy"}):
        version = getattr(sys.modules.get(name), "__version__", None)
        if not isinstance(version, str):
            try:
                version = importlib.metadata.version(name)
            except (importlib.metadata.PackageNotFoundError, ValueError):
                continue
        versions[name] = version
    return versions


def _options_json() -> dict[str, Any]:
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
