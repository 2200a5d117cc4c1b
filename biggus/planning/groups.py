"""Groups: jobs of a pass that go through the data together, block by block."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

from biggus.cells import joined_grid, longest_of
from biggus.errors import MemoryBudgetError
from biggus.grid import Grid
from biggus.nodes import Elementwise, GridMosaicNode, Leaf, Mosaic, View
from biggus.options import format_bytes
from biggus.planning.footprint import footprint, values_bytes
from biggus.planning.jobs import Output, Reduction, lengths_of, positions_of
from biggus.planning.rewriting import leaves_of, rebuilt
from biggus.planning.tasks import Accumulation, Task, Work, within
from biggus.region import Selection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from biggus.grid import Edges, Index
    from biggus.nodes import Node
    from biggus.planning.jobs import Cell
    from biggus.source import Box, Chunks

_AHEAD = 16
"""So far may a task be ahead of the first that is not done, and further for each at once."""

_LEVELS = 3
"""About how many partial results of each open position there are on the way up a tree."""


class Group:
    """Jobs whose nodes have one shape, and which go through it together.

    Parameters
    ----------
    reductions : list of Reduction
    outputs : list of Output
    memory : int
        The bytes that computing may take.
    """

    def __init__(
        self, reductions: Sequence[Reduction], outputs: Sequence[Output], memory: int
    ) -> None:
        self.reductions = tuple(reductions)
        self.outputs = tuple(outputs)
        self.jobs: tuple[Reduction | Output, ...] = (*self.reductions, *self.outputs)
        self.shape = self.jobs[0].node.shape
        self.memory = memory
        self.nodes = tuple({id(job.node): job.node for job in self.jobs}.values())
        self._numbers = {id(node): number for number, node in enumerate(self.nodes)}
        lengths = joined_grid(self.shape, [job.lengths for job in self.jobs])
        self.fits_together = lengths is not None
        self.blocks = Grid(self.shape, self.jobs[0].lengths if lengths is None else lengths)
        self.order, self.state = self._ordered()
        if not self.reductions:
            self._cut_outputs()
        self.peak = self._peak()

    @property
    def waits(self) -> bool:
        """Whether to read is to wait for something."""
        return any(map(_waits, self.nodes))

    @property
    def nbytes(self) -> int:
        """The bytes of the values that it goes through."""
        return math.prod(self.shape) * max(node.dtype.itemsize for node in self.nodes)

    def tasks(self, wanted: Callable[[int, Cell], bool] | None = None) -> Iterator[Task]:
        """Yield the tasks, one a block, in the order in which they are to begin.

        One is yielded for what is not wanted, too: whoever draws tasks may have to
        wait, lest all that was kept pile up behind one that is computed.

        Parameters
        ----------
        wanted : callable, optional
            Called with the number of a reduction and a cell: whether it must be computed.
        """
        outputs = tuple(range(len(self.outputs)))
        blocks = lengths_of(self.blocks)
        alike = [reduction.lengths == blocks for reduction in self.reductions]
        for count, (index, box) in enumerate(self.boxes()):
            cells = []
            for number, reduction in enumerate(self.reductions):
                if alike[number]:  # a block is a cell
                    found: tuple[Cell, ...] = (reduction.cell(index, box),)
                else:
                    found = tuple(reduction.cells_in(box))
                if wanted is not None:
                    found = tuple([cell for cell in found if wanted(number, cell)])
                cells.append(found)
            yield Task(count, box, tuple(cells), outputs)

    def boxes(self) -> Iterator[tuple[Index, Box]]:
        """Yield the number and the box of each block, in the order of computing."""
        axes = self.blocks.axes
        place = [self.order.index(axis) for axis in range(len(axes))]
        for numbers in _counted([axes[axis].count for axis in self.order]):
            index = tuple([numbers[at] for at in place])
            box = self.blocks.chunk(index)
            if all(s.start < s.stop for s in box):
                yield index, box

    def wanted_of(self, task: Task) -> list[Node]:
        """Return the nodes whose values a task computes, each once."""
        pairs = zip(self.reductions, task.cells, strict=True)
        nodes = [reduction.node for reduction, cells in pairs if cells]
        nodes += [self.outputs[number].node for number in task.outputs]
        return list({id(node): node for node in nodes}.values())

    def work(self, task: Task) -> Work:
        """Return what a task needs."""
        accumulations = [
            Accumulation(
                self._numbers[id(reduction.node)],
                reduction.axes,
                reduction.families,
                tuple(
                    [
                        (within(cell.box, task.box), tuple([s.start for s in cell.box]))
                        for cell in cells
                    ]
                ),
            )
            for reduction, cells in zip(self.reductions, task.cells, strict=True)
        ]
        outputs = tuple([self._numbers[id(self.outputs[n].node)] for n in task.outputs])
        return Work(self.nodes, Selection.of_box(task.box), tuple(accumulations), outputs)

    def at_once(self, most: int) -> int:
        """Return how many tasks may be computed at once, of no more than `most`.

        Raises
        ------
        MemoryBudgetError
            If not even one can be.
        """
        room = (self.memory - self.state) // max(1, self.peak)
        if room < 1:
            shape = " × ".join([str(longest_of(axis)) for axis in self.blocks.axes]) or "one value"
            raise MemoryBudgetError(
                f"a block of {shape} takes {format_bytes(self.peak + self.state)} to compute, "
                f"and the memory option allows {format_bytes(self.memory)}: "
                "allow more with biggus.set_options(memory=...), or store it in smaller chunks"
            )
        return min(most, room)

    def ahead(self, most: int) -> int:
        """Return how far a task may be ahead of the first that is not done.

        Partial results of those in between wait for that of the first to be merged.

        Parameters
        ----------
        most : int
            How many are computed at once.
        """
        room = max(0, self.memory - self.state - most * self.peak)
        return most - 1 + min(_AHEAD + most, room // max(1, self._left))

    @property
    def fits(self) -> bool:
        """Whether one task at least can be computed."""
        return self.fits_together and self.state + self.peak <= self.memory

    def _ordered(self) -> tuple[tuple[int, ...], int]:
        """Return the order of the axes, slowest first, and the bytes of what is open meanwhile.

        In C order, in which most stores lie, if the partial results of all positions
        have room; else all that is reduced to one comes after the other.
        """
        natural = tuple(range(len(self.shape)))
        state = sum(self._open(reduction, natural) for reduction in self.reductions)
        if state <= self.memory // 4:
            return natural, state
        kept = sorted(natural, key=lambda axis: -sum(axis in r.kept_axes for r in self.reductions))
        order = tuple(kept)
        return order, sum(self._open(reduction, order) for reduction in self.reductions)

    def _open(self, reduction: Reduction, order: tuple[int, ...]) -> int:
        """Return the bytes of the partial results that wait to be merged."""
        positions = 1
        open_axes = False
        for axis in order:
            edges = self.blocks.axes[axis]
            if axis in reduction.axes:
                open_axes = open_axes or edges.count > 1
            else:
                positions *= self.shape[axis] if open_axes else longest_of(edges)
        return _LEVELS * reduction.nbytes(positions)

    def _largest(self) -> Box:
        """Return a block that is among the largest."""
        box = []
        for edges in self.blocks.axes:
            longest = longest_of(edges)
            bounds = map(edges.bounds, range(edges.count))
            start, stop = next((b for b in bounds if b[1] - b[0] == longest), (0, 0))
            box.append(slice(start, stop, 1))
        return tuple(box)

    def _peak(self) -> int:
        box = self._largest()
        get = Selection.of_box(box)
        self._left = 0  # of a task, until it is merged
        if 0 in get.shape:
            return 0
        peak = kept = 0
        for node in self.nodes:
            found = footprint(node, get)
            peak = max(peak, kept + found.peak)
            kept += found.kept
        size = math.prod(get.shape)
        working = merged = 0
        for reduction in self.reductions:
            # Cells are laid out in C order, where they do not lie so.
            plain = isinstance(reduction.node, (Leaf, Elementwise))
            copied = 0 if plain else values_bytes(reduction.node, size)
            # Families use the same memory, one after the other.
            masked = reduction.node.masked
            scratch = max(family.scratch_bytes(masked) for family in reduction.families)
            working = max(working, copied + scratch)
            positions = positions_of(box, reduction.axes)
            cells = math.prod(
                _count_in(reduction.cells.axes[axis], box[axis]) for axis in reduction.axes
            )
            self._left += cells * reduction.nbytes(positions)
            merged += reduction.nbytes(positions)
        return max(peak, kept + working) + self._left + merged

    def _cut_outputs(self) -> None:
        """Cut blocks that take too much: of values alone it makes no difference where."""
        for _ in range(64):
            self.peak = self._peak()
            if self.peak <= self.memory // 2 or not self._halved():
                return

    def _halved(self) -> bool:
        lengths: Chunks = tuple([max(1, longest_of(edges)) for edges in self.blocks.axes])
        longest = next((axis for axis, n in enumerate(lengths) if n != 1), None)
        if longest is None or any(output.aligned for output in self.outputs):
            return False
        before = self.blocks
        halves = list(lengths)
        halves[longest] = -(-lengths[longest] // 2)  # type: ignore[operator]
        self.blocks = Grid(self.shape, halves)
        if self._peak() >= self.peak:
            self.blocks = before
            return False
        return True


def _count_in(edges: Edges, s: slice) -> int:
    """Return how many pieces of an axis lie in a slice, which holds them whole."""
    return edges.find(s.stop - 1) - edges.find(s.start) + 1


def grouped(reductions: Sequence[Reduction], outputs: Sequence[Output], memory: int) -> list[Group]:
    """Return groups of jobs, each of which fits into memory if it can.

    Jobs go together if their nodes have the same shape and something to be read in
    common, and if their cells lie in blocks that are not too large.
    """
    jobs: list[Reduction | Output] = [*reductions, *outputs]
    parts: list[tuple[list[Reduction | Output], set[Any]]] = []
    for job in jobs:
        origins = leaves_of(job.node)
        for members, known in parts:
            alike = job.node.shape == members[0].node.shape and origins & known
            if alike and _group([*members, job], memory).fits:
                members.append(job)
                known.update(origins)
                break
        else:
            parts.append(([job], origins))
    return [_group(members, memory) for members, _ in parts]


def _group(jobs: Sequence[Reduction | Output], memory: int) -> Group:
    return Group(
        [job for job in jobs if isinstance(job, Reduction)],
        [job for job in jobs if isinstance(job, Output)],
        memory,
    )


def _counted(counts: Sequence[int]) -> Iterator[Index]:
    """Yield all numbers below counts, the last fastest; unlike `product` keeping none of them."""
    if not counts:
        yield ()
        return
    first, *others = counts
    for number in range(first):
        for rest in _counted(others):
            yield (number, *rest)


def _waits(node: Node) -> bool:
    """Tell whether to read a node is to wait."""
    match node:
        case Leaf():
            return node.source.waits and not node.source.resident
        case View():
            return _waits(node.base)
        case GridMosaicNode():
            return True
        case Mosaic():
            return any(map(_waits, itertools.islice(node.tiles, 16)))
    found = False

    def look(part: Node) -> Node:
        nonlocal found
        found = found or _waits(part)
        return part

    rebuilt(node, look)
    return found
