"""Shared scans: groups of jobs of different shapes that share their reads.

The leader of a scan goes through its blocks as it would alone.  A member reads a part of what
the leader reads, such as ``a[:10].max()`` beside ``a.mean()``: it follows the leader block by
block, and takes its values from what was read for the leader.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, NamedTuple

from biggus.errors import MemoryBudgetError
from biggus.graph import Node, key_of
from biggus.options import format_bytes
from biggus.planning.footprint import values_bytes
from biggus.planning.groups import MOST, JobGroup
from biggus.planning.tasks import Task, TaskBlock
from biggus.planning.view_maps import ViewMap
from biggus.support.once import once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from biggus.indexing.selection import Selection
    from biggus.planning.jobs import ReductionBlock
    from biggus.sources.base import Box

_AHEAD = 16
"""How many tasks may run ahead of the oldest unfinished one, beyond two per worker."""

_REPEATED = 8
"""Repeated values take no more than this fraction, 1/8, of the memory."""

MOST_MEMBERS = 256
"""The most members of a scan: each is looked at for each block."""


class SharedScan:
    """Groups of jobs that are computed block by block from shared reads.

    Parameters
    ----------
    lead : JobGroup
        The group whose blocks the scan goes through.
    members : sequence of Member

    Attributes
    ----------
    groups : tuple of JobGroup
        The leader, and then the members.
    streamed : bool
        Whether blocks are accumulated while they are read, run by run.
    peak : int
        The most bytes that a task takes, beside `state`.
    """

    def __init__(self, lead: JobGroup, members: Sequence[Member] = ()) -> None:
        self.lead = lead
        self.memory = lead.memory
        self.members = tuple(members)
        self.groups = (lead, *[member.group for member in members])
        self.streamed = lead.streams and not members
        self._shared = {id(each.base): (each.base, each.view_map.lead) for each in members}
        peak = results = stacks = 0
        for group in self.groups[1:]:
            # The results of earlier members are held until the last member is computed.
            peak = max(peak, results + group.peak)
            results += group.result_bytes
            stacks = max(stacks, group.stack_bytes)
        shared = sum([values_bytes(base, lead.largest) for base, _ in self._shared.values()])
        self.peak = peak + stacks + shared + (lead.streamed_peak if self.streamed else lead.peak)
        self._partial_states = sum([group.state for group in self.groups])

    @property
    def fits(self) -> bool:
        """Whether at least one task can be computed in the memory."""
        return self._partial_states + self.peak <= self.memory

    @once
    def repeated(self) -> list[tuple[Node, Selection]]:
        """The values that many blocks need and that are kept: all, if they fit into memory."""
        pairs = itertools.chain.from_iterable([group.repeated for group in self.groups])
        repeated = list({(id(node), key_of(seen)): (node, seen) for node, seen in pairs}.values())
        room = self.memory - self._partial_states - self.peak
        return repeated if _nbytes(repeated) <= min(room, self.memory // _REPEATED) else []

    @once
    def state(self) -> int:
        """The bytes that are held throughout the scan."""
        return self._partial_states + _nbytes(self.repeated)

    @property
    def io_bound(self) -> bool:
        """Whether reading waits for a disk or a server."""
        return any(group.io_bound for group in self.groups)

    @property
    def nbytes(self) -> int:
        """The bytes of the values that the groups go through."""
        return sum(group.nbytes for group in self.groups)

    def tasks(
        self, wanted: Callable[[int, int, ReductionBlock], bool] | None = None
    ) -> Iterator[Task]:
        """Yield the tasks, one for each block of the leader, in the order in which they begin.

        Parameters
        ----------
        wanted : callable, optional
            Called with the number of a group, the number of a reduction in it, and a reduction
            block; returns whether that block must be computed.
        """
        task_blocks = self.lead.task_blocks
        members = [
            (at, member, member.view_map.touched(task_blocks))
            for at, member in enumerate(self.members, 1)
        ]
        for number, (index, box) in enumerate(self.lead.boxes()):
            blocks = [self.lead.task_block(0, index, box, wanted, self.streamed)]
            for at, member, part in members:
                if part is not None and not part[1][index[part[0]]]:
                    continue  # quick: there may be many
                own = member.view_map.box(box)
                if own is not None:
                    blocks.append(member.group.task_block(at, None, own, wanted))
            shared = self._shared_by(blocks) if len(blocks) > 1 else ()
            yield Task(number, tuple(blocks), shared)

    def _shared_by(self, blocks: Sequence[TaskBlock]) -> tuple[tuple[Node, Box], ...]:
        """Return the nodes that are read for the leader and kept for the members, with a box."""
        # The leader reads nothing for reductions that the cache has.  A leader that only reads
        # needs what its members need.
        first = blocks[0]
        needing = blocks if self.lead.shared_input is not None else [first]
        wanted = {key for block in needing for key in self.groups[block.group].read_by(block)}
        return tuple(
            [
                (base, seen.compose(first.selection).bounding_box()[0])
                for base, seen in self._shared.values()
                if id(base) in wanted
            ]
        )

    def at_once(self, most: int) -> int:
        """Return how many tasks fit into memory at once, but no more than `most`.

        Raises
        ------
        MemoryBudgetError
            If not even one fits.
        """
        room = (self.memory - self.state) // max(1, self.peak)
        if room < 1:
            axes = self.lead.task_blocks.axes
            shape = " × ".join([str(axis.longest) for axis in axes]) or "one value"
            raise MemoryBudgetError(
                f"a block of {shape} takes {format_bytes(self.peak + self.state)} to compute, "
                f"and the memory option allows {format_bytes(self.memory)}: "
                "allow more with `biggus.set_options(memory=...)`, or store it in smaller chunks"
            )
        return min(most, room)

    def ahead(self, most: int) -> int:
        """Return how many tasks may run ahead of the oldest unfinished one.

        The partial results of the tasks in between wait to be merged until that one is done.

        Parameters
        ----------
        most : int
            The number of tasks that are computed at once.
        """
        partial_bytes = sum([group.partial_bytes for group in self.groups])
        return most - 1 + min(_AHEAD + most, self.room(most) // max(1, partial_bytes))

    def room(self, most: int) -> int:
        """Return how many bytes of memory are left while `most` tasks are computed."""
        return max(0, self.memory - self.state - most * self.peak)

    @property
    def is_full(self) -> bool:
        """Whether the scan has as many members as it may have."""
        return len(self.members) >= MOST_MEMBERS

    def joined_by(self, group: JobGroup) -> SharedScan | None:
        """Return a shared scan of these groups and another; None if that cannot be a member."""
        if self.is_full:
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
            scan = SharedScan(lead, (*members, member.along(lead)))
            if scan.fits:
                return scan
        return None


def _nbytes(repeated: Iterable[tuple[Node, Selection]]) -> int:
    return sum([values_bytes(node, math.prod(selection.shape)) for node, selection in repeated])


class Member(NamedTuple):
    """A group that follows the leader of a scan."""

    group: JobGroup
    base: Node
    """The node that both read."""

    view_map: ViewMap

    def along(self, lead: JobGroup) -> Member:
        """Return the same member with its blocks cut along those of a leader."""
        lengths, order = self.view_map.cut(lead.task_blocks), self.view_map.order(lead.order)
        return self._replace(group=self.group.cut(lengths, order))
