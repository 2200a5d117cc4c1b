"""Leading: jobs are put into groups, and groups into shared scans.

The group with the most elements leads a scan.  Several reductions may read interleaved positions,
such as all Januaries and all Februaries of a series.  If no group reads all of these positions,
a group that only reads leads them, so that each chunk is read once and not once for each of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from biggus.graph import Node, select
from biggus.indexing.grid import Grid
from biggus.indexing.selection import ArrayMap, ConstantMap, DimensionMap, Selection, dims_of
from biggus.planning.groups import JobGroup, grouped
from biggus.planning.jobs import Output, Reduction, SharedInput
from biggus.planning.shared_scans import SharedScan
from biggus.planning.view_maps import ReadRegion, read_regions_of

_AGAIN = 1.5
"""A group that only reads is made if chunks are read this often on average without it."""


class Interleaved(NamedTuple):
    """A reduction that reads only some positions of an axis."""

    reduction: Reduction
    region: ReadRegion
    axis: int
    """The axis of the node that is read."""

    @property
    def positions(self) -> npt.NDArray[np.intp]:
        """The positions of the axis that it reads."""
        m = self.region.seen.maps[self.axis]
        if isinstance(m, ArrayMap):
            return m.index
        assert isinstance(m, DimensionMap)
        return m.start + m.step * np.arange(self.region.seen.shape[m.dim])

    @property
    def reduced(self) -> set[int]:
        """The axes of the node that is read along which it is reduced."""
        return {
            axis
            for axis, m in enumerate(self.region.seen.maps)
            if not isinstance(m, ConstantMap) and dims_of(m)[0] in self.reduction.axes
        }


def shared_scans_of(
    reductions: Sequence[Reduction], outputs: Sequence[Output], memory: int
) -> list[SharedScan]:
    """Return the shared scans that compute the jobs of a pass."""
    found: list[SharedScan] = []
    separate: list[JobGroup] = []
    led: set[int] = set()
    for interleaved in _interleaved(reductions):
        alone = [_follower(each.reduction, memory) for each in interleaved]
        if _is_led([*reductions, *outputs], interleaved):
            separate += alone
        else:
            scans, others = _read_for(interleaved, alone, memory)
            if not scans:
                continue
            found += scans
            separate += others
        led.update(id(each.reduction) for each in interleaved)
    rest = [reduction for reduction in reductions if id(reduction) not in led]
    groups = [*grouped(rest, outputs, memory), *separate]
    followers = set(map(id, separate))
    leaders: dict[int, list[int]] = {}  # by the id of a node, the numbers of the scans that read it
    for group in sorted(groups, key=lambda group: -math.prod(group.shape)):
        numbers = {number: None for key in group.read_regions for number in leaders.get(key, ())}
        for number in numbers:
            joined = found[number].joined_by(group)
            if joined is not None:
                found[number] = joined
                break
        else:
            for key in group.read_regions:
                leaders.setdefault(key, []).append(len(found))
            # The leader of a follower would have decided on its blocks.
            lead = _with_own_blocks(group) if id(group) in followers else group
            found.append(SharedScan(lead))
    return found


def _follower(reduction: Reduction, memory: int) -> JobGroup:
    """Return a group of one reduction, whose task blocks are its reduction blocks.

    It is likely to become a member of a shared scan, whose leader decides on the task blocks.
    """
    natural = tuple(range(len(reduction.node.shape)))
    return JobGroup([reduction], [], memory, (reduction.lengths, natural))


def _with_own_blocks(group: JobGroup) -> JobGroup:
    """Return a group that leads a scan, with the task blocks that suit its jobs."""
    return JobGroup(group.reductions, group.outputs, group.memory)


def _interleaved(reductions: Sequence[Reduction]) -> list[list[Interleaved]]:
    """Return groups of reductions that read interleaved positions, where a shared scan pays."""
    if len(reductions) < 2:
        return []
    found: dict[Any, list[Interleaved]] = {}
    for reduction in reductions:
        regions = list(reduction.read_regions.values())
        axis = _spaced_axis(regions[0]) if len(regions) == 1 else None
        if axis is not None:
            region = regions[0]
            assert region.bounds is not None
            across = (*region.bounds[:axis], *region.bounds[axis + 1 :])
            key = id(region.base), axis, across
            found.setdefault(key, []).append(Interleaved(reduction, region, axis))
    return [members for members in found.values() if len(members) > 1 and _are_worth_it(members)]


def _spaced_axis(region: ReadRegion) -> int | None:
    """Return the axis along which positions of the region have gaps; None if not exactly one."""
    if region.bounds is None:
        return None
    spaced = [
        axis
        for axis, m in enumerate(region.seen.maps)
        if isinstance(m, ArrayMap) or (isinstance(m, DimensionMap) and abs(m.step) > 1)
    ]
    return spaced[0] if len(spaced) == 1 else None


def _are_worth_it(members: Sequence[Interleaved]) -> bool:
    """Return whether chunks would be read several times otherwise, and all of them are needed."""
    base, axis = members[0].region.base, members[0].axis
    if base.grid is None:
        return False
    edges = Grid(base.shape, base.grid).axes[axis]
    each = [np.unique(edges.find_all(member.positions)) for member in members]
    seen = np.unique(np.concatenate(each))
    return bool(sum(map(len, each)) >= _AGAIN * len(seen) and seen[-1] - seen[0] + 1 == len(seen))


def _is_led(jobs: Iterable[Reduction | Output], members: Sequence[Interleaved]) -> bool:
    """Return whether one of the jobs reads all interleaved positions, and so can lead."""
    base = members[0].region.base
    regions = (
        (job.read_regions if isinstance(job, Reduction) else read_regions_of([job.node])).get(
            id(base)
        )
        for job in jobs
    )
    return any(
        each is not None and each.leads and all(each.holds(member.region) for member in members)
        for each in regions
    )


def _read_for(
    members: Sequence[Interleaved], groups: Sequence[JobGroup], memory: int
) -> tuple[list[SharedScan], Sequence[JobGroup]]:
    """Return shared scans led by groups that only read, and the groups that are left over.

    There are several scans where one would have too many members.
    """
    bounds = zip(*[member.region.bounds or () for member in members], strict=True)
    box = [slice(min(a for a, _ in ends), max(b for _, b in ends) + 1, 1) for ends in bounds]
    node = select(members[0].region.base, Selection.of_box(tuple(box)))
    natural = tuple(range(len(box)))
    last = tuple(sorted(natural, key=lambda axis: axis in members[0].reduced))
    scans: list[SharedScan] = []
    while groups:
        scan, others = _joined(_scan_of(node, natural, memory), groups)
        if others and last != natural and not scan.is_full:
            scan, others = min(
                (scan, others),
                _joined(_scan_of(node, last, memory), groups),
                key=lambda each: len(each[1]),
            )
        if len(scan.members) < 2:
            break
        scans.append(scan)
        groups = others
    return scans, groups


def _scan_of(node: Node, order: tuple[int, ...], memory: int) -> SharedScan:
    shared = SharedInput(node)
    return SharedScan(JobGroup([], [], memory, (shared.lengths, order), shared))


def _joined(scan: SharedScan, groups: Iterable[JobGroup]) -> tuple[SharedScan, list[JobGroup]]:
    """Return a shared scan with as many of the groups as can join it, and the other groups."""
    others = []
    for group in groups:
        joined = scan.joined_by(group)
        if joined is None:
            others.append(group)
        else:
            scan = joined
    return scan, others
