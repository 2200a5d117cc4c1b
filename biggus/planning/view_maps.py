"""View maps: where the values that one group reads lie in those that another group reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus.graph import Node, View, Walk, is_spread, key_of, ordered, unbroadcast
from biggus.indexing.reduction_blocks import simplified
from biggus.indexing.selection import ArrayMap, ConstantMap, DimensionMap, Selection, dims_of
from biggus.planning.schedule import past_views

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from biggus.indexing.grid import Box, Grid, Lengths
    from biggus.indexing.selection import AxisMap

_MANY = 2**16
"""The most pieces of an axis: it would take too long to see which of more of them nest."""


class ViewMap(NamedTuple):
    """The positions of a leader and of a member in the node that both read."""

    lead: Selection
    """The leader's selection of the node: a box, its axes in any order."""

    own: Selection
    """The member's selection of the node; it lies within the leader's."""

    def _cut_axes(self, lead: Grid) -> Iterator[tuple[DimensionMap, DimensionMap | ArrayMap, int]]:
        """Yield the same for the axes along which the leader has several blocks."""
        return (axis for axis in self._shared_axes() if lead.axes[axis[0].dim].count > 1)

    def _shared_axes(self) -> Iterator[tuple[DimensionMap, DimensionMap | ArrayMap, int]]:
        """Yield for each axis along which both vary the leader's map, the member's, and its dim."""
        for one, other in zip(self.lead.maps, self.own.maps, strict=True):
            if isinstance(one, DimensionMap) and not isinstance(other, ConstantMap):
                yield one, other, dims_of(other)[0]

    def box(self, lead: Box) -> Box | None:
        """Return the box of the member's positions in a box of the leader's; None if empty."""
        box = [slice(0, n, 1) for n in self.own.shape]
        for one, other in zip(self.lead.maps, self.own.maps, strict=True):
            if isinstance(one, ConstantMap):
                continue
            assert isinstance(one, DimensionMap)
            start, stop = one.start + lead[one.dim].start, one.start + lead[one.dim].stop
            if isinstance(other, ConstantMap):
                if not start <= other.index < stop:
                    return None
                continue
            dim = dims_of(other)[0]
            n = self.own.shape[dim]
            first, last = sorted((_before(other, n, start), _before(other, n, stop)))
            if first == last:
                return None
            box[dim] = slice(first, last, 1)
        return tuple(box)

    def nested(self, lead: Grid, own: Grid) -> tuple[Lengths, ...] | None:
        """Return the lengths of unions of the leader's blocks that hold whole blocks of `own`.

        None if there are too many blocks to tell.
        """
        lengths = list(lead.lengths)
        for one, other, dim in self._cut_axes(lead):
            edges = lead.axes[one.dim]
            if edges.count > _MANY or own.axes[dim].count > _MANY:
                return None
            cuts = np.array(edges.offsets)
            bounds = _within(other, self.own.shape[dim], cuts + one.start)
            whole = np.isin(bounds, own.axes[dim].offsets)
            if not whole.all():
                lengths[one.dim] = simplified(edges.length, np.diff(cuts[whole]).tolist())
        return tuple(lengths)

    def _bounds(self, lead: Grid) -> Iterator[tuple[int, int, npt.NDArray[np.int64]]]:
        """Yield for each axis that is cut the leader's axis, the member's, and bounds.

        The bounds tell how many of the member's positions come before each edge of the blocks.
        """
        for one, other, dim in self._cut_axes(lead):
            cuts = np.array(lead.axes[one.dim].offsets) + one.start
            yield one.dim, dim, _within(other, self.own.shape[dim], cuts)

    def cut(self, lead: Grid) -> tuple[Lengths, ...]:
        """Return the lengths into which the leader's blocks cut the member's positions."""
        lengths: list[Lengths] = [max(1, n) for n in self.own.shape]
        for _, dim, bounds in self._bounds(lead):
            cuts = np.diff(np.unique(bounds)).tolist()
            lengths[dim] = simplified(self.own.shape[dim], cuts)
        return tuple(lengths)

    def touched(self, lead: Grid) -> tuple[int, bytes] | None:
        """Return an axis of the leader, and for each block along it if the member has a part.

        None if no axis along which both vary is cut into several blocks.
        """
        for axis, _, bounds in self._bounds(lead):
            return axis, (np.diff(bounds) != 0).tobytes()
        return None

    def order(self, lead: tuple[int, ...]) -> tuple[int, ...]:
        """Return the order in which the member's axes vary, slowest first, from the leader's."""
        places = [len(lead)] * len(self.own.shape)
        for one, _, dim in self._shared_axes():
            places[dim] = lead.index(one.dim)
        return tuple(sorted(range(len(places)), key=places.__getitem__))


