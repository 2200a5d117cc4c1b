"""What takes the levels that are made: memory, or a cache."""

from __future__ import annotations

import contextlib
import math
import mmap
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from biggus.indexing.grid import within
from biggus.sources.base import box_shape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from biggus.cache import Cache
    from biggus.cache.cached import Cached
    from biggus.indexing.grid import ChunkPart
    from biggus.pyramids.overview import OverviewSource
    from biggus.sources.base import Box, Values

    Room = dict[int, npt.NDArray[Any]]


class Batch(Protocol):
    """What is made of the values under one box; begun before they are read."""

    def room(self, level: int, box: Box) -> npt.NDArray[Any] | None:
        """Return where the values of a part of a level go; None if they are not wanted."""

    def lack(self, level: int, box: Box, mask: npt.NDArray[np.bool_]) -> None:
        """Take it that values of a part are missing where a mask says so."""

    def finish(self) -> None:
        """Take it that all is there."""


class Keeper(Protocol):
    """What takes the tiles of levels, batch by batch, of several threads."""

    def batch(self, boxes: Mapping[int, Box]) -> Batch:
        """Begin with the boxes of some levels, which are of the same values."""


class InMemory:
    """Levels in memory.

    Parameters
    ----------
    sources : list of OverviewSource
        The levels that are wanted, the coarsest one last.
    """

    def __init__(self, sources: Sequence[OverviewSource]) -> None:
        self.arrays: dict[int, Any] = {}
        for source in sources:
            values = np.empty(source.shape, source.dtype)
            mask = np.zeros(source.shape, bool)
            self.arrays[source.level] = (
                np.ma.MaskedArray(values, mask=mask) if source.masked else values
            )

    def batch(self, boxes: Mapping[int, Box]) -> InMemory:  # noqa: ARG002 - of the protocol
        """Return itself: values go where they stay."""
        return self

    def room(self, level: int, box: Box) -> npt.NDArray[Any] | None:
        """Return where values go, if their level is wanted."""
        if level not in self.arrays:
            return None
        room: npt.NDArray[Any] = np.ma.getdata(self.arrays[level])[box]
        return room

    def lack(self, level: int, box: Box, mask: npt.NDArray[np.bool_]) -> None:
        """Note which values are missing."""
        np.ma.getmask(self.arrays[level])[box] = mask

    def finish(self) -> None:
        """Do nothing more."""


class InCache:
    """Levels in a cache, chunk by chunk.

    Parameters
    ----------
    cache : Cache
    levels : list of Cached
        The levels, from the first on.
    """

    def __init__(self, cache: Cache, levels: Sequence[Cached]) -> None:
        self.cache = cache
        self._begun = cache.cleared
        self.levels = levels
        self.rooms: list[Room] = []
        """Memory of batches that are finished, for others to use: fresh memory costs as much
        as all the arithmetic."""

    def batch(self, boxes: Mapping[int, Box]) -> _Chunks:
        """Begin with the chunks in the boxes of some levels."""
        return _Chunks(self, boxes)

    def keep(self, level: int, chunk: Box, values: Values, validator: bytes) -> None:
        """Store a chunk."""
        self.cache.store(self.levels[level - 1].key(chunk), values, validator, self._begun)


class _Chunks:
    """The chunks in the boxes of some levels, gathered until all that they are of is read."""

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
        """Store the chunks, unless what they are of has changed meanwhile."""
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
        """Return the state of what all is made of."""
        top = max(self._boxes)
        return self._keeper.levels[top - 1].source.validator(self._boxes[top])


def place(room: Room, level: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return memory of a shape and a dtype: that of a level in a room, if it is large enough."""
    count = math.prod(shape)
    if level not in room or room[level].size < count:
        room[level] = np.frombuffer(_memory(max(1, count * dtype.itemsize)), dtype, count)
    return room[level][:count].reshape(shape)


def _memory(nbytes: int) -> mmap.mmap:
    """Return memory from the system, in large pages where it has them.

    Not from the heap: what stays there keeps what is freed around it from the system.
    """
    if not hasattr(mmap, "MAP_PRIVATE"):
        return mmap.mmap(-1, nbytes)
    memory = mmap.mmap(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a system that is built without
            memory.madvise(mmap.MADV_HUGEPAGE)
    return memory
