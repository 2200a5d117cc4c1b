"""Passes: what is to be computed in one pass over the data, and what in the next.

A reduction whose operand holds no other can be computed at once; it gives way to
its values, and so others come to be ready.  How a pass is made, and where values
are put, is the business of those who derive from `Passes`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from biggus.planning import (
    CommonSubexpressions,
    Output,
    Reduction,
    Wanted,
    pushdown,
    reductions_of,
    reductions_over,
    substituted,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from biggus.graph import Node, Reduce
    from biggus.sources.base import Chunks

Target = TypeVar("Target")
"""What the values of a reduction are put into."""


class Stage(NamedTuple):
    """What is computed in one pass."""

    reductions: list[Reduction]
    """Of which no operand is empty."""

    empty: list[Reduction]
    """Of nothing: no value is read for them."""

    outputs: list[Output]


class Passes(ABC, Generic[Target]):
    """Nodes on their way to values, pass by pass.

    Parameters
    ----------
    nodes : sequence of Node
        What is asked for.
    grids : sequence of Chunks or None
        How the blocks of each must be cut.
    """

    def __init__(self, nodes: Sequence[Node], grids: Sequence[Chunks | None]) -> None:
        self._intern = CommonSubexpressions()
        self.nodes = [self._intern(pushdown(node)) for node in nodes]
        self._grids = grids
        self.targets: dict[int, Target] = {}
        """Where the values of each reduction go, by its id."""

    @abstractmethod
    def target(self, node: Reduce) -> Target:
        """Return what the values of a reduction are to be put into."""

    @abstractmethod
    def leaf(self, target: Target) -> Node:
        """Return the node of the values of a reduction that is computed."""

    @abstractmethod
    def make(self, stage: Stage) -> list[Wanted]:
        """Make a pass; return the statistics that need another over the same data."""

    def reached(self, number: int, target: Target) -> bool:  # noqa: ARG002
        """Take the values of a reduction that was itself asked for; tell whether that is all."""
        return False

    def run(self) -> None:
        """Make one pass after the other, until all is done."""
        waiting = dict(enumerate(self.nodes))
        further: list[Wanted] = []
        while waiting or further:
            ready = [number for number, node in waiting.items() if not node.needs_reduction]
            wanted = [*further, *self._wanted(waiting.values())]
            outputs = [Output(waiting[number], number, self._grids[number]) for number in ready]
            further = self.make(_stage(wanted, outputs))
            for number in ready:
                del waiting[number]
            going = {id(each.node) for each in further}
            done = {key: target for key, target in self.targets.items() if key not in going}
            self._substitute(waiting, done)

    def _wanted(self, nodes: Iterable[Node]) -> list[Wanted]:
        """Return the reductions that can be computed now, and have not been."""
        found = []
        for node in nodes:
            for reduction in reductions_of(node):
                if id(reduction) not in self.targets:
                    self.targets[id(reduction)] = self.target(reduction)
                    found.append(Wanted(reduction, reduction.statistic))
        return found

    def _substitute(self, waiting: dict[int, Node], done: dict[int, Target]) -> None:
        leaves: dict[int, Any] = {}
        for number, node in list(waiting.items()):
            if id(node) in done and self.reached(number, done[id(node)]):
                del waiting[number]
                continue
            for reduction in reductions_of(node):
                key = id(reduction)
                if key in done and key not in leaves:
                    leaves[key] = self.leaf(done[key])
            waiting[number] = self._intern(substituted(node, leaves))


def _stage(wanted: Sequence[Wanted], outputs: Sequence[Output]) -> Stage:
    reductions = reductions_over(wanted)
    return Stage(
        [reduction for reduction in reductions if 0 not in reduction.node.shape],
        [reduction for reduction in reductions if 0 in reduction.node.shape],
        [output for output in outputs if 0 not in output.node.shape],
    )
