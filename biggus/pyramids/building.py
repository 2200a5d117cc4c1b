"""Building all levels of an array in one pass over it.

Tiles are computed depth first, so that each value is read once and only the states of a few
tiles are in memory.  Independent tiles are computed on several threads.  Finished tiles go to
a `Keeper`, which checks that the data did not change while they were computed.
"""

from __future__ import annotations

import contextvars
import math
import threading
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from typing import TYPE_CHECKING, Any

from biggus import options
from biggus.engine.concurrent_reads import computing
from biggus.errors import MemoryBudgetError
from biggus.options import format_bytes
from biggus.pyramids.blocks import EXACT_LEVELS
from biggus.pyramids.keeping import place
from biggus.sources.base import Box, box_shape, whole
from biggus.support import progress
from biggus.support.threads import WAKING_SECONDS, interruptible

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import numpy.typing as npt

    from biggus.pyramids.keeping import Batch, Keeper
    from biggus.pyramids.layout import PyramidLayout
    from biggus.pyramids.overview import Reducer

    _Place = tuple[int, tuple[int, ...]]

_PARTS = 8
"""About how many parts there are for each thread, so that none waits long for the others."""


def build(reducer: Reducer, keeper: Keeper) -> None:
    """Compute all levels, and pass their tiles to `keeper`.

    Raises
    ------
    MemoryBudgetError
        If not even one region fits the memory that the options allow.
    SourceError
        If a read fails.
    """
    current = options.current()
    whole, reducer = reducer, _fitting(reducer, current.memory)
    workers = max(1, min(current.workers, current.memory // reducer.peak_bytes))
    layout = reducer.layout
    total = math.prod(layout.shape) * reducer.node.dtype.itemsize
    # Chunks that are read once, and do not all fit the chunk memory, need not be kept there.
    once = reducer is whole and layout.whole_chunks and total > current.chunk_memory
    with (
        options.set_options(chunk_memory=0 if once else current.chunk_memory),
        progress.reporting(current.progress, total) as advance,
        interruptible(),
    ):
        level = _cut(reducer, workers, current.memory - workers * reducer.peak_bytes)
        maker = _Maker(reducer, keeper, advance)
        above = [
            (higher, box, keeper.batch({higher: box}))
            for higher in range(level + 1, layout.levels + 1)
            for box in _regions(layout, higher)
        ]
        states = _side_by_side(maker, level, _regions(layout, level), workers)
        for higher, box, batch in above:
            maker.make_above(higher, box, batch, states)


def _fitting(reducer: Reducer, memory: int) -> Reducer:
    """Return a reducer that reads as much at once as fits the memory, whole chunks if possible."""
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
    """Return the level whose tiles are computed in parallel: the highest with enough tiles.

    The states of these tiles are kept in memory until the levels above are computed.
    """
    layout = reducer.layout
    level = layout.levels
    least = min(level, EXACT_LEVELS)
    while level > least and layout.regions(level).count < _PARTS * workers:
        if layout.regions(level - 1).count * reducer.state_bytes > room:
            break
        level -= 1
    return level


def _regions(layout: PyramidLayout, level: int) -> Iterator[Box]:
    shape = layout.shape_of(level)
    return (part.chunk for part in layout.regions(level).parts(whole(shape)))


class _Maker:
    """Computes tiles with all that is below them, and the tiles above.

    Parameters
    ----------
    reducer : Reducer
        Computes the states of tiles.
    keeper : Keeper
        Takes finished tiles.
    advance : callable
        Called with the number of bytes just read.
    """

    def __init__(self, reducer: Reducer, keeper: Keeper, advance: Any) -> None:
        self._reducer = reducer
        self._keeper = keeper
        self._advance = advance
        self._rooms = _Rooms()

    def topmost(self, level: int) -> bool:
        """Return whether a level is the last one."""
        return level == self._reducer.layout.levels

    def make(self, level: int, box: Box) -> Any:
        """Compute the tiles of a region and all below them, and return their state."""
        layout = self._reducer.layout
        if level <= EXACT_LEVELS:
            return self._of_values(level, box)
        batch = self._keeper.batch({level: box})
        quarters = layout.quarters(box, level)
        states = [[self.make(level - 1, part) for part in row] for row in quarters]
        return self._merged(level, box, batch, quarters, states)

    def _of_values(self, level: int, box: Box) -> Any:
        reducer = self._reducer
        below = reducer.layout.below
        batch = self._keeper.batch(
            {finer: below(box, level, finer) for finer in range(1, level + 1)}
        )

        def took(finer: int, part: Box, state: Any) -> None:
            self._keep(batch, finer, part, state)

        state = reducer.reduced(level, box, took, self._rooms.room, self.topmost(level))
        batch.finish()
        self._advance(math.prod(box_shape(below(box, level, 0))) * reducer.node.dtype.itemsize)
        return state

    def make_above(self, level: int, box: Box, batch: Batch, states: dict[_Place, Any]) -> None:
        """Compute tiles from the states of those below, and replace these by their own state."""
        quarters = self._reducer.layout.quarters(box, level)
        under = [[states.pop(_place(level - 1, part)) for part in row] for row in quarters]
        states[_place(level, box)] = self._merged(level, box, batch, quarters, under)

    def _merged(
        self,
        level: int,
        box: Box,
        batch: Batch,
        quarters: list[list[Box]],
        states: list[list[Any]],
    ) -> Any:
        state = self._reducer.merged(level, quarters, states)
        self._keep(batch, level, box, state)
        batch.finish()
        return state

    def _keep(self, batch: Batch, level: int, box: Box, state: Any) -> None:
        out = batch.room(level, box)
        if out is not None:
            mask = self._reducer.show(level, box, state, out)
            if mask is not None:
                batch.lack(level, box, mask)


class _Rooms(threading.local):
    """Memory that each thread reuses for its reads; fresh memory costs as much as the sums."""

    def __init__(self) -> None:
        self._memory: dict[int, npt.NDArray[Any]] = {}

    def room(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        """Return memory for values, which the next call in this thread overwrites."""
        return place(self._memory, 0, shape, dtype)


def _place(level: int, box: Box) -> _Place:
    return level, tuple([s.start for s in box])


def _side_by_side(
    maker: _Maker, level: int, parts: Iterator[Box], workers: int
) -> dict[_Place, Any]:
    """Compute parts on several threads; return their states, to be merged further.

    Each thread computes one part after the other, reusing its memory.  The first failure ends
    all threads.
    """
    states: dict[_Place, Any] = {}
    turn, stopped = threading.Lock(), threading.Event()

    def work() -> None:
        while not stopped.is_set():
            with turn:
                box = next(parts, None)
            if box is None:
                return
            state = maker.make(level, box)
            if not maker.topmost(level):
                states[_place(level, box)] = state

    under_way: set[Future[Any]] = {
        computing.submit(contextvars.copy_context().run, work) for _ in range(workers)
    }
    try:
        while under_way:
            done, under_way = wait(under_way, WAKING_SECONDS, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
    except BaseException:
        stopped.set()
        for future in under_way:
            future.cancel()
        raise
    return states
