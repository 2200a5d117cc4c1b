"""Entries of a schedule: values that are read, or computed from the values of other entries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.graph import Combination, Elementwise, Node, Read
    from biggus.indexing.selection import Selection


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
        Whether the values are computed part by part while they are accumulated.  They are
        never all in memory.
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
