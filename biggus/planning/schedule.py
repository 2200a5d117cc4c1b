"""Schedules: the order in which the values of a block are computed, each of them once.

A schedule is made before anything is read, from the expression and the selections that are
asked for.  The engine executes it, `footprint` counts the memory it takes, and a dry run lists
its reads, so the three always agree.

An entry is a set of values that are read, or computed from the values of other entries.  Chains
of elementwise steps are fused into one entry.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from biggus.graph import (
    SLAB,
    Combination,
    Elementwise,
    Read,
    View,
    Walk,
    answers,
    is_spread,
    key_of,
    pieces_of,
)
from biggus.indexing.selection import Selection
from biggus.planning.partial_reads import reads_rows

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterable, Mapping, Sequence

    from biggus.graph import Node


class FusedStep(NamedTuple):
    """One elementwise step of a fused entry."""

    node: Elementwise
    operands: tuple[int, ...]
    """Where each operand comes from: ``n`` is operand `n` of the entry, ``~n`` the result of
    the earlier step `n`."""


@dataclass(slots=True, eq=False)
class ScheduleEntry:
    """Values of a node that are read or computed.

    Parameters
    ----------
    node : Node
    selection : Selection
        Which values of the node.
    operands : sequence of int
        The numbers of the entries that the values are computed from.
    reads : list of Read or None
        The reads whose values are pasted into one array; None if nothing is pasted.
    piece : Combination or None
        The piece that is computed.  If it is one of several, the first operand is the array
        that it is pasted into.
    kept : bool
        Whether other blocks need the values too: the block that needs them first computes them.
    uses : int
        How often the values are an operand of another entry, or asked for.
    steps : sequence of FusedStep
        The steps of a fused entry; else empty.
    in_parts : bool
        Whether the values are read or computed part by part while they, or values computed from
        them, are accumulated.  They are never all in memory.
    """

    node: Node
    selection: Selection
    operands: Sequence[int] = ()
    reads: list[Read] | None = None
    piece: Combination | None = None
    kept: bool = False
    uses: int = 0
    steps: Sequence[FusedStep] = ()
    in_parts: bool = False

    @property
    def is_read(self) -> bool:
        """Whether the values are read in one go, and nothing is computed."""
        return self.piece is None and self.reads is None and not self.operands

    @property
    def pasted(self) -> bool:
        """Whether this is a piece that is pasted into the array of its first operand."""
        return self.piece is not None and len(self.operands) > len(self.piece.operands)


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
        for entry in self.entries:
            if entry.in_parts:
                for operand in [self.entries[number] for number in entry.operands]:
                    operand.in_parts = self._reads_rows(operand, entry.selection.shape)

    def _reads_rows(self, entry: ScheduleEntry, shape: tuple[int, ...]) -> bool:
        """Return whether an operand of values of a shape is read a few rows at a time."""
        return (
            entry.is_read
            and not entry.kept
            and entry.uses == 1
            and entry.selection.shape == shape
            and id(entry.node) not in self._separate
            and reads_rows(entry.node, entry.selection)
        )

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


def fused_groups(
    entries: Sequence[ScheduleEntry], roots: Sequence[int], in_parts: Collection[int]
) -> dict[int, list[int]]:
    """Return which entries are fused: the numbers of each group, in order, by its last number.

    Only the values of the last entry of a group are needed outside of the group.

    Fused steps are computed together, slab by slab, in the core's cache.  One step at a time,
    each would write a whole block to memory for the next to read.

    Parameters
    ----------
    entries : sequence of ScheduleEntry
    roots : sequence of int
        The numbers of the entries that were asked for.
    in_parts : collection of int
        The places among the roots of those whose values are accumulated part by part.  Such a
        root is fused even alone, if nothing else needs its values.
    """
    users: list[list[int]] = [[] for _ in entries]
    for number, entry in enumerate(entries):
        for operand in entry.operands:
            users[operand].append(number)
    for root in roots:
        users[root].append(-1)
    last_of = dict.fromkeys(range(-1, len(entries)), -1)
    found: dict[int, list[int]] = {}
    for number in reversed(range(len(entries))):
        entry = entries[number]
        if not _is_fusible(entry):
            continue
        [last, *others] = {last_of[user] for user in users[number]}
        alike = last >= 0 and entries[last].selection.shape == entry.selection.shape
        last_of[number] = last if alike and not others else number
        found.setdefault(last_of[number], []).insert(0, number)
    alone = {roots[place] for place in in_parts if users[roots[place]] == [-1]} & found.keys()
    for number in alone:
        entries[number].in_parts = True
    return {last: numbers for last, numbers in found.items() if len(numbers) > 1 or last in alone}


def _is_fusible(entry: ScheduleEntry) -> bool:
    node = entry.node
    return (
        isinstance(node, Elementwise)
        and entry.piece is None
        and bool(entry.operands)
        and not (node.masked or node.dtype.hasobject)
        and math.prod(entry.selection.shape) > SLAB
    )


def steps_of(
    entries: Sequence[ScheduleEntry], numbers: Sequence[int]
) -> tuple[list[int], list[FusedStep]]:
    """Return the operands and the steps of the fused entry that replaces a group.

    Parameters
    ----------
    entries : sequence of ScheduleEntry
    numbers : sequence of int
        The numbers of the entries of the group, in order.

    Returns
    -------
    operands : list of int
        The numbers of the entries outside of the group that it is computed from.
    steps : list of FusedStep
        One for each entry of the group.
    """
    places = {number: ~place for place, number in enumerate(numbers)}
    operands: list[int] = []
    steps = []
    for number in numbers:
        for operand in entries[number].operands:
            if operand not in places:
                places[operand] = len(operands)
                operands.append(operand)
        node = entries[number].node
        assert isinstance(node, Elementwise)
        steps.append(FusedStep(node, tuple([places[each] for each in entries[number].operands])))
    return operands, steps
