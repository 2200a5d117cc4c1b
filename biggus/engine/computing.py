"""Computing: the work of one task, in whatever thread or process it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from biggus.engine.reading import block, carried_out
from biggus.graph import take
from biggus.indexing.selection import Selection
from biggus.planning.schedule import Schedule
from biggus.sources.base import box_shape, holds, within
from biggus.statistics import partials

if TYPE_CHECKING:
    from collections.abc import Iterable

    from biggus.engine.repeated import Repeated
    from biggus.graph import Node
    from biggus.planning.tasks import Accumulation, BlockWork, Work
    from biggus.sources.base import Box, Stream, Values
    from biggus.statistics import Partial


class Computed(NamedTuple):
    """What has come of a block of a task."""

    partials: list[list[list[Partial]]]
    """For each accumulation and reduction block the partial result of each aggregator."""

    outputs: list[Values]
    """For each output its values in the block; not to be written to."""


def compute(work: Work, repeated: Repeated | None = None) -> list[Computed]:
    """Do the work of a task; return what has come of each of its blocks."""
    shared = SharedReads(work.shared)
    return [_computed(each, shared, repeated) for each in work.blocks]


def _computed(work: BlockWork, shared: SharedReads, repeated: Repeated | None) -> Computed:
    wanted = [each.node for each in work.accumulations if not each.streamed]
    wanted += work.outputs
    schedule = Schedule([(node, work.selection) for node in wanted], shared.boxes, repeated)
    values = carried_out(schedule, shared.block, repeated)
    found = [
        _streamed(each, each.node.stream(work.selection))
        if each.streamed
        else _accumulated(each, next(values))
        for each in work.accumulations
    ]
    return Computed(found, list(values))


def _streamed(accumulation: Accumulation, stream: Stream) -> list[list[Partial]]:
    aggregators, axes = accumulation.aggregators, accumulation.axes
    [(_, origin)] = accumulation.blocks
    return [partials(aggregators, stream, axes, origin, accumulation.plain)]


def _accumulated(accumulation: Accumulation, values: Values) -> list[list[Partial]]:
    aggregators, axes = accumulation.aggregators, accumulation.axes
    found = []
    for box, origin in accumulation.blocks:
        block = values if box_shape(box) == values.shape else values[box]
        found.append(partials(aggregators, block, axes, origin, accumulation.plain))
    return found


class SharedReads:
    """What is read for the first part of a task, for the others to take from.

    Parameters
    ----------
    shared : iterable of (Node, Box)
        What to keep, and which box of it.
    """

    def __init__(self, shared: Iterable[tuple[Node, Box]]) -> None:
        self.boxes = {id(node): box for node, box in shared}
        """The box of each node, by its id."""
        self._read: dict[int, Values] = {}

    def block(self, node: Node, selection: Selection) -> Values:
        """Return the values of a non-empty selection of a node: not to be written to."""
        kept = self.boxes.get(id(node))
        if kept is None:
            return block(node, selection)
        box, local = selection.bounding_box()
        if not holds(kept, box):
            return block(node, selection)
        values = self._read.get(id(node))
        if values is None:
            values = self._read[id(node)] = block(node, Selection.of_box(kept))
        return take(local, values[within(box, kept)])
