"""Jobs: the reductions and the outputs of a pass."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from biggus.graph import AlongAxes, ordered
from biggus.indexing.grid import Box, Chunks, Grid, Index
from biggus.indexing.reduction_blocks import reduction_blocks
from biggus.planning.rewriting import tile_edges_of
from biggus.planning.tree_levels import TreeLevels
from biggus.planning.view_maps import ReadRegion, read_regions_of
from biggus.statistics import Aggregator, Partial, Statistic, nbytes_of, runs_alike
from biggus.support.once import once

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from biggus.graph import Node, Reduce


_LONGER = 2
"""Blocks that are streamed, and so take no memory, are twice as long: each costs Python time."""

_NARROW = 4
"""The most bytes of a value; blocks of wider values, which take more memory, are not longer."""


Wanted: TypeAlias = "Mapping[Reduce, Statistic]"
"""The statistics to accumulate, by the nodes whose values they give: that of the node; or, in
later passes over the data, the statistic that an earlier pass has returned."""


class ReductionBlock(NamedTuple):
    """A block of a reduction: one chunk of its operand, or a run of small chunks."""

    kept: Index
    """Its number along each kept axis."""

    reduced: Index
    """Its number along each reduced axis."""

    box: Box
    """Where it lies in the operand."""


class Reduction:
    """All statistics of one node along the same axes, accumulated together.

    Parameters
    ----------
    wanted : mapping of Reduce to Statistic
        The reductions have the same operand and axes.
    """

    def __init__(self, wanted: Wanted) -> None:
        first = next(iter(wanted))
        self.wanted = wanted
        self.node: Node = first.operand
        self.axes = first.axes
        self.aggregators = _serving([statistic.aggregator for statistic in wanted.values()])
        shape = self.node.shape
        self.kept_axes = tuple([axis for axis in range(len(shape)) if axis not in self.axes])
        self.streams = self.node.streams and not self.kept_axes
        """Whether reduction blocks can be accumulated while they are read, run by run."""
        tile_edges = tile_edges_of(self.node)
        longer = _LONGER if self.streams and self.node.dtype.itemsize <= _NARROW else 1
        self.blocks = reduction_blocks(shape, self.node.grid, tile_edges, self.axes, longer)
        edges = Grid(shape, tile_edges).axes
        self.tree = TreeLevels(
            tuple([self.blocks.axes[axis] for axis in self.axes]),
            tuple([edges[axis] for axis in self.axes]),
        )

    @once
    def read_regions(self) -> dict[int, ReadRegion]:
        """The regions of the nodes that are read, by id."""
        return read_regions_of([self.node])

    @property
    def plain(self) -> bool:
        """Whether no value can be missing, and all are in native byte order."""
        return is_plain(self.node)

    @property
    def in_parts(self) -> bool:
        """Whether values are accumulated part by part, if they can be computed so."""
        several = any(self.blocks.axes[axis].longest > 1 for axis in self.axes)
        return several and runs_alike(self.aggregators, self.plain)

    @property
    def lengths(self) -> Chunks:
        """For each axis the length, or the lengths, of the reduction blocks."""
        return self.blocks.lengths

    def blocks_in(self, box: Box) -> Iterable[ReductionBlock]:
        """Yield the reduction blocks in a box, in C order; the box holds each of them whole."""
        for number in itertools.product(*self.blocks.touching(box)):
            yield self.block(number, self.blocks.chunk(number))

    def block(self, number: Index, box: Box) -> ReductionBlock:
        """Return the reduction block with a number along each axis, and a box."""
        kept = tuple([number[axis] for axis in self.kept_axes])
        reduced = tuple([number[axis] for axis in self.axes])
        return ReductionBlock(kept, reduced, box)

    def kept_box(self, kept: Index) -> Box:
        """Return the box of the results of blocks, with the reduced axes at length one."""
        box = [slice(0, 1, 1)] * len(self.node.shape)
        for axis, number in zip(self.kept_axes, kept, strict=True):
            box[axis] = slice(*self.blocks.axes[axis].bounds(number), 1)
        return tuple(box)

    def nbytes(self, positions: int) -> int:
        """Return the bytes of the partial results of a number of result positions."""
        return nbytes_of(self.aggregators, positions)

    def restricted(self, partials: Sequence[Partial], statistic: Statistic) -> Partial:
        """Return the partial result of the aggregator of one statistic."""
        for aggregator, partial in zip(self.aggregators, partials, strict=True):
            if aggregator.serves(statistic.aggregator):
                return aggregator.restrict(partial, statistic.aggregator)
        raise AssertionError(f"nothing accumulates {statistic.aggregator}")


class Output(NamedTuple):
    """A node whose values are written somewhere, block by block."""

    node: Node
    number: int
    """The number of the result that was asked for."""

    grid: Chunks | None
    """Boxes that are written are unions of these chunks; None if any box can be written."""

    @property
    def lengths(self) -> Chunks:
        """For each axis the length, or the lengths, of the blocks that are written."""
        return output_blocks(self.node.shape, self.grid or self.node.grid, self.behind).lengths

    @property
    def behind(self) -> int:
        """How many values functions along whole axes need for one element."""
        along = [n for n in ordered([self.node], inner_of) if isinstance(n, AlongAxes)]
        sizes = [math.prod(n.operand.shape) // max(1, math.prod(n.shape)) for n in along]
        return max([1, *sizes])


def output_blocks(shape: tuple[int, ...], grid: Chunks | None, behind: int) -> Grid:
    """Return blocks of outputs that join small chunks, up to about `BLOCK` values behind them."""
    if grid is None:
        grid = (1,) * len(shape)
    blocks = reduction_blocks((*shape, behind), (*grid, behind))
    return Grid(shape, blocks.lengths[: len(shape)])


def inner_of(node: Node) -> Sequence[Node]:
    """Return the nodes that a node is computed from; none if it is only read."""
    return node.inner if node.combined else ()


class SharedInput(NamedTuple):
    """A node that is read for the members of a shared scan, and not wanted itself."""

    node: Node

    @property
    def lengths(self) -> Chunks:
        """For each axis the length, or the lengths, of the chunks."""
        return self.node.grid or self.node.shape


def is_plain(node: Node) -> bool:
    """Return whether no value can be missing, and all are in native byte order."""
    return not node.masked and node.dtype.isnative


def reductions_over(wanted: Wanted) -> list[Reduction]:
    """Return the wanted reductions, those of the same operand and axes as one."""
    together: dict[Any, dict[Reduce, Statistic]] = {}
    for node, statistic in wanted.items():
        together.setdefault((id(node.operand), node.axes), {})[node] = statistic
    return [Reduction(group) for group in together.values()]


def _serving(aggregators: Iterable[Aggregator]) -> tuple[Aggregator, ...]:
    """Return the fewest aggregators that serve all of `aggregators`.

    Those that write little come first: the values are still in the core's cache for the next.
    """
    unique = sorted(dict.fromkeys(aggregators), key=lambda each: each.scratch_bytes(False))
    serving: list[Aggregator] = []
    for aggregator in unique:
        if any(other is not aggregator and other.serves(aggregator) for other in unique):
            continue
        for number, other in enumerate(serving):
            joined = other.joined(aggregator)
            if joined is not None:
                serving[number] = joined
                break
        else:
            serving.append(aggregator)
    return tuple(serving)


def positions_of(box: Box, axes: tuple[int, ...]) -> int:
    """Return the number of results that the values in a box are reduced to."""
    return math.prod(s.stop - s.start for axis, s in enumerate(box) if axis not in axes)
