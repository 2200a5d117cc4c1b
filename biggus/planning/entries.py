"""Entries of a schedule: values that are read, or computed of those of others."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.graph import Combination, Elementwise, Node, Read
    from biggus.indexing.selection import Selection


class FusedStep(NamedTuple):
    """A step among those that are fused."""

    node: Elementwise
    operands: tuple[int, ...]
    """Those of the entry, by their place there; or of an earlier step, by its place inverted."""


class ScheduleEntry:
    """Values that are read or computed.

    Attributes
    ----------
    node : Node
    selection : Selection
        Which values of it.
    operands : tuple of int
        The numbers of the entries that it is computed from.
    reads : list of Read or None
        Of what is pasted together of several pieces: those that are read.
    piece : Combination or None
        The piece that is computed; of several the first operand is what it is pasted into.
    kept : bool
        Whether the values are kept for other blocks too, and computed by whoever comes first.
    uses : int
        How often it is an operand, or asked for.
    steps : sequence of FusedStep
        Of what is computed in several at once: these.
    """

    __slots__ = ("kept", "node", "operands", "piece", "reads", "selection", "steps", "uses")

    def __init__(
        self,
        node: Node,
        selection: Selection,
        operands: Sequence[int] = (),
        reads: list[Read] | None = None,
        piece: Combination | None = None,
        kept: bool = False,
    ) -> None:
        self.node = node
        self.selection = selection
        self.operands = tuple(operands)
        self.reads = reads
        self.piece = piece
        self.kept = kept
        self.uses = 0
        self.steps: Sequence[FusedStep] = ()

    @property
    def is_read(self) -> bool:
        """Whether it is nothing but read."""
        return self.piece is None and self.reads is None and not self.operands

    @property
    def pasted(self) -> bool:
        """Whether it is a piece of what its first operand is a part of already."""
        return self.piece is not None and len(self.operands) > len(self.piece.operands)
