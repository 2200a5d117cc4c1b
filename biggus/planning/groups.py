"""Groups: jobs of a pass whose nodes have one shape, computed together block by block."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from biggus.graph import Elementwise, Leaf
from biggus.indexing.grid import Grid, around, box_shape
from biggus.indexing.reduction_blocks import joined_grid
from biggus.indexing.selection import Selection
from biggus.planning.footprint import footprint, streamed_footprint, values_bytes
from biggus.planning.jobs import Output, Reduction, SharedInput, output_blocks, positions_of
from biggus.planning.rewriting import io_bound, leaves_of
from biggus.planning.schedule import Schedule
from biggus.planning.stacks import stack_bytes
from biggus.planning.tasks import Accumulation, TaskBlock
from biggus.planning.tree_levels import unraveled
from biggus.planning.view_maps import read_regions_of, repeated_in
from biggus.support.once import once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from biggus.graph import Node
    from biggus.indexing.grid import Index, Lengths
    from biggus.planning.jobs import ReductionBlock
    from biggus.planning.view_maps import ReadRegion
    from biggus.sources.base import Box, Chunks

MOST = 2**24
"""The most elements of a task block of jobs with different grids, if memory allows."""

_WORTHWHILE = 0.9
"""A block that fits into memory is halved only if a half takes less than this part of it."""

_NOTHING = Selection((), ())
"""The selection of a block of which nothing is computed."""

_LEVELS = 3
"""About how many partial results of a result position wait in the reduction tree."""


class JobGroup:
    """Jobs whose nodes have one shape, computed together block by block.

    Parameters
    ----------
    reductions : sequence of Reduction
    outputs : sequence of Output
    memory : int
        The bytes that computing may take.
    cut : tuple, optional
        For each axis the length, or the lengths, of the task blocks; and the order of the axes,
        slowest first.  By default both follow from the jobs.
    shared_input : SharedInput, optional
        A node that is also read, for the members of a shared scan.

    Attributes
    ----------
    nested : Grid
        The smallest blocks that hold whole reduction blocks of all jobs.
    task_blocks : Grid
        The blocks that are computed one at a time.
    order : tuple of int
        The order of the axes in which blocks are computed, slowest first.
    """

    def __init__(
        self,
        reductions: Sequence[Reduction],
        outputs: Sequence[Output],
        memory: int,
        cut: tuple[tuple[Lengths, ...], tuple[int, ...]] | None = None,
        shared_input: SharedInput | None = None,
    ) -> None:
        self.reductions = tuple(reductions)
        self.outputs = tuple(outputs)
        self.shared_input = shared_input
        self.jobs: tuple[Reduction | Output | SharedInput, ...] = (*self.reductions, *self.outputs)
        if shared_input is not None:
            self.jobs += (shared_input,)
        self.shape = self.jobs[0].node.shape
        self.memory = memory
        self.nodes = tuple({id(job.node): job.node for job in self.jobs}.values())
        lengths = joined_grid(self.shape, [job.lengths for job in self.jobs], MOST)
        self.fits_together = lengths is not None
        """Whether there are blocks that hold whole reduction blocks of all jobs."""
        if cut is None:
            self.nested = Grid(self.shape, self.jobs[0].lengths if lengths is None else lengths)
            # Several small tiles, each of which is a reduction block, are read together.
            behind = max([1, *[output.behind for output in outputs]])
            self.task_blocks = output_blocks(self.shape, self.nested.lengths, behind)
            self.order = self._ordered()
            if not self.reductions:
                self._cut_outputs()
            elif self._state(self.order) + self._peak() > memory:
                self.task_blocks = self.nested
                self.order = self._ordered()
        else:
            self.nested = self.task_blocks = Grid(self.shape, cut[0])
            self.order = cut[1]
        self.state = self._state(self.order)
        """The bytes of the partial results that wait in the reduction trees."""
        self.peak = self._peak()
        """The most bytes that computing a block takes."""
        self.partial_bytes = self._partial_bytes(self._largest())
        """The bytes of the partial results of one block, before they are merged."""
        task_blocks = self.task_blocks.lengths
        self._alike = [reduction.lengths == task_blocks for reduction in self.reductions]
        self.streams = len(self.jobs) == 1 and self._alike == [True] and self.reductions[0].streams
        """Whether blocks can be accumulated while they are read, run by run."""

    def cut(self, lengths: tuple[Lengths, ...], order: tuple[int, ...] | None = None) -> JobGroup:
        """Return the same group with other blocks, in another order."""
        cut = (lengths, self.order if order is None else order)
        if cut == (self.task_blocks.lengths, self.order):
            return self
        return JobGroup(self.reductions, self.outputs, self.memory, cut, self.shared_input)

    @property
    def largest(self) -> int:
        """The number of elements of the largest block."""
        return math.prod(self.task_blocks.longest)

    @once
    def read_regions(self) -> dict[int, ReadRegion]:
        """The regions of the nodes that are read, by id."""
        if len(self.jobs) == len(self.reductions) == 1:
            return self.reductions[0].read_regions
        return read_regions_of(self.nodes)

    def read_by(self, block: TaskBlock) -> Iterator[int]:
        """Yield the ids of the nodes that a task block of this group reads."""
        for each in block.accumulations:
            yield from self.reductions[each.reduction].read_regions
        if block.outputs:
            yield from self.read_regions

    @once
    def repeated(self) -> list[tuple[Node, Selection]]:
        """The nodes, with a selection, that are broadcast, so that many blocks need the same."""
        return [pair for node in self.nodes for pair in repeated_in(node)]

    def _partial_bytes(self, box: Box) -> int:
        """Return the bytes of the partial results of a block, before they are merged."""
        if 0 in box_shape(box):
            return 0
        nbytes = 0
        for reduction in self.reductions:
            touched = reduction.blocks.touching(box)
            counts = [len(touched[axis]) for axis in reduction.axes]
            nbytes += math.prod(counts) * reduction.nbytes(positions_of(box, reduction.axes))
        return nbytes

    @once
    def stack_bytes(self) -> int:
        """The most bytes that stacks of blocks take, their results aside."""
        if len(self.jobs) > 1 or not self.reductions:
            return 0
        [reduction] = self.reductions
        return stack_bytes(reduction, self.largest)

    @once
    def result_bytes(self) -> int:
        """The bytes of all results of a block: partial results and outputs."""
        outputs = sum(values_bytes(output.node, self.largest) for output in self.outputs)
        return self.partial_bytes + outputs

    @property
    def io_bound(self) -> bool:
        """Whether reading waits for a disk or a server."""
        return any(map(io_bound, self.nodes))

    @property
    def nbytes(self) -> int:
        """The bytes of the values that the group goes through."""
        return math.prod(self.shape) * max(node.dtype.itemsize for node in self.nodes)

    def task_block(
        self,
        group: int,
        index: Index | None,
        box: Box,
        wanted: Callable[[int, int, ReductionBlock], bool] | None,
        streamed: bool = False,
    ) -> TaskBlock:
        """Return the task block of a box.

        Parameters
        ----------
        group : int
            The number of this group in its shared scan.
        index : tuple of int or None
            The number of the block along each axis, if the box is one of `task_blocks`.
        box : tuple of slice
        wanted : callable, optional
            Called with the number of the group, the number of a reduction, and a reduction
            block; returns whether that block must be computed.
        streamed : bool
            Whether the block is accumulated while it is read.
        """
        accumulations = []
        for number, reduction in enumerate(self.reductions):
            if index is not None and self._alike[number]:  # a block is a reduction block
                blocks: tuple[ReductionBlock, ...] = (reduction.block(index, box),)
            else:
                blocks = tuple(reduction.blocks_in(box))
            if wanted is not None:
                blocks = tuple([block for block in blocks if wanted(group, number, block)])
            if blocks:
                accumulations.append(
                    Accumulation(
                        number,
                        reduction.node,
                        reduction.axes,
                        reduction.aggregators,
                        reduction.plain,
                        blocks,
                        streamed,
                        reduction.in_parts,
                    )
                )
        size = math.prod([s.stop - s.start for s in box])
        outputs = tuple([output.node for output in self.outputs])
        if not accumulations and not outputs and self.shared_input is None:
            return TaskBlock(group, box, size, _NOTHING, (), ())  # quick: there may be many
        if wanted is not None and accumulations and not outputs:
            box = around([block.box for each in accumulations for block in each.blocks])
        selection = Selection.of_box(box)
        return TaskBlock(group, box, size, selection, tuple(accumulations), outputs)

    def boxes(self) -> Iterator[tuple[Index, Box]]:
        """Yield the number and the box of each block, in the order of computing."""
        axes = self.task_blocks.axes
        place = [self.order.index(axis) for axis in range(len(axes))]
        counts = [axes[axis].count for axis in self.order]
        for number in range(math.prod(counts)):
            numbers = unraveled(number, counts)
            index = tuple([numbers[at] for at in place])
            box = self.task_blocks.chunk(index)
            if math.prod([s.stop - s.start for s in box]):
                yield index, box

    @property
    def fits(self) -> bool:
        """Whether at least one task can be computed in the memory."""
        return self.fits_together and self.state + self.peak <= self.memory

    def _ordered(self) -> tuple[int, ...]:
        """Return the order of the axes, slowest first.

        It is C order, the order of most stores, if the partial results of all positions fit into
        memory; otherwise one position is finished before the next is begun.
        """
        natural = tuple(range(len(self.shape)))
        if self._state(natural) <= self.memory // 4:
            return natural
        order = sorted(natural, key=lambda axis: -sum(axis in r.kept_axes for r in self.reductions))
        return tuple(order)

    def _state(self, order: tuple[int, ...]) -> int:
        return sum(self._open(reduction, order) for reduction in self.reductions)

    def _open(self, reduction: Reduction, order: tuple[int, ...]) -> int:
        """Return the bytes of the partial results that wait to be merged."""
        positions = 1
        open_axes = False
        for axis in order:
            edges = self.task_blocks.axes[axis]
            if axis in reduction.axes:
                open_axes = open_axes or edges.count > 1
            else:
                positions *= self.shape[axis] if open_axes else edges.longest
        return _LEVELS * reduction.nbytes(positions)

    def _largest(self) -> Box:
        """Return one of the largest blocks."""
        box = []
        for edges in self.task_blocks.axes:
            longest = edges.longest
            bounds = map(edges.bounds, range(edges.count))
            start, stop = next((b for b in bounds if b[1] - b[0] == longest), (0, 0))
            box.append(slice(start, stop, 1))
        return tuple(box)

    @property
    def streamed_peak(self) -> int:
        """The most bytes that computing a block takes if it is accumulated while it is read."""
        return self._peak(streamed=True)

    def _peak(self, streamed: bool = False) -> int:
        box = self._largest()
        selection = Selection.of_box(box)
        if 0 in selection.shape:
            return 0
        size = math.prod(selection.shape)
        if streamed:
            [node] = self.nodes
            peak, kept = streamed_footprint(node, size)
        else:
            peak, kept = footprint(self._schedule(selection))
        working = merged = 0
        for reduction in self.reductions:
            # Values that may not be in C order are copied.
            plain = isinstance(reduction.node, (Leaf, Elementwise))
            copied = 0 if plain or streamed else values_bytes(reduction.node, size)
            # Aggregators use the same memory, one after the other.
            masked = reduction.node.masked
            scratch = max(aggregator.scratch_bytes(masked) for aggregator in reduction.aggregators)
            working = max(working, copied + scratch)
            merged += reduction.nbytes(positions_of(box, reduction.axes))
        return max(peak, kept + working) + self._partial_bytes(box) + merged

    def _schedule(self, selection: Selection) -> Schedule:
        """Return the schedule of all nodes in a block."""
        needing = Counter(id(job.node) for job in self.jobs)
        parted = {id(each.node) for each in self.reductions if each.in_parts}
        in_parts = [
            place
            for place, node in enumerate(self.nodes)
            if id(node) in parted and needing[id(node)] == 1
        ]
        return Schedule([(node, selection) for node in self.nodes], in_parts=in_parts)

    def _cut_outputs(self) -> None:
        """Halve blocks that take too much memory; outputs are the same wherever blocks are cut."""
        for _ in range(64):
            self.peak = self._peak()
            if self.peak <= self.memory // 2 or not self._halved():
                return

    def _half(self, axis: int, length: int) -> int:
        """Return about half of a length of an axis: a multiple of the chunks, if it has several."""
        half = -(-length // 2)
        grids = [output.node.grid for output in self.outputs]
        chunks = [grid[axis] for grid in grids if grid is not None]
        step = math.lcm(*[n for n in chunks if isinstance(n, int)])
        return half if half <= step else half // step * step

    def _halved(self) -> bool:
        lengths: Chunks = tuple([max(1, edges.longest) for edges in self.task_blocks.axes])
        longest = next((axis for axis, n in enumerate(lengths) if n != 1), None)
        if longest is None or any(output.grid is not None for output in self.outputs):
            return False
        before = self.task_blocks
        halves = list(lengths)
        halves[longest] = self._half(longest, before.axes[longest].longest)
        self.task_blocks = Grid(self.shape, halves)
        # Halves do not help where a function computes whole blocks for any part of them.
        enough = self.peak * (_WORTHWHILE if self.peak <= self.memory else 1)
        if self._peak() >= enough:
            self.task_blocks = before
            return False
        return True


def grouped(
    reductions: Sequence[Reduction], outputs: Sequence[Output], memory: int
) -> list[JobGroup]:
    """Return the jobs in groups, each of which fits into memory if it can.

    Jobs are in one group if their nodes have the same shape and share a source, and if blocks
    that hold whole reduction blocks of all of them are not too large.
    """
    jobs: list[Reduction | Output] = [*reductions, *outputs]
    parts: list[list[Reduction | Output]] = []
    alike: dict[Any, set[int]] = {}  # the numbers of parts, by the shape and a source of their jobs
    for job in jobs:
        keys = [(job.node.shape, origin) for origin in leaves_of(job.node)]
        for number in sorted(set().union(*[alike.get(key, ()) for key in keys])):
            if _group([*parts[number], job], memory).fits:
                parts[number].append(job)
                break
        else:
            number = len(parts)
            parts.append([job])
        for key in keys:
            alike.setdefault(key, set()).add(number)
    return [_group(members, memory) for members in parts]


def _group(jobs: Sequence[Reduction | Output], memory: int) -> JobGroup:
    return JobGroup(
        [job for job in jobs if isinstance(job, Reduction)],
        [job for job in jobs if isinstance(job, Output)],
        memory,
    )
