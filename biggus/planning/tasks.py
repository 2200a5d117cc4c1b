"""Tasks: the independent parts of a pass, each of which can be computed in another process."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

from biggus.graph import Node, Packed, packed, unpacked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from biggus.indexing.selection import Selection
    from biggus.planning.jobs import ReductionBlock
    from biggus.sources.base import Box
    from biggus.statistics import Aggregator


class Accumulation(NamedTuple):
    """The reduction blocks of one reduction that a task computes."""

    reduction: int
    """The number of the reduction in its group."""

    node: Node
    """The operand of the reduction."""

    axes: tuple[int, ...]
    aggregators: tuple[Aggregator, ...]
    plain: bool
    """Whether no value of the node can be missing, and all are in native byte order."""

    blocks: tuple[ReductionBlock, ...]
    streamed: bool
    """Whether the only reduction block is accumulated while it is read, run by run."""

    in_parts: bool
    """Whether values are accumulated part by part, if they can be computed so."""


class TaskBlock(NamedTuple):
    """A task block of one group of jobs, and what is computed of it."""

    group: int
    """The number of the group in its shared scan."""

    box: Box
    """The block; or the box around its wanted reduction blocks, where not all are wanted."""

    size: int
    """The number of elements of the block."""

    selection: Selection
    """The box as a selection of `nodes`."""

    accumulations: tuple[Accumulation, ...]
    """One for each reduction with a wanted reduction block."""

    outputs: tuple[Node, ...]
    """The nodes whose values are wanted."""

    @property
    def nodes(self) -> list[Node]:
        """The nodes that are computed; they may share parts, or be the same."""
        return [*[each.node for each in self.accumulations], *self.outputs]

    def of(self, nodes: Iterator[Any], selection: Selection) -> TaskBlock:
        """Return the same block with other nodes, taken from an iterator."""
        accumulations = [each._replace(node=next(nodes)) for each in self.accumulations]
        return self._replace(
            selection=selection,
            accumulations=tuple(accumulations),
            outputs=tuple(itertools.islice(nodes, len(self.outputs))),
        )


class Task(NamedTuple):
    """Task blocks that are computed together because they share reads.

    It is small, and picklable if its sources are.
    """

    number: int
    """Tasks are numbered in the order in which they begin."""

    blocks: tuple[TaskBlock, ...]
    """One for each group that needs values of this task; the first is the leader's."""

    shared: tuple[tuple[Node, Box], ...]
    """The nodes that are read once for several blocks, and the box that is read of each."""

    @property
    def idle(self) -> bool:
        """Whether nothing is computed, because the partial-result cache has every result."""
        return not any(block.accumulations or block.outputs for block in self.blocks)

    def __reduce__(self) -> Any:
        # Packed together, so that nodes that are shared here are shared there.
        nodes = list(itertools.chain(*[block.nodes for block in self.blocks]))
        nodes += [node for node, _ in self.shared]
        blocks = [block.of(itertools.repeat(None), block.selection) for block in self.blocks]
        return _unpacked, (packed(nodes), self.number, blocks, [box for _, box in self.shared])


def _unpacked(nodes: Packed, number: int, blocks: list[TaskBlock], boxes: list[Box]) -> Task:
    remaining = iter(unpacked(nodes))
    task_blocks = [block.of(remaining, block.selection) for block in blocks]
    return Task(number, tuple(task_blocks), tuple(zip(remaining, boxes, strict=True)))
