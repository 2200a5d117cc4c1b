"""Evaluating nodes, in as few passes over the data as possible."""

from __future__ import annotations

import contextlib
import itertools
import math
import threading
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from biggus import options
from biggus.engine import reading
from biggus.engine.dry_run import check
from biggus.engine.merging import Merging
from biggus.engine.missing import with_all_missing
from biggus.engine.partial_cache import partial_cache_of
from biggus.engine.passes import Pass, Passes, Prepared
from biggus.engine.result import Result
from biggus.engine.running import run
from biggus.engine.scratch import Scratch
from biggus.engine.small import evaluate_small, is_nested
from biggus.engine.spill import IntermediateSource, Spilled
from biggus.errors import OfflineError
from biggus.graph import AlongAxes, Elementwise, Gufunc, Leaf, Node, Reduce, View, ordered
from biggus.indexing.reduction_blocks import BLOCK
from biggus.planning.rechunking import Gathering, Gatherings, Rechunking, Rewriting
from biggus.sources.base import Box, Chunks, Values, whole
from biggus.support import deadlines, progress, watching
from biggus.support.threads import interruptible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy.typing as npt

    from biggus.engine.computing import Computed
    from biggus.engine.writing import Writer
    from biggus.planning.jobs import Output, Reduction, ReductionBlock, Wanted
    from biggus.planning.shared_scans import SharedScan
    from biggus.planning.tasks import Task

_LARGE = 8
"""Intermediate results larger than this fraction, 1/8, of the memory are spilled to disk."""


def evaluate(node: Node, room: npt.NDArray[Any] | None = None) -> Values:
    """Read and compute all of a node.

    Parameters
    ----------
    node : Node
    room : ndarray, optional
        Memory of its shape and dtype, in C order, in which the values may be returned.

    Returns
    -------
    ndarray or MaskedArray
        Fresh, unless it is `room`, and writable, in C order; a MaskedArray if the node is masked.

    Raises
    ------
    SourceError
        If a read fails.
    MemoryBudgetError
        If it cannot be computed in the memory that the options allow.
    """
    return evaluate_all([node], room)[0]


def evaluate_all(nodes: Sequence[Node], room: npt.NDArray[Any] | None = None) -> list[Values]:
    """Read and compute all of several nodes together, each chunk once if possible.

    The values of a single node may be returned in a `room`; see :func:`evaluate`.
    """
    small = evaluate_small(nodes) if room is None else None
    if small is not None:
        return small
    try:
        with interruptible(), deadlines.evaluation():
            return watching.begun_again(lambda: _evaluated(nodes, room))
    except OfflineError as error:
        raise with_all_missing(error, nodes) from error.__cause__


def _evaluated(nodes: Sequence[Node], room: npt.NDArray[Any] | None) -> list[Values]:
    if len(nodes) == 1 and options.current().executor is None:
        [node] = nodes
        if _is_read(node):
            values = reading.whole(node, room)
            if values is not None:
                return [values]
    evaluation = _Evaluation(nodes, [None] * len(nodes))
    evaluation.checked_run()
    return [evaluation.values(number) for number in range(len(nodes))]


def store(nodes: Sequence[Node], writers: Sequence[Writer]) -> None:
    """Read and compute nodes together, and write their values, block by block.

    Raises
    ------
    Exception
        If reading or writing fails; nothing more is written then.
    """
    try:
        with interruptible(), deadlines.evaluation():
            watching.evaluated(partial(_stored, nodes, writers))
    except OfflineError as error:
        raise with_all_missing(error, nodes) from error.__cause__


def _stored(nodes: Sequence[Node], writers: Sequence[Writer]) -> None:
    _Evaluation(nodes, writers).checked_run()
    watching.current().end()  # before targets are closed


