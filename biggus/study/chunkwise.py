"""Substitutes for sources in a study, which are read by whole chunks of the innermost source."""

from __future__ import annotations

import weakref
from abc import abstractmethod
from typing import Any

import numpy as np

from biggus.cache import Cached
from biggus.indexing.grid import Grid, default_chunks
from biggus.sources.base import Box, Source, Values, box_shape
from biggus.sources.memory import Remade
from biggus.sources.memory_cached import MemoryCached
from biggus.sources.parts import longest_along, paste
from biggus.sources.studying import Study
from biggus.sources.wrappers import Annotated, Wrapper
from biggus.support.forks import new_lock
from biggus.support.once import once


def innermost(source: Source) -> Source:
    """Return the source without caches, chunk memory and annotations of the user."""
    while isinstance(source, (Annotated, Cached, MemoryCached, Remade)):
        source = source.source
    return source


def own_grid(source: Source) -> Grid:
    """Return the grid of the innermost source; if it has none, that of a cache."""
    base = innermost(source)
    chunks = base.chunks
    if chunks is None:
        chunks = default_chunks(base.shape, base.dtype.itemsize)
    return Grid(base.shape, chunks)


class Chunkwise(Wrapper):
    """A source that is read by whole chunks of the innermost source.

    Parameters
    ----------
    source : Source
        The source inside.  Its ``chunks`` are kept, for the order of computing depends on them.
    """

    owns_data = True
    in_memory = False
    reads_into = False
    lock = None  # the lock of the source inside is taken while that is read

    @property
    def cache(self) -> Any:
        """The cache of the source inside, if it has one."""
        return self.source.cache  # type: ignore[attr-defined] # else there is no such attribute

    @once
    def grid(self) -> Grid:
        """The grid of the innermost source."""
        return own_grid(self.source)

    @abstractmethod
    def chunk(self, chunk: Box) -> Values:
        """Return the values of a whole chunk, as a new array."""

    def __getitem__(self, box: Box) -> Values:
        result: Values = np.ndarray(box_shape(box), self.dtype)  # np.empty makes S1 of S0
        for part in self.grid.parts(box):
            values = self.chunk(part.chunk)
            if isinstance(values, np.ma.MaskedArray) and self.fill_value is not None:
                values.fill_value = self.fill_value
            if part.chunk == box:
                return values
            result = paste(result, part.outer, values, part.inner)
        return result

    def fetch(self, box: Box) -> tuple[Values, bytes | None]:
        """Return the values in `box`, without a validator."""
        return self[box], None

    # Without a validator nothing is cached, and no cache is used: each chunk is asked for here.

    def state(self) -> bytes | None:
        """Return None."""
        return None

    validator = Source.validator
    cached_validator = Source.cached_validator
    revalidate = Source.revalidate

    def revalidation_waits(self, box: Box, validator: bytes) -> bool:
        """Return False: no server is asked."""
        return False

    def peak_bytes(self, box: Box) -> int:
        """Return the most memory that a read of `box` takes, including whole chunks."""
        own = super(Wrapper, self).peak_bytes
        axes = zip(self.grid.axes, box, strict=True)
        longest = tuple([longest_along(axis, s) for axis, s in axes])
        return own(box) + 4 * own(longest) + self.source.peak_bytes(longest)


class Substitutes(Study):
    """A study that substitutes every source that is not in memory."""

    def __init__(self) -> None:
        self._made: weakref.WeakValueDictionary[int, Chunkwise] = weakref.WeakValueDictionary()
        self._making = new_lock()

    def source(self, source: Source) -> Source:
        base = innermost(source)
        if isinstance(base, Chunkwise):
            return source
        if source.derived:
            # Its values do not tell what they were computed from, unless this study saw that.
            seen = isinstance(source, Remade) and source.study is self
            return source if seen else base
        if source.in_memory and not is_mapped(source):
            return source
        with self._making:
            known = self._made.get(id(source))
            if known is None or known.source is not source:
                known = self._made[id(source)] = self.substitute(source)
        return known

    @abstractmethod
    def substitute(self, source: Source) -> Chunkwise:
        """Return the substitute of a source."""


def is_mapped(source: Source) -> bool:
    """Return whether a source in memory is mapped from a file."""
    array: Any = getattr(source, "array", None)
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap):
            return True
        array = array.base
    return False
