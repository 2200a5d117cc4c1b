"""Computing a task, in a thread of this process or in another process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from biggus.engine.reading import block, carried_out
from biggus.graph import Node, take
from biggus.indexing.selection import Selection
from biggus.planning.schedule import Schedule, past_views
from biggus.planning.stacks import in_stacks
from biggus.sources.base import Box, Stream, Values, holds, within
from biggus.statistics import Partial, partials

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from biggus.engine.fused import FusedBlock
    from biggus.engine.repeated import Repeated
    from biggus.planning.stacks import Stack
    from biggus.planning.tasks import Accumulation, Task, TaskBlock
    from biggus.statistics.values import AnyArray


class Computed(NamedTuple):
    """The results of one block of a task."""

    partials: list[list[list[Partial]]]
    """For each accumulation and reduction block the partial result of each aggregator."""

    outputs: list[Values]
    """The values of each output in the block; must not be modified."""


def compute(task: Task, repeated: Repeated | None = None) -> list[Computed]:
    """Return the results of each block of a task."""
    shared = SharedReads(task.shared)
    results: dict[int, Computed] = {}
    for stack in in_stacks(task.blocks, shared.boxes):
        if len(stack.places) > 1:
            results.update(zip(stack.places, _of_stack(stack, shared), strict=True))
        else:
            [place] = stack.places
            results[place] = _computed(task.blocks[place], shared, repeated)
    return [results[place] for place in range(len(task.blocks))]


def _of_stack(stack: Stack, shared: SharedReads) -> Iterator[Computed]:
    """Yield the results of each block of a stack."""
    each = stack.accumulation
    values = shared.block(stack.node, stack.selection)
    axes = tuple([axis + 1 for axis in each.axes])
    of_all = partials(each.aggregators, values, axes, (0,) * values.ndim, each.plain)
    for row in range(len(stack.places)):
        yield Computed([[[tuple([_row(e, row) for e in entries]) for entries in of_all]]], [])


def _row(entry: AnyArray, row: int) -> AnyArray:
    """Return an entry of the partial of one block of a stack; it does not keep the others."""
    part: AnyArray = entry[row if len(entry) > 1 else 0]
    if not any(part.strides):
        return part
    own: AnyArray = part.copy()
    own.flags.writeable = part.flags.writeable
    return own


def _computed(task_block: TaskBlock, shared: SharedReads, repeated: Repeated | None) -> Computed:
    selection = task_block.selection
    blockwise = [each for each in task_block.accumulations if not each.streamed]
    in_parts = [place for place, each in enumerate(blockwise) if each.in_parts]
    wanted = [*[each.node for each in blockwise], *task_block.outputs]
    asks = [past_views(node, selection) for node in wanted]
    values: Iterator[Any]
    if len(asks) == 1 and id(asks[0][0]) in shared.boxes:
        values = iter([shared.block(*asks[0])])  # nothing to schedule: selected from a shared read
    else:
        schedule = Schedule(asks, shared.boxes, repeated, in_parts=in_parts)
        values = carried_out(schedule, shared.block, repeated)
    results = [
        _accumulated(
            each, task_block.box, each.node.stream(selection) if each.streamed else next(values)
        )
        for each in task_block.accumulations
    ]
    return Computed(results, list(values))


def _accumulated(
    each: Accumulation, box: Box, values: Values | FusedBlock | Stream
) -> list[list[Partial]]:
    """Return the partial results of each reduction block in a box of values, or of a stream."""
    results = []
    for one in each.blocks:
        part: Any = values
        if one.box != box:  # a stream is of one reduction block, the whole box
            part = part[within(one.box, box)]
        origin = tuple([s.start for s in one.box])
        results.append(partials(each.aggregators, part, each.axes, origin, each.plain))
    return results


class SharedReads:
    """The reads that the blocks of a task share: each is made once, and kept.

    Parameters
    ----------
    shared : iterable of (Node, Box)
        The nodes, and the box that is read of each.
    """

    def __init__(self, shared: Iterable[tuple[Node, Box]]) -> None:
        self.boxes = {id(node): box for node, box in shared}
        """The box of each node, by its id."""
        self._read: dict[int, Values] = {}

    def block(self, node: Node, selection: Selection) -> Values:
        """Return the values of a non-empty selection of a node; they must not be modified."""
        shared_box = self.boxes.get(id(node))
        if shared_box is None:
            return block(node, selection)
        box, local = selection.bounding_box()
        if not holds(shared_box, box):
            return block(node, selection)
        values = self._read.get(id(node))
        if values is None:
            values = self._read[id(node)] = block(node, Selection.of_box(shared_box))
        # NumPy would give a scalar for an empty key.
        part = values if box == shared_box else values[within(box, shared_box)]
        return take(local, part)
