"""The reduction tree, which merges partial results in an order that depends on their number alone.

Sixteen neighbours are merged from left to right, then sixteen of those results, and so on.
Each merge has the same two sides in whatever order the partial results arrive, so the result
is the same to the bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from biggus.statistics import Aggregator, Partial

FAN = 16
"""How many neighbours are merged into one."""


class ReductionTree:
    """Merges the partial results of a number of reduction blocks.

    Parameters
    ----------
    aggregator : Aggregator
        Merges two partial results.
    count : int
        The number of reduction blocks; at least one.

    Attributes
    ----------
    result : Partial or None
        The merged result, once all partial results have been added.
    """

    def __init__(self, aggregator: Aggregator, count: int) -> None:
        self.aggregator = aggregator
        self.counts = [count]
        while self.counts[-1] > 1:
            self.counts.append(-(-self.counts[-1] // FAN))
        self.result: Partial | None = None
        # By level and number: partial results that arrived before their left neighbour.
        self._early: dict[tuple[int, int], Partial] = {}
        # By level and parent: the number of the next neighbour, and the merge of those before it.
        self._merged: dict[tuple[int, int], tuple[int, Partial | None]] = {}

    def add(self, number: int, partial: Partial) -> None:
        """Add the partial result of the block with this number."""
        for level, count in enumerate(self.counts[:-1]):
            self._early[level, number] = partial
            parent = number // FAN
            following, merged = self._merged.pop((level, parent), (FAN * parent, None))
            end = min(FAN * (parent + 1), count)
            while following < end and (level, following) in self._early:
                partial = self._early.pop((level, following))
                merged = partial if merged is None else self.aggregator.merge(merged, partial)
                following += 1
            if following < end:
                self._merged[level, parent] = following, merged
                return
            assert merged is not None
            number, partial = parent, merged
        self.result = partial
