"""Dry runs: what an evaluation would do is estimated, and nothing is read.

Every task is made and looked at, so a dry run takes time, but no memory, in proportion to their
number.  The values of reductions are replaced by sources of the same shape and dtype.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus import options
from biggus.engine.partial_cache import partial_cache_of
from biggus.engine.passes import Pass, Passes, Prepared
from biggus.engine.repeated import Repeated
from biggus.engine.running import most_at_once
from biggus.graph import AlongAxes, Combination, Gufunc, Leaf, Node, Read, Reduce, key_of, pieces_of
from biggus.indexing.grid import Grid
from biggus.indexing.selection import Selection
from biggus.planning.report import PassPlan, Plan
from biggus.planning.schedule import Schedule
from biggus.sources.base import Box, Chunks, Source, Values, box_shape, holds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from biggus.planning.jobs import ReductionBlock, Wanted
    from biggus.planning.rechunking import Gathering, Rechunking, Rewriting
    from biggus.planning.shared_scans import SharedScan
    from biggus.planning.tasks import Task


_MARKED = 10**7
"""The most chunks of a source that are marked in a boolean array, and not noted in a set."""


def estimate(nodes: Sequence[Node], grids: Sequence[Chunks | None] | None = None) -> Plan:
    """Return what evaluating nodes together would do.

    Parameters
    ----------
    nodes : sequence of Node
    grids : sequence of Chunks or None, optional
        The chunks of the targets, if nodes are written somewhere.

    Raises
    ------
    MemoryBudgetError
        If it cannot be computed in the memory that the options allow.
    """
    estimate = _Estimate(Prepared(nodes), [None] * len(nodes) if grids is None else grids)
    estimate.run()
    if grids is not None:
        return Plan(estimate.found, 0)
    sizes = [math.prod(node.shape) * (node.dtype.itemsize + node.masked) for node in nodes]
    return Plan(estimate.found, sum(sizes))


def check(prepared: Prepared, grids: Sequence[Chunks | None]) -> None:
    """Raise a MemoryBudgetError if some pass does not fit into memory."""
    _Checked(prepared, grids).run()


class _Checked(Passes["Reduce | AlongAxes | Gufunc"]):
    """Checks whether each pass fits into memory."""

    def target(self, node: Reduce | AlongAxes | Gufunc) -> Reduce | AlongAxes | Gufunc:
        return node

    def leaf(self, target: Reduce | AlongAxes | Gufunc, grid: Chunks | None) -> Node:
        source = _Unread(target, grid)
        return Leaf(source, source.shape, source.dtype)

    def finished(self, number: int, target: Reduce | AlongAxes | Gufunc) -> bool:
        return True

    def make(self, planned: Pass) -> Wanted:
        for scan in planned.scans:
            scan.at_once(1)
        return {}

    def open_scratch(self, rechunking: Rechunking, number: int, held: bool) -> None:
        pass

    def use_scratches(self, rechunking: Gathering | Rewriting, numbers: Sequence[int]) -> None:
        rechunking.scan(list(map(_Scratch, rechunking.parts)), self.memory).at_once(1)


class _Estimate(_Checked):
    """Counts what all tasks would do."""

    def __init__(self, prepared: Prepared, grids: Sequence[Chunks | None]) -> None:
        super().__init__(prepared, grids)
        self.found: list[PassPlan] = []
        self._left: dict[int, int] = {}  # passes that a reduction still needs, by its id
        self._written = 0  # bytes that the next pass writes to scratches

    def make(self, planned: Pass) -> Wanted:
        if planned.scans:
            self.found.append(_estimated(planned.scans))
            self.found[-1].scratch_bytes = self._written
        further = {}
        for reduction in planned.reductions:
            for node, statistic in reduction.wanted.items():
                remaining = self._left.setdefault(id(node), statistic.passes) - 1
                self._left[id(node)] = remaining
                if remaining:
                    further[node] = statistic
        return further

    def open_scratch(self, rechunking: Rechunking, number: int, held: bool) -> None:
        self._written += rechunking.nbytes

    def use_scratches(self, rechunking: Gathering | Rewriting, numbers: Sequence[int]) -> None:
        self._written = 0
        scan = rechunking.scan(list(map(_Scratch, rechunking.parts)), self.memory)
        with options.set_options(executor=None):
            self.found.append(_estimated([scan]))


class _Unread(Source):
    """The values of a reduction, which a dry run does not compute."""

    io_bound = False
    in_memory = True
    name = "a result that has not been computed"

    def __init__(self, node: Node, grid: Chunks | None) -> None:
        self.shape = node.shape
        self.dtype = node.dtype
        self.masked = node.masked
        self.chunks = grid

    def __getitem__(self, box: Box) -> Values:
        return np.zeros(box_shape(box), self.dtype)


class _Scratch(_Unread):
    """A scratch, which a dry run does not fill."""

    in_memory = False
    derived = True

    def __init__(self, rechunking: Rechunking) -> None:
        super().__init__(rechunking.node, rechunking.chunks)


def _estimated(scans: Sequence[SharedScan]) -> PassPlan:
    plan = PassPlan()
    touched: dict[int, _Touched] = {}
    for scan in scans:
        at_once = most_at_once(scan)
        before = plan.tasks
        # Tasks in other processes do not share repeated values.
        here = options.current().executor is None
        repeated = _Noted(scan.repeated if here else ())
        for task in scan.tasks(_counting_kept(scan, plan)):
            if task.idle:
                continue
            plan.tasks += 1
            for read in _reads_of_task(task, repeated):
                if not read.source.in_memory:
                    _count(read, plan, touched)
        at_once = min(at_once, plan.tasks - before)
        if at_once:
            plan.peak_bytes = max(plan.peak_bytes, scan.state + at_once * scan.peak)
    reads = sum(each.reads for each in touched.values())
    chunks = sum(each.chunks for each in touched.values())
    plan.times_read = reads / chunks if chunks else 0.0
    plan.decoded_bytes = sum(each.decoded_bytes for each in touched.values())
    room = max(options.current().chunk_memory, 2 * plan.read_bytes)
    plan.decodes_again = plan.decoded_bytes > room
    return plan


def _counting_kept(scan: SharedScan, plan: PassPlan) -> Callable[[int, int, ReductionBlock], bool]:
    """Return a function that tells whether a block would be computed, and counts the others."""
    caches = [
        [partial_cache_of(each, asks=False) for each in group.reductions] for group in scan.groups
    ]

    def wanted(group: int, reduction: int, block: ReductionBlock) -> bool:
        cache = caches[group][reduction]
        wanted = cache is None or cache.wanted(block, None)
        plan.kept_blocks += not wanted
        return wanted

    return wanted


class _Touched:
    """The chunks of a source that are read, and the number of reads."""

    def __init__(self, source: Source) -> None:
        self.source = source  # kept, so that its id stays its own
        self.grid = Grid(source.shape, source.chunks or source.shape)
        self.reads = 0
        self._few: set[tuple[int, ...]] = set()
        self._all: np.ndarray[Any, np.dtype[np.bool_]] | None = None
        if self.grid.count <= _MARKED:
            self._all = np.zeros([axis.count for axis in self.grid.axes], bool)

    @property
    def chunks(self) -> int:
        """The number of different chunks that are read."""
        return len(self._few) if self._all is None else int(self._all.sum())

    @property
    def decoded_bytes(self) -> int:
        """The bytes of these chunks, if the source decodes whole chunks; else 0."""
        source = self.source
        if not source.decodes_chunks:
            return 0
        nbytes = math.prod(source.shape) * source.dtype.itemsize
        return self.chunks * nbytes // self.grid.count

    def add(self, box: Box) -> None:
        """Count a read."""
        numbers = self.grid.touching(box)
        self.reads += math.prod(map(len, numbers))
        if self._all is None:
            self._few.update(itertools.product(*numbers))
        else:
            self._all[tuple([slice(r.start, r.stop) for r in numbers])] = True


def _count(read: Read, plan: PassPlan, touched: dict[int, _Touched]) -> None:
    source = read.source
    if isinstance(source, _Scratch):
        plan.scratch_bytes += math.prod(box_shape(read.box)) * source.dtype.itemsize
        return
    plan.requests += 1
    plan.read_bytes += math.prod(box_shape(read.box)) * source.dtype.itemsize
    plan.cached_bytes += source.cached_bytes(read.box)
    plan.in_memory_bytes += source.bytes_in_memory(read.box)
    if source.chunks is not None and source.shape:
        key = id(source)
        if key not in touched:
            touched[key] = _Touched(source)
        touched[key].add(read.box)


class _Noted(Repeated):
    """A store of repeated values that only notes which would have been computed."""

    def __init__(self, nodes: Iterable[tuple[Node, Selection]]) -> None:
        super().__init__(nodes)
        self._noted: set[Any] = set()

    def knows(self, node: Node, selection: Selection) -> bool:
        return (id(node), key_of(selection)) in self._noted

    def note(self, asks: Iterable[tuple[Node, Selection]]) -> None:
        """Note that the values of selections would be known from now on."""
        self._noted.update([(id(node), key_of(selection)) for node, selection in asks])


def _reads_of_task(task: Task, repeated: _Noted) -> Iterator[Read]:
    """Yield the reads of a task."""
    boxes = {id(node): box for node, box in task.shared}
    for block in task.blocks:
        asks = [(node, block.selection) for node in block.nodes]
        schedule = Schedule(asks, boxes, repeated)
        filling = schedule.before()
        if filling is not None:
            repeated.note(filling.asks)
            yield from _reads_of(filling, boxes)
        yield from _reads_of(schedule, boxes)
    for node, box in task.shared:
        yield from _reads_of(Schedule([(node, Selection.of_box(box))]), {})


def _reads_of(schedule: Schedule, shared: Mapping[int, Box]) -> Iterator[Read]:
    """Yield the reads of a schedule, other than those in the box of a shared node."""
    waiting = [schedule]
    while waiting:
        for entry in waiting.pop().entries:
            node, selection = entry.node, entry.selection
            if entry.reads is not None:
                yield from entry.reads
            elif entry.is_read and not entry.kept:
                box = shared.get(id(node))
                if box is not None and holds(box, selection.bounding_box()[0]):
                    continue
                for piece in pieces_of(node, selection, Selection.identity(selection.shape)):
                    if isinstance(piece, Read):
                        yield piece
                    else:
                        assert isinstance(piece, Combination)
                        waiting.append(Schedule(piece.operands))
