"""Convoys: groups of unlike shapes that go together, for they read the same.

The first leads; it goes through its blocks as it would alone.  What another
computes of what both read lies within, such as ``a[:10].max()`` beside ``a.mean()``:
it follows, block by block, and takes from what was read for the leader.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from biggus.cells import longest_of, simplified
from biggus.errors import MemoryBudgetError
from biggus.nodes import AlongAxes, Elementwise, Leaf, Reduce, View, narrowed
from biggus.options import format_bytes
from biggus.planning.footprint import values_bytes
from biggus.planning.groups import MOST, Group, grouped
from biggus.planning.jobs import lengths_of
from biggus.planning.rewriting import repeated_in, signature_of
from biggus.planning.tasks import Shared, Task, Work
from biggus.region import Fixed, Selection, Strided

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    from biggus.cells import Lengths
    from biggus.grid import Edges, Grid
    from biggus.nodes import Node
    from biggus.planning.jobs import Cell, Output, Reduction
    from biggus.source import Box

_AHEAD = 16
"""So far may a task be ahead of the first that is not done, and further for each at once."""

_KEPT = 8
"""Of the memory, the part that repeated values may take."""

_MANY = 2**16
"""Pieces of an axis; where there are more, it takes too long to see which of them nest."""


class Convoy:
    """Groups that go through what they read together.

    Parameters
    ----------
    lead : Group
        Whose blocks they go by.
    followers : sequence of Follower
    """

    def __init__(self, lead: Group, followers: Sequence[Follower] = ()) -> None:
        self.lead = lead
        self.followers = tuple(followers)
        self.groups = (lead, *[follower.group for follower in followers])
        self.memory = lead.memory
        self._shared = list({id(f.base): (f.base, f.course.lead) for f in followers}.values())
        self.state = sum(group.state for group in self.groups)
        held = sum(values_bytes(base, lead.largest) for base, _ in self._shared)
        # What comes of those before is there until that of the last has come.
        peaks, waiting = [0], 0
        for follower in followers:
            peaks.append(waiting + follower.group.peak)
            waiting += follower.group.handed
        self.peak = lead.peak + held + max(peaks)
        self._left = sum(group.left for group in self.groups)
        self.repeated: list[tuple[Node, Selection]] = []
        """What many blocks need the same values of, and which there is room to keep."""
        self._keep_repeated()

    @property
    def waits(self) -> bool:
        """Whether to read is to wait for something."""
        return any(group.waits for group in self.groups)

    @property
    def nbytes(self) -> int:
        """The bytes of the values that the groups go through."""
        return sum(group.nbytes for group in self.groups)

    def tasks(self, wanted: Callable[[int, int, Cell], bool] | None = None) -> Iterator[Task]:
        """Yield the tasks, one a block of the leader, in the order in which they are to begin.

        Parameters
        ----------
        wanted : callable, optional
            Called with the numbers of a group and of a reduction of it, and a cell:
            whether it must be computed.
        """
        for number, (index, box) in enumerate(self.lead.boxes()):
            parts = [self.lead.part(0, index, box, wanted)]
            for at, follower in enumerate(self.followers, 1):
                own = follower.course.box(box)
                if own is not None:
                    parts.append(follower.group.part(at, None, own, wanted))
            yield Task(number, tuple(parts))

    def work(self, task: Task) -> Work:
        """Return what a task needs."""
        works = tuple([self.groups[part.group].work(part) for part in task.parts])
        return Work(works, self.shared(task))

    def shared(self, task: Task) -> tuple[Shared, ...]:
        """Return what is read for the leader, and kept for those that follow."""
        first, *others = task.parts
        if first.idle or not others:
            return ()
        get = Selection.of_box(first.box)
        # Of what the leader has been found to have no need, it reads nothing.
        wanted = {id(base) for base, _ in _sights(self.lead.wanted_of(first))}
        return tuple(
            [
                Shared(base, seen.compose(get).bounding_box()[0])
                for base, seen in self._shared
                if id(base) in wanted
            ]
        )

    def at_once(self, most: int) -> int:
        """Return how many tasks may be computed at once, of no more than `most`.

        Raises
        ------
        MemoryBudgetError
            If not even one can be.
        """
        room = (self.memory - self.state) // max(1, self.peak)
        if room < 1:
            axes = self.lead.blocks.axes
            shape = " × ".join([str(longest_of(axis)) for axis in axes]) or "one value"
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

    def _keep_repeated(self) -> None:
        """Find what is to be kept for all blocks, and what that takes."""
        found = {}
        for node in itertools.chain(*[group.nodes for group in self.groups]):
            for base, get in repeated_in(node):
                found[id(base), signature_of(get)] = (base, get)
        nbytes = sum(values_bytes(base, math.prod(get.shape)) for base, get in found.values())
        room = self.memory - self.state - self.peak
        if nbytes <= min(room, self.memory // _KEPT):
            self.repeated = list(found.values())
            self.state += nbytes

    def joined_by(self, group: Group) -> Convoy | None:
        """Return a convoy of these groups and another; None if it has no place among them."""
        mine = {id(base): seen for base, seen in _sights(self.lead.nodes) if _is_plain(seen)}
        for base, own in _sights(group.nodes):
            if id(base) not in mine:
                continue
            course = Course(mine[id(base)], own)
            cut = course.nested(self.lead.blocks, group.nested)
            if cut is None:
                continue
            lead = self.lead.cut(cut)
            if lead.largest > max(MOST, self.lead.largest):
                continue
            followers = (*self.followers, Follower(group, base, course))
            found = Convoy(lead, [follower.along(lead) for follower in followers])
            if found.state + found.peak <= self.memory:
                return found
        return None


class Follower(NamedTuple):
    """A group that follows another."""

    group: Group
    base: Node
    """What both read."""

    course: Course

    def along(self, lead: Group) -> Follower:
        """Return the follower of the leader's blocks as they are now."""
        lengths, order = self.course.cut(lead.blocks), self.course.order(lead.order)
        return self._replace(group=self.group.cut(lengths, order))


