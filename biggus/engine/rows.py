"""Reading a block a few rows at a time, while it is accumulated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from biggus.indexing.grid import whole
from biggus.indexing.selection import Selection
from biggus.planning.partial_reads import rows_at_once

if TYPE_CHECKING:
    from collections.abc import Callable

    from biggus.graph import Node
    from biggus.sources.base import Box, Values


class Rows:
    """The values of a selection, which are read a few rows at a time.

    Rows are indices along the first axis that is longer than 1.  Boxes are asked for in ascending
    order of their rows, as the runs of a block are: then each value is read once, and the rows
    before the last box are dropped.  Boxes in another order cost further reads.

    Parameters
    ----------
    node : Node
        Values that cannot be missing.
    selection : Selection
        Which values of the node; not empty.
    read : callable
        Reads a selection of a node.
    """

    def __init__(
        self, node: Node, selection: Selection, read: Callable[[Node, Selection], Values]
    ) -> None:
        self.shape = selection.shape
        self._node = node
        self._selection = selection
        self._read_selection = read
        self._axis, self._at_once = rows_at_once(self.shape)
        self._start = self._stop = 0
        self._none = np.empty((0,) * len(self.shape), node.dtype)
        self._kept: Values = self._none
        """The rows from `_start` to `_stop`."""

    def within(self, box: Box) -> Rows:
        """Return the values in a box, which are read separately."""
        return Rows(
            self._node, self._selection.compose(Selection.of_box(box)), self._read_selection
        )

    def __getitem__(self, box: Box) -> Values:
        wanted = box[self._axis]
        if wanted.start < self._start:
            return self._read(box)
        if wanted.stop > self._stop:
            self._keep(wanted.start, wanted.stop)
        own = slice(wanted.start - self._start, wanted.stop - self._start)
        found: Values = self._kept[(*box[: self._axis], own, *box[self._axis + 1 :])]
        return found

    def _keep(self, start: int, stop: int) -> None:
        """Keep the rows from `start` to `stop`, or a few more, and drop the rows before."""
        every = whole(self.shape)
        before, behind = every[: self._axis], every[self._axis + 1 :]
        parts, begin = [], start
        if start < self._stop:
            parts.append(self._kept[(*before, slice(start - self._start, None))])
            begin = self._stop
        self._kept = self._none
        end = min(self.shape[self._axis], max(stop, begin + self._at_once))
        parts.append(self._read((*before, slice(begin, end, 1), *behind)))
        self._kept = parts[0] if len(parts) == 1 else np.concatenate(parts, self._axis)
        self._start, self._stop = start, end

    def _read(self, box: Box) -> Values:
        return self._read_selection(self._node, self._selection.compose(Selection.of_box(box)))
