"""The reduction tree: partial results merged in a tree that follows from their number alone.

Sixteen neighbours are merged from left to right, sixteen of those again, and so
on.  Each merge has the same two sides whatever the order in which partial
results come, so the result is the same to the bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from biggus.statistics import Aggregator, Partial

FAN = 16
"""How many neighbours are merged into one."""


class _Neighbours:
    """Sixteen neighbours, or the last few: what has come of them."""

    __slots__ = ("done", "merged", "waiting")

    def __init__(self) -> None:
        self.merged: Partial | None = None
        self.done = 0
        self.waiting: dict[int, Partial] = {}


class ReductionTree:
    """The merging of the partial results of a number of reduction blocks.

    Parameters
    ----------
    aggregator : Aggregator
        What merges them.
    count : int
        How many reduction blocks there are; at least one.
    """

    def __init__(self, aggregator: Aggregator, count: int) -> None:
        self.aggregator = aggregator
        self.counts = [count]
        while self.counts[-1] > 1:
            self.counts.append(-(-self.counts[-1] // FAN))
        self.result: Partial | None = None
        self._groups: dict[tuple[int, int], _Neighbours] = {}

    def add(self, number: int, partial: Partial) -> None:
        """Take the partial result of the block of this number."""
        for level, count in enumerate(self.counts[:-1]):
            parent, position = divmod(number, FAN)
            group = self._groups.setdefault((level, parent), _Neighbours())
            if position != group.done:
                group.waiting[position] = partial
                return
            self._join(group, partial)
            if group.done < min(FAN, count - FAN * parent):
                return
            del self._groups[level, parent]
            assert group.merged is not None
            number, partial = parent, group.merged
        self.result = partial

    def _join(self, group: _Neighbours, partial: Partial | None) -> None:
        while partial is not None:
            if group.merged is None:
                group.merged = partial
            else:
                group.merged = self.aggregator.merge(group.merged, partial)
            group.done += 1
            partial = group.waiting.pop(group.done, None)
