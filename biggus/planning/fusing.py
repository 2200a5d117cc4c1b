"""Fusing: what is computed value by value from one another goes through the core's cache together.

Each step on its own would write a whole block to memory, and the next read it from there.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from biggus.graph import SLAB, Elementwise
from biggus.planning.entries import FusedStep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.graph import Node
    from biggus.planning.entries import ScheduleEntry


def sinks_of(entries: Sequence[ScheduleEntry], roots: Sequence[int]) -> dict[int, list[int]]:
    """Return the numbers of entries that are fused, in order, by that of the last of them.

    Nothing but others of them needs what comes of one, but for the last.
    """
    users: list[list[int]] = [[] for _ in entries]
    for number, entry in enumerate(entries):
        for operand in entry.operands:
            users[operand].append(number)
    for root in roots:
        users[root].append(-1)
    sinks = dict.fromkeys(range(-1, len(entries)), -1)
    found: dict[int, list[int]] = {}
    for number in reversed(range(len(entries))):
        entry = entries[number]
        if not _is_fusible(entry):
            continue
        [sink, *others] = {sinks[user] for user in users[number]}
        alike = sink >= 0 and entries[sink].selection.shape == entry.selection.shape
        sinks[number] = sink if alike and not others else number
        found.setdefault(sinks[number], []).insert(0, number)
    return {sink: numbers for sink, numbers in found.items() if len(numbers) > 1}


def _is_fusible(entry: ScheduleEntry) -> bool:
    node: Node = entry.node
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
    """Return the numbers of what fused entries are computed from, and the steps."""
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
