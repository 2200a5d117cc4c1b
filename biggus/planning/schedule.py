"""Schedules: the order in which the values of a block are computed, each of them once.

A schedule is made before anything is read, from the expression and the selections that are
asked for.  The engine executes it, `footprint` counts the memory it takes, and a dry run lists
its reads, so the three always agree.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Protocol

from biggus.graph import (
    Combination,
    Read,
    View,
    Walk,
    answers,
    is_spread,
    key_of,
    pieces_of,
)
from biggus.indexing.selection import Selection
from biggus.planning.entries import ScheduleEntry
from biggus.planning.fusing import fused_groups, steps_of

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterable, Mapping, Sequence

    from biggus.graph import Node

_NONE: Collection[int] = frozenset()


class KeptValues(Protocol):
    """A store of values that several blocks need."""

    def holds(self, node: Node, spread: bool) -> bool:
        """Return whether values of a node are kept; `spread` says whether they are broadcast."""

    def knows(self, node: Node, selection: Selection) -> bool:
        """Return whether the values of a selection have been computed."""


class Schedule(Walk[int]):
    """The entries for some selections of nodes, in the order of computing.

    Parameters
    ----------
    asks : iterable of (Node, Selection)
        The wanted values; no selection is empty.
    separate : collection of int
        The ids of nodes that are read on their own, whatever they are made of.
    kept : KeptValues, optional
        The store of values that several blocks need.
    filling : bool
        Whether this schedule fills the store: it then also computes, and adds to `asks`, the
        values that are to be kept and are not known yet.
    in_parts : collection of int
        The places of those asks whose values are accumulated part by part.
    """

    def __init__(
        self,
        asks: Iterable[tuple[Node, Selection]],
        separate: Collection[int] = _NONE,
        kept: KeptValues | None = None,
        filling: bool = False,
        in_parts: Collection[int] = _NONE,
    ) -> None:
        super().__init__()
        self._separate = separate
        self._kept = kept
        self._filling = filling
        self._unknown: dict[Any, tuple[Node, Selection]] = {}
        self.entries: list[ScheduleEntry] = []
        self.asks = [past_views(*ask) for ask in asks]
        """The wanted nodes and selections, none of them a view."""
        self.roots = [self._used(self(*ask)) for ask in self.asks]
        """The number of the entry of each of `asks`."""
        if filling:
            self.asks += list(self._unknown.values())
            self.roots += [self._used(self(*ask)) for ask in self._unknown.values()]
        groups = fused_groups(self.entries, self.roots, in_parts)
        if groups:
            self._fuse(groups)

    def _fuse(self, groups: Mapping[int, Sequence[int]]) -> None:
        """Replace each group of fused entries by one entry, and number all entries anew."""
        entries, self.entries = self.entries, []
        within = set(itertools.chain(*groups.values())) - groups.keys()
        places: dict[int, int] = {}
        for number, entry in enumerate(entries):
            entry.uses = 0
            if number in within:
                continue
            if number in groups:
                entry.operands, entry.steps = steps_of(entries, groups[number])
            entry.operands = [places[operand] for operand in entry.operands]
            places[number] = self._add(entry)
        self.roots = [self._used(places[root]) for root in self.roots]

    def before(self) -> Schedule | None:
        """Return the schedule of kept values that are needed and not computed yet; None if none."""
        kept = self._kept
        if kept is None or not self._unknown:
            return None
        asks = [ask for ask in self._unknown.values() if not kept.knows(*ask)]
        return Schedule(asks, self._separate, kept, filling=True) if asks else None

    def answer(self, *ask: Any) -> int | Generator[Any, int, int]:
        """Return the number of the entry of a selection of a node; the node is no view."""
        node, selection = ask
        if id(node) not in self._separate:
            needs = node.needs(selection)
            if needs is not None:
                return self._computed(node, selection, needs)
            if node.combined:
                return self._of_pieces(node, selection)
        return self._add(ScheduleEntry(node, selection))

    def _add(self, entry: ScheduleEntry) -> int:
        for number in entry.operands:
            self._used(number)
        self.entries.append(entry)
        return len(self.entries) - 1

    def _used(self, number: int) -> int:
        self.entries[number].uses += 1
        return number

    def _computed(
        self, node: Node, selection: Selection, needs: Sequence[tuple[Node, Selection]]
    ) -> Generator[Any, int, int]:
        kept = self._kept
        operands = []
        for child, ask in zip(node.children, needs, strict=True):
            if kept is not None and kept.holds(ask[0], is_spread(child)):
                if not kept.knows(*ask):
                    self._unknown[id(ask[0]), key_of(ask[1])] = ask
                if not self._filling or kept.knows(*ask):
                    operands.append(self._add(ScheduleEntry(*ask, kept=True)))
                    continue
            operands.append((yield ask))
        return self._add(ScheduleEntry(node, selection, operands))

    def _of_pieces(self, node: Node, selection: Selection) -> Generator[Any, int, int]:
        everything = Selection.identity(selection.shape)
        pieces = pieces_of(node, selection, everything)
        first = next(pieces)
        alone = first.out_selection is everything  # not cut anywhere: there is no other
        if alone and isinstance(first, Read):
            return self._add(ScheduleEntry(node, selection))
        reads: list[Read] = []
        number = -1 if alone else self._add(ScheduleEntry(node, selection, reads=reads))
        for piece in itertools.chain([first], pieces):
            if isinstance(piece, Read):
                reads.append(piece)
                continue
            assert isinstance(piece, Combination)
            operands = yield from answers([past_views(*ask) for ask in piece.operands])
            if not alone:
                operands.insert(0, number)
            number = self._add(ScheduleEntry(node, selection, operands, piece=piece))
        return number


def past_views(node: Node, selection: Selection) -> tuple[Node, Selection]:
    """Return the same selection of a node that is no view."""
    if isinstance(node, View):
        return node.base, node.selection.compose(selection)
    return node, selection
