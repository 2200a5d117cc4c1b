"""Passes over the data: the order in which the reductions of expressions are computed.

A reduction whose operand contains no other can be computed at once.  Its values then replace it,
so that further reductions can be computed.  Subclasses of `Passes` execute passes, or only
estimate them.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from biggus import options
from biggus.graph import AlongAxes, Gufunc, Node, Reduce, ordered
from biggus.planning.jobs import Output, Reduction, Wanted, reductions_over
from biggus.planning.leading import shared_scans_of
from biggus.planning.rechunking import Gathering, Gatherings, held_bytes, placed
from biggus.planning.rewriting import CommonSubexpressions, pushdown, reductions_of, substituted
from biggus.sources.chunk_memory import scan_pass
from biggus.support.once import once

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from biggus.planning.rechunking import Rechunking, Rewriting
    from biggus.planning.shared_scans import SharedScan
    from biggus.sources.base import Chunks

Target = TypeVar("Target")
"""The type of objects that the values of a reduction are written to."""


class Pass:
    """What one pass over the data computes.

    Parameters
    ----------
    wanted : Wanted
        Reductions, with their statistics.
    outputs : sequence of Output
    memory : int
        The bytes that computing may take.

    Attributes
    ----------
    reductions, outputs : list
        The jobs that have elements.
    empty : list of Reduction
        The reductions that have none.
    """

    def __init__(self, wanted: Wanted, outputs: Sequence[Output], memory: int) -> None:
        reductions = reductions_over(wanted)
        self.reductions = [each for each in reductions if 0 not in each.node.shape]
        self.empty = [each for each in reductions if 0 in each.node.shape]
        self.outputs = [each for each in outputs if 0 not in each.node.shape]
        self._memory = memory

    @once
    def scans(self) -> list[SharedScan]:
        """The shared scans that compute the jobs."""
        return shared_scans_of(self.reductions, self.outputs, self._memory)


class Prepared:
    """Expressions prepared for computing.

    An evaluation and the check that comes before it share them, and the plan of the first pass.
    Later passes read the results of earlier ones, which the check does not have.

    Parameters
    ----------
    nodes : sequence of Node
        The wanted nodes.
    """

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.intern = CommonSubexpressions()
        self.nodes = [self.intern(pushdown(node)) for node in nodes]
        self._first: Pass | None = None

    def planned(self, number: int, wanted: Wanted, outputs: Sequence[Output], memory: int) -> Pass:
        """Return the plan of a pass, from its number and the arguments of `Pass`."""
        if number:
            return Pass(wanted, outputs, memory)
        if self._first is None:
            self._first = Pass(wanted, outputs, memory)
        return self._first


class Passes(ABC, Generic[Target]):
    """Computes nodes, pass by pass.

    Parameters
    ----------
    prepared : Prepared
        The wanted nodes.
    grids : sequence of Chunks or None
        The chunks of which blocks of each must be unions; None for any blocks.
    """

    def __init__(self, prepared: Prepared, grids: Sequence[Chunks | None]) -> None:
        self.prepared = prepared
        self.nodes = prepared.nodes
        self._grids = grids
        self.targets: dict[int, Target] = {}
        """The target of each reduction, by its id."""
        self.allowed = options.current().memory
        """The memory option, in bytes."""
        self.memory = self.allowed
        """The bytes that computing may take in this pass."""
        self.gatherings = Gatherings(self.allowed)

    @abstractmethod
    def target(self, node: Reduce | AlongAxes | Gufunc) -> Target:
        """Return a target for the values of a reduction, or of a function along whole axes."""

    @abstractmethod
    def leaf(self, target: Target, grid: Chunks | None) -> Node:
        """Return a node of the values in a target, with the given chunks."""

    @abstractmethod
    def make(self, planned: Pass) -> Wanted:
        """Make a pass; return the statistics that need another pass over the same data."""

    def reduce_empty(self, reductions: Sequence[Reduction]) -> Wanted:
        """Compute reductions without elements; return statistics that need another pass."""
        return {}

    @abstractmethod
    def open_scratch(self, rechunking: Rechunking, number: int, held: bool) -> None:
        """Make the scratch that the output with this number is written to."""

    @abstractmethod
    def use_scratches(self, rechunking: Gathering | Rewriting, numbers: Sequence[int]) -> None:
        """Compute from filled scratches, and release them."""

    def finished(self, number: int, target: Target) -> bool:
        """Take the values of a wanted node that is a reduction; return whether it is finished."""
        return False

    def computed(self, number: int, node: Node) -> bool:
        """Compute a wanted node without a pass, if possible; return whether it is finished."""
        return False

    def run(self) -> None:
        """Make one pass after the other, until all nodes are computed."""
        waiting = dict(enumerate(self.nodes))
        further: Wanted = {}
        evaluation = object()
        for number in itertools.count():
            if not (waiting or further):
                return
            rechunkings: list[Gathering | Rewriting] = []
            rechunkings += self.gatherings.ready(waiting.values())
            waits = self.gatherings.waits
            ready = [number for number, node in waiting.items() if not waits(node)]
            wanted = {**further, **self._wanted(waiting.values())}
            outputs: list[Output] = []
            for each in ready:
                output = Output(waiting[each], each, self._grids[each])
                placed_output = placed(output, self.allowed)
                if isinstance(placed_output, Output):
                    outputs.append(placed_output)
                else:
                    rechunkings.append(placed_output)
            # Scratches are kept in memory only if nothing else is computed in the pass.
            outputs += self._opened(rechunkings, alone=not (wanted or outputs))
            planned = self.prepared.planned(number, wanted, outputs, self.memory)
            empty = self.reduce_empty(planned.empty)
            last = len(ready) == len(waiting) and not wanted
            with scan_pass(evaluation, number, last):
                unfinished = self.make(planned)
            further = {**empty, **unfinished}
            numbers = itertools.count(len(self.nodes))
            for rechunking in rechunkings:
                parts = list(itertools.islice(numbers, len(rechunking.parts)))
                self.use_scratches(rechunking, parts)
            self.memory = self.allowed
            for each in ready:
                del waiting[each]
            going = set(map(id, further))
            done = {key: target for key, target in self.targets.items() if key not in going}
            self._substitute(waiting, done)

    def _opened(self, rechunkings: Sequence[Gathering | Rewriting], alone: bool) -> list[Output]:
        """Make the scratches of rechunkings; return the outputs that fill them."""
        parts = [part for each in rechunkings for part in each.parts]
        held = held_bytes(parts, self.allowed) if alone else 0
        self.memory = self.allowed - held
        for each in rechunkings:
            if isinstance(each, Gathering):
                self.targets[id(each.function)] = self.target(each.function)
        outputs = []
        for number, part in enumerate(parts, len(self.nodes)):
            self.open_scratch(part, number, held > 0)
            outputs.append(Output(part.node, number, None))
        return outputs

    def _wanted(self, nodes: Iterable[Node]) -> Wanted:
        """Return the reductions that can be computed now and have not been computed."""
        wanted = {}
        for node in nodes:
            for reduction in reductions_of(node):
                if id(reduction) not in self.targets and not self.gatherings(reduction.operand):
                    self.targets[id(reduction)] = self.target(reduction)
                    wanted[reduction] = reduction.statistic
        return wanted

    def _substitute(self, waiting: dict[int, Node], done: dict[int, Target]) -> None:
        leaves: dict[int, Any] = {}
        for number, node in list(waiting.items()):
            if id(node) in done and self.finished(number, done[id(node)]):
                del waiting[number]
                continue
            for each in ordered([node], _inner_of):
                key = id(each)
                if key in done and key not in leaves:
                    # Later passes have the blocks that they would have without this replacement.
                    grid = each.grid if each.of_blocks else None
                    leaves[key] = self.leaf(done[key], grid)
            waiting[number] = self.prepared.intern(substituted(node, leaves))
            if leaves and self.computed(number, waiting[number]):
                del waiting[number]


def _inner_of(node: Node) -> Sequence[Node]:
    return node.inner if node.combined or node.needs_reduction else ()
