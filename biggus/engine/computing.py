"""Computing: the work of one task, in whatever thread or process it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from biggus.engine.reading import block
from biggus.nodes import Elementwise, Node, View, is_spread, narrowed, spread, take
from biggus.planning import signature_of
from biggus.region import Selection
from biggus.source import box_shape, holds, within
from biggus.statistics import partials

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from biggus.engine.repeated import Repeated
    from biggus.planning import Accumulation, BlockWork, Shared, Work
    from biggus.source import Stream, Values
    from biggus.statistics import Partial

    _Read = Callable[[Node, Selection], Values]


class Computed(NamedTuple):
    """What has come of a part of a task."""

    partials: list[list[list[Partial]]]
    """For each reduction and cell the partial result of each family."""

    outputs: list[Values]
    """For each output its values in the block; not to be written to."""


def compute(work: Work, repeated: Repeated | None = None) -> list[Computed]:
    """Do the work of a task; return what has come of each of its parts."""
    read = SharedReads(work.shared).block if work.shared else block
    return [_computed(each, read, repeated) for each in work.blocks]


def _computed(work: BlockWork, read: _Read, repeated: Repeated | None) -> Computed:
    reduced = [each.node for each in work.accumulations if each.cells]
    blocks = Blocks([work.nodes[number] for number in (*reduced, *work.outputs)], read, repeated)
    found = []
    for accumulation in work.accumulations:
        if accumulation.cells:
            node = work.nodes[accumulation.node]
            if accumulation.streamed:
                found.append(_streamed(accumulation, node.stream(work.get)))
            else:
                found.append(_accumulated(accumulation, blocks.values(node, work.get)))
        else:
            found.append([])
    return Computed(found, [blocks.values(work.nodes[n], work.get) for n in work.outputs])


def _streamed(accumulation: Accumulation, stream: Stream) -> list[list[Partial]]:
    families, axes = accumulation.families, accumulation.axes
    [(_, origin)] = accumulation.cells
    return [partials(families, stream, axes, origin, accumulation.plain)]


def _accumulated(accumulation: Accumulation, values: Values) -> list[list[Partial]]:
    families, axes = accumulation.families, accumulation.axes
    found = []
    for box, origin in accumulation.cells:
        cell = values if box_shape(box) == values.shape else values[box]
        found.append(partials(families, cell, axes, origin, accumulation.plain))
    return found


class SharedReads:
    """What is read for the first part of a task, for the others to take from.

    Parameters
    ----------
    shared : iterable of Shared
        What to keep, and which box of it.
    """

    def __init__(self, shared: Iterable[Shared]) -> None:
        self._boxes = {id(node): box for node, box in shared}
        self._read: dict[int, Values] = {}

    def block(self, node: Node, get: Selection) -> Values:
        """Return the values of a non-empty selection of a node: not to be written to."""
        kept = self._boxes.get(id(node))
        if kept is None:
            return block(node, get)
        box, local = get.bounding_box()
        if not holds(kept, box):
            return block(node, get)
        values = self._read.get(id(node))
        if values is None:
            values = self._read[id(node)] = block(node, Selection.of_box(kept))
        return take(local, values[within(box, kept)])


class Blocks:
    """The values of one block of several nodes; what they have in common is computed once.

    Parameters
    ----------
    nodes : iterable of Node
        What will be asked for; what will be asked for twice, twice.
    read : callable, optional
        What reads a selection of what is not computed.
    repeated : Repeated, optional
        What keeps values that other blocks need as well.
    """

    def __init__(
        self, nodes: Iterable[Node], read: _Read = block, repeated: Repeated | None = None
    ) -> None:
        self._read = read
        self._repeated = repeated
        self._uses = _uses_of(nodes)
        self._known: dict[object, Values] = {}

    def values(self, node: Node, get: Selection) -> Values:
        """Return the values of a selection of a node: not to be written to."""
        return spread(self._values(node, get), get.shape)

    def _values(self, node: Node, get: Selection) -> Values:
        """Return the same; of length one along dims in which all are equal."""
        if isinstance(node, View):
            return self.values(node.base, node.selection.compose(get))
        if self._uses.get(id(node), 0) < 2:
            return self._computed(node, get)
        key = (id(node), signature_of(get))
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._computed(node, get)
        return found

    def _computed(self, node: Node, get: Selection) -> Values:
        if not isinstance(node, Elementwise):
            return self._read(node, get)
        step = node.step
        operands = [self._operand(operand, get) for operand in node.operands]
        (first, *others) = node.operands
        if not others and self._is_free(first) and hasattr(step, "over"):
            over: Values = step.over(operands[0])
            return over
        values: Values = step(*operands)
        return values

    def _operand(self, operand: Node, get: Selection) -> Values:
        node, part = narrowed(operand, get)
        kept = self._repeated
        if kept is not None and kept.holds(node, is_spread(operand)):
            return kept.values(node, part, self.values)
        return self.values(node, part)

    def _is_free(self, node: Node) -> bool:
        """Tell whether the values of a node are nobody else's, and may be written over."""
        fresh = isinstance(node, Elementwise) and getattr(node.step, "fresh", False)
        return fresh and self._uses.get(id(node), 0) < 2


def _uses_of(nodes: Iterable[Node]) -> dict[int, int]:
    """Return how often each node is used by those that are given, or is one of them."""
    uses: dict[int, int] = {}
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if isinstance(node, View):
            waiting.append(node.base)
            continue
        known = uses.get(id(node), 0)
        uses[id(node)] = known + 1
        if not known and isinstance(node, Elementwise):
            waiting.extend(node.operands)
    return uses
