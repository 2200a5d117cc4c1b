"""Tasks: the independent parts of a pass; each can be sent to where it is computed."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

from biggus.graph import packed, unpacked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biggus.graph import Node, Packed
    from biggus.indexing.selection import Selection
    from biggus.planning.jobs import ReductionBlock
    from biggus.sources.base import Box
    from biggus.statistics import Aggregator


class Accumulation(NamedTuple):
    """Reduction blocks of one reduction."""

    reduction: int
    """The number of the reduction in its group."""

    node: Node
    """What is reduced."""

    axes: tuple[int, ...]
    aggregators: tuple[Aggregator, ...]
    plain: bool
    """Whether no value can be missing, in this block or in another, and all are native."""

    blocks: tuple[ReductionBlock, ...]
    streamed: bool
    """Whether the block, which is a reduction block, is read while it is accumulated."""


class TaskBlock(NamedTuple):
    """A block of a group of jobs, and what of it is to be computed."""

    group: int
    """The number of the group among those that go together."""

    box: Box
    """The block; or where not all of its blocks are wanted, the box around those that are."""

    size: int
    """How many values the block has."""

    selection: Selection
    """Which values of its nodes those in the box are."""

    accumulations: tuple[Accumulation, ...]
    """Of the reductions that want some of it."""

    outputs: tuple[Node, ...]
    """The nodes whose values are wanted."""

    @property
    def nodes(self) -> list[Node]:
        """What is computed: they may have parts in common, or be the same."""
        return [*[each.node for each in self.accumulations], *self.outputs]

    def of(self, nodes: Iterator[Any], selection: Selection) -> TaskBlock:
        """Return the same block of other nodes, taken from an iterator."""
        accumulations = [each._replace(node=next(nodes)) for each in self.accumulations]
        return self._replace(
            selection=selection,
            accumulations=tuple(accumulations),
            outputs=tuple(itertools.islice(nodes, len(self.outputs))),
        )


class Task(NamedTuple):
    """Blocks that are computed together, for they are read together.

    Small, and picklable if its sources are.
    """

    number: int
    """Tasks are numbered in the order in which they begin."""

    blocks: tuple[TaskBlock, ...]
    """One a group, of those that have something there; the first is the leader's."""

    shared: tuple[tuple[Node, Box], ...]
    """What is read once for several of them, and which box of it."""

    @property
    def idle(self) -> bool:
        """Whether nothing is to be computed: what comes of its reduction blocks was kept."""
        return not any(block.accumulations or block.outputs for block in self.blocks)

    def __reduce__(self) -> Any:
        # What is the same node here is the same there.
        nodes = list(itertools.chain(*[block.nodes for block in self.blocks]))
        nodes += [node for node, _ in self.shared]
        blocks = [block.of(itertools.repeat(None), block.selection) for block in self.blocks]
        return _unpacked, (packed(nodes), self.number, blocks, [box for _, box in self.shared])


def _unpacked(nodes: Packed, number: int, blocks: list[TaskBlock], boxes: list[Box]) -> Task:
    left = iter(unpacked(nodes))
    made = [block.of(left, block.selection) for block in blocks]
    return Task(number, tuple(made), tuple(zip(left, boxes, strict=True)))
