"""Building: all levels of an array, in one pass over it.

Tiles are made depth first, so that each value is read once and only the sums of a few
tiles are held; what is made at once goes to several threads.  What has been made is
handed on as it comes, with the states of what it was made of, taken before and after.
"""

from __future__ import annotations

import contextvars
import math
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from biggus import options, progress
from biggus.engine.reading import computing
from biggus.errors import MemoryBudgetError
from biggus.options import format_bytes
from biggus.pyramids.blocks import EXACT_LEVELS
from biggus.source import box_shape, whole
from biggus.threads import interruptible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from biggus.cache import Cache
    from biggus.cache.cached import Cached
    from biggus.pyramids.layout import Layout
    from biggus.pyramids.overview import OverviewSource, Reducer
    from biggus.source import Box, Values

    _Place = tuple[int, tuple[int, ...]]

_PARTS = 8
"""For each thread about so many parts, so that none waits long for the last of the others."""

_WAKING_SECONDS = 0.2


class Made(NamedTuple):
    """A box of a level that has been made."""

    level: int
    box: Box
    values: Values


class Keeper(Protocol):
    """What takes the tiles of levels."""

    def version(self, level: int, box: Box) -> bytes | None:
        """Return the state of what a box of a level is made of."""

    def keep(self, made: Sequence[Made], level: int, box: Box, before: bytes | None) -> None:
        """Take what was made of the values under a box, which were in this state before."""


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

    def version(self, level: int, box: Box) -> bytes | None:  # noqa: ARG002 - of the protocol
        """Return None: what is in memory is never looked up again."""
        return None

    def keep(
        self,
        made: Sequence[Made],
        level: int,  # noqa: ARG002 - of the protocol
        box: Box,  # noqa: ARG002 - likewise
        before: bytes | None,  # noqa: ARG002 - likewise
    ) -> None:
        """Put values where they go."""
        for each in made:
            if each.level in self.arrays:
                self.arrays[each.level][each.box] = each.values


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
        self.levels = levels

    def version(self, level: int, box: Box) -> bytes | None:
        """Return the state of what a box of a level is made of."""
        return self.levels[level - 1].source.version(box)

    def keep(self, made: Sequence[Made], level: int, box: Box, before: bytes | None) -> None:
        """Store the chunks, unless something has changed meanwhile."""
        chunks = []
        for each in made:
            cached = self.levels[each.level - 1]
            for part in cached.grid.parts(each.box):
                state = cached.source.version(part.chunk)
                if state is not None:
                    chunks.append((cached.key(part.chunk), each.values[part.outer], state))
        if before is not None and self.version(level, box) == before:
            for key, values, state in chunks:
                self.cache.store(key, values, state)


