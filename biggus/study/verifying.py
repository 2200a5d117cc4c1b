"""Comparing a bundle with the present sources, and with other bundles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus import api
from biggus.errors import BiggusError
from biggus.graph import Leaf
from biggus.sources.base import Source, read
from biggus.sources.description import decode_value
from biggus.study.bundle import Bundle, BundledSource, format_place
from biggus.study.canonical import plain_json
from biggus.study.chunkwise import innermost
from biggus.study.receipts import box_at, chunk_digest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biggus.array import Array


class Finding(NamedTuple):
    """A difference to what was recorded, or a failure to compare.

    Attributes
    ----------
    origin : str
        The name of the source.
    region : str
        The part of the source; empty for all of it.
    problem : str
        The difference or failure.
    """

    origin: str
    region: str
    problem: str

    def __str__(self) -> str:
        return f"{self.origin}{self.region and ' '}{self.region}: {self.problem}"


def against_sources(bundle: Bundle) -> Iterator[Finding]:
    """Read the recorded chunks again from their sources, and yield those that differ.

    No cache is used.  Sources that a program made itself, such as adapters with tokens, cannot be
    opened here, and give a finding too.
    """
    sources: dict[str, Source | Finding] = {}
    for token, entry in bundle.sources.items():
        if entry.chunks:
            source = _found(bundle, token, sources)
            yield from [source] if isinstance(source, Finding) else _changed(entry, source)


def _found(bundle: Bundle, token: str, sources: dict[str, Source | Finding]) -> Source | Finding:
    """Open a source as it was recorded; return a finding if it cannot be opened."""
    if token in sources:
        return sources[token]
    origin = bundle.sources[token].origin
    sources[token] = Finding(origin, "", "only the recorded program can open it")
    for call in bundle.manifest["calls"]:
        if call.get("source") == token:
            sources[token] = _opened(call, origin)
    for other, entry in bundle.sources.items():
        for name, sibling in entry.siblings.items():
            if sibling == token and isinstance(sources[token], Finding):
                beside = _found(bundle, other, sources)
                source = None if isinstance(beside, Finding) else beside.sibling(name)
                if source is not None:
                    sources[token] = source
    return sources[token]


def _opened(call: dict[str, Any], origin: str) -> Source | Finding:
    try:
        variable, backend, recorded_options = call["arguments"]
        options = {name: _given(value) for name, value in recorded_options.items()}
        array = api.open(call["location"], variable, backend=backend, cache=False, **options)
    except BiggusError as error:
        return Finding(origin, "", str(error))
    except (TypeError, ValueError, KeyError) as error:
        return Finding(origin, "", f"it cannot be opened as it was recorded: {error}")
    return _source_of(array)


def _source_of(array: Array) -> Source:
    node = array.node
    while not isinstance(node, Leaf):
        (node,) = node.children
    return innermost(node.source)


def _given(value: Any) -> Any:
    """Return the value of a recorded option."""
    if isinstance(value, dict) and set(value) == {"$type"}:
        return np.dtype(value["$type"].rpartition(".")[2])
    return decode_value(value)


def _changed(entry: BundledSource, source: Source) -> Iterator[Finding]:
    recorded = entry.source()
    if (source.shape, source.dtype) != (recorded.shape, recorded.dtype):
        was, now = (f"shape {each.shape} and dtype {each.dtype}" for each in (recorded, source))
        yield Finding(entry.origin, "", f"it had {was}, and now has {now}")
        return
    for name in sorted({*recorded.attributes, *source.attributes}):
        one, other = (repr(each.attributes.get(name)) for each in (recorded, source))
        if one != other:
            yield Finding(entry.origin, "", f"its attribute {name} was {one}, and is {other}")
    for place, (digest, _) in entry.chunks.items():
        try:
            now = chunk_digest(read(source, box_at(place)))
        except BiggusError as error:
            yield Finding(entry.origin, format_place(place), str(error))
            continue
        if now != digest:
            yield Finding(entry.origin, format_place(place), "it has changed")


def differences(one: Bundle, other: Bundle) -> Iterator[Finding]:
    """Yield the differences of two bundles in sources, chunks, versions and options.

    Sources are matched by their tokens, or by the arguments with which they were opened.
    """
    names = {name: token for token, entry in other.sources.items() for name in _names(other, token)}
    remaining = {token: entry for token, entry in other.sources.items() if entry.chunks}
    for token, entry in one.sources.items():
        if not entry.chunks:
            continue
        same = next((names[name] for name in _names(one, token) if name in names), None)
        counterpart = None if same is None else remaining.pop(same, None)
        if counterpart is None:
            yield Finding(entry.origin, "", f"only {one.path.name} has it")
        else:
            yield from _between(one, other, entry, counterpart)
    for entry in remaining.values():
        yield Finding(entry.origin, "", f"only {other.path.name} has it")
    for setting in ("made_with", "options"):
        yield from _settings(one.manifest.get(setting, {}), other.manifest.get(setting, {}))


def _names(bundle: Bundle, token: str) -> list[str]:
    """Return the names of a source: its token, and the arguments with which it was opened."""
    names = [token]
    for call in bundle.manifest["calls"]:
        if call.get("source") == token:
            arguments = plain_json(call["arguments"])
            names += [
                f"{name} {call[name]} {arguments}"
                for name in ("as_written", "relative_path")
                if name in call
            ]
    return names


def _between(
    one: Bundle, other: Bundle, entry: BundledSource, counterpart: BundledSource
) -> Iterator[Finding]:
    for place in sorted({*entry.chunks, *counterpart.chunks}):
        digests = [each.chunks.get(place, ("", 0))[0] for each in (entry, counterpart)]
        region = format_place(place)
        if not all(digests):
            yield Finding(
                entry.origin, region, f"only {(one if digests[0] else other).path.name} has it"
            )
        elif digests[0] != digests[1]:
            yield Finding(entry.origin, region, "it has other values")
    if entry.digest != counterpart.digest and entry.chunks == counterpart.chunks:
        yield Finding(entry.origin, "", "the attributes that describe its packing differ")


def _settings(one: dict[str, Any], other: dict[str, Any]) -> Iterator[Finding]:
    for name in sorted({*one, *other}):
        if one.get(name) != other.get(name):
            yield Finding(name, "", f"{one.get(name)} and {other.get(name)}")
