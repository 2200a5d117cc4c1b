"""Shared scans: groups of unlike shapes that go together, for they read the same.

The first leads; it goes through its blocks as it would alone.  What another
computes of what both read lies within, such as ``a[:10].max()`` beside ``a.mean()``:
it follows, block by block, and takes from what was read for the leader.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, NamedTuple

from biggus.errors import MemoryBudgetError
from biggus.graph import key_of
from biggus.options import format_bytes
from biggus.planning.footprint import values_bytes
from biggus.planning.groups import MOST, JobGroup
from biggus.planning.tasks import Task
from biggus.planning.view_maps import ViewMap, read_regions_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from biggus.graph import Node
    from biggus.indexing.selection import Selection
    from biggus.planning.jobs import ReductionBlock
    from biggus.planning.tasks import TaskBlock
    from biggus.sources.base import Box

_AHEAD = 16
"""So far may a task be ahead of the first that is not done, and further for each at once."""

_REPEATED = 8
"""Of the memory, the part that repeated values may take."""

MOST_MEMBERS = 256
"""More than so many do not follow one: each is looked at for each block."""


class SharedScan:
    """Groups that go through what they read together.

    Parameters
    ----------
    lead : JobGroup
        Whose blocks they go by.
    members : sequence of Member
    """

    def __init__(self, lead: JobGroup, members: Sequence[Member] = ()) -> None:
        self.lead = lead
        self.members = tuple(members)
        self.groups = (lead, *[member.group for member in members])
        self.memory = lead.memory
        self._shared = list({id(f.base): (f.base, f.view_map.lead) for f in members}.values())
        self.state = sum(group.state for group in self.groups)
        held = sum(values_bytes(base, lead.largest) for base, _ in self._shared)
        # What comes of those before is there until that of the last has come.
        peaks, waiting = [0], 0
        for member in members:
            peaks.append(waiting + member.group.peak)
            waiting += member.group.handed
        self.streamed = lead.streams and not members
        """Whether blocks are accumulated while they are read, run by run."""
        self.peak = (lead.streamed_peak if self.streamed else lead.peak) + held + max(peaks)
        self._left = sum(group.left for group in self.groups)
        self.repeated: list[tuple[Node, Selection]] = []
        """What many blocks need the same values of, and which there is room to keep."""
        self._keep_repeated()

    @property
    def io_bound(self) -> bool:
        """Whether to read is to wait for something."""
        return any(group.io_bound for group in self.groups)

    @property
    def nbytes(self) -> int:
        """The bytes of the values that the groups go through."""
        return sum(group.nbytes for group in self.groups)

    def tasks(
        self, wanted: Callable[[int, int, ReductionBlock], bool] | None = None
    ) -> Iterator[Task]:
        """Yield the tasks, one a block of the leader, in the order in which they are to begin.

        Parameters
        ----------
        wanted : callable, optional
            Called with the numbers of a group and of a reduction of it, and a reduction block:
            whether it must be computed.
        """
        for number, (index, box) in enumerate(self.lead.boxes()):
            blocks = [self.lead.task_block(0, index, box, wanted, self.streamed)]
            for at, member in enumerate(self.members, 1):
                own = member.view_map.box(box)
                if own is not None:
                    blocks.append(member.group.task_block(at, None, own, wanted))
            shared = self._shared_by(blocks) if len(blocks) > 1 else ()
            yield Task(number, tuple(blocks), shared)

    def _shared_by(self, blocks: Sequence[TaskBlock]) -> tuple[tuple[Node, Box], ...]:
        """Return what is read for the leader, and kept for those that follow; which box of it."""
        # Of what the leader has been found to have no need, it reads nothing; one that only
        # reads needs what they need.
        first = blocks[0]
        needing = blocks if self.lead.shared_input is not None else [first]
        wanted = read_regions_of([node for block in needing for node in block.nodes])
        return tuple(
            [
                (base, seen.compose(first.selection).bounding_box()[0])
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
            axes = self.lead.task_blocks.axes
            shape = " × ".join([str(axis.longest) for axis in axes]) or "one value"
            raise MemoryBudgetError(
                f"a block of {shape} takes {format_bytes(self.peak + self.state)} to compute, "
                f"and the memory option allows {format_bytes(self.memory)}: "
                "allow more with {remedy}, or store it in smaller chunks"
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
        return most - 1 + min(_AHEAD + most, self.room(most) // max(1, self._left))

    def room(self, most: int) -> int:
        """Return how much of the memory is left while so many tasks are computed."""
        return max(0, self.memory - self.state - most * self.peak)

    def _keep_repeated(self) -> None:
        """Find what is to be kept for all blocks, and what that takes."""
        found = {}
        for base, selection in itertools.chain(*[group.repeated for group in self.groups]):
            found[id(base), key_of(selection)] = (base, selection)
        nbytes = sum(
            values_bytes(base, math.prod(selection.shape)) for base, selection in found.values()
        )
        room = self.memory - self.state - self.peak
        if nbytes <= min(room, self.memory // _REPEATED):
            self.repeated = list(found.values())
            self.state += nbytes

    def joined_by(self, group: JobGroup) -> SharedScan | None:
        """Return a shared scan of these groups and another; None if it has no place among them."""
        if len(self.members) == MOST_MEMBERS:
            return None
        for key, own in group.read_regions.items():
            seen = self.lead.read_regions.get(key)
            if seen is None or not (seen.leads and seen.holds(own)):
                continue
            member = Member(group, own.base, ViewMap(seen.seen, own.seen))
            lengths = member.view_map.nested(self.lead.task_blocks, group.nested)
            if lengths is None:
                continue
            lead = self.lead.cut(lengths)
            if lead.largest > max(MOST, self.lead.largest):
                continue
            members = self.members
            if lead is not self.lead:
                members = tuple([each.along(lead) for each in members])
            found = SharedScan(lead, [*members, member.along(lead)])
            if found.state + found.peak <= self.memory:
                return found
        return None


class Member(NamedTuple):
    """A group that follows another."""

    group: JobGroup
    base: Node
    """What both read."""

    view_map: ViewMap

    def along(self, lead: JobGroup) -> Member:
        """Return the member of the leader's blocks as they are now."""
        lengths, order = self.view_map.cut(lead.task_blocks), self.view_map.order(lead.order)
        return self._replace(group=self.group.cut(lengths, order))
