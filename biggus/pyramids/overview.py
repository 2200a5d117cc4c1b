"""An overview: a source of one level of an array, each element the average of a block.

As a source it can be cached like any other.  A tile that is not cached is computed again from
the values of the array.  `building` computes all levels at once.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus import engine
from biggus.engine.fingerprint import Fingerprint, fingerprint
from biggus.graph import Node, select
from biggus.indexing.selection import Selection
from biggus.pyramids.blocks import EXACT_LEVELS
from biggus.sources.base import Box, Values, box_shape, whole, within
from biggus.sources.wrappers import DerivedSource
from biggus.support.once import once

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from biggus.pyramids.averaging import Averaging
    from biggus.pyramids.layout import PyramidLayout

    Data = npt.NDArray[Any]
    Mask = npt.NDArray[np.bool_]
    Took = Callable[[int, Box, Any], None]
    Room = Callable[[tuple[int, ...], np.dtype[Any]], Data]


class Reducer:
    """Computes the tiles of the levels of an array from its values.

    Parameters
    ----------
    node : Node
        The array.
    layout : PyramidLayout
        The layout of its levels.
    averaging : Averaging
        The method of averaging.
    """

    def __init__(self, node: Node, layout: PyramidLayout, averaging: Averaging) -> None:
        self.node = node
        self.layout = layout
        self.averaging = averaging

    @once
    def made_of(self) -> Fingerprint | None:
        """The fingerprint of the whole array; None if it has none."""
        return fingerprint(self.node, Selection.identity(self.node.shape))

    @once
    def _waits(self) -> bool:
        """Whether reads may wait, so that it is best to read much at once."""
        return self.made_of is None or any(source.io_bound for source, _ in self.made_of.reads)

    @once
    def peak_bytes(self) -> int:
        """The most memory that computing the tiles of a region and all below them takes.

        That is the values of a piece, the tiles, the sums of a strip, and for each level above
        the states of four tiles, twice while they are merged.
        """
        layout = self.layout
        level = min(layout.levels, EXACT_LEVELS)
        box = next(layout.regions(level).parts(whole(layout.shape_of(level)))).chunk
        itemsize = self.node.dtype.itemsize
        piece = self._pieces(level, box)[0][0]
        strip = layout.strips(piece, level)[0]
        region, values, reduced = (layout.below(each, level, 0) for each in (box, piece, strip))
        read = engine.estimate([select(self.node, Selection.of_box(values))])
        tiles = math.prod(box_shape(region)) * (itemsize + 1) // 3
        above = layout.levels - level
        states = (4 * above + (5 if above else 2)) * self.state_bytes
        summed = self.averaging.peak_bytes(math.prod(box_shape(reduced)), itemsize)
        return read.peak_bytes + read.result_bytes + tiles + summed + states

    @property
    def state_bytes(self) -> int:
        """The most bytes of the state of a tile, for all elements that are read at once."""
        layout = self.layout
        count = math.prod(max(1, n) for n in layout.depth) * math.prod(layout.tile)
        return count * (max(8, self.node.dtype.itemsize) + 8)

    def state(self, level: int, box: Box) -> Any:
        """Return the state of a tile of a level, or of a part from the start of one.

        Values are read region by region, each once.  The memory grows with the logarithm of the
        number of values.

        Parameters
        ----------
        level : int
            The level, from 1 on.
        box : tuple of slice
            The box of the tile in that level.
        """
        if level <= EXACT_LEVELS:
            return self.reduced(level, box)
        quarters = self.layout.quarters(box, level)
        return self.merged(
            level, quarters, [[self.state(level - 1, part) for part in row] for row in quarters]
        )

    def merged(self, level: int, quarters: list[list[Box]], states: list[list[Any]]) -> Any:
        """Return the state of a box of a level from those of its quarters, one level below."""
        return self.averaging.merged(states, self._sizes(quarters, level - 1), self.layout.axes)

    def reduced(
        self,
        level: int,
        box: Box,
        took: Took | None = None,
        room: Room | None = None,
        topmost: bool = False,
    ) -> Any:
        """Return the state of a box of one of the first levels, from the values below it.

        Parameters
        ----------
        level : int
            The level, up to `EXACT_LEVELS`.
        box : tuple of slice
            A box of that level.
        took : callable, optional
            Called with the level, box and state of each part, of this level and all below.
        room : callable, optional
            Returns reusable memory of a shape and dtype for the values that are read.
        topmost : bool
            Whether this is the last level: then parts are not joined, and None is returned.
        """
        pieces = self._pieces(level, box)
        states = [
            [self._of_piece(level, piece, took, room, topmost) for piece in row] for row in pieces
        ]
        return None if topmost else self._joined(level, pieces, states)

    def _pieces(self, level: int, box: Box) -> list[list[Box]]:
        return [[box]] if self._waits else self.layout.pieces(box, level)

    def _of_piece(
        self, level: int, piece: Box, took: Took | None, room: Room | None, topmost: bool
    ) -> Any:
        layout = self.layout
        read = layout.below(piece, level, 0)
        node = select(self.node, Selection.of_box(read))
        values = engine.evaluate(node, None if room is None else room(node.shape, node.dtype))
        strips = layout.strips(piece, level)
        states = []
        for strip in strips:
            part = values[within(layout.below(strip, level, 0), read)]
            first = self.averaging.first(part, layout.axes, level, passing=topmost)
            for finer, state in enumerate(first, 1):
                if took is not None:
                    took(finer, layout.below(strip, level, finer), state)
            if not topmost:
                states.append([state])
        return None if topmost else self._joined(level, [[strip] for strip in strips], states)

    def _joined(self, level: int, boxes: list[list[Box]], states: list[list[Any]]) -> Any:
        if len(states) == len(states[0]) == 1:
            return states[0][0]
        return self.averaging.joined(states, self._sizes(boxes, level), self.layout.axes)

    def _sizes(self, boxes: list[list[Box]], level: int) -> list[list[Any]]:
        return [[self.layout.sizes(box, level) for box in row] for row in boxes]

    def show(self, level: int, box: Box, state: Any, out: Data) -> Mask | None:
        """Put the values of a box of a level into an array.

        Returns
        -------
        ndarray or None
            The mask; None if no value is missing.
        """
        return self.averaging.show(state, self.layout.sizes(box, level), out)


class OverviewSource(DerivedSource):
    """The source of one level of an array.

    Parameters
    ----------
    reducer : Reducer
        Computes its values.
    level : int
        The level, from 1 on: an element covers ``2**level`` rows and columns.
    """

    io_bound = False
    owns_data = True

    def __init__(self, reducer: Reducer, level: int) -> None:
        self.reducer = reducer
        self.level = level
        layout, node = reducer.layout, reducer.node
        self.shape = layout.shape_of(level)
        self.dtype = node.dtype
        self.chunks = layout.chunks()
        # NaN are left out of means; a block of NaN alone is masked.
        self.masked = node.masked or node.dtype.kind in "fc"
        self.fill_value = node.fill_value
        self.name = f"overview {level} of {node.shape}"
        made_of = reducer.made_of
        if made_of is not None:
            method = reducer.averaging.name
            self.token = f"overview:{made_of.identity.hex()}|{layout.axes}|{level}|{method}"
            self.remote = any(source.remote for source, _ in made_of.reads)

    def __getitem__(self, box: Box) -> Values:
        layout = self.reducer.layout
        grid = layout.grid(self.level)
        parts = list(grid.parts(box))
        if len(parts) == 1 and parts[0].chunk == box:
            state = self.reducer.state(self.level, box)
            out = np.empty(box_shape(box), self.dtype)
            return self._masked(out, self.reducer.show(self.level, box, state, out))
        values = self._masked(np.empty(box_shape(box), self.dtype), None)
        for part in parts:
            values[part.outer] = self[part.chunk][part.inner]
        return values

    def _masked(self, values: Data, mask: Mask | None) -> Values:
        if not self.masked:
            return values
        return np.ma.MaskedArray(
            values, mask=np.zeros(values.shape, bool) if mask is None else mask
        )

    def validator(self, box: Box) -> bytes | None:
        """Return the joined validators of all that is read for a box."""
        made_of = self._fingerprint(box)
        return None if made_of is None else made_of.validator()

    def revalidate(self, box: Box, validator: bytes) -> bytes | None:
        """Check whether all that was read for a box is still valid."""
        made_of = self._fingerprint(box)
        return validator if made_of is not None and made_of.is_valid(validator) else None

    def made_of(self, box: Box) -> list[Node]:
        """Return the parts of the array that the tiles of a box are computed from."""
        layout = self.reducer.layout
        boxes = (part.chunk for part in layout.grid(self.level).parts(box))
        regions = (layout.below(each, self.level, 0) for each in boxes)
        return [select(self.reducer.node, Selection.of_box(region)) for region in regions]

    def _fingerprint(self, box: Box) -> Fingerprint | None:
        region = self.reducer.layout.below(box, self.level, 0)
        return fingerprint(self.reducer.node, Selection.of_box(region))

    def peak_bytes(self, box: Box) -> int:
        """Return the most memory that a read of `box` takes, with a region of values and sums."""
        return self.reducer.peak_bytes + super().peak_bytes(box)