class Course(NamedTuple):
    """Where positions of a leader and of a follower are, in what both read."""

    lead: Selection
    """Of what is read, the leader's: a box of it, its axes in any order."""

    own: Selection
    """That of the follower, within the leader's."""

    def box(self, lead: Box) -> Box | None:
        """Return the follower's positions that a box of the leader's holds; None for none."""
        box = [slice(0, n, 1) for n in self.own.shape]
        for one, other in zip(self.lead.maps, self.own.maps, strict=True):
            if isinstance(one, Fixed):
                continue
            assert isinstance(one, Strided)
            start, stop = one.start + lead[one.dim].start, one.start + lead[one.dim].stop
            if isinstance(other, Fixed):
                if not start <= other.index < stop:
                    return None
                continue
            assert isinstance(other, Strided)
            bounds = _within(other, self.own.shape[other.dim], np.array([start, stop]))
            first, last = sorted(bounds.tolist())
            if first == last:
                return None
            box[other.dim] = slice(first, last, 1)
        return tuple(box)

    def nested(self, lead: Grid, own: Grid) -> tuple[Lengths, ...] | None:
        """Return the lengths of unions of the leader's blocks that hold whole blocks of the other.

        None if what the follower reads is not all in what the leader does.
        """
        if not self._is_inside():
            return None
        lengths = list(lengths_of(lead))
        for one, other in zip(self.lead.maps, self.own.maps, strict=True):
            if not (isinstance(one, Strided) and isinstance(other, Strided)):
                continue
            edges = lead.axes[one.dim]
            if edges.count > _MANY or own.axes[other.dim].count > _MANY:
                return None
            cuts = _offsets(edges)
            bounds = _within(other, self.own.shape[other.dim], cuts + one.start)
            whole = np.isin(bounds, _offsets(own.axes[other.dim]))
            if not whole.all():
                lengths[one.dim] = simplified(edges.length, np.diff(cuts[whole]).tolist())
        return tuple(lengths)

    def cut(self, lead: Grid) -> tuple[Lengths, ...]:
        """Return the lengths into which the leader's blocks cut the follower's positions."""
        lengths: list[Lengths] = [max(1, n) for n in self.own.shape]
        for one, other in zip(self.lead.maps, self.own.maps, strict=True):
            if isinstance(one, Strided) and isinstance(other, Strided):
                n = self.own.shape[other.dim]
                bounds = _within(other, n, _offsets(lead.axes[one.dim]) + one.start)
                lengths[other.dim] = simplified(n, np.diff(np.unique(bounds)).tolist())
        return tuple(lengths)

    def order(self, lead: tuple[int, ...]) -> tuple[int, ...]:
        """Return in which order the follower's axes are gone through, slowest first."""
        places = [len(lead)] * len(self.own.shape)
        for one, other in zip(self.lead.maps, self.own.maps, strict=True):
            if isinstance(one, Strided) and isinstance(other, Strided):
                places[other.dim] = lead.index(one.dim)
        return tuple(sorted(range(len(places)), key=places.__getitem__))

    def _is_inside(self) -> bool:
        """Tell whether all positions of the follower are among the leader's."""
        dims = [m.dim for m in self.own.maps if isinstance(m, Strided)]
        if len(set(dims)) < len(dims):
            return False
        for one, other in zip(self.lead.maps, self.own.maps, strict=True):
            if not isinstance(other, Fixed | Strided):
                return False
            first, last = _ends(other, self.own.shape)
            low, high = _ends(one, self.lead.shape)
            if min(first, last) < low or max(first, last) > high:
                return False
        return True


