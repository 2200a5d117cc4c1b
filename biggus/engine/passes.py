"""Passes: what is to be computed in one pass over the data, and what in the next.

A reduction whose operand holds no other can be computed at once; it gives way to
its values, and so others come to be ready.  How a pass is made, and where values
are put, is the business of those who derive from `Passes`.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from biggus import options
from biggus.graph import AlongAxes, Gufunc, ordered
from biggus.planning.jobs import Output, reductions_over
from biggus.planning.rechunking import Gathering, Gatherings, held_bytes, placed
from biggus.planning.rewriting import CommonSubexpressions, pushdown, reductions_of, substituted
from biggus.sources.chunk_memory import scan_pass

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from biggus.graph import Node, Reduce
    from biggus.planning.jobs import Reduction, Wanted
    from biggus.planning.rechunking import Rechunking, Rewriting
    from biggus.sources.base import Chunks

Target = TypeVar("Target")
"""What the values of a reduction are put into."""


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
        self.allowed = options.current().memory
        """The bytes that all may take."""
        self.memory = self.allowed
        """The bytes that computing may take now."""
        self.gatherings = Gatherings(self.allowed)

    @abstractmethod
    def target(self, node: Reduce | AlongAxes | Gufunc) -> Target:
        """Return what the values of a reduction are to be put into."""

    @abstractmethod
    def leaf(self, target: Target, grid: Chunks | None) -> Node:
        """Return the node of the values of a reduction that is computed, and how it is cut."""

    @abstractmethod
    def make(self, reductions: Sequence[Reduction], outputs: Sequence[Output]) -> Wanted:
        """Make a pass, in which something is read for each reduction and each output.

        Return the statistics that need another over the same data.
        """

    def of_nothing(self, reductions: Sequence[Reduction]) -> Wanted:
        """Give what reductions of no value are; return those that need another pass."""
        return {}

    @abstractmethod
    def open(self, rechunking: Rechunking, number: int, held: bool) -> None:
        """Make the scratch which the values of the output of that number go to."""

    @abstractmethod
    def empty(self, rechunking: Gathering | Rewriting, numbers: Sequence[int]) -> None:
        """Compute what is wanted of the values in scratches, and let go of these."""

    def reached(self, number: int, target: Target) -> bool:
        """Take the values of a reduction that was itself asked for; tell whether that is all."""
        return False

    def run(self) -> None:
        """Make one pass after the other, until all is done."""
        waiting = dict(enumerate(self.nodes))
        further: Wanted = {}
        evaluation = object()
        for number in itertools.count():
            if not (waiting or further):
                return
            rechunkings: list[Gathering | Rewriting] = []
            rechunkings += self.gatherings.ready(waiting.values())
            ready = [number for number, node in waiting.items() if self._is_ready(node)]
            wanted = {**further, **self._wanted(waiting.values())}
            outputs: list[Output] = []
            for each in ready:
                output = Output(waiting[each], each, self._grids[each])
                found = placed(output, self.allowed)
                if isinstance(found, Output):
                    outputs.append(found)
                else:
                    rechunkings.append(found)
            # What else there is may need all the memory.
            outputs += self._opened(rechunkings, alone=not (wanted or outputs))
            reductions = reductions_over(wanted)
            of_nothing = self.of_nothing([each for each in reductions if 0 in each.node.shape])
            last = len(ready) == len(waiting) and not wanted
            with scan_pass(evaluation, number, last):
                made = self.make(
                    [each for each in reductions if 0 not in each.node.shape],
                    [each for each in outputs if 0 not in each.node.shape],
                )
            further = {**of_nothing, **made}
            numbers = itertools.count(len(self.nodes))
            for rechunking in rechunkings:
                self.empty(rechunking, list(itertools.islice(numbers, len(rechunking.parts))))
            self.memory = self.allowed
            for each in ready:
                del waiting[each]
            going = set(map(id, further))
            done = {key: target for key, target in self.targets.items() if key not in going}
            self._substitute(waiting, done)

    def _is_ready(self, node: Node) -> bool:
        """Tell whether a node waits for no other to be computed."""
        return not (node.needs_reduction or self.gatherings(node))

    def _opened(self, rechunkings: Sequence[Gathering | Rewriting], alone: bool) -> list[Output]:
        """Make a scratch for each; return what puts the values there."""
        parts = [part for each in rechunkings for part in each.parts]
        held = held_bytes(parts, self.allowed) if alone else 0
        self.memory = self.allowed - held
        for each in rechunkings:
            if isinstance(each, Gathering):
                self.targets[id(each.function)] = self.target(each.function)
        found = []
        for number, part in enumerate(parts, len(self.nodes)):
            self.open(part, number, held > 0)
            found.append(Output(part.node, number, None))
        return found

    def _wanted(self, nodes: Iterable[Node]) -> Wanted:
        """Return the reductions that can be computed now, and have not been."""
        found = {}
        for node in nodes:
            for reduction in reductions_of(node):
                if id(reduction) not in self.targets and not self.gatherings(reduction.operand):
                    self.targets[id(reduction)] = self.target(reduction)
                    found[reduction] = reduction.statistic
        return found

    def _substitute(self, waiting: dict[int, Node], done: dict[int, Target]) -> None:
        leaves: dict[int, Any] = {}
        for number, node in list(waiting.items()):
            if id(node) in done and self.reached(number, done[id(node)]):
                del waiting[number]
                continue
            for each in ordered([node], _inner_of):
                key = id(each)
                if key in done and key not in leaves:
                    # What is computed of it later is cut as if it had not been computed yet.
                    grid = each.grid if each.of_blocks else None
                    leaves[key] = self.leaf(done[key], grid)
            waiting[number] = self._intern(substituted(node, leaves))


def _inner_of(node: Node) -> Sequence[Node]:
    return node.inner if node.combined or node.needs_reduction else ()