class ReadRegion(NamedTuple):
    """The part of a node that other nodes read."""

    base: Node
    """The node that is read."""

    seen: Selection
    """The selection of it; its dims are the axes of the nodes that read it."""

    bounds: tuple[tuple[int, int], ...] | None
    """The first and the last position of each axis; None if some axis has no ascending or evenly
    spaced positions of its own."""

    @classmethod
    def of(cls, base: Node, seen: Selection) -> ReadRegion:
        """Return the read region of a selection."""
        dims = [dims_of(m)[0] for m in seen.maps if not isinstance(m, ConstantMap)]
        other = any(isinstance(m, ArrayMap) and not m.ascends for m in seen.maps)
        if other or len(set(dims)) < len(dims):
            return cls(base, seen, None)
        return cls(base, seen, tuple([_ends(m, seen.shape) for m in seen.maps]))

    @property
    def leads(self) -> bool:
        """Whether it is a box, its axes in any order, so that its group can lead."""
        dims = [m.dim for m in self.seen.maps if isinstance(m, DimensionMap) and m.step == 1]
        fixed = sum(isinstance(m, ConstantMap) for m in self.seen.maps)
        whole = len(dims) + fixed == len(self.seen.maps)
        return whole and sorted(dims) == list(range(len(self.seen.shape)))

    def holds(self, other: ReadRegion) -> bool:
        """Return whether the bounds of another region lie within those of this one."""
        if self.bounds is None or other.bounds is None:
            return False
        pairs = zip(self.bounds, other.bounds, strict=True)
        return all(low <= first and last <= high for (low, high), (first, last) in pairs)


def read_regions_of(nodes: Sequence[Node]) -> dict[int, ReadRegion]:
    """Return the regions of the nodes that `nodes` read, by id; of each node the first region."""
    regions: dict[int, ReadRegion] = {}
    seen: set[Any] = set()
    in_memory: Walk[bool] = Walk("in_memory")
    waiting = [(node, Selection.identity(node.shape)) for node in reversed(nodes)]
    while waiting:
        node, selection = waiting.pop()
        node, selection = past_views(node, selection)
        key = (id(node), key_of(selection))
        if key in seen:
            continue
        seen.add(key)
        needs = node.needs(selection)
        if needs is not None:
            # Broadcast operands are read without the axes that they repeat.
            whole = [ask for ask in needs if ask[1].shape == selection.shape]
            waiting.extend(reversed(whole))
        elif not (id(node) in regions or node.of_blocks or in_memory(node)):
            regions[id(node)] = ReadRegion.of(node, selection)
    return regions


def repeated_in(node: Node) -> Iterator[tuple[Node, Selection]]:
    """Yield the nodes, with a selection, that are broadcast to compute a node."""
    in_memory: Walk[bool] = Walk("in_memory")
    for each in ordered([node], _computed_from):
        for child in () if isinstance(each, View) else _computed_from(each):
            if is_spread(child):
                base, selection = unbroadcast(child, Selection.identity(each.shape))
                if not in_memory(base):
                    yield base, selection


def _computed_from(node: Node) -> Sequence[Node]:
    """Return the child of a view, or the operands of a node that is computed place by place."""
    whole = Selection.identity(node.shape)
    return node.children if isinstance(node, View) or node.needs(whole) is not None else ()


def _ends(m: AxisMap, shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the least and the greatest position that a map takes."""
    if isinstance(m, ConstantMap):
        return m.index, m.index
    if isinstance(m, ArrayMap):
        return int(m.index[0]), int(m.index[-1])
    last = m.start + m.step * (shape[m.dim] - 1)
    return min(m.start, last), max(m.start, last)


def _within(
    m: DimensionMap | ArrayMap, n: int, cuts: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return how many of the `n` positions of a map come before each of some cuts of its axis."""
    if isinstance(m, ArrayMap):
        return np.searchsorted(m.index, cuts)
    ahead = cuts - m.start if m.step > 0 else m.start - cuts + 1
    counts: npt.NDArray[np.int64] = np.clip(-(-ahead // abs(m.step)), 0, n)
    return counts


def _before(m: DimensionMap | ArrayMap, n: int, cut: int) -> int:
    """Return the same for one cut, in a tenth of the time."""
    if isinstance(m, ArrayMap):
        return int(m.index.searchsorted(cut))
    ahead = cut - m.start if m.step > 0 else m.start - cut + 1
    return min(max(-(-ahead // abs(m.step)), 0), n)