def convoys_of(
    reductions: Sequence[Reduction], outputs: Sequence[Output], memory: int
) -> list[Convoy]:
    """Return jobs in groups, and these in convoys: who goes through most leads."""
    found: list[Convoy] = []
    groups = grouped(reductions, outputs, memory)
    for group in sorted(groups, key=lambda group: -math.prod(group.shape)):
        for number, convoy in enumerate(found):
            joined = convoy.joined_by(group)
            if joined is not None:
                found[number] = joined
                break
        else:
            found.append(Convoy(group))
    return found


def _sights(nodes: Sequence[Node]) -> Iterator[tuple[Node, Selection]]:
    """Yield what nodes read, each thing once, and what of it at which of their positions."""
    seen: set[int] = set()
    for node in nodes:
        for base, get in _seen(node, Selection.identity(node.shape)):
            if id(base) not in seen:
                seen.add(id(base))
                yield base, get


def _seen(node: Node, get: Selection) -> Iterator[tuple[Node, Selection]]:
    match node:
        case View():
            yield from _seen(node.base, node.selection.compose(get))
        case Elementwise():
            operands = [operand for operand in node.operands if operand.shape == node.shape]
            yield from itertools.chain(*[_seen(*narrowed(each, get)) for each in operands])
        case Leaf() if node.source.resident:
            return
        case Reduce() | AlongAxes():
            return
        case _:
            yield node, get


def _is_plain(seen: Selection) -> bool:
    """Tell whether a selection is a box, its axes in any order."""
    dims = []
    for m in seen.maps:
        if isinstance(m, Strided):
            if m.step != 1:
                return False
            dims.append(m.dim)
        elif not isinstance(m, Fixed):
            return False
    return sorted(dims) == list(range(len(seen.shape)))


def _ends(m: object, shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the first and the last position of an axis."""
    if isinstance(m, Fixed):
        return m.index, m.index
    assert isinstance(m, Strided)
    return m.start, m.start + m.step * (shape[m.dim] - 1)


def _within(m: Strided, n: int, cuts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return where cuts of an axis lie among the `n` positions of a selection of it."""
    ahead = cuts - m.start if m.step > 0 else m.start - cuts + 1
    found: npt.NDArray[np.int64] = np.clip(-(-ahead // abs(m.step)), 0, n)
    return found


def _offsets(edges: Edges) -> npt.NDArray[np.int64]:
    """Return where the pieces of an axis begin, and where the last ends."""
    starts = [edges.bounds(number)[0] for number in range(edges.count)]
    return np.array([*starts, edges.length], np.int64)
