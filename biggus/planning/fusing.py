"""Fusing: chains of elementwise steps are computed together, slab by slab, in the core's cache.

One step at a time, each would write a whole block to memory for the next to read.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from biggus.graph import SLAB, Elementwise
from biggus.planning.entries import FusedStep

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from biggus.planning.entries import ScheduleEntry


def fused_groups(
    entries: Sequence[ScheduleEntry], roots: Sequence[int], in_parts: Collection[int]
) -> dict[int, list[int]]:
    """Return which entries are fused: the numbers of each group, in order, by its last number.

    Only the values of the last entry of a group are needed outside of the group.

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
