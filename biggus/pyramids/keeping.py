"""Targets for computed levels: memory or a cache.

A keeper, `InMemory` or `InCache`, takes the tiles of levels from several threads, in batches:
boxes of several levels that are computed from the same values.  A batch is begun before these are
read.
"""

from __future__ import annotations

import contextlib
import math
import mmap
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from biggus.indexing.grid import ChunkPart, within
from biggus.sources.base import Box, Values, box_shape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from biggus.cache import Cache
    from biggus.cache.cached import Cached
    from biggus.pyramids.overview import OverviewSource

    Room = dict[int, npt.NDArray[Any]]
    Keeper: TypeAlias = "InMemory | InCache"
    Batch: TypeAlias = "InMemory | _Chunks"


class InMemory:
    """Levels in memory.

    Parameters
    ----------
    sources : list of OverviewSource
        The wanted levels, the coarsest one last.
    """

    def __init__(self, sources: Sequence[OverviewSource]) -> None:
        self.arrays: dict[int, Any] = {}
        for source in sources:
            values = np.empty(source.shape, source.dtype)
            mask = np.zeros(source.shape, bool)
            self.arrays[source.level] = (
                np.ma.MaskedArray(values, mask=mask) if source.masked else values
            )

    def batch(self, boxes: Mapping[int, Box]) -> InMemory:  # noqa: ARG002 - as of `InCache`
        """Return this object: values are written to their final place."""
        return self

    def room(self, level: int, box: Box) -> npt.NDArray[Any] | None:
        """Return the view of a level for the values of a part; None if it is not wanted."""
        if level not in self.arrays:
            return None
        room: npt.NDArray[Any] = np.ma.getdata(self.arrays[level])[box]
        return room

    def lack(self, level: int, box: Box, mask: npt.NDArray[np.bool_]) -> None:
        """Mark values as missing."""
        np.ma.getmask(self.arrays[level])[box] = mask

    def finish(self) -> None:
        """Do nothing."""


class InCache:
    """Levels in a cache, chunk by chunk.

    Parameters
    ----------
    cache : Cache
        The cache.
    levels : list of Cached
        The levels, from the first on.
    """

    def __init__(self, cache: Cache, levels: Sequence[Cached]) -> None:
        self.cache = cache
        self._clears = cache.cleared
        self.levels = levels
        self.rooms: list[Room] = []
        """The memory of finished batches, which others reuse: fresh memory costs as much as all
        the arithmetic."""

    def batch(self, boxes: Mapping[int, Box]) -> _Chunks:
        """Begin a batch of the chunks in boxes of some levels."""
        return _Chunks(self, boxes)

    def keep(self, level: int, chunk: Box, values: Values, validator: bytes) -> None:
        """Store a chunk."""
        self.cache.store(self.levels[level - 1].key(chunk), values, validator, self._clears)


class _Chunks:
    """The chunks in boxes of some levels, collected until all values they depend on are read."""

    def __init__(self, keeper: InCache, boxes: Mapping[int, Box]) -> None:
        self._keeper = keeper
        self._boxes = boxes
        self._before = self._validator()
        self._values: dict[int, npt.NDArray[Any]] = {}
        self._masks: dict[int, npt.NDArray[np.bool_]] = {}
        self._room: Room | None = None

    def room(self, level: int, box: Box) -> npt.NDArray[Any]:
        whole = self._boxes[level]
        if level not in self._values:
            if self._room is None:
                self._room = self._keeper.rooms.pop() if self._keeper.rooms else {}
            dtype = self._keeper.levels[level - 1].dtype
            self._values[level] = place(self._room, level, box_shape(whole), dtype)
        return self._values[level][within(box, whole)]

    def lack(self, level: int, box: Box, mask: npt.NDArray[np.bool_]) -> None:
        whole = self._boxes[level]
        if level not in self._masks:
            self._masks[level] = np.zeros(box_shape(whole), bool)
        self._masks[level][within(box, whole)] = mask

    def finish(self) -> None:
        """Store the chunks, unless the data that they are computed from have changed meanwhile."""
        chunks = []
        for level, whole in self._boxes.items():
            cached = self._keeper.levels[level - 1]
            for part in cached.grid.parts(whole):
                validator = cached.source.validator(part.chunk)
                if validator is not None:
                    chunks.append((level, part, validator))
        if self._before is not None and self._validator() == self._before:
            for level, part, validator in chunks:
                self._keeper.keep(level, part.chunk, self._chunk(level, part), validator)
        if self._room is not None:
            self._keeper.rooms.append(self._room)

    def _chunk(self, level: int, part: ChunkPart) -> Values:
        values = self._values[level][part.outer]
        mask = self._masks.get(level)
        if mask is None or not mask[part.outer].any():
            return values
        return np.ma.MaskedArray(values, mask=mask[part.outer])

    def _validator(self) -> bytes | None:
        """Return the validator of all data that the chunks are computed from."""
        top = max(self._boxes)
        return self._keeper.levels[top - 1].source.validator(self._boxes[top])


def place(room: Room, level: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return an array in the memory that `room` has for a level, enlarged if need be."""
    count = math.prod(shape)
    if level not in room or room[level].size < count:
        room[level] = np.frombuffer(_memory(max(1, count * dtype.itemsize)), dtype, count)
    return room[level][:count].reshape(shape)


def _memory(nbytes: int) -> mmap.mmap:
    """Return memory from the system, in huge pages if it has them.

    It is not from the heap, where a long-lived block keeps freed memory around it from being
    returned to the system.
    """
    if not hasattr(mmap, "MAP_PRIVATE"):
        return mmap.mmap(-1, nbytes)
    memory = mmap.mmap(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel that is built without
            memory.madvise(mmap.MADV_HUGEPAGE)
    return memory