def build(reducer: Reducer, keeper: Keeper) -> None:
    """Make all levels, and hand over their tiles.

    Raises
    ------
    MemoryBudgetError
        If not even one region fits into the memory that the options allow.
    SourceError
        If a read fails.
    """
    current = options.current()
    reducer = _fitting(reducer, current.memory)
    workers = max(1, min(current.workers, current.memory // reducer.peak_bytes))
    layout = reducer.layout
    total = math.prod(layout.shape) * reducer.node.dtype.itemsize
    with progress.reporting(current.progress, total) as advance, interruptible():
        level = _cut(reducer, workers, current.memory - workers * reducer.peak_bytes)
        maker = _Maker(reducer, keeper, advance)
        above = [
            (higher, box, keeper.version(higher, box))
            for higher in range(level + 1, layout.levels + 1)
            for box in _regions(layout, higher)
        ]
        states = _side_by_side(maker, level, _regions(layout, level), workers)
        for higher, box, before in above:
            maker.make_above(higher, box, before, states)


def _fitting(reducer: Reducer, memory: int) -> Reducer:
    """Return what reads as much at once as fits into the memory: whole chunks, if that can be."""
    least = reducer
    while least.peak_bytes > memory:
        layout = least.layout.shallower()
        if layout is None:
            raise MemoryBudgetError(
                f"an overview takes {format_bytes(least.peak_bytes)} at once, and the memory "
                f"option is {format_bytes(memory)}: raise it, or store the array in smaller chunks"
            )
        least = type(reducer)(reducer.node, layout, reducer.averaging)
    return least


def _cut(reducer: Reducer, workers: int, room: int) -> int:
    """Return the level whose tiles are made side by side: high, but of enough of them.

    Their states wait for what is above them, and have to find room.
    """
    layout = reducer.layout
    level = layout.levels
    least = min(level, EXACT_LEVELS)
    while level > least and layout.regions(level).count < _PARTS * workers:
        if layout.regions(level - 1).count * reducer.state_bytes > room:
            break
        level -= 1
    return level


def _regions(layout: Layout, level: int) -> Iterator[Box]:
    shape = layout.shape_of(level)
    return (part.chunk for part in layout.regions(level).parts(whole(shape)))


class _Maker:
    """Makes tiles with all that is under them, and those above.

    Parameters
    ----------
    reducer : Reducer
    keeper : Keeper
    advance : callable
        To be told of the bytes that are done.
    """

    def __init__(self, reducer: Reducer, keeper: Keeper, advance: Any) -> None:
        self._reducer = reducer
        self._keeper = keeper
        self._advance = advance

    def topmost(self, level: int) -> bool:
        """Tell whether nothing is made of the tiles of a level."""
        return level == self._reducer.layout.levels

    def make(self, level: int, box: Box) -> list[Any]:
        """Make the tiles of a region and all under them, and return their states."""
        before = self._keeper.version(level, box)
        if level > EXACT_LEVELS:
            quarters = self._reducer.layout.quarters(box, level)
            states = [[self.make(level - 1, part) for part in row] for row in quarters]
            return self._merged(level, box, quarters, states, before)
        states = self._of_values(level, box, before)
        region = self._reducer.layout.below(box, level, 0)
        self._advance(math.prod(box_shape(region)) * self._reducer.node.dtype.itemsize)
        return states

    def _of_values(self, level: int, box: Box, before: bytes | None) -> list[Any]:
        made: list[Made] = []

        def took(finer: int, part: Box, state: Any) -> None:
            made.append(Made(finer, part, self._reducer.shown(finer, part, state)))

        layout = self._reducer.layout
        values = self._reducer.values(level, box)
        states = [
            self._reducer.reduced(_beside(values, tile, box, layout.axes), level, tile, took)
            for tile in layout.tiles(box, level)
        ]
        del values
        self._keeper.keep(made, level, box, before)
        return states

    def make_above(
        self, level: int, box: Box, before: bytes | None, states: dict[_Place, list[Any]]
    ) -> None:
        """Make tiles from the states of those under them, and add their own to these."""
        quarters = self._reducer.layout.quarters(box, level)
        under = [[states.pop(_place(level - 1, part)) for part in row] for row in quarters]
        states[_place(level, box)] = self._merged(level, box, quarters, under, before)

    def _merged(
        self,
        level: int,
        box: Box,
        quarters: list[list[Box]],
        states: list[list[list[Any]]],
        before: bytes | None,
    ) -> list[Any]:
        layout = self._reducer.layout
        sizes = [[layout.sizes(part, level - 1) for part in row] for row in quarters]
        merged, made = [], []
        for number, tile in enumerate(layout.tiles(box, level)):
            under = [[each[number] for each in row] for row in states]
            merged.append(self._reducer.averaging.merged(under, sizes, layout.axes))
            made.append(Made(level, tile, self._reducer.shown(level, tile, merged[-1])))
        self._keeper.keep(made, level, box, before)
        return merged


def _beside(values: Values, tile: Box, region: Box, axes: tuple[int, int]) -> Values:
    """Return the part of the values under a region that lies under one of its tiles."""
    inside = tuple(
        slice(None) if axis in axes else slice(a.start - b.start, a.stop - b.start)
        for axis, (a, b) in enumerate(zip(tile, region, strict=True))
    )
    part: Values = values[inside]
    return part


def _place(level: int, box: Box) -> _Place:
    return level, tuple([s.start for s in box])


def _side_by_side(
    maker: _Maker, level: int, parts: Iterator[Box], workers: int
) -> dict[_Place, list[Any]]:
    """Make parts on so many threads, and return their states where they are merged further.

    The first failure ends all.
    """
    states: dict[_Place, list[Any]] = {}
    under_way: dict[Future[Any], Box] = {}

    def settle() -> None:
        done, _ = wait(under_way, _WAKING_SECONDS, return_when=FIRST_COMPLETED)
        for future in done:
            box, state = under_way.pop(future), future.result()
            if not maker.topmost(level):
                states[_place(level, box)] = state

    try:
        for box in parts:
            while len(under_way) >= workers:
                settle()
            context = contextvars.copy_context()
            under_way[computing.submit(context.run, maker.make, level, box)] = box
        while under_way:
            settle()
    except BaseException:
        for future in under_way:
            future.cancel()
        raise
    return states
