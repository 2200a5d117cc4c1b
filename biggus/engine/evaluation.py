"""Evaluating: nodes to values, in as few passes over the data as it takes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus import options, progress
from biggus.engine import reading
from biggus.engine.keeping import keeping_of
from biggus.engine.merging import Merging
from biggus.engine.reading import Result
from biggus.engine.running import run
from biggus.memory import MemorySource
from biggus.nodes import Leaf
from biggus.plan import (
    Group,
    Interner,
    Output,
    Wanted,
    grouped,
    pushed,
    reductions_of,
    reductions_over,
    substituted,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from biggus.engine.computing import Computed
    from biggus.engine.writing import Writer
    from biggus.nodes import Node
    from biggus.plan import Cell, Task
    from biggus.source import Box, Values


def evaluate(node: Node) -> Values:
    """Read and compute all of a node.

    Returns
    -------
    ndarray or MaskedArray
        Fresh and writable, in C order; a MaskedArray if the node is masked.

    Raises
    ------
    SourceError
        If a read fails.
    MemoryBudgetError
        If it cannot be computed in the memory that the options allow.
    """
    if not node.staged and options.current().executor is None:
        return reading.whole(node)
    return evaluate_all([node])[0]


def evaluate_all(nodes: Sequence[Node]) -> list[Values]:
    """Read and compute all of several nodes together: each chunk is read once where it can be."""
    if len(nodes) == 1 and not nodes[0].staged and options.current().executor is None:
        return [reading.whole(nodes[0])]
    evaluation = _Evaluation(nodes, [None] * len(nodes))
    evaluation.run()
    return [evaluation.values(number) for number in range(len(nodes))]


def store(nodes: Sequence[Node], writers: Sequence[Writer]) -> None:
    """Read and compute nodes together, and hand their values to writers, block by block.

    Raises
    ------
    Exception
        What reading or writing raises; nothing more is written then.
    """
    _Evaluation(nodes, writers).run()


class _Evaluation:
    """Some nodes that are evaluated together.

    Parameters
    ----------
    nodes : sequence of Node
    writers : sequence of Writer or None
        What takes their values; None: they are kept in memory.
    """

    def __init__(self, nodes: Sequence[Node], writers: Sequence[Writer | None]) -> None:
        self._intern = Interner()
        self._nodes = [self._intern(pushed(node)) for node in nodes]
        self._writers = list(writers)
        self._results: dict[int, Result] = {}  # by the number of what was asked for
        self._reduced: dict[int, Result] = {}  # by the id of the reduction
        self._memory = options.current().memory

    def values(self, number: int) -> Values:
        """Return the values of what was asked for, which are nobody else's."""
        values = self._results[number].values()
        shared = any(
            self._results[other] is self._results[number]
            for other in self._results
            if other > number
        )
        return values.copy() if shared else values

    def run(self) -> None:
        """Make one pass after the other, until all is done."""
        waiting = dict(enumerate(self._nodes))
        further: list[tuple[Wanted, Result]] = []
        while waiting or further:
            ready = [number for number, node in waiting.items() if not node.staged]
            wanted = [*further, *self._wanted(waiting.values())]
            outputs = self._outputs(waiting, ready)
            further = self._pass(wanted, outputs)
            for number in ready:
                del waiting[number]
            going = {id(each.node) for each, _ in further}
            done = {key: self._leaf(key) for key in self._reduced if key not in going}
            for number, node in list(waiting.items()):
                if id(node) in done:
                    self._reached(number, node, waiting)
                else:
                    waiting[number] = self._intern(substituted(node, done))

    def _wanted(self, nodes: Any) -> Iterator[tuple[Wanted, Result]]:
        """Yield the reductions that can be computed now, and where their values go."""
        for node in nodes:
            for found in reductions_of(node):
                if id(found) not in self._reduced:
                    result = self._reduced[id(found)] = Result(found)
                    yield Wanted(found, found.statistic), result

    def _reached(self, number: int, node: Node, waiting: dict[int, Node]) -> None:
        """Take the values of a reduction that was itself asked for."""
        if self._writers[number] is None:
            self._results[number] = self._reduced[id(node)]
            del waiting[number]
        else:
            waiting[number] = self._leaf(id(node))

    def _leaf(self, key: int) -> Node:
        result = self._reduced[key]
        values = result.values()
        return Leaf(MemorySource(values), values.shape, values.dtype)

    def _outputs(self, waiting: dict[int, Node], ready: Sequence[int]) -> list[Output]:
        outputs = []
        for number in ready:
            node = waiting[number]
            writer = self._writers[number]
            if writer is None and number not in self._results:
                self._results[number] = Result(node)
            if 0 not in node.shape:
                outputs.append(Output(node, number, None if writer is None else writer.grid))
        return outputs

    def _pass(
        self, wanted: Sequence[tuple[Wanted, Result]], outputs: Sequence[Output]
    ) -> list[tuple[Wanted, Result]]:
        """Compute what can be computed now; return what needs another pass."""
        results = {id(each): result for each, result in wanted}
        reductions = reductions_over([each for each, _ in wanted])
        mergings = {}
        for reduction in reductions:
            targets = [results[id(each)] for each in reduction.wanted]
            mergings[id(reduction)] = Merging(reduction, targets, keeping_of(reduction))
        some = []
        for reduction in reductions:
            if 0 in reduction.node.shape:
                mergings[id(reduction)].empty()
            else:
                some.append(reduction)
        groups = grouped(some, outputs, self._memory)
        for group in groups:
            group.at_once(1)  # what cannot fit is said before anything is read
        total = sum(group.nbytes for group in groups)
        with progress.reporting(options.current().progress, total) as advance:
            for group in groups:
                _Running(group, mergings, self, advance).run()
        return [each for merging in mergings.values() for each in merging.further]

    def writer(self, number: int) -> Any:
        """Return what takes the values of what was asked for."""
        writer = self._writers[number]
        return self._results[number] if writer is None else writer


class _Running:
    """A group on its way through the data."""

    def __init__(
        self, group: Group, mergings: dict[int, Merging], evaluation: _Evaluation, advance: Any
    ) -> None:
        self._group = group
        self._mergings = [mergings[id(reduction)] for reduction in group.reductions]
        self._writers = [evaluation.writer(output.number) for output in group.outputs]
        self._advance = advance
        self._lock = threading.Lock()
        size = max(1, int(np.prod(group.shape, dtype=object)))
        self._bytes_each = group.nbytes / size

    def run(self) -> None:
        """Compute all tasks."""
        wanted = None
        if any(merging.keeping is not None for merging in self._mergings):
            wanted = self._wanted
        run(self._group, self._group.tasks(wanted), self._take)

    def _wanted(self, number: int, cell: Cell) -> bool:
        return self._mergings[number].wanted(cell)

    def _take(self, task: Task, computed: Computed) -> None:
        for merging, cells, partials in zip(
            self._mergings, task.cells, computed.partials, strict=True
        ):
            merging.add(cells, partials)
        for number, values in zip(task.outputs, computed.outputs, strict=True):
            writer = self._writers[number]
            if writer.concurrent:
                writer.write(task.box, values)
            else:
                with self._lock:
                    writer.write(task.box, values)
        self._advance(int(self._bytes_each * _size(task.box)))


def _size(box: Box) -> int:
    size = 1
    for s in box:
        size *= s.stop - s.start
    return size
