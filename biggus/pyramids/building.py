"""Building: all levels of an array, in one pass over it.

Tiles are made depth first, so that each value is read once and only the sums of a few
tiles are held; what is made at once goes to several threads.  What has been made is
handed on as it comes, with the states of what it was made of, taken before and after.
"""

from __future__ import annotations

import contextvars
import math
import threading
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from typing import TYPE_CHECKING, Any

from biggus import options
from biggus.engine.under_way import computing
from biggus.errors import MemoryBudgetError
from biggus.options import format_bytes
from biggus.pyramids.blocks import EXACT_LEVELS
from biggus.pyramids.keeping import place
from biggus.sources.base import box_shape, whole
from biggus.support import progress
from biggus.support.threads import WAKING_SECONDS, interruptible

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import numpy.typing as npt

    from biggus.pyramids.keeping import Batch, Keeper
    from biggus.pyramids.layout import PyramidLayout
    from biggus.pyramids.overview import Reducer
    from biggus.sources.base import Box

    _Place = tuple[int, tuple[int, ...]]

_PARTS = 8
"""For each thread about so many parts, so that none waits long for the last of the others."""


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
    whole, reducer = reducer, _fitting(reducer, current.memory)
    workers = max(1, min(current.workers, current.memory // reducer.peak_bytes))
    layout = reducer.layout
    total = math.prod(layout.shape) * reducer.node.dtype.itemsize
    # What is read once, and is more than there is room for, need not stay.
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


def _regions(layout: PyramidLayout, level: int) -> Iterator[Box]:
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
        self._rooms = _Rooms()

    def topmost(self, level: int) -> bool:
        """Tell whether nothing is made of the tiles of a level."""
        return level == self._reducer.layout.levels

    def make(self, level: int, box: Box) -> Any:
        """Make the tiles of a region and all under them, and return their state."""
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
        """Make tiles from the states of those under them, and add their own to these."""
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
    """Memory for what each thread reads, again and again: to have it anew costs as much as sums."""

    def __init__(self) -> None:
        self._memory: dict[int, npt.NDArray[Any]] = {}

    def room(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        """Return memory for values, which are good until this thread asks for other."""
        return place(self._memory, 0, shape, dtype)


def _place(level: int, box: Box) -> _Place:
    return level, tuple([s.start for s in box])


def _side_by_side(
    maker: _Maker, level: int, parts: Iterator[Box], workers: int
) -> dict[_Place, Any]:
    """Make parts on so many threads, and return their states where they are merged further.

    Each thread makes one part after the other: what its allocator keeps of one is there for
    the next.  The first failure ends all.
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
