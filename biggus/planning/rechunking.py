"""Rechunking: values that are needed in other blocks than those in which they are read.

If no block of whole chunks has all values that are needed at once, reading block by block would
decode each chunk several times.  Instead, values are read once, in their own chunks, written to a
scratch, and read from there in *bands*.  Bands change no value, so they may depend on the memory
option.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.graph import AlongAxes, Gufunc, Leaf, Walk, any_answer, is_spread, ordered
from biggus.indexing.grid import Grid
from biggus.indexing.reduction_blocks import joined_grid, nested_lengths
from biggus.planning.groups import JobGroup
from biggus.planning.jobs import Output, inner_of
from biggus.planning.partial_reads import reads_parts
from biggus.planning.rewriting import is_in_memory
from biggus.planning.shared_scans import SharedScan

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence

    from biggus.graph import Node
    from biggus.indexing.grid import Lengths
    from biggus.sources.base import Chunks, Source

BAND = 16
"""A band has about this fraction, 1/16, of half the memory: functions such as the median copy it,
and several bands are computed at once."""

_OFTEN = 1.25
"""Chunks need no scratch if they are read at most this often on average."""

_ROOM = 3
"""A block that is read and written at once has no more than this fraction, 1/3, of the memory."""

_HELD = 2
"""Scratches that take no more than this fraction, 1/2, of the memory are kept in memory."""


class Rechunking:
    """A node whose values go through a scratch.

    Parameters
    ----------
    node : Node
    bands : tuple
        For each axis the length, or the lengths, of the bands.
    """

    def __init__(self, node: Node, bands: Chunks) -> None:
        self.node = node
        self.bands = Grid(node.shape, bands)
        self.order = self._ordered()
        """The axes of a band as it lies in the scratch, slowest first."""

    @property
    def nbytes(self) -> int:
        """The size of the scratch."""
        return math.prod(self.node.shape) * (self.node.dtype.itemsize + self.node.masked)

    @property
    def chunks(self) -> Chunks:
        """For each axis the length, or the lengths, of the bands."""
        return self.bands.lengths

    def _ordered(self) -> tuple[int, ...]:
        # Axes along which a chunk is as long as a band come last, so that runs that are written
        # are long.
        grid = self.node.grid or self.node.shape
        axes = Grid(self.node.shape, grid).axes
        thin = [a.longest < b.longest for a, b in zip(axes, self.bands.axes, strict=True)]
        return tuple(sorted(range(len(thin)), key=lambda axis: not thin[axis]))


class Gathering:
    """A function along whole axes, of operands that go through scratches.

    Parameters
    ----------
    function : AlongAxes or Gufunc
    bands : mapping of int to tuple
        The bands of each operand that goes through a scratch, by its number.
    """

    def __init__(self, function: AlongAxes | Gufunc, bands: Mapping[int, Chunks]) -> None:
        self.function = function
        self._numbers = tuple(bands)
        self.parts = [Rechunking(function.children[n], cut) for n, cut in bands.items()]
        """The operands that go through a scratch."""

    def scan(self, sources: Sequence[Source], memory: int) -> SharedScan:
        """Return the scan that computes the function band by band.

        Parameters
        ----------
        sources : sequence of Source
            The filled scratch of each part.
        memory : int
            The bytes that computing may take.
        """
        children = list(self.function.children)
        for number, source in zip(self._numbers, sources, strict=True):
            children[number] = Leaf(source, source.shape, source.dtype)
        node = self.function.rebuild(tuple(children))
        grid = node.grid
        if isinstance(node, Gufunc):
            loop = len(node.loop)
            grid = (*self.parts[0].chunks[:loop], *[max(1, n) for n in node.core])
        assert grid is not None  # that of the bands
        return _scan_of(Output(node, 0, None), grid, memory)


class Rewriting(Rechunking):
    """An output that goes through a scratch, to be written in other chunks than it is read in."""

    def __init__(self, output: Output, bands: Chunks) -> None:
        super().__init__(output.node, bands)
        self.output = output
        self.parts = [self]

    def scan(self, sources: Sequence[Source], memory: int) -> SharedScan:
        """Return the scan that writes the output band by band."""
        [source] = sources
        node = Leaf(source, source.shape, source.dtype)
        return _scan_of(Output(node, self.output.number, self.chunks), self.chunks, memory)


def _scan_of(output: Output, grid: Chunks, memory: int) -> SharedScan:
    """Return the scan of an output alone, in given blocks, in C order."""
    return SharedScan(JobGroup((), [output], memory, (grid, tuple(range(len(grid))))))


def held_bytes(rechunkings: Sequence[Rechunking], memory: int) -> int:
    """Return the bytes of scratches that are kept in memory: all, if they fit, or none."""
    nbytes = sum(each.nbytes for each in rechunkings)
    room = memory - nbytes
    if nbytes > memory // _HELD:
        return 0
    groups = [JobGroup((), [Output(each.node, 0, None)], room) for each in rechunkings]
    return nbytes if all(group.peak <= room for group in groups) else 0


class Gatherings(Walk[bool]):
    """Finds functions along whole axes, in a node, whose operands go through scratches.

    Calling it returns whether a node has such a function.

    Parameters
    ----------
    memory : int
        The bytes that computing may take.
    """

    def __init__(self, memory: int) -> None:
        super().__init__()
        self._memory = memory
        self._found: dict[int, tuple[Node, Gathering | None]] = {}

    def answer(self, *ask: Any) -> bool | Generator[Any, bool, bool]:
        """Return whether a node has such a function."""
        [node] = ask
        return node.combined and (self.of(node) is not None or any_answer(node.inner))

    def of(self, node: Node) -> Gathering | None:
        """Return the gathering of a node; None if it is no such function."""
        if not isinstance(node, (AlongAxes, Gufunc)):
            return None
        entry = self._found.get(id(node))
        if entry is None:
            entry = self._found[id(node)] = (node, _gathering(node, self._memory))
        return entry[1]

    def ready(self, nodes: Iterable[Node]) -> list[Gathering]:
        """Return the gatherings in nodes whose operands wait for no other computation."""
        reached = ordered([node for node in nodes if self(node)], inner_of)
        gatherings = [each for node in reached if (each := self.of(node)) is not None]
        return [each for each in gatherings if not any(map(self.waits, each.function.children))]

    def waits(self, node: Node) -> bool:
        """Return whether a node needs a reduction or a gathering that must be computed first."""
        return node.needs_reduction or self(node)


def _gathering(node: AlongAxes | Gufunc, memory: int) -> Gathering | None:
    if not node.is_cut or 0 in node.shape or any(0 in child.shape for child in node.children):
        return None
    parts = {
        number: child
        for number, child in enumerate(node.children)
        if not (child.grid is None or is_spread(child) or is_in_memory(child))
    }
    if not parts or any(child.dtype.hasobject for child in parts.values()):
        return None
    if all(reads_parts(child, node.blocks(number)) for number, child in parts.items()):
        return None
    lines = {
        number: math.prod(child.shape[axis] for axis in node.whole_axes(number))
        for number, child in parts.items()
    }
    each = sum(
        lines[number] * max(1, child.dtype.itemsize + child.masked)
        for number, child in parts.items()
    )
    room = memory // (_HELD * BAND * max(1, each))
    first = None
    direct = node.block_bytes // each if isinstance(node, AlongAxes) else 0
    for number, child in parts.items():
        lengths = _lengths(child, node.whole_axes(number))
        if math.prod(lengths) > max(room, direct) * lines[number]:
            first = _bands(child, node.whole_axes(number), lengths, room * lines[number])
            break
    if first is None:
        return None
    if isinstance(node, AlongAxes):
        return Gathering(node, {0: first})
    loop = len(node.loop)
    cuts = {n: (*first[:loop], *child.shape[loop:]) for n, child in parts.items()}
    return Gathering(node, cuts)


def _lengths(operand: Node, axes: tuple[int, ...]) -> list[int]:
    """Return the lengths of the longest chunks, with the axes that are needed whole in full."""
    assert operand.grid is not None
    lengths = list(Grid(operand.shape, operand.grid).longest)
    for axis in axes:
        lengths[axis] = operand.shape[axis]
    return lengths


def _bands(operand: Node, axes: tuple[int, ...], lengths: list[int], most: int) -> Chunks:
    """Return bands of up to `most` elements, which have `axes` whole; none crosses a chunk edge."""
    assert operand.grid is not None
    edges = Grid(operand.shape, operand.grid).axes
    bands: list[Lengths] = [max(1, n) for n in operand.shape]
    for axis, pieces in enumerate(edges):
        if axis in axes:
            continue
        others = math.prod(n for other, n in enumerate(lengths) if other != axis)
        room = max(1, most // others)
        bands[axis] = nested_lengths(operand.grid[axis], pieces.length, room)
        lengths[axis] = min(lengths[axis], room)
    return tuple(bands)


def placed(output: Output, memory: int) -> Output | Rewriting:
    """Return an output, with the blocks in which it is written to its target.

    Blocks have whole chunks of both the source and the target, if they fit into memory.
    Otherwise, the output goes through a scratch, if chunks would be read repeatedly without one.

    Parameters
    ----------
    output : Output
    memory : int
        The bytes that computing may take.
    """
    node, grid = output.node, output.grid
    if grid is None or node.grid is None or 0 in node.shape or is_in_memory(node):
        return output
    read = Grid(node.shape, node.grid)
    if _times_read(read, Grid(node.shape, grid)) <= _OFTEN:
        return output
    alone = JobGroup((), [output], memory)
    if alone.peak <= memory and _times_read(read, alone.task_blocks) <= _OFTEN:
        return output
    each = max(1, node.dtype.itemsize + node.masked)
    joined = joined_grid(node.shape, [node.grid, grid], memory // (_ROOM * each))
    if joined is not None:
        together = Output(node, output.number, joined)
        if JobGroup((), [together], memory).peak <= memory // _HELD:
            return together
    if node.dtype.hasobject:
        return output
    return Rewriting(output, _unions(node, grid, memory // (_HELD * BAND * each)))


def _times_read(read: Grid, blocks: Grid) -> float:
    """Return how often chunks are read on average, if blocks are read one after the other."""
    times = 1.0
    for chunks, edges in zip(read.axes, blocks.axes, strict=True):
        bounds = np.array([edges.bounds(number) for number in range(edges.count)])
        bounds = bounds[bounds[:, 0] < bounds[:, 1]]
        first, last = chunks.find_all(bounds[:, 0]), chunks.find_all(bounds[:, 1] - 1)
        touched = (last - first + 1).sum()
        times *= float(touched / np.union1d(first, last).size) if edges.count > 1 else 1.0
    return times


def _unions(node: Node, grid: Chunks, most: int) -> Chunks:
    """Return unions of the chunks of a target, of up to `most` elements.

    They are first made longer along axes along which chunks of the source are long.
    """
    assert node.grid is not None
    lengths = list(Grid(node.shape, grid).longest)
    read = list(Grid(node.shape, node.grid).longest)
    unions = list(grid)
    order = sorted(range(len(lengths)), key=lambda axis: (read[axis] < lengths[axis], -axis))
    for axis in order:
        size = grid[axis]
        times = most // max(1, math.prod(lengths))
        if isinstance(size, int) and times > 1:
            unions[axis] = longer = max(size, lengths[axis] * times // size * size)
            lengths[axis] = min(node.shape[axis], longer)
    return tuple(unions)
