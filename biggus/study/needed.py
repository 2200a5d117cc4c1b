"""``biggus.receipt``: one digest of all chunks that results are made from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from biggus import engine, options
from biggus.adapt import nodes_of, several
from biggus.errors import StudyError
from biggus.sources import studying
from biggus.sources.base import Box, Source, Values, read
from biggus.sources.wrappers import DerivedSource, ObjectSource, Wrapper
from biggus.study.chunkwise import Chunkwise, Substitutes, innermost, is_mapped
from biggus.study.receipts import Place, box_at, chunk_digest, place_of, receipt_of, source_digest
from biggus.support.threads import WaitingThreads

_AT_ONCE = 16
_ANY_MEMORY = 1 << 60
_COPIES = 3
"""How many copies of a chunk may be in memory while its digest is computed."""

_readers = WaitingThreads(_AT_ONCE)


def receipt(arrays: Iterable[Any]) -> str:
    """Return the receipt of results: one digest of all the data that they are made from.

    It covers the chunks that are read for the results, as they are stored: dtype, shape, bytes
    and mask before unpacking, and the attributes that describe the packing.  The same inputs
    have the same receipt, in whatever order and by however many workers they are read, from a
    cache or not, wherever they are.  Arrays in memory do not count, and neither does the
    computation.  The receipt of an overview is that of the data that it is made from.

    All chunks are read, and nothing is computed.

    Parameters
    ----------
    arrays : iterable of Array
        The results, or objects that can be made into arrays.

    Returns
    -------
    str
        ``biggus1-`` and 64 hexadecimal digits; `biggus.study.receipts` defines them.

    Raises
    ------
    SourceError
        If a read fails.
    StudyError
        If values are Python objects other than text.

    Examples
    --------
    >>> import biggus, numpy as np
    >>> class Numbers:
    ...     shape, dtype = (1000,), np.dtype("i4")
    ...
    ...     def __getitem__(self, box):
    ...         return np.arange(1000, dtype="i4")[box]
    >>> a = biggus.ArrayAdapter(Numbers(), chunks=(100,))
    >>> biggus.receipt([a[20:150]]) == biggus.receipt([a[:200:7].sum(), a[100:101]])
    True
    >>> biggus.receipt([a[20:150]]) == biggus.receipt([a[20:250]])
    False
    """
    listed = needed_for(several(arrays), Needed())
    chunk_digests: dict[int, dict[Place, str]] = {}
    for number, place, digest in _digests(listed):
        chunk_digests.setdefault(number, {})[place] = digest
    digests = []
    for number, one in enumerate(listed):
        base = innermost(one.source)
        chunks = chunk_digests.get(number, {})
        if chunks:
            digests.append(source_digest(base.conventions, base.attributes, chunks))
    return receipt_of(digests)


def needed_for(arrays: Iterable[Any], needed: Needed) -> list[Listed]:
    """Return the sources that arrays need, each with the places of its chunks; reads nothing."""
    nodes = nodes_of(arrays)
    # Which chunks are needed does not depend on how the evaluation is carried out.
    plainly = options.set_options(
        keep_partials=False, executor=None, progress=False, memory=_ANY_MEMORY
    )
    with studying.instead(needed), plainly:
        engine.estimate(nodes)
    return list(needed.sources.values())


class Listed(Chunkwise):
    """A source that lists the chunks that an evaluation would read.

    The estimate of an evaluation calls `cached_bytes` for each box that it would read.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.places: dict[Place, None] = {}

    def chunk(self, chunk: Box) -> Values:
        raise NotImplementedError  # it is never read

    def cached_bytes(self, box: Box) -> int:
        self.places.update((place_of(part.chunk), None) for part in self.grid.parts(box))
        return 0


class _ListedUnder(Wrapper):
    """A derived source; lists the chunks that an evaluation would read of the sources below it."""

    in_memory = False

    def cached_bytes(self, box: Box) -> int:
        if not isinstance(self.source, DerivedSource):
            problem = "the data that it is computed from are unknown; ask for their receipt instead"
            raise StudyError(f"{self.name} has no receipt: {problem}")
        engine.estimate(self.source.made_of(box))
        return 0


class Needed(Substitutes):
    """A study that lists which chunks an evaluation would read."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: dict[Any, Listed] = {}
        self._derived: dict[int, _ListedUnder] = {}

    def source(self, source: Source) -> Source:
        if isinstance(source, (Listed, _ListedUnder)):
            return source
        base = innermost(source)
        if base.derived:
            return self._derived.setdefault(id(base), _ListedUnder(base))
        if source.in_memory and not is_mapped(source):
            return source
        name = source.token or id(base.obj if isinstance(base, ObjectSource) else base)
        key = (name, source.shape, source.dtype)
        listed = self.sources.get(key)
        if listed is None:
            listed = self.sources[key] = Listed(source)
        return listed

    def substitute(self, source: Source) -> Chunkwise:
        raise NotImplementedError


class _Job(NamedTuple):
    number: int
    source: Source
    place: Place


def _digests(listed: Sequence[Listed]) -> Iterator[tuple[int, Place, str]]:
    """Yield the digest of each chunk; a few chunks are read at a time."""
    largest = max((_largest(each) for each in listed), default=0)
    most = max(1, min(_AT_ONCE, options.current().memory // max(1, _COPIES * largest)))
    jobs = [
        _Job(number, studying.to_read(each.source), place)
        for number, each in enumerate(listed)
        for place in sorted(each.places)
    ]
    for start in range(0, len(jobs), most):
        together = jobs[start : start + most]
        for job, digest in zip(together, _readers.each(_digest, together), strict=True):
            yield job.number, job.place, digest


def _largest(listed: Listed) -> int:
    sizes = (listed.source.peak_bytes(box_at(place)) for place in listed.places)
    return max(sizes, default=0)


def _digest(job: _Job) -> str:
    return chunk_digest(read(job.source, box_at(job.place)))
