"""The reduction tree: partial results merged in a tree that follows from their number alone.

Sixteen neighbours are merged from left to right, sixteen of those again, and so
on.  Each merge has the same two sides whatever the order in which partial
results come, so the result is the same to the bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from biggus.statistics import Aggregator, Partial

FAN = 16
"""How many neighbours are merged into one."""


class MergedRun(NamedTuple):
    """Neighbours that are merged already."""

    level: int
    """0 for reduction blocks; one more for each time that sixteen were merged."""

    start: int
    """The number of the first, on its level."""

    stop: int
    """The number after that of the last."""

    partial: Partial


class _Neighbours:
    """Sixteen neighbours, or the last few: what has come of them."""

    __slots__ = ("done", "merged", "waiting")

    def __init__(self) -> None:
        self.merged: Partial | None = None
        self.done = 0
        self.waiting: dict[int, MergedRun] = {}


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

    def add(self, run: MergedRun) -> None:
        """Take the partial result of a block, or of a run of which the first begins its group."""
        while True:
            level, start, stop, partial = run
            if level == len(self.counts) - 1:
                self.result = partial
                return
            number, position = divmod(start, FAN)
            group = self._groups.setdefault((level, number), _Neighbours())
            if position != group.done:
                group.waiting[position] = run
                return
            self._join(group, partial, stop - start)
            size = min(FAN, self.counts[level] - FAN * number)
            if group.done < size:
                return
            del self._groups[level, number]
            assert group.merged is not None
            run = MergedRun(level + 1, number, number + 1, group.merged)

    def _join(self, group: _Neighbours, partial: Partial, length: int) -> None:
        while True:
            if group.merged is None:
                group.merged = partial
            else:
                group.merged = self.aggregator.merge(group.merged, partial)
            group.done += length
            waiting = group.waiting.pop(group.done, None)
            if waiting is None:
                return
            partial, length = waiting.partial, waiting.stop - waiting.start

    def runs(self) -> list[MergedRun]:
        """Return what has come so far, merged as far as it goes."""
        if self.result is not None:
            return [MergedRun(len(self.counts) - 1, 0, 1, self.result)]
        runs = []
        for (level, number), group in self._groups.items():
            if group.merged is not None:
                first = FAN * number
                runs.append(MergedRun(level, first, first + group.done, group.merged))
            runs.extend(group.waiting.values())
        return runs