class _Evaluation(Passes["Result | Spilled"]):
    """Evaluates nodes together.

    Parameters
    ----------
    nodes : sequence of Node
    writers : sequence of Writer or None
        The writer of each node; None for values in memory.
    """

    def __init__(self, nodes: Sequence[Node], writers: Sequence[Writer | None]) -> None:
        grids = [None if writer is None else writer.grid for writer in writers]
        super().__init__(Prepared(nodes), grids)
        self._writers = writers
        self._results: dict[int, Result] = {}  # by the number of the node
        self._given: set[int] = set()  # the ids of results whose values have been returned
        self._outputs_in_memory = {
            id(node) for node, writer in zip(self.nodes, writers, strict=True) if writer is None
        }
        self._scratches: dict[int, Scratch] = {}  # by the number of the output

    def checked_run(self) -> None:
        """Compute all nodes; if some pass does not fit into memory, raise before reading."""
        writing = any(grid is not None for grid in self._grids)
        if writing or any(is_nested(node) or self.gatherings(node) for node in self.nodes):
            check(self.prepared, self._grids)
        self.run()

    def values(self, number: int) -> Values:
        """Return the values of a node, which nothing else refers to."""
        if number not in self._results:
            self._results[number] = Result(self.nodes[number])  # without elements
        result = self._results[number]
        values = result.values()
        given = id(result) in self._given
        self._given.add(id(result))
        return values.copy() if given else values

    def target(self, node: Reduce | AlongAxes | Gufunc) -> Result | Spilled:
        nbytes = math.prod(node.shape) * node.dtype.itemsize
        if id(node) in self._outputs_in_memory or nbytes <= self.allowed // _LARGE:
            return Result(node)
        return Spilled(node)

    def leaf(self, target: Result | Spilled, grid: Chunks | None) -> Node:
        if isinstance(target, Spilled):
            return target.leaf(grid)
        source = IntermediateSource(target.values(), grid)
        return Leaf(source, source.shape, source.dtype)

    def open_scratch(self, rechunking: Rechunking, number: int, held: bool) -> None:
        self._scratches[number] = Scratch(rechunking, held)

    def use_scratches(self, rechunking: Gathering | Rewriting, numbers: Sequence[int]) -> None:
        scan = rechunking.scan([self._scratches.pop(n) for n in numbers], self.memory)
        writer: Any = None
        if isinstance(rechunking, Gathering):
            writer = self.targets[id(rechunking.function)]
        else:
            writer = self._writers[rechunking.output.number]
        with (
            progress.reporting(options.current().progress, scan.nbytes) as advance,
            options.set_options(executor=None),  # other processes cannot open a scratch
        ):
            _run(scan, [[]], [[writer]], advance)

    def finished(self, number: int, target: Result | Spilled) -> bool:
        if self._writers[number] is not None or isinstance(target, Spilled):
            return False
        self._results[number] = target
        return True

    def computed(self, number: int, node: Node) -> bool:
        small = evaluate_small([node]) if self._writers[number] is None else None
        if small is None:
            return False
        result = self._results[number] = Result(node)
        result.write(whole(node.shape), small[0])
        return True

    def reduce_empty(self, reductions: Sequence[Reduction]) -> Wanted:
        mergings = [self._merging(each) for each in reductions]
        for merging in mergings:
            merging.empty()
        return _all_further(mergings)

    def make(self, planned: Pass) -> Wanted:
        mergings = {id(each): self._merging(each) for each in planned.reductions}
        scans = planned.scans
        for scan in scans:
            scan.at_once(1)  # raises before anything is read
        total = sum(scan.nbytes for scan in scans)
        with progress.reporting(options.current().progress, total) as advance:
            for scan in scans:
                merged = [[mergings[id(each)] for each in g.reductions] for g in scan.groups]
                writers = [[self._writer(each) for each in g.outputs] for g in scan.groups]
                _run(scan, merged, writers, advance)
        return _all_further(mergings.values())

    def _merging(self, reduction: Reduction) -> Merging:
        results = [self.targets[id(node)] for node in reduction.wanted]
        return Merging(reduction, results, partial_cache_of(reduction))

    def _writer(self, output: Output) -> Any:
        """Return the target of an output: a scratch, the writer of a node, or a new result."""
        if output.number in self._scratches:
            return self._scratches[output.number]
        writer = self._writers[output.number]
        if writer is not None:
            return writer
        result = self._results[output.number] = Result(output.node)
        return result


def _all_further(mergings: Iterable[Merging]) -> Wanted:
    return dict(itertools.chain.from_iterable(each.further.items() for each in mergings))


def _is_read(node: Node) -> bool:
    """Return whether a node is read piece by piece, without a plan: also if it is small."""
    if node.needs_reduction or (node.combined and Gatherings(options.current().memory)(node)):
        return False
    if math.prod(node.shape) <= BLOCK:
        # A few values along whole axes may need many others, which are computed by threads.
        return not any(
            each.of_blocks and max(math.prod(child.shape) for child in each.children) > BLOCK
            for each in ordered([node], attrgetter("inner"))
        )
    while isinstance(node, (View, Elementwise)):
        if isinstance(node, Elementwise) and len(node.children) > 1:
            return False
        [node] = node.children
    return not node.of_blocks


def _run(
    scan: SharedScan,
    mergings: Sequence[Sequence[Merging]],
    writers: Sequence[Sequence[Any]],
    advance: Callable[[int], object],
) -> None:
    """Compute all tasks of a shared scan.

    Parameters
    ----------
    scan : SharedScan
    mergings : sequence of list of Merging
        For each group, the mergings of its reductions.
    writers : sequence of list
        For each group, the targets of its outputs.
    advance : callable
        Called with the number of bytes that are done.
    """
    bytes_each = [group.nbytes / math.prod(group.shape) for group in scan.groups]
    writing = threading.Lock()

    def wanted(group: int, reduction: int, block: ReductionBlock) -> bool:
        return mergings[group][reduction].wanted(block)

    def write(writer: Any, box: Box, values: Values) -> None:
        with contextlib.nullcontext() if writer.concurrent else writing:
            writer.write(box, values)

    def take(task: Task, computed: Sequence[Computed]) -> None:
        for part, results in itertools.zip_longest(task.blocks, computed):
            if results is not None:
                merging = mergings[part.group]
                for each, partials in zip(part.accumulations, results.partials, strict=True):
                    merging[each.reduction].add(each.blocks, partials)
                for writer, values in zip(writers[part.group], results.outputs, strict=True):
                    write(writer, part.box, values)
            advance(int(bytes_each[part.group] * part.size))

    caches = any(merging.cache is not None for merging in itertools.chain(*mergings))
    run(scan, scan.tasks(wanted if caches else None), take)
